"""How the tools reach the product: connected when they first need it, and again after it was lost.

Nothing here imports Temporal when it is loaded: a client is answered before that.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from mcp.server.mcpserver.exceptions import ToolError

from daper.core.access import Access
from daper.core.commands import PROGRAM, CommandLine, names_commands
from daper.core.errors import DaperError, NoWorker, Unreachable, UserError
from daper.core.models import Person
from daper.core.text import visible
from daper.core.waiting import Decider
from daper.entrypoints.mcp.answers import RepairState
from daper.entrypoints.mcp.terminal import Terminal
from daper.settings import Part, Settings
from daper.settings.secrecy import masked

if TYPE_CHECKING:
    from daper.bootstrap import Services
    from daper.service.board import Board
    from daper.service.facts import FactService
    from daper.service.proactive import ProactiveService
    from daper.service.records import RecordsService
    from daper.service.repairs import RepairService
    from daper.service.tidings import Tidings

NAME: Final = "mcp"
LONGEST_ERROR: Final = 4000

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=RepairState)


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who calls a tool, and what this person may do here. `configured`: the settings say who, and no token does."""

    person: Person
    access: frozenset[Access]
    configured: bool = False


class Door:
    """The services of one configuration, for whoever calls.

    `load` reads what is configured, also where some of it is wrong, and again after a loss: `daper up` may answer
    elsewhere then. `who` tells who calls.
    `connects` opens what needs Temporal; only a test has another way. `terminal` tells how commands run that people are
    told.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        load: Callable[[], Settings],
        who: Callable[[Settings], Caller],
        connects: "Callable[[Settings], Awaitable[Services]] | None" = None,
        terminal: Callable[[Settings], Terminal] = lambda _: Terminal(),
    ) -> None:
        self._settings = settings
        self._terminal = terminal
        self._load = load
        self._who = who
        self._connects = connects
        self._lock = asyncio.Lock()
        self._services: Services | None = None
        self._connecting: asyncio.Task[Services] | None = None
        self._records: RecordsService | None = None
        self._facts: FactService | None = None

    @property
    def settings(self) -> Settings:
        """What is configured; what is wrong with a part of it, whoever needs that part is told."""
        return self._settings

    async def ready(self, *parts: Part) -> Settings:
        """The settings, with these parts of them right; read again where they were not. Raises SettingError."""
        if not self._settings.troubles.keys().isdisjoint(parts):
            self._settings, self._services = await asyncio.to_thread(self._load), None
        self._settings.need(*parts)
        return self._settings

    async def caller(self, needs: Access, *, by_name: bool = False) -> Person:
        """Who calls. Raises UserError where this person may not do what is asked.

        `by_name`: also to read, the name has to be right.
        """
        caller = await asyncio.to_thread(self._who, self._settings)  # it may look for the token on another machine
        if caller.configured and (by_name or needs is not Access.READ):
            self._settings.need(Part.USER)
        if needs not in caller.access:
            has = ", ".join(sorted(caller.access)) or "nothing"
            raise UserError(
                f"the token of {caller.person.name} allows {has}, and this needs {needs}; "
                "whoever runs the server can take it away: ",
                CommandLine("mcp", "token", "remove", caller.person.name),
                "; and make another: ",
                CommandLine("mcp", "token", "add", caller.person.name, *_scopes(caller.access | {needs})),
            )
        return caller.person

    async def decider(self) -> Decider:
        """What whoever calls may decide here; a form takes no passkey."""
        caller = await asyncio.to_thread(self._who, self._settings)
        return Decider(name=caller.person.name, access=caller.access)

    async def board(self) -> "Board":
        """What waits. Raises Unreachable, SettingError."""
        return (await self._connected()).board

    async def repairs(self) -> "RepairService":
        """The repairs. Raises Unreachable, SettingError."""
        return (await self._connected()).repairs

    async def proactive(self) -> "ProactiveService":
        """The proactive agents. Raises Unreachable, SettingError."""
        return (await self._connected()).proactive

    async def connected_for(self, *parts: Part) -> "tuple[Services, Settings]":
        """The services, and the very settings that they go by, with these parts right. Raises as `repairs`, `ready`."""
        while True:
            services = await self._connected()
            settings = await self.ready(*parts)
            if services is self._services:  # else they stood on settings that were wrong, and have been read again
                return services, settings

    async def records(self) -> "RecordsService":
        """The records of this machine; they need no Temporal."""
        async with self._lock:
            if self._records is None:
                self._records = await asyncio.to_thread(_open_records, self._settings)
            return self._records

    async def facts(self) -> "FactService":
        """What takes facts of this machine's records; without Temporal no agent is told of them."""
        async with self._lock:
            if self._facts is None:
                self._facts = await asyncio.to_thread(_open_facts, self._settings, self._tidings)
            return self._facts

    def worded(self, text: str) -> str:
        """A text of ours for whoever calls: what it names as command lines is told as it runs in a terminal."""
        return self._terminal(self._settings).worded(text) if names_commands(text) else text

    def told(self, error: DaperError) -> str:
        """An expected error in one line, in which nothing is hidden, and nothing that looks like a key is shown."""
        if names_commands(error.said):
            return self._terminal(self._settings).worded(error.said, plain=masked)
        return visible(masked(str(error)), longest=LONGEST_ERROR)

    def pointed(self, state: S) -> S:
        """Where the message of a repair, which a worker wrote, names commands: how they run where we are.

        A worker does not know where its texts are read, and they may hold anything: they are left as they are.
        """
        if f"{PROGRAM} " not in state.message:
            return state
        way = self._terminal(self._settings).of_workers
        return state.model_copy(update={"next_step": f"{state.next_step}; {way}"})

    def lost(self, error: DaperError) -> None:
        """After an error: connect anew at the next call if Temporal was lost, for it may be back elsewhere."""
        if isinstance(error, Unreachable) and not isinstance(error, NoWorker):
            self._services = None

    async def _tidings(self) -> "Tidings":
        try:
            return (await self._connected()).tidings
        except DaperError as error:
            self.lost(error)
            raise

    async def _connected(self) -> "Services":
        """One attempt at a time, for all who wait for it: nobody waits for the failures of others one by one."""
        if self._services is not None:
            return self._services
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._connect())
        return await asyncio.shield(self._connecting)

    async def _connect(self) -> "Services":
        connects = self._connects or await asyncio.to_thread(_import_connecting)
        self._settings = await asyncio.to_thread(self._load)
        self._settings.need(Part.TEMPORAL, Part.DATABASE)
        self._services = await connects(self._settings)
        return self._services


def _import_connecting() -> "Callable[[Settings], Awaitable[Services]]":
    from daper.adapters.temporal.logs import core_logs_as_python_does
    from daper.bootstrap import open_services  # with Temporal's SDK, which takes a second

    core_logs_as_python_does()
    return open_services


def _open_records(settings: Settings) -> "RecordsService":
    from daper.bootstrap import open_domains
    from daper.service.records import RecordsService

    settings.need(Part.DATABASE)
    return RecordsService(domains=open_domains(settings))


def _open_facts(settings: Settings, tidings: "Callable[[], Awaitable[Tidings]]") -> "FactService":
    from daper.bootstrap import open_facts

    return open_facts(settings, tidings=tidings)


def _scopes(access: Iterable[Access]) -> Iterator[str]:
    for each in sorted(access):
        yield from ("--scope", str(each))


def told(door: Door) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    """Wraps a tool: an expected error is told to the client in one line, in which nothing is hidden."""

    def wrap(tool: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        @functools.wraps(tool)
        async def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return await tool(*args, **kwargs)
            except DaperError as error:
                door.lost(error)
                raise ToolError(door.told(error)) from error

        return wrapped

    return wrap
