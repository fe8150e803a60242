"""A chat client that somebody else wrote, before a model that follows a script: what all of them have."""

import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from tests.clients.node import Answer, finished, variables
from tests.clients.screen import Screen, on_screen
from tests.clients.scripted_model import ScriptedModel
from tests.clients.silent_proxy import Refusals

LONGEST_STORY = 180.0


@dataclass(frozen=True, kw_only=True)
class Chat(ABC):
    """A client in a home of its own, whose only way out is a proxy that refuses.

    `configuration` is what `daper mcp config` prints for it, which calls it `printed_as`.
    """

    printed_as: ClassVar[str]

    home: Path
    model: ScriptedModel
    beyond: Refusals
    configuration: str
    extra: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def work(self) -> Path:
        """The folder that it is started in."""
        folder = self.home / "work"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def env(self) -> dict[str, str]:
        """The whole environment."""
        return {**variables(self.home), **self.beyond.variables, **self.own(), **self.extra}

    @abstractmethod
    def prepare(self) -> None:
        """Write its settings, as its person would."""

    @abstractmethod
    def own(self) -> dict[str, str]:
        """Variables by which it finds the model, and sends nothing to its makers."""

    @abstractmethod
    def once(self, words: str) -> list[str | Path]:
        """The command that answers these words and ends."""

    @abstractmethod
    def talking(self) -> list[str | Path]:
        """The command that stays, on a terminal."""

    def run(self, words: str) -> Answer:
        """What comes of these words, with nobody at a terminal."""
        self.prepare()
        return finished(self.once(words), env=self.env, cwd=self.work, within=LONGEST_STORY)

    def end(self) -> None:
        """End what it left behind: codex has a process that stays, for the next time."""
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it is gone, or somebody else's
                if f"HOME={self.home}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                    os.kill(int(folder.name), signal.SIGKILL)

    @contextmanager
    def session(self, *options: str) -> Generator[Screen]:
        """It on a terminal."""
        self.prepare()
        with on_screen([*self.talking(), *options], env=self.env, cwd=self.work) as screen:
            yield screen


def write(path: Path, text: str) -> None:
    """A file, and the folders that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
