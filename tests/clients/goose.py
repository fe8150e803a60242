"""goose, in a session on a terminal or for one question. It comes as a package for Linux on x64 only."""

import re
from pathlib import Path
from typing import Final

from tests.clients.chat import Chat, write
from tests.clients.node import entry, this_machine
from tests.clients.screen import ENTER, ESCAPE, Screen

IS_HERE: Final = this_machine() == "linux-x64"
_READY: Final = "Enter to send"
FIELD: Final = "◆"  # the field of a form that is asked for now, where it is one of yes and no

_COMMENT: Final = "comment ("


class Goose(Chat):
    """goose with the extension that is printed for it."""

    printed_as = "goose"

    def prepare(self) -> None:
        """Write its settings."""
        write(self.home / ".config/goose/config.yaml", self.configuration)

    def own(self) -> dict[str, str]:
        """Where the model is."""
        return {
            "GOOSE_PROVIDER": "openai",
            "GOOSE_MODEL": "scripted",
            "OPENAI_HOST": self.model.url,
            "OPENAI_BASE_PATH": "v1/chat/completions",
            "OPENAI_API_KEY": "none",
            "GOOSE_MODE": "auto",
            "GOOSE_TELEMETRY_ENABLED": "false",
            "GOOSE_DISABLE_KEYRING": "true",
        }

    def once(self, words: str) -> list[str | Path]:
        """The command that answers these words and ends."""
        return [_program(), "run", "--no-session", "--text", words]

    def talking(self) -> list[str | Path]:
        """The command that stays."""
        return [_program(), "session"]


def _program() -> Path:
    return entry("@aaif/goose-binary-linux-x64/bin/goose")


def with_timeout(seconds: int, configuration: str) -> str:
    """The configuration of somebody who has set this timeout for calls."""
    changed, count = re.subn(r"(?m)^( *timeout:) .*$", rf"\1 {seconds}", configuration)
    assert count == 1, configuration
    return changed


def say(screen: Screen, words: str) -> None:
    """Say something, when it listens."""
    screen.say(words, when=_READY)


def form(screen: Screen) -> None:
    """Wait for a form."""
    screen.expect(FIELD)


def yes(screen: Screen) -> None:
    """Say yes in the form that is shown, and no more."""
    screen.type("y")
    screen.expect(_COMMENT)
    screen.type(ENTER)


def no(screen: Screen) -> None:
    """Leave it at the No that is chosen."""
    screen.type(ENTER)
    screen.expect(_COMMENT)
    screen.type(ENTER)


def escape(screen: Screen) -> None:
    """Turn away from the form: it then waits for what its person says, and the model hears nothing."""
    screen.type(ESCAPE)
    screen.expect(_READY)
