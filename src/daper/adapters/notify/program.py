"""Hands a message to a program: JSON on its standard input, its exit code is the answer. Blocks: call in a thread."""

import contextlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from typing import IO, Final

from daper.core.errors import DeliveryUnknown, TargetRefused, TargetUnreachable
from daper.core.people import CommandRoute
from daper.core.text import visible

REFUSED: Final = 69  # EX_UNAVAILABLE of sysexits.h
NOT_NOW: Final = 75  # EX_TEMPFAIL
_MOST_SAID: Final = 4096  # bytes
_LONGEST_REASON: Final = 200
_SECRET: Final = 4  # characters; what is shorter is none, and stands in many words


def run(
    route: CommandRoute,
    document: Mapping[str, object],
    *,
    env: Mapping[str, str],
    before_start: Callable[[], None],
) -> None:
    """Run the program once. Nothing of the environment but `env` reaches it; `before_start` is called right before.

    Raises TargetRefused where it says so or cannot be started, TargetUnreachable where it says "not now", and
    DeliveryUnknown for anything else, also where it takes too long: it is ended then, with all that it started.
    """
    given = json.dumps(document, ensure_ascii=False).encode() + b"\n"
    before_start()
    try:
        process = subprocess.Popen(  # noqa: S603 - the program that people.toml names, without a shell
            route.run,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=dict(env),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) else str(error)
        raise TargetRefused(f"the program {visible(route.run[0])} cannot be started: {told}") from None
    said = _Said(process.stderr, secrets={name: env[name] for name in route.env if len(env.get(name, "")) >= _SECRET})
    try:
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), process.stdin:
                process.stdin.write(given)
        code = process.wait(route.timeout.total_seconds())
    except subprocess.TimeoutExpired:
        seconds = route.timeout.total_seconds()
        raise DeliveryUnknown(f"the program did not end within {seconds:g} s (timeout_s), and was ended") from None
    finally:
        _end(process)
    if code != 0:
        raise _judged(code, said.reason())


class _Said:
    """The beginning of what a program says on its standard error; the rest is read, and forgotten.

    `secrets`: variable → value, which it was given, and of which nothing may stand in a reason.
    """

    def __init__(self, stream: IO[bytes] | None, *, secrets: Mapping[str, str]) -> None:
        self._kept = b""
        self._secrets = secrets
        self._reading = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._reading.start()

    def reason(self) -> str:
        """Its last line, as something to put behind an exit code; empty where it said nothing."""
        self._reading.join(1)  # a child of its own may hold the stream open
        told = self._kept.decode(errors="replace")
        for name, value in sorted(self._secrets.items(), key=lambda each: -len(each[1])):
            told = told.replace(value, f"({name})")
        if len(self._kept) == _MOST_SAID:  # it may end within one
            told = told[: -max(map(len, self._secrets.values()), default=0) or None]
        lines = told.strip().splitlines()
        return f": {visible(lines[-1], longest=_LONGEST_REASON)}" if lines else ""

    def _read(self, stream: IO[bytes] | None) -> None:
        if stream is None:
            return
        with stream:
            while part := os.read(stream.fileno(), _MOST_SAID):
                self._kept = (self._kept + part)[:_MOST_SAID]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it with all that it started, if it has not ended."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _judged(code: int, reason: str) -> TargetRefused | TargetUnreachable | DeliveryUnknown:
    if code == REFUSED:
        return TargetRefused(f"the program refused it (exit code {code}){reason}")
    if code == NOT_NOW:
        return TargetUnreachable(f"the program did not take it this time (exit code {code}){reason}", certain=True)
    if code < 0:
        return DeliveryUnknown(f"the program was ended by signal {-code}{reason}")
    return DeliveryUnknown(f"the program ended with exit code {code}{reason}")
