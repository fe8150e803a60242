"""The board: what waits for a person, and what is under way, told by one watcher of Temporal to all who look."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from daper.clock import new_id, ticks, utc_now
from daper.core.commands import CommandLine, Said
from daper.core.errors import Unreachable
from daper.core.phases import Phase
from daper.core.policy import ApprovalPolicy
from daper.core.waiting import RepairGroup, WaitingRepair, groups_of, most_urgent_first
from daper.service.listing import Listing
from daper.service.requests import RepairLine
from daper.service.waiting_plans import KnownPlan, WaitingPlans
from daper.service.whole_plan import Looks

log = logging.getLogger(__name__)

EVERY: Final = timedelta(seconds=1)
"""How far apart looks are at least."""

FRESH: Final = timedelta(seconds=3)
"""How old what is shown may be where somebody comes again after a while."""

LINGERS: Final = timedelta(seconds=20)
"""How long it goes on looking after somebody did: they mostly look again."""

WATCHER: Final = "board"
"""What its task is called."""

_SHARE: Final = 3  # a look that takes long leaves Temporal alone for so many times as long
_ASKED_AT_ONCE: Final = 40  # repairs that are asked before it is told what is known


@dataclass(frozen=True)
class BoardView:
    """What is known at one moment; the next one has a higher `version`. `board`: of which board it is.

    `open`: all open repairs, the newest first. `waiting`: those that wait for a person, the most urgent first.
    `unread`: how many more wait, and have not been asked yet. `seen_at`: when Temporal told, None where it never has.
    `trouble`: why it does not tell more now, or nothing.
    """

    board: str = ""
    version: int = 0
    open: tuple[RepairLine, ...] = ()
    waiting: tuple[WaitingRepair, ...] = ()
    unread: int = 0
    seen_at: datetime | None = None
    trouble: Said = field(default_factory=Said)

    @property
    def mark(self) -> str:
        """Names what is known: no other board, and no other moment of this one, has the same."""
        return f"{self.board}.{self.version}"

    @property
    def count(self) -> int:
        """How many wait for a person."""
        return len(self.waiting) + self.unread

    def shows_as(self, other: "BoardView") -> bool:
        """Whether nothing is otherwise of what waits."""
        same = self.waiting is other.waiting or self.waiting == other.waiting
        return same and (self.unread, self.trouble) == (other.unread, other.trouble)

    @cached_property
    def groups(self) -> tuple[RepairGroup, ...]:
        """Those that wait, with those that are alike together."""
        return groups_of(self.waiting)

    def repair(self, repair_id: str) -> WaitingRepair | None:
        """One that waits, or None."""
        return self._by_id.get(repair_id)

    @cached_property
    def _by_id(self) -> dict[str, WaitingRepair]:
        return {repair.repair_id: repair for repair in self.waiting}


class Board:
    """One watcher of a task queue's repairs for a whole process.

    It looks while somebody does: at most once a second, with one list call for each thousand open repairs. Only what
    newly waits is asked for its plan. However many look, Temporal is asked the same.
    """

    def __init__(self, *, service: Looks, listing: Listing, policy: ApprovalPolicy) -> None:
        """`listing`: of all open repairs. `policy`: what may be decided from a list."""
        self._listing = listing
        self._plans = WaitingPlans(service, policy=policy)
        self._view = BoardView(board=new_id()[:8])
        self._told = asyncio.Condition()
        self._watching: asyncio.Task[None] | None = None
        self._lookers = 0
        self._until = 0.0
        self._looks = 0
        self._seen_at: datetime | None = None
        self._looked_at = -FRESH.total_seconds()
        self._listed: tuple[RepairLine, ...] = ()
        self._wait: tuple[RepairLine, ...] = ()

    @asynccontextmanager
    async def open(self) -> AsyncGenerator["Board"]:
        """The board, for as long as somebody may look; it ends its watcher."""
        try:
            yield self
        finally:
            if self._watching is not None:
                self._watching.cancel()
                await asyncio.wait({self._watching})

    async def snapshot(self) -> BoardView:
        """What is known, at most some seconds old. Raises Unreachable where Temporal has never told.

        Where Temporal does not answer any more it is what was known before, with the trouble.
        """
        with self._looking():
            if ticks() - self._looked_at > FRESH.total_seconds():
                looks = self._looks
                async with self._told:
                    await self._told.wait_for(lambda: self._looks > looks)
        if self._view.seen_at is None:
            raise Unreachable(
                self._view.trouble or Said("Temporal could not be looked at; see: ", CommandLine("doctor"))
            )
        return self._view

    async def listed(self) -> tuple[RepairLine, ...]:
        """All open repairs at this moment: for whoever looks only once. Raises Unreachable."""
        return await self._listing.look()

    async def asked(self, listed: Iterable[RepairLine]) -> tuple[WaitingRepair, ...]:
        """Those of a list that wait at this moment, each with what its whole plan says; the most urgent first."""
        wait = [line for line in listed if line.phase == Phase.PENDING_APPROVAL]
        await self._plans.ask(wait)
        return most_urgent_first(self._plans.rows(wait))

    async def changed_since(self, version: int) -> BoardView:
        """Wait until something else is known than in that version, and tell it."""
        with self._looking():
            async with self._told:
                await self._told.wait_for(lambda: self._view.version > version)
        return self._view

    async def touch(self, *repair_ids: str) -> None:
        """Something became of repairs at a door of this process: whoever looks is told before the next look."""
        touched = frozenset(repair_ids)
        if await self._plans.ask(line for line in self._wait if line.repair_id in touched):
            await self._tell()

    def plan(self, digest: str) -> KnownPlan | None:
        """The whole plan with that digest, where it is known here: of what waits it mostly is."""
        return self._plans.plan(digest)

    @contextmanager
    def _looking(self) -> Generator[None]:
        """Somebody looks; the watcher begins, if it does not look already."""
        self._lookers += 1
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch(), name=WATCHER)
            self._watching.add_done_callback(_heard)
        try:
            yield
        finally:
            self._lookers -= 1
            self._until = ticks() + LINGERS.total_seconds()

    async def _watch(self) -> None:
        try:
            while self._lookers or ticks() < self._until:
                began = ticks()
                listed_in = await self._look()
                await asyncio.sleep(max(EVERY.total_seconds() - (ticks() - began), _SHARE * listed_in))
        finally:
            await self._announce()  # whoever waits for a look that never ends

    async def _look(self) -> float:
        """One look: what is open, and what newly waits. Says how many seconds Temporal took to list it."""
        trouble, began = Said(), ticks()
        try:
            self._listed = await self._listing.look()
        except Unreachable as error:
            trouble, listed_in = error.said, ticks() - began
        else:
            self._seen_at, listed_in = utc_now(), ticks() - began
            self._wait = tuple(line for line in self._listed if line.phase == Phase.PENDING_APPROVAL)
            self._plans.forget_others({line.repair_id for line in self._wait})
            await self._plans.ask(self._plans.to_ask(self._wait)[:_ASKED_AT_ONCE])
        self._looked_at = ticks()
        await self._tell(trouble)
        return listed_in

    async def _tell(self, trouble: Said | None = None) -> None:
        """Tell everybody, where something else is known than before."""
        view, waiting = self._view, most_urgent_first(self._plans.rows(self._wait))
        known = replace(
            view,
            open=self._listed,
            waiting=view.waiting if waiting == view.waiting else waiting,
            unread=len(self._plans.unasked(self._wait)),
            trouble=view.trouble if trouble is None else trouble,
        )
        if known != view or view.seen_at is None:
            self._view = replace(known, version=view.version + 1, seen_at=self._seen_at)
        await self._announce()

    async def _announce(self) -> None:
        async with self._told:
            self._looks += 1
            self._told.notify_all()


def _heard(watching: asyncio.Task[None]) -> None:
    """A bug of ours ends the watcher; the next who looks begins another."""
    if not watching.cancelled() and (error := watching.exception()) is not None:
        log.error("the board's watcher ended", exc_info=error)
