"""Claude Code, on a terminal or for one question (`-p`). It shows forms; with `-p` it closes them by itself."""

import json
import sys
from pathlib import Path
from typing import Final

from tests.clients.chat import Chat, write
from tests.clients.node import CHATS, entry, this_machine
from tests.clients.screen import DOWN, ENTER, ESCAPE, Screen

_KEY: Final = "claude-code-in-a-test"
_READY: Final = "\N{HEAVY RIGHT-POINTING ANGLE QUOTATION MARK ORNAMENT}"
_FORM: Final = "requests your input"
_DAPERS: Final = "mcp__daper"


class ClaudeCode(Chat):
    """Claude Code with a project's .mcp.json, which has the form of Claude Desktop's file."""

    printed_as = "claude-desktop"

    def prepare(self) -> None:
        """Write its settings: a person who has come through all of its first questions, and trusts this project."""
        write(self.work / ".mcp.json", self.configuration)
        trusted = {"hasTrustDialogAccepted": True, "enabledMcpjsonServers": ["daper"]}
        known = {"approved": [_KEY[-20:]], "rejected": []}
        settings = {"hasCompletedOnboarding": True, "theme": "dark", "customApiKeyResponses": known}
        write(self.home / ".claude.json", json.dumps({**settings, "projects": {str(self.work): trusted}}))

    def own(self) -> dict[str, str]:
        """Where the model is. It connects before the first question, and lists all tools at once."""
        return {
            "ANTHROPIC_BASE_URL": self.model.url,
            "ANTHROPIC_API_KEY": _KEY,
            "MCP_CONNECTION_NONBLOCKING": "0",
            "ENABLE_TOOL_SEARCH": "false",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_ERROR_REPORTING": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }

    def once(self, words: str) -> list[str | Path]:
        """The command that answers these words and ends."""
        return [_program(), "--print", words, "--allowedTools", _DAPERS]

    def talking(self) -> list[str | Path]:
        """The command that stays."""
        return [_program(), "--permission-mode", "default", "--allowedTools", _DAPERS]


def _program() -> Path:
    name = "claude.exe" if sys.platform == "win32" else "claude"
    return entry(f"@anthropic-ai/claude-code-{this_machine()}/{name}", CHATS)


def connected(screen: Screen) -> None:
    """Wait until it has daper's tools: with a person before it, it begins without."""
    screen.expect(_READY)
    screen.type("/mcp")
    screen.expect("Manage MCP servers")
    screen.type(ENTER)
    screen.expect("✔ daper")
    screen.type(ESCAPE)
    screen.until(lambda: "" if "MCP servers" in screen.text else "closed", what="the end of the list")


def say(screen: Screen, words: str) -> None:
    """Say something, when it listens."""
    screen.say(words, when=_READY)


def form(screen: Screen) -> None:
    """Wait for a form."""
    screen.expect(_FORM)


def yes(screen: Screen) -> None:
    """Tick the first field, and accept. What is typed as soon as a form is there may count for nothing."""
    while not _ticked(screen):
        screen.type(" ")
        screen.look_on(1)
    screen.type(DOWN)
    screen.type(DOWN)
    screen.look_on(1)
    screen.type(ENTER)


def _ticked(screen: Screen) -> bool:
    # A tick before the field only says that it has a value.
    return "☐" not in screen.text


def escape(screen: Screen) -> None:
    """Close the form."""
    while _FORM in screen.text:
        screen.type(ESCAPE)
        screen.look_on(1)
