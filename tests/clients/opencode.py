"""opencode, for one question (`run`). It shows no forms, and does not say that it does."""

import json
from pathlib import Path
from typing import Any, Final

from tests.clients.chat import Chat, write
from tests.clients.node import CHATS, entry, this_machine

_MODEL: Final = {"name": "scripted", "tool_call": True, "limit": {"context": 128_000, "output": 4_000}}


class OpenCode(Chat):
    """opencode with the server that is printed for it."""

    printed_as = "opencode"

    def prepare(self) -> None:
        """Write its settings."""
        provider = {
            "npm": "@ai-sdk/openai-compatible",
            "name": "scripted",
            "options": {"baseURL": f"{self.model.url}/v1", "apiKey": "none"},
            "models": {"scripted": _MODEL},
        }
        # Any: what is printed.
        printed: dict[str, Any] = json.loads(self.configuration)
        settings = {
            "autoupdate": False,
            "share": "disabled",
            "model": "scripted/scripted",
            "small_model": "scripted/scripted",
            "enabled_providers": ["scripted"],
            "provider": {"scripted": provider},
        }
        write(self.work / "opencode.json", json.dumps({**settings, **printed}))

    def own(self) -> dict[str, str]:
        """What keeps it from asking its makers."""
        return {
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
            "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
        }

    def once(self, words: str) -> list[str | Path]:
        """The command that answers these words and ends."""
        return [*self.talking(), "run", words]

    def talking(self) -> list[str | Path]:
        """The command that stays."""
        return [entry(f"opencode-{this_machine()}/bin/opencode", CHATS)]
