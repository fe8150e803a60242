"""How a client starts our server or reaches one, and what a client has to be told of it."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from daper.core.errors import UserError
from daper.core.policy import APPROVAL_TIMEOUT
from daper.settings import Settings, Shown
from daper.settings.leads import leads_of

NAME: Final = "daper"
ABOUT: Final = "Finds what is wrong in a system of records, and repairs what a person approves"
TOKEN: Final = "PUT-THE-TOKEN-HERE"  # noqa: S105 - what is to be replaced
_APPROVAL: Final = "DAPER_MCP_APPROVAL"
_PROFILE_FILE: Final = "TEMPORAL_CONFIG_FILE"
# Only a worker thinks: what it alone reads, and its key above all, has no business in a chat client.
_OF_THE_WORKER: Final = ("LLM_", "DAPER_LLM_", "DAPER_MAX_", "DAPER_ON_OUTAGE")
# What the timers of JavaScript can count to, a little less than 25 days. A longer one is over at once.
LONGEST_MS: Final = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Local:
    """How the client starts the server: the program, the variables, and which of them a person has to fill in.

    `waits`: how long a plan waits for a decision, and so a form.
    """

    program: str
    variables: dict[str, str]
    fill_in: tuple[str, ...] = ()
    waits: timedelta = APPROVAL_TIMEOUT

    @property
    def command(self) -> list[str]:
        """The command line."""
        return [self.program, "mcp"]

    @property
    def filled(self) -> dict[str, str]:
        """All variables, with placeholders."""
        return self.variables | {name: placeholder(name) for name in self.fill_in}

    def refuse(self, put_in: re.Pattern[str], *, by: str) -> None:
        """Raises UserError where a client would put something else in place of what stands here."""
        for value in (self.program, *self.variables.values()):
            if found := put_in.search(value):
                raise UserError(f"{by} would put something else in place of {found[0]!r} in {value!r}; rename that")


@dataclass(frozen=True, kw_only=True)
class Remote:
    """Where a server answers, and how long a plan waits there."""

    url: str
    waits: timedelta = APPROVAL_TIMEOUT


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What to put into a client's configuration, and what to tell the person who does it."""

    text: str
    hints: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Client:
    """What one client wants to be told, and where that is put. `remote` None: it only starts programs.

    `more`: what else the person is told, after how long a plan waits.
    """

    local: Callable[[Local], str]
    where: str
    fill_in: str = "fill in {names}: what is printed is a placeholder"
    remote: Callable[[Remote], str] | None = None
    more: Callable[[timedelta], tuple[str, ...]] = lambda _: ()


def placeholder(name: str) -> str:
    """What stands in place of a secret."""
    return f"PUT-{name}-HERE"


def seconds(waits: timedelta) -> int:
    """A time as long as approvals wait, in whole seconds."""
    return math.ceil(waits.total_seconds())


def milliseconds(waits: timedelta) -> int:
    """The same in milliseconds; at most as many as the timers of JavaScript take."""
    return min(seconds(waits) * 1000, LONGEST_MS)


def as_json(document: Mapping[str, object]) -> str:
    """A document for the file of a client."""
    return json.dumps(document, indent=2)


def in_quotes(text: str) -> str:
    """A text for YAML or TOML: in double quotes they have the escapes of JSON, apart from halves of characters."""
    return json.dumps(text, ensure_ascii=False)


def local_server(settings: Settings, told: Iterable[Shown], *, program: Path) -> Local:
    """How to start the server from any folder and environment, so that it is configured as here.

    `told` is what is set, and from where. Secrets, and what may be one, are left for the person to fill in. Raises
    UserError for a path that cannot be pasted.
    """
    leads = leads_of(settings, told, wanted=lambda name: not _is_of_the_worker(name))
    # How a decision is confirmed is said in any case, so that whoever pastes it sees it.
    found = {"DAPER_HOME": str(settings.home), _APPROVAL: str(settings.chat_approval)}
    found |= leads.variables | found
    for path in (str(program), found["DAPER_HOME"], found.get(_PROFILE_FILE, "")):
        if not path.isprintable():
            raise UserError(f"the path {path!r} holds characters that cannot be shown, or pasted; rename it")
    return Local(program=str(program), variables=found, fill_in=leads.hidden, waits=settings.approval_timeout)


def _is_of_the_worker(name: str) -> bool:
    return name.startswith(_OF_THE_WORKER) or name.endswith("_MODEL")
