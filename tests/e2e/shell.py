"""A person's shell in the tests: `daper` as a process of its own, in a pipe or on a terminal."""

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import sysconfig
import termios
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

from tests.e2e import forking

T = TypeVar("T")

DAPER = str(Path(sysconfig.get_path("scripts"), "daper"))
GENEROUS = 60.0
COPIES = forking.Copies()
_ON_ITS_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


def until(look: Callable[[], T | None], *, what: str, within: float = GENEROUS) -> T:
    """The first true thing that `look` says. Fails when the deadline is over, and names `what` did not come."""
    deadline = time.monotonic() + within
    while True:
        if found := look():
            return found
        assert time.monotonic() < deadline, f"{what}: not within {within:g} s"
        time.sleep(0.02)


@dataclass(frozen=True)
class Ran:
    """A command that ended."""

    code: int
    out: str
    err: str

    # Any: a document of whatever shape the command prints.
    def document(self) -> Any:
        """What was printed, which must be one JSON document and nothing else."""
        return json.loads(self.out)

    def value(self, name: str) -> str:
        """What follows `name` on the line that has it."""
        return next(line.partition(name)[2].strip() for line in self.out.splitlines() if name in line)


class Terminal:
    """A `daper` on a terminal: type, wait for what it shows, wait for its end."""

    def __init__(self, command: list[str], *, env: Mapping[str, str], cwd: Path, columns: int = 100) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        # A session of its own with this terminal in control, so that Ctrl-C typed here is a signal there.
        self.process: subprocess.Popen[bytes] | forking.OnTerminal
        if command[0] == DAPER and forking.takes(env):
            self.process = COPIES.begin(command, env=env, cwd=cwd, terminal=slave)
        else:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _ON_ITS_TERMINAL, *command],
                stdin=slave,
                stdout=slave,
                stderr=slave,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        os.close(slave)
        self.shown = ""

    def type(self, text: str) -> None:
        """Type at the keyboard."""
        os.write(self._master, text.encode())

    def expect(self, text: str) -> None:
        """Read what is shown until `text` was."""
        deadline = time.monotonic() + GENEROUS
        while text not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} was not shown, but: {self.shown}"
            assert self._read(), f"{text!r} was not shown to the end: {self.shown}"

    def end(self) -> int:
        """Read to the end; the exit code."""
        deadline = time.monotonic() + GENEROUS
        while self._read():
            assert time.monotonic() < deadline, f"no end; shown: {self.shown}"
        return self.process.wait(GENEROUS)

    def close(self) -> None:
        """Hang up, whatever runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._master], [], [], GENEROUS)
        assert ready, f"nothing more for {GENEROUS:g} s; shown: {self.shown}"
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux says so when the last one at the terminal is gone
            return False
        self.shown += data.decode("utf-8", "replace")
        return bool(data)


@dataclass(frozen=True, kw_only=True)
class Shell:
    """One person's place: a home, DAPER_HOME, a current folder, and variables."""

    root: Path
    env: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def home(self) -> Path:
        """DAPER_HOME."""
        return self.root / "daper"

    @property
    def cwd(self) -> Path:
        """The current folder."""
        return self.root / "work"

    @property
    def temporary(self) -> Path:
        """TMPDIR."""
        return self.root / "tmp"

    def variables(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The whole environment of a command: nothing of ours but PATH gets in."""
        for folder in (self.cwd, self.temporary, self.root / "home"):
            folder.mkdir(parents=True, exist_ok=True)
        ours = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root / "home"),
            "TMPDIR": str(self.temporary),
            "DAPER_HOME": str(self.home),
            "USER_NAME": "Minerva",
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "PAGER": "cat",  # nobody is there who would leave another one
        }
        return {**ours, **self.env, **(extra or {})}

    @contextmanager
    def running(
        self, *arguments: str, extra: Mapping[str, str] | None = None, files: int | None = None
    ) -> "Generator[subprocess.Popen[str]]":
        """A command in a pipe, without a terminal; it is over when this is left. `files`: how many it may have open."""
        limited = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh"] if files else []
        process = subprocess.Popen(
            [*limited, DAPER, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=self.variables(extra),
            cwd=self.cwd,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                assert stream is not None
                stream.close()

    def run(self, *arguments: str, extra: Mapping[str, str] | None = None) -> Ran:
        """A command in a pipe, without a terminal, to its end."""
        env = self.variables(extra)
        if forking.takes(env):
            code, out, err = COPIES.run([DAPER, *arguments], env=env, cwd=self.cwd, within=GENEROUS)
            return Ran(code, _text(out), _text(err))
        with self.running(*arguments, extra=extra) as process:
            return finish(process)

    @contextmanager
    def terminal(
        self, *arguments: str, extra: Mapping[str, str] | None = None, columns: int = 100
    ) -> Generator[Terminal]:
        """A command on a terminal."""
        terminal = Terminal([DAPER, *arguments], env=self.variables(extra), cwd=self.cwd, columns=columns)
        try:
            yield terminal
        finally:
            terminal.close()

    # Any: documents of many shapes.
    def orders(self) -> dict[str, Any]:
        """The orders as they stand in the file, by id."""
        document = json.loads((self.home / "data/orders/orders.json").read_text("utf-8"))
        return {order["order_id"]: order for order in document["orders"]}


def _text(printed: bytes) -> str:
    return printed.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")


def finish(process: "subprocess.Popen[str]") -> Ran:
    """Wait for the end of a command."""
    out, err = process.communicate(timeout=GENEROUS)
    return Ran(process.returncode, out, err)


def read_line(stream: "IO[str] | None") -> str:
    """The next line of a running command."""
    assert stream is not None
    return stream.readline()


def processes_with(text: str) -> list[str]:
    """The command lines, of all processes there are, that hold `text`."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found
