"""From a person's decision to its first effect, beside a bare decision of a Temporal workflow and a bare write.

On two servers in turn: one that looks for what is due at its own pace, and one that does so at ours. On the JSON store,
which rewrites its files for each effect.
"""

import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from tests.workflow.scripted import ScriptedOrders
from tests.workflow.shop import Shop, open_shop

from bench import whole_repairs
from bench.bare import BareShop, open_bare, written
from bench.figures import Table, Times, ms, ratio
from bench.measurement import Measurement
from bench.server import OURS, OWN, both_paces
from daper.core.models import Verdict
from daper.ports import ToolCall

BARE_DECISION, BEGINS = "bare: a decision to its activity", "the tool begins"
BARE_WRITE, RECORDED = "bare: all records written anew, fsync", "the effect is recorded, on the disk"


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many decisions on each server."""

    decisions: int


@dataclass(kw_only=True)
class Side:
    """One server with its workers, and what was timed on it."""

    shop: Shop
    bare: BareShop
    ids: list[str]
    marks: dict[str, float]
    took: dict[str, list[float]] = field(default_factory=lambda: dict[str, list[float]]())

    def times(self, name: str) -> Times:
        """What was noted; the first one warmed up."""
        return Times.of(self.took[name][1:])

    async def decide(self) -> None:
        """One decision, and beside it a bare one, and a bare write of as many bytes as the store has."""
        self._note(BARE_DECISION, await self.bare.decide())
        repair_id = await whole_repairs.start(self.shop, [self.ids.pop()])
        plan = await self.shop.plan(repair_id)
        decided = time.perf_counter()
        await self.shop.decide(repair_id, plan, a1=Verdict.APPROVE)
        await self.shop.end(repair_id)
        self._note(BEGINS, self.marks[BEGINS] - decided)
        self._note(RECORDED, self.marks[RECORDED] - decided)
        self._note(BARE_WRITE, written(self.shop.home, whole_repairs.size_of(self.shop)))

    def _note(self, name: str, seconds: float) -> None:
        self.took.setdefault(name, []).append(seconds)


@asynccontextmanager
async def open_side(client: Client, home: Path, *, decisions: int) -> AsyncGenerator[Side]:
    """A shop on a server, whose tool says when it begins and when its effect is on the disk."""
    ids = whole_repairs.install(home, orders=decisions + 1)
    domain, marks = ScriptedOrders(home), dict[str, float]()

    async def begins(_: ToolCall) -> None:
        marks[BEGINS] = time.perf_counter()

    async def recorded(_: ToolCall) -> None:
        marks[RECORDED] = time.perf_counter()

    domain.script("request_payment_update", before=begins, after=recorded)
    env = WorkflowEnvironment.from_client(client)
    async with open_shop(env, home, domains={"orders": domain}) as shop, open_bare(client) as bare:
        yield Side(shop=shop, bare=bare, ids=ids, marks=marks)


async def measure(root: Path, size: Size) -> AsyncGenerator[Table]:
    """Decisions one at a time, now on one server and now on the other."""
    async with both_paces(root) as clients, AsyncExitStack() as stack:
        sides = [
            await stack.enter_async_context(open_side(clients[pace], root / name, decisions=size.decisions))
            for pace, name in ((OWN, "own"), (OURS, "ours"))
        ]
        for _ in range(size.decisions + 1):
            for side in sides:
                await side.decide()
    own, ours = sides
    yield Table(
        about=f"From a decision to its first effect, one at a time, {size.decisions} on each server, in turn.",
        columns=("", f"{OWN}, p50", "p99", f"{OURS}, p50", "p99", "p50 of that at its own"),
        rows=tuple(
            (
                name,
                *(ms(value) for side in sides for value in (side.times(name).p50, side.times(name).p99)),
                ratio(ours.times(name).p50, own.times(name).p50),
            )
            for name in (BARE_DECISION, BEGINS, BARE_WRITE, RECORDED)
        ),
    )


if __name__ == "__main__":
    Measurement(about=__doc__ or "", measure=measure, whole=Size(decisions=100), quick=Size(decisions=3)).main()
