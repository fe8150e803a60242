"""Runs a command's coroutine; Ctrl-C, SIGTERM and SIGHUP cancel it, so that everything it opened is closed."""

import asyncio
import contextlib
import os
import signal
import sys
import termios
from collections.abc import Callable, Coroutine
from typing import TypeVar

from daper.entrypoints.cli.exits import Interrupted

T = TypeVar("T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LONGEST_ANSWER = 4096


def run_to_end(
    main: Coroutine[object, object, T], *, cancels: Callable[[int], bool] = lambda _: True, temporal: bool = True
) -> T:
    """The result of `main`. Raises Interrupted when a signal came first, after `main` has closed what it opened.

    `cancels` is told of each signal, and says whether it cancels `main`. `temporal`: whether `main` talks to Temporal
    from its beginning; if not, it sets up the SDK's logs itself when it does.
    """
    if temporal:
        from daper.adapters.temporal.logs import core_logs_as_python_does  # half a second, with the SDK that it sets up

        core_logs_as_python_does()
    received: list[int] = []

    async def guarded() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.create_task(main)

        def cancel(number: int) -> None:
            if cancels(number):
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


async def ask_line(prompt: str, *, again: bool = False) -> str | None:
    """One line typed at the terminal, None at its end. Cancelling stops the waiting.

    What was typed before the question was there is dropped: it answers something else; not when it is asked `again`.
    """
    loop, terminal = asyncio.get_running_loop(), sys.stdin.fileno()
    typed: asyncio.Future[bytes] = loop.create_future()

    def read() -> None:
        if typed.done():
            return
        try:
            # Not sys.stdin: it would take in more than a line, and the rest would wake nobody.
            typed.set_result(os.read(terminal, _LONGEST_ANSWER))
        except OSError:  # the terminal was closed
            typed.set_result(b"")

    if not again:
        with contextlib.suppress(termios.error):
            termios.tcflush(terminal, termios.TCIFLUSH)
    sys.stdout.write(prompt)
    sys.stdout.flush()
    loop.add_reader(terminal, read)
    try:
        line = await typed
    finally:
        loop.remove_reader(terminal)
    return line.decode("utf-8", "replace").strip() if line else None


def on_terminal() -> bool:
    """Whether there is somebody to ask: both ends are a terminal."""
    return all(stream is not None and stream.isatty() for stream in (sys.__stdin__, sys.__stdout__))
