"""codex, on a terminal or for one question (`exec`)."""

import json
from pathlib import Path
from typing import Final

from tests.clients.chat import Chat, write
from tests.clients.node import CHATS, entry, node
from tests.clients.screen import ENTER, ESCAPE, Screen

_READY: Final = "Ask Codex to do anything"
_MAY_IT: Final = 'to run tool "approve_repair"?'
_FORM: Final = "change field"
_NEXT_FIELD: Final = "\x0e"  # ctrl-n
_UP: Final = "\x1b[A"
_CHOSEN: Final = "\u203a"  # the angle before what is chosen
# What it asks of its makers beside the model.
_OF_ITS_MAKERS: Final = ("plugins", "remote_plugin", "plugin_sharing", "apps")


class Codex(Chat):
    """codex with the server that is printed for it, and a person who lets it call tools."""

    printed_as = "codex"

    def prepare(self) -> None:
        """Write its settings. Without `required` it begins before the server has told its tools."""
        settings = [
            'model = "scripted"',
            'model_provider = "scripted"',
            'approval_policy = "on-request"',
            'sandbox_mode = "danger-full-access"',
            "check_for_update_on_startup = false",
            "[analytics]",
            "enabled = false",
            "[features]",
            *(f"{feature} = false" for feature in _OF_ITS_MAKERS),
            "[model_providers.scripted]",
            'name = "scripted"',
            f'base_url = "{self.model.url}/v1"',
            'wire_api = "responses"',
            'env_key = "SCRIPTED_KEY"',
            "request_max_retries = 0",
            "stream_max_retries = 0",
            "supports_websockets = false",
            f"[projects.{json.dumps(str(self.work))}]",
            'trust_level = "trusted"',
        ]
        required = self.configuration.replace("[mcp_servers.daper]", "[mcp_servers.daper]\nrequired = true", 1)
        write(self.home / ".codex/config.toml", "\n".join([*settings, required]))

    def own(self) -> dict[str, str]:
        """What it asks the model with."""
        return {"SCRIPTED_KEY": "none"}

    def once(self, words: str) -> list[str | Path]:
        """The command that answers these words and ends."""
        nobody_there = ["--config", 'approval_policy="never"']
        return [*_program(), "exec", *nobody_there, "--skip-git-repo-check", words]

    def talking(self) -> list[str | Path]:
        """The command that stays."""
        return _program()


def _program() -> list[str | Path]:
    return [node(), entry("@openai/codex/bin/codex.js", CHATS)]


def say(screen: Screen, words: str) -> None:
    """Say something, when it listens."""
    screen.say(words, when=_READY)


def form(screen: Screen) -> None:
    """Wait for a form: before it, codex asks whether the tool may be called at all."""
    screen.expect(_MAY_IT)
    while _MAY_IT in screen.text:  # what is typed as soon as a question is there may count for nothing
        screen.type(ENTER)
        screen.look_on(1)
    screen.expect(_FORM)


def yes(screen: Screen) -> None:
    """Go on to the field of yes and no, choose True, and send it all."""
    screen.type(_NEXT_FIELD)
    screen.expect(f"{_CHOSEN} 2. False")
    screen.type(_UP)
    screen.expect(f"{_CHOSEN} 1. True")
    screen.type(ENTER)


def only_enter(screen: Screen) -> None:
    """Go on to the field of yes and no, and send what is chosen there beforehand."""
    screen.type(_NEXT_FIELD)
    screen.expect(f"{_CHOSEN} 2. False")
    screen.type(ENTER)


def escape(screen: Screen) -> None:
    """Close the form."""
    screen.type(ESCAPE)
