"""Who is killed when: all of it drawn from one seeded generator."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from temporalio.client import Client

from tests.faults.grounds import Ground
from tests.faults.victims_run import Victims, kill, until

_PATIENCE = 2.0
_STALL = 15.0  # after a kill, what was in flight goes on when its heartbeats have been missed for long enough


class Kind(StrEnum):
    """How a process dies."""

    WORKER = "worker"
    WORKER_IN_CHANGE = "worker in the middle of a change"
    WORKER_AT_STEP = "worker between two steps"
    HOLDER = "holder of the store"


class Killer:
    """Keeps a worker alive, and kills so many processes; `held` are the keys that killed holders were writing."""

    def __init__(self, *, victims: Victims, ground: Ground, client: Client, rng: random.Random, kills: int) -> None:
        self._victims = victims
        self._ground = ground
        self._client = client
        self._rng = rng
        # Each kind comes up about as often, in any order.
        self._kinds = rng.sample(list(Kind) * -(-kills // len(Kind)), kills)
        self._worker: asyncio.subprocess.Process | None = None
        self.done: Counter[str] = Counter()
        self.held: list[str] = []
        self.ids: list[str] = []
        self.all_ids: list[str] = []

    @property
    def left(self) -> int:
        """How many kills are still to be done."""
        return len(self._kinds)

    async def begin(self) -> None:
        """Start the first worker."""
        self._worker = await self._victims.worker()

    async def strike_while(self, going: Callable[[], bool]) -> None:
        """Kill, until all kills are done or there is nothing going on any more; then one worker is alive."""
        while self._kinds and going():
            kind = self._kinds[0]
            await self._moment(going)
            if going() and await self._strike(kind, going):
                self.done[kind] += 1
                self._kinds.pop(0)

    async def _strike(self, kind: Kind, going: Callable[[], bool]) -> bool:
        """Whether somebody was killed in the way that was meant."""
        if kind is Kind.HOLDER:
            return await self._kill_holder()
        if kind is Kind.WORKER_AT_STEP:
            # Beside the other one: two workers share what there is to do, and one dies in the middle of a change.
            dying = await self._ground.dying(self._victims, self._rng.randint(1, self._ground.most_steps))
            await until(lambda: dying.returncode is not None or not going(), within=_STALL)
            died = dying.returncode is not None
            await kill(dying)
            return died
        assert self._worker is not None
        if kind is Kind.WORKER_IN_CHANGE:
            with self._ground.caught(self._worker.pid) as caught:
                await until(lambda: caught() or not going(), within=_STALL)
            if not going():
                return False
        await kill(self._worker)
        self._worker = await self._victims.worker()
        return True

    async def _kill_holder(self) -> bool:
        key = f"held-{len(self.held) + 1:02d}"
        self.held.append(key)
        holder = await self._ground.holder(self._victims, key, self._rng.randint(0, self._ground.most_operations))
        if holder is None:
            return False
        await asyncio.sleep(self._rng.uniform(0, 0.3))  # the others wait for the store meanwhile
        await kill(holder)
        return True

    async def _moment(self, going: Callable[[], bool]) -> None:
        """A random point: some more effects, some more history of one run, or simply some time."""
        how = self._rng.choice(("rows", "events", "delay"))
        rows = self._ground.rows() + self._rng.randint(1, 3)
        events, repair_id = self._rng.randint(1, 12), self._rng.choice(self.ids)
        delay = self._rng.uniform(0, 0.8)
        if how == "delay":
            await asyncio.sleep(delay)
        elif how == "rows":
            await until(lambda: self._ground.rows() >= rows or not going(), within=_PATIENCE)
        else:
            await self._events(repair_id, events, going)

    async def _events(self, repair_id: str, more: int, going: Callable[[], bool]) -> None:
        handle = self._client.get_workflow_handle(repair_id)
        enough = (await handle.describe()).history_length + more
        for _ in range(int(_PATIENCE / 0.05)):
            described = await handle.describe()
            if described.history_length >= enough or described.close_time is not None or not going():
                return
            await asyncio.sleep(0.05)
