"""What goes wrong in a chaos run, and when: all of it drawn from one seeded generator."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from daper.core.errors import RecoveryNeeded, StoreError
from tests.faults.cases import Case, Edit
from tests.faults.generated_shop import HELD_ORDER, GeneratedShop
from tests.faults.hand_edits import Manner, note
from tests.faults.site import WORKERS, Post, Site, Tell
from tests.faults.small_disk import Refusal
from tests.faults.victims_run import until

_AT_ONCE: Final = 3
_LOOK_S: Final = 0.3
_REFILL_S: Final = 0.1
_PATIENCE_S: Final = 3.0
_HEARTBEATS_MISSED_S: Final = (11.0, 14.0)
_HOURS_OFF: Final = (-2.0, -0.02, 0.02, 1.5, 30.0)


class Kind(StrEnum):
    """What goes wrong."""

    WORKER_KILLED = "worker killed"
    WORKER_STOPPED = "worker stopped"
    SERVER_KILLED = "Temporal killed"
    OTHER_EDITED = "another record edited"
    PLANNED_EDITED = "a planned record edited"
    LOCK_DELETED = "lock deleted"
    DISK_REFUSES = "disk refuses"
    CLOCK_OFF = "clock off"


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """One fault: how long after the one before, and a number that says all else about it."""

    kind: Kind
    after: float
    seed: int


def draw_troubles(count: int, rng: random.Random) -> tuple[Trouble, ...]:
    """So many faults; each kind comes up about as often, in any order."""
    kinds = rng.sample(list(Kind) * -(-count // len(Kind)), count)
    return tuple(Trouble(kind=kind, after=rng.uniform(0, 1.2), seed=rng.randrange(2**32)) for kind in kinds)


class Chaos:
    """Lets everything that was drawn go wrong, a few things at once, and mends each after a while."""

    def __init__(self, site: Site, *, shop: GeneratedShop, cases: Sequence[Case], tell: Tell) -> None:
        self._site = site
        self._shop = shop
        self._cases = cases  # which grow meanwhile
        self._tell = tell
        self._marks = 0
        self.done = Counter[str]()
        self.recoveries = 0
        self.edited_again = 0
        self.others: list[Edit] = []

    async def run(self, troubles: Sequence[Trouble]) -> None:
        """All of them, then rest."""
        going = set[asyncio.Task[None]]()
        try:
            for trouble in troubles:
                await asyncio.sleep(trouble.after)
                if len(going) >= _AT_ONCE:
                    ended, going = await asyncio.wait(going, return_when=asyncio.FIRST_COMPLETED)
                    for task in ended:
                        task.result()
                going.add(asyncio.create_task(self._strike(trouble)))
            await asyncio.gather(*going)
        finally:
            for task in going:
                task.cancel()
        await self._site.rest()

    async def recover(self) -> None:
        """Be the person who is asked when a half-done change met an edit: the change is completed. Until cancelled."""
        while True:
            if (self._site.records / "journal.json").exists():
                with suppress(StoreError):
                    try:
                        await asyncio.to_thread(self._shop.store().read)
                    except RecoveryNeeded:
                        done = await asyncio.to_thread(self._shop.store().recover, keep_edited=False)
                        self.recoveries += 1
                        self._tell(f"recovered: {done}")
            await asyncio.sleep(_LOOK_S)

    async def _strike(self, trouble: Trouble) -> None:
        rng = random.Random(trouble.seed)
        ways: dict[Kind, Callable[[random.Random], Coroutine[None, None, str]]] = {
            Kind.WORKER_KILLED: self._kill_worker,
            Kind.WORKER_STOPPED: self._stop_worker,
            Kind.SERVER_KILLED: self._kill_server,
            Kind.OTHER_EDITED: self._edit_other,
            Kind.PLANNED_EDITED: self._edit_planned,
            Kind.LOCK_DELETED: self._delete_lock,
            Kind.DISK_REFUSES: self._refuse,
            Kind.CLOCK_OFF: self._move_clock,
        }
        self._tell(f"{trouble.kind} begins")
        said = await ways[trouble.kind](rng)
        self.done[trouble.kind] += 1
        self._tell(f"{trouble.kind} is over: {said}")

    async def _kill_worker(self, rng: random.Random) -> str:
        post = self._site.posts[rng.randrange(WORKERS)]
        async with post.taken:
            moment = await self._moment(post, rng)
            await post.kill()
        return f"worker {post.number}{moment}"

    async def _stop_worker(self, rng: random.Random) -> str:
        post, seconds = self._site.posts[rng.randrange(WORKERS)], rng.uniform(*_HEARTBEATS_MISSED_S)
        async with post.taken:
            moment = await self._moment(post, rng)
            if post.stop():
                await asyncio.sleep(seconds)
            post.go_on()
        return f"worker {post.number} for {seconds:.1f} s{moment}"

    async def _moment(self, post: Post, rng: random.Random) -> str:
        """Half of the time, wait until a worker is in the middle of a change."""
        if rng.random() < 0.5 and await asyncio.to_thread(self._site.in_a_change, post, within=_PATIENCE_S):
            return " in a change"
        return ""

    async def _kill_server(self, rng: random.Random) -> str:
        away = rng.uniform(0, 3)
        await self._site.kill_server(away=away)
        return f"away for {away:.1f} s"

    async def _delete_lock(self, rng: random.Random) -> str:
        times = rng.randint(1, 20)
        for _ in range(times):
            with suppress(OSError):
                (self._site.records / "lock").unlink(missing_ok=True)
            await asyncio.sleep(rng.uniform(0, 0.05))
        return f"{times} times"

    async def _refuse(self, rng: random.Random) -> str:
        how, seconds = rng.choice(list(Refusal)), rng.uniform(1, 6)
        until_then = time.monotonic() + seconds
        async with self._site.disk_taken:
            try:
                # Each to its end: one that came after the end of all of them would last.
                while time.monotonic() < until_then:
                    await asyncio.to_thread(self._site.disk.refuse, how)
                    await asyncio.sleep(_REFILL_S)
            except TimeoutError:
                return f"{how}: it was in use all the time"
            finally:
                await asyncio.to_thread(self._site.disk.cease)
        return f"{how} for {seconds:.1f} s"

    async def _move_clock(self, rng: random.Random) -> str:
        post, hours, seconds = self._site.posts[rng.randrange(WORKERS)], rng.choice(_HOURS_OFF), rng.uniform(2, 8)
        post.set_clock(hours * 3600)
        await asyncio.sleep(seconds)
        post.set_clock(0)
        return f"worker {post.number} by {hours:g} h for {seconds:.1f} s"

    async def _edit_other(self, rng: random.Random) -> str:
        edit = await self._edit(HELD_ORDER, rng, before_decision=False)
        if edit is None:
            return "the disk refused"
        self.others.append(edit)
        return f"{edit.mark} in {edit.order_id}"

    async def _edit_planned(self, rng: random.Random) -> str:
        before = rng.random() < 0.6
        await until(lambda: bool(self._to_edit(before=before)), within=_PATIENCE_S)
        going = self._to_edit(before=before) or self._to_edit(before=not before)
        if not going:
            return "no repair was going on"
        case = rng.choice(going)
        async with case.hand:
            order_id, first = rng.choice(case.approved), case.waits
            edit = await self._edit(order_id, rng, before_decision=first)
            if edit is None:
                # What was tried may have been there for a moment.
                edit = Edit(order_id=order_id, mark="", before_decision=False)
            case.edits.append(edit)
        return f"{edit.mark} in {order_id}, {'before' if first else 'after'} its decision"

    def _to_edit(self, *, before: bool) -> list[Case]:
        """The repairs of which something is to run, that wait for that decision, or have it."""
        going = [case for case in self._cases if case.repair_id and case.result is None and case.approved]
        return [case for case in going if (case.waits if before else case.sent)]

    async def _edit(self, order_id: str, rng: random.Random, *, before_decision: bool) -> Edit | None:
        self._marks += 1
        mark = f"edit-{self._marks}."
        # What is put aside when a half-done change is recovered makes no plan stale.
        in_a_change = not before_decision and rng.random() < 0.5
        manner = Manner(
            over=rng.choice((None, rng.uniform(0, 0.1))), standstill=self._site.standstill if in_a_change else None
        )
        async with self._site.disk_taken:
            try:
                again = await asyncio.to_thread(note, self._site.records, order_id, mark, manner)
            except OSError:
                again = None
        if again is None:
            return None
        self.edited_again += again
        if manner.standstill is not None and (self._site.records / "journal.json").exists():
            self._tell(f"{mark} met a change that was half done")
        return Edit(order_id=order_id, mark=mark, before_decision=before_decision)
