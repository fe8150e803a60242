"""Runs a command's coroutine; Ctrl-C, SIGTERM and SIGHUP cancel it, so that everything it opened is closed."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal ended the command."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


def run_to_end(main: Coroutine[object, object, T]) -> T:
    """The result of `main`. Raises Interrupted when a signal came first, after `main` has closed what it opened."""
    received: list[int] = []

    async def guarded() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.create_task(main)

        def cancel(number: int) -> None:
            received.append(number)
            task.cancel()

        for number in _SIGNALS:
            loop.add_signal_handler(number, cancel, number)
        return await task

    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        if not received:
            raise
        raise Interrupted(received[0]) from None


async def ask_line(prompt: str) -> str | None:
    """One line typed at the terminal, None at its end. Cancelling stops the waiting."""
    loop = asyncio.get_running_loop()
    typed: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        if not typed.done():
            typed.set_result(sys.stdin.readline())

    sys.stdout.write(prompt)
    sys.stdout.flush()
    loop.add_reader(sys.stdin.fileno(), read)
    try:
        line = await typed
    finally:
        with contextlib.suppress(ValueError):
            loop.remove_reader(sys.stdin.fileno())
    return line.strip() if line else None


def on_terminal() -> bool:
    """Whether there is somebody to ask: both ends are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()
