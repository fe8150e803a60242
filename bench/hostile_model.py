"""Repairs by rules beside repairs with a model that drips, floods and lies, in one process: their time, its memory.

The same repairs are timed with nobody beside them, and beside as many with a model that answers well.
"""

import asyncio
import multiprocessing
import resource
import threading
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from tests.llm.answers import slow, thinking
from tests.llm.brains import good
from tests.llm.fake_openai import FakeOpenAI
from tests.llm.hostile import bomb, drip, drip_of_headers, endless_stream, flood, nested, with_usage, with_value
from tests.llm.wire import Answer, Asked, Behaviour
from tests.workflow.shop import Shop, open_shop

from bench import whole_repairs
from bench.bare import BareShop, Shape, open_bare, shape_of
from bench.figures import Table, Times, mb, ratio, s
from bench.measurement import Measurement
from bench.server import loopback
from daper.workflows.repair import RepairAgentWorkflow

GOOD, HOSTILE = "good", "hostile"
_MEGABYTES: Final = 100
_LOOKS_PER_SECOND: Final = 100
# A call is given up soon, a record is asked about alone, and no cap ends a repair: so a model is asked often.
_EAGER: Final = {
    "LLM_MODEL": "fake-1",
    "DAPER_ON_OUTAGE": "rules",
    "DAPER_LLM_TIMEOUT": "2s",
    "DAPER_LLM_BATCH_TOKENS": "100",
    "DAPER_MAX_TOKENS_PER_CYCLE": "1000000000",
}


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many repairs are under way with a model, of how many orders each, and how many repairs are timed."""

    repairs: int
    orders: int
    timed: int


@dataclass(frozen=True, kw_only=True)
class Phase:
    """What was timed, and the most memory meanwhile, in bytes."""

    bare: Times
    repairs: Times
    memory: int
    ended: int = 0


def hostile() -> Behaviour:
    """One after the other, request by request."""
    answer = thinking(good)
    turns: Sequence[Behaviour] = (
        drip(0.01),
        flood(_MEGABYTES),
        with_usage(answer, prompt_tokens=10**27),
        bomb(4 * _MEGABYTES),
        endless_stream(0.0),
        with_value(answer, "choices", []),
        drip_of_headers(0.01),
        nested(100_000),
    )

    def behave(asked: Asked) -> Answer:
        return turns[asked.number % len(turns)](asked)

    return behave


def _serve(end: Connection) -> None:
    with FakeOpenAI(slow(0.2, thinking(good))) as well, FakeOpenAI(hostile()) as badly:
        end.send((well.url, badly.url))
        with suppress(EOFError):
            while end.recv() == "count":
                end.send((well.count, badly.count))


@dataclass(frozen=True, kw_only=True)
class Models:
    """Both models, in a process of their own: what they do takes nothing of the worker's time but what it lets them."""

    end: Connection
    urls: dict[str, str]

    def counts(self) -> dict[str, int]:
        """How often each was asked so far."""
        self.end.send("count")
        return dict(zip((GOOD, HOSTILE), self.end.recv(), strict=True))


@contextmanager
def models() -> Generator[Models]:
    """The models, for as long as the block."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,))
    process.start()
    theirs.close()
    try:
        yield Models(end=ours, urls=dict(zip((GOOD, HOSTILE), ours.recv(), strict=True)))
    finally:
        ours.close()
        process.terminate()
        process.join()


class Memory:
    """The most memory that this process holds while it is entered."""

    def __init__(self) -> None:
        self.most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        statm, page = Path("/proc/self/statm"), resource.getpagesize()
        while not self._over.wait(1 / _LOOKS_PER_SECOND):
            self.most = max(self.most, int(statm.read_text("ascii").split()[1]) * page)


@dataclass(frozen=True, kw_only=True)
class Timed:
    """Repairs by rules and bare workflows, one at a time, in turn."""

    shop: Shop
    bare: BareShop
    shape: Shape
    ids: list[str]

    async def phase(self, times: int) -> Phase:
        """So many of both."""
        bare, repairs = list[float](), list[float]()
        with Memory() as memory:
            for _ in range(times):
                bare.append(await self.bare.run(self.shape))
                repairs.append(await whole_repairs.at_once(self.shop, [[self.ids.pop()]]))
        return Phase(bare=Times.of(bare), repairs=Times.of(repairs), memory=memory.most)


class Busy:
    """Repairs with a model, one after the other in each of several rows, as dry runs."""

    def __init__(self, shop: Shop, batches: Sequence[Sequence[str]]) -> None:
        self.shop = shop
        self.ended = 0
        self._batches = batches

    @asynccontextmanager
    async def under_way(self) -> AsyncGenerator[None]:
        """For as long as the block; those that are under way then are left alone."""
        rows = [asyncio.create_task(self._row(batch)) for batch in self._batches]
        try:
            yield
            for row in rows:
                assert not row.done(), row
        finally:
            for row in rows:
                row.cancel()
            await asyncio.gather(*rows, return_exceptions=True)

    async def _row(self, batch: Sequence[str]) -> None:
        while True:
            repair_id = await whole_repairs.start(self.shop, batch, dry_run=True)
            result = await self.shop.client.get_workflow_handle_for(RepairAgentWorkflow.run, repair_id).result()
            assert not result.troubles, result.troubles
            self.ended += 1


async def _busy(stack: AsyncExitStack, client: Client, home: Path, size: Size, url: str) -> Busy:
    ids = whole_repairs.install(home, orders=size.repairs * size.orders)
    shop = await stack.enter_async_context(
        open_shop(WorkflowEnvironment.from_client(client), home, environ={**_EAGER, "LLM_BASE_URL": url})
    )
    return Busy(shop, [ids[first : first + size.orders] for first in range(0, len(ids), size.orders)])


async def measure(root: Path, size: Size) -> AsyncGenerator[Table]:
    """Alone, beside the model that answers well, beside the other one; the library is loaded in all three."""
    phases: dict[str, Phase] = {}
    ids = whole_repairs.install(root / "rules", orders=1 + 3 * size.timed)
    with models() as both:
        async with loopback(root / "server.log") as client, AsyncExitStack() as stack:
            busy = {name: await _busy(stack, client, root / name, size, url) for name, url in both.urls.items()}
            shop = await stack.enter_async_context(open_shop(WorkflowEnvironment.from_client(client), root / "rules"))
            bare = await stack.enter_async_context(open_bare(client))
            warm = await whole_repairs.run(shop, [ids.pop()])
            timed = Timed(shop=shop, bare=bare, shape=await shape_of(client, warm.repair_id), ids=ids)
            phases["alone"] = await timed.phase(size.timed)
            for name, each in busy.items():
                async with each.under_way():
                    phases[name] = await timed.phase(size.timed)
        asked = both.counts()
    alone, well, badly = phases["alone"], phases[GOOD], phases[HOSTILE]
    yield Table(
        about=f"{size.timed} repairs by rules, one at a time, with their effects; beside them {size.repairs} repairs "
        f"of {size.orders} orders each, dry runs. The good model was asked {asked[GOOD]:,} times, the hostile one "
        f"{asked[HOSTILE]:,} times.",
        columns=("median", "alone", "beside a good model", "beside a hostile one", "of alone", "of a good one"),
        rows=(
            _row("bare workflows of the same shape", *(phase.bare.p50 for phase in (alone, well, badly))),
            _row("repairs by rules", *(phase.repairs.p50 for phase in (alone, well, badly))),
            (
                "memory of the process, at most",
                *(mb(phase.memory) for phase in (alone, well, badly)),
                ratio(badly.memory, alone.memory),
                ratio(badly.memory, well.memory),
            ),
        ),
    )


def _row(name: str, alone: float, well: float, badly: float) -> tuple[str, ...]:
    return (name, s(alone), s(well), s(badly), ratio(badly, alone), ratio(badly, well))


if __name__ == "__main__":
    Measurement(
        about=__doc__ or "",
        measure=measure,
        whole=Size(repairs=4, orders=4, timed=20),
        quick=Size(repairs=2, orders=2, timed=2),
    ).main()
