"""What a figure is worth depends on: the machine, what else it does, the day, and the command."""

import os
import platform
import sys
from pathlib import Path

from daper.clock import utc_now

_CPU_INFO = Path("/proc/cpuinfo")
_MODEL = "model name"


def told() -> str:
    """The machine, the date and the command, in one line of Markdown."""
    return (
        f"{os.cpu_count()} cores, {_model()}, Python {platform.python_version()}; {utc_now():%Y-%m-%d}; `{_command()}`"
    )


def load() -> float:
    """How many processes wanted a core, on average over the last minute."""
    return os.getloadavg()[0]


def _model() -> str:
    lines = _CPU_INFO.read_text("utf-8").splitlines() if _CPU_INFO.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith(_MODEL))
    return next(named, platform.machine())


def _command() -> str:
    module = sys.modules["__main__"].__spec__
    assert module is not None, "a bench is run as a module: python -m bench.NAME"
    return " ".join(("python -m", module.name, *sys.argv[1:]))
