"""How much memory a process holds, as the system says."""

from pathlib import Path

_KILOBYTE = 1024


def held(pid: int) -> int:
    """What a process has in memory now, in bytes."""
    return _told(Path("/proc", str(pid), "status"), "VmRSS")


def most(pid: int | None = None) -> int:
    """The most that a process has had, in bytes: this one since `forget_most`, or the named one since it began."""
    return _told(Path("/proc", "self" if pid is None else str(pid), "status"), "VmHWM")


def forget_most() -> None:
    """What it has now is the most from here on."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")


def _told(status: Path, name: str) -> int:
    line = next(line for line in status.read_text("ascii", "replace").splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * _KILOBYTE
