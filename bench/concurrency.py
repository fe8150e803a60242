"""Many repairs at once while a model takes its time: what its slowness costs, and whether a call is made twice."""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from tests.llm.answers import slow, thinking
from tests.llm.brains import good
from tests.llm.fake_openai import FakeOpenAI
from tests.workflow.shop import Shop, open_shop
from tests.workflow.wide_shop import install

from bench.server import loopback
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.entrypoints.cli.exits import leave
from daper.workflows.repair import RepairAgentWorkflow

# Seconds that an answer takes; None: rules alone. Two of each, in turn, so that a busier minute counts for all.
DELAYS_S = (None, 0.0, 0.5)
ROUNDS = 2
SLOW_REPAIRS = 6
SLOW_ORDERS = 30  # of each: more than one prompt holds, so that one cycle also asks twice at once
CALLS_IN_A_ROW = 3  # analyze, plan, report
WITHIN_S = 900


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured."""

    at_once: int
    slow_s: float
    beside: int


WHOLE = Size(at_once=100, slow_s=25.0, beside=15)
QUICK = Size(at_once=20, slow_s=3.0, beside=5)


async def at_once(client: Client, home: Path, *, repairs: int, dry: bool, delay_s: float | None) -> float:
    """Seconds for so many repairs of one order each, in a shop of their own; rules alone without a delay."""
    ids = _shop(home, repairs + 1)
    with FakeOpenAI(slow(delay_s or 0.0, thinking(good))) as fake:
        environ = None if delay_s is None else _asks(fake)
        async with open_shop(WorkflowEnvironment.from_client(client), home, environ=environ) as shop:
            await _repair(shop, ids[-1:], dry=dry)  # warms up
            began = time.perf_counter()
            await asyncio.gather(*(_repair(shop, [order_id], dry=dry) for order_id in ids[:-1]))
            took = time.perf_counter() - began
    calls = 0 if delay_s is None else CALLS_IN_A_ROW * len(ids)
    assert fake.count == calls, f"{calls} calls were to be made, and {fake.count} came"
    _each_once(fake)
    return took


async def compare(client: Client, root: Path, *, repairs: int) -> None:
    """The same repairs with rules, with a model that answers at once, and with one that takes half a second."""
    for dry in (True, False):
        print(f"{repairs} repairs at once, one order each, {'dry runs' if dry else 'with their effects, JSON store'}")
        times: dict[float | None, list[float]] = {delay_s: [] for delay_s in DELAYS_S}
        for number in range(ROUNDS):
            for delay_s in DELAYS_S:
                home = root / f"at-once-{dry}-{number}-{delay_s}"
                times[delay_s].append(await at_once(client, home, repairs=repairs, dry=dry, delay_s=delay_s))
        base = statistics.median(times[0.0])
        for delay_s, each in times.items():
            name = "rules alone" if delay_s is None else f"answers after {delay_s * 1000:.0f} ms"
            runs = ", ".join(f"{took:.1f}" for took in each)
            print(
                f"  {name:22} {statistics.median(each):6.1f} s   {statistics.median(each) / base:.2f} x   ({runs})",
                flush=True,
            )


async def beside_slow_ones(client: Client, root: Path, size: Size) -> None:
    """Repairs with a slow model; how often each of their calls is made, and how repairs by rules fare meanwhile."""
    ids = _shop(root / "slow", SLOW_REPAIRS * SLOW_ORDERS)
    batches = [ids[first : first + SLOW_ORDERS] for first in range(0, len(ids), SLOW_ORDERS)]
    others = iter(_shop(root / "rules", 1 + 2 * size.beside))
    env = WorkflowEnvironment.from_client(client)
    with FakeOpenAI(slow(size.slow_s, thinking(good))) as fake:
        async with (
            open_shop(env, root / "slow", environ=_asks(fake)) as slow_shop,
            open_shop(env, root / "rules") as shop,
        ):
            await _repair(shop, [next(others)], dry=False)  # warms up
            before = [await _timed(shop, next(others)) for _ in range(size.beside)]
            began = time.perf_counter()
            slow_ones = asyncio.gather(*(_repair(slow_shop, batch, dry=True) for batch in batches))
            await asyncio.to_thread(fake.until, lambda fake: fake.count >= SLOW_REPAIRS)
            during = list[float]()
            for _ in range(size.beside):
                during.append(await _timed(shop, next(others)))
                # Spread over all that the slow ones do, also the moments between their calls.
                await asyncio.sleep(max(0.0, 0.8 * CALLS_IN_A_ROW * size.slow_s / size.beside - during[-1]))
            assert not slow_ones.done(), "the slow repairs were over too early"
            results = await slow_ones
            took = time.perf_counter() - began
    _each_once(fake)
    ledger = sum(result.usage.total.calls for result in results)
    uncertain = sum(result.usage.total.uncertain for result in results)
    print(f"{SLOW_REPAIRS} repairs at once, {SLOW_ORDERS} orders each, dry runs, {size.slow_s:g} s for each answer")
    print(f"  {fake.count} calls, each made once; the ledger has {ledger}, {uncertain} of them uncertain")
    print(f"  {fake.most_at_once} calls at once at most")
    print(f"  all over after {took:.1f} s; {CALLS_IN_A_ROW} answers in a row take {CALLS_IN_A_ROW * size.slow_s:g} s")
    print("repairs by rules on the same Temporal and in the same process, one at a time, with their effects")
    for name, times in (("before", before), ("meanwhile", during)):
        print(f"  {name:10} median {_ms(statistics.median(times))}   longest {_ms(max(times))}   n={len(times)}")


def _shop(home: Path, orders: int) -> list[str]:
    return list(install(home / "data" / "orders", orders=orders, lines=3, name_length=20, mixed=False))


def _asks(fake: FakeOpenAI) -> dict[str, str]:
    return {"LLM_MODEL": "fake-1", "LLM_BASE_URL": fake.url}


async def _timed(shop: Shop, order_id: str) -> float:
    began = time.perf_counter()
    await _repair(shop, [order_id], dry=False)
    return time.perf_counter() - began


async def _repair(shop: Shop, ids: Sequence[str], *, dry: bool) -> RepairResult:
    """A whole repair, approved by policy: what rules propose and the model seconds."""
    repair_id = await shop.start(scope={"record_ids": ids}, dry_run=dry, auto_approve=not dry)
    result = await shop.client.get_workflow_handle_for(RepairAgentWorkflow.run, repair_id).result()
    assert result.phase is (Phase.PLAN_ONLY if dry else Phase.REPORT_COMPLETED), f"{result.phase}: {result.reason}"
    assert dry or result.counts.applied == len(ids), result.outcomes
    assert not (*result.troubles, *result.notices), (result.troubles, result.notices)
    return result


def _each_once(fake: FakeOpenAI) -> None:
    """Every prompt came once, and its answer was waited for. Raises AssertionError."""
    asked = Counter((seen.asked.system, seen.asked.user) for seen in fake.seen)
    repeated = [user[:200] for (_, user), count in asked.items() if count > 1]
    assert not repeated, f"{len(repeated)} prompts came more than once: {repeated[:3]}"
    left = [seen.asked.number for seen in fake.seen if seen.went_away or seen.status != 200]
    assert not left, f"nobody waited for the answers to the requests {left}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:5.0f} ms"


async def measure(root: Path, size: Size) -> None:
    """Measure all and print it."""
    async with loopback(root / "server.log") as client:
        await beside_slow_ones(client, root, size)
        await compare(client, root, repairs=size.at_once)


def main() -> int:
    """Measure within a bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK.at_once} at once, and {QUICK.slow_s:g} s an answer"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(asyncio.wait_for(measure(Path(folder), QUICK if given.quick else WHOLE), WITHIN_S))
    return 0


if __name__ == "__main__":
    leave(main())
