"""A program on a terminal of its own, and what the terminal shows: somebody types, and waits for what comes."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyte
from pyte.screens import Char as Cell

GENEROUS: Final = 180.0  # a client of hundreds of megabytes starts beside other tests
ROWS: Final = 60
COLUMNS: Final = 120
ENTER: Final = "\r"
ESCAPE: Final = "\x1b"
DOWN: Final = "\x1b[B"
CTRL_C: Final = "\x03"
_ON_ITS_TERMINAL: Final = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


class _Shown(pyte.HistoryScreen):
    """What is shown. A terminal answers what a program asks of it: where the cursor is, what it can."""

    answers: Callable[[str], None]

    def write_process_input(self, data: str) -> None:
        """What the terminal itself answers."""
        self.answers(data)


class Screen:
    """A program on a terminal."""

    def __init__(self, command: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        # A session of its own with this terminal in control, so that Ctrl-C typed here is a signal there.
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _ON_ITS_TERMINAL, *map(str, command)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**env, "TERM": "xterm-256color"},
            cwd=cwd,
            start_new_session=True,
        )
        os.close(slave)
        self.shown = _Shown(COLUMNS, ROWS, history=2000)
        self.shown.answers = self.type
        self._stream = pyte.ByteStream(self.shown)

    @property
    def text(self) -> str:
        """What the terminal shows now, without blanks at the ends of lines."""
        return "\n".join(line.rstrip() for line in self.shown.display)

    @property
    def cells(self) -> list[list[Cell]]:
        """What the terminal shows now, as it looks."""
        return [[self.shown.buffer[row][column] for column in range(COLUMNS)] for row in range(ROWS)]

    def type(self, text: str) -> None:
        """Type at the keyboard."""
        os.write(self._master, text.encode())

    def expect(self, *texts: str, within: float = GENEROUS) -> str:
        """Read until one of these is shown: which it was. Fails if the program ends before."""
        return self.until(
            lambda: next((text for text in texts if text in self.text), ""), what=str(texts), within=within
        )

    def until(self, look: Callable[[], str], *, what: str, within: float = GENEROUS) -> str:
        """Read what is shown until `look` says something."""
        deadline = time.monotonic() + within
        while not (seen := look()):
            assert time.monotonic() < deadline, f"not within {within:g} s: {what}; shown:\n{self.text}"
            assert self._read() or look(), f"ended before: {what}; shown:\n{self.text}"
        return seen

    def say(self, words: str, *, when: str) -> None:
        """Type a line and send it, once the program shows that it listens and then what was typed."""
        self.expect(when)
        self.type(words)
        self.expect(words)
        self.type(ENTER)

    def look_on(self, seconds: float) -> None:
        """Read what is shown for so long, where waiting is what is tested."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self._read(), f"ended; shown:\n{self.text}"

    def end(self, within: float = GENEROUS) -> int:
        """Read to the end; the exit code."""
        deadline = time.monotonic() + within
        while self._read():
            assert time.monotonic() < deadline, f"no end; shown:\n{self.text}"
        return self.process.wait(within)

    def kill(self) -> None:
        """End it at once, and what it started that stayed with it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """Hang up, whatever runs."""
        self.kill()
        os.close(self._master)

    def _read(self) -> bool:
        """Whether the program is still there; what it wrote within a moment is shown."""
        ready, _, _ = select.select([self._master], [], [], 0.05)
        if not ready:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux says so when the last one at the terminal is gone
            return False
        self._stream.feed(data)
        return bool(data)


@contextmanager
def on_screen(command: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path) -> Generator[Screen]:
    """A program on a terminal, which is over when this is left."""
    screen = Screen(command, env=env, cwd=cwd)
    try:
        yield screen
    finally:
        screen.close()
