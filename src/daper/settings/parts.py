"""The parts of what is configured: where one is wrong, whatever does not need it goes on."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Final, TypeVar

from daper.core.errors import SettingError
from daper.settings.secrecy import holds_pem, masked_closely, may_be_secret
from daper.settings.table import SETTINGS

T = TypeVar("T")


class Part(StrEnum):
    """What may be wrong by itself. The folder and `.env` are none: everything needs those."""

    USER = "user"
    DATABASE = "database"
    DOMAIN = "domain"
    POLICY = "policy"  # with the times that it bounds
    PEOPLE = "people"
    MODELS = "models"
    REPORTS = "reports"
    CHAT = "chat"
    WORKER = "worker"
    CONSOLE = "console"
    TERMINAL = "terminal"
    TEMPORAL = "temporal"


EVERYTHING: Final = frozenset(Part)
# What a command needs that starts repairs, has one started later, or keeps an agent that does.
STARTING: Final = frozenset({Part.USER, Part.DATABASE, Part.POLICY, Part.PEOPLE, Part.TEMPORAL})
# What a worker needs.
WORKING: Final = frozenset({Part.DATABASE, Part.POLICY, Part.PEOPLE, Part.MODELS, Part.TEMPORAL, Part.WORKER})

_PATTERNS: Final = (
    (Part.USER, r"USER_NAME"),
    (Part.DATABASE, r"DAPER_DATABASE_URL"),
    (Part.DOMAIN, r"DAPER_DOMAINS?"),
    (Part.POLICY, r"DAPER_POLICY|DAPER_APPROVAL_TIMEOUT|DAPER_DECISION_VALID_FOR"),
    (Part.PEOPLE, r"DAPER_PEOPLE|DAPER_TELL"),
    (Part.REPORTS, r"DAPER_REPORTS_.*"),
    (Part.CHAT, r"DAPER_MCP_.*"),
    (Part.WORKER, r"DAPER_WORKER_.*"),
    (Part.CONSOLE, r"DAPER_CONSOLE_.*|DAPER_OIDC_.*"),
    (Part.TERMINAL, r"DAPER_ASK_AGAIN_.*|DAPER_PAGER"),
    (Part.TEMPORAL, r"TEMPORAL_.*"),
    (Part.MODELS, r"LLM_.*|DAPER_LLM_.*|DAPER_[A-Z]+_MODEL|DAPER_MAX_.*|DAPER_ON_OUTAGE"),
)
# Addresses, which are shown without what is secret in them; whoever reads them says so.
_SAY_SO_THEMSELVES: Final = ("LLM_BASE_URL", "DAPER_DATABASE_URL", "DAPER_CONSOLE_URL")


@lru_cache(maxsize=512)  # every command asks it of each setting for each part
def part_of(name: str) -> Part | None:
    """Which part a setting belongs to; None for the folder."""
    return next((part for part, pattern in _PATTERNS if re.fullmatch(pattern, name)), None)


def refuse_secrets(values: Mapping[str, str], part: Part | None) -> None:
    """Raises SettingError where a key, a token or a password stands in a variable of that part which may be shown."""
    for setting in SETTINGS:
        name, value = setting.name, values.get(setting.name, "")
        if setting.secret or name in _SAY_SO_THEMSELVES or part_of(name) is not part:
            continue
        if part is Part.TEMPORAL and holds_pem(value):  # told where it belongs
            continue
        if may_be_secret(value):
            raise SettingError(
                f"{name} holds what looks like a key, a token or a password (not shown), and that would be seen there; "
                f"what it is for: {setting.help}"
            )


class Parts:
    """Reads one part after another. What is wrong with one is kept for whoever needs it."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.troubles: dict[Part, SettingError] = {}

    def read(self, part: Part, read: Callable[[], T], otherwise: T) -> T:
        """What is configured; `otherwise` stands in for what is wrong, and grants nothing."""
        try:
            refuse_secrets(self._values, part)
            return read()
        except SettingError as error:
            self.troubles.setdefault(part, SettingError(masked_closely(str(error))))
            return otherwise
