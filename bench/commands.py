"""Commands as a person runs them, each in a process of its own, timed."""

import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

DAPER = str(Path(sysconfig.get_path("scripts"), "daper"))
PYTHON = (sys.executable, "-c", "pass")
WITHIN_S = 60


def environment(home: Path) -> dict[str, str]:
    """That of a person whose home is that folder; nothing of ours comes through."""
    return {
        "PATH": str(Path(DAPER).parent),
        "HOME": str(home),
        "DAPER_HOME": str(home / "daper"),
        "USER_NAME": "Harry",
        "LANG": "C.UTF-8",
    }


def run(command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> tuple[float, bytes]:
    """How long a command takes, and what it prints. Raises CalledProcessError, or TimeoutExpired."""
    began = time.perf_counter()
    ran = subprocess.run(
        command, env=dict(env), cwd=cwd, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=WITHIN_S
    )
    return time.perf_counter() - began, ran.stdout
