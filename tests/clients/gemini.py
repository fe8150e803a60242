"""gemini-cli, for one question (`-p`). It shows no forms, and does not say that it does."""

import json
from pathlib import Path
from typing import Any

from tests.clients.chat import Chat, write
from tests.clients.node import CHATS, entry, node


class Gemini(Chat):
    """gemini-cli with the server that is printed for it."""

    printed_as = "gemini-cli"

    def prepare(self) -> None:
        """Write its settings."""
        # Any: what is printed.
        printed: dict[str, Any] = json.loads(self.configuration)
        settings = {
            "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
            "privacy": {"usageStatisticsEnabled": False},
            "telemetry": {"enabled": False},
            "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
        }
        write(self.home / ".gemini/settings.json", json.dumps({**settings, **printed}))

    def own(self) -> dict[str, str]:
        """Where the model is."""
        return {
            "GEMINI_API_KEY": "none",
            "GOOGLE_GEMINI_BASE_URL": self.model.url,
            "GEMINI_CLI_NO_RELAUNCH": "true",
        }

    def once(self, words: str) -> list[str | Path]:
        """The command that answers these words and ends; it may call any tool."""
        return [*self.talking(), "--approval-mode", "yolo", "--prompt", words]

    def talking(self) -> list[str | Path]:
        """The command that stays."""
        return [node(), entry("@google/gemini-cli/bundle/gemini.js", CHATS), "--model", "gemini-2.5-flash"]
