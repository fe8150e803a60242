"""Processes of writers, and what each of them was told."""

import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from daper.ports import ToolCall
from tests.faults.database_boxes import call_of

ROOT: Final = Path(__file__).parents[2]
_PATIENCE: Final = 60.0


class Writers:
    """The processes; what each was told goes into one list."""

    def __init__(self, address: str, *, writers: int, seed: int, folder: Path) -> None:
        self._address = address
        self._writers = writers
        self._seed = seed
        self._log = folder / "writers.log"
        self._started = 0
        self._reading: list[threading.Thread] = []
        self.running: list[subprocess.Popen[str]] = []
        self.begun: dict[str, ToolCall] = {}
        self.told: list[ToolCall] = []
        self.wrong: list[str] = []

    def start(self) -> None:
        """One more process."""
        self._started += 1
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.database_writer", self._address, str(self._started),
                 str(self._writers), str(self._seed)],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        reading = threading.Thread(target=self._read, args=(process,))
        reading.start()
        self._reading.append(reading)
        self.running.append(process)

    def kill(self, process: subprocess.Popen[str]) -> None:
        """With -9, in whatever it does; another one takes its place."""
        _end(process)
        self.running.remove(process)
        self.start()

    def end(self) -> None:
        """Let each finish what it does."""
        for process in self.running:
            assert process.stdin is not None
            with suppress(BrokenPipeError):
                process.stdin.write("\n")
                process.stdin.flush()
        for process in self.running:
            try:
                if process.wait(_PATIENCE) != 0:
                    self.wrong.append(f"a writer failed: {self._log.read_text('utf-8')[-1000:]}")
            except subprocess.TimeoutExpired:
                self.wrong.append(f"a writer did not end within {_PATIENCE:.0f} s")
        self.abandon()

    def abandon(self) -> None:
        """Kill whatever is left."""
        for process in self.running:
            _end(process)
        for reading in self._reading:
            reading.join()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                match line.split():
                    # A killed one may say half of its last line.
                    case [word, key, box, amount, version] if line.endswith("\n"):
                        call = call_of(key, box, int(amount), version)
                        if word == "begun":
                            self.begun[key] = call
                        else:
                            self.told.append(call)
                    case _:
                        pass


def _end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
