"""Whole repairs of named orders, in a shop of as many orders as wanted, each with one problem."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.workflow import wide_shop
from tests.workflow.shop import Shop

from bench.places import JSON, Place
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.workflows.repair import RepairAgentWorkflow


def install(home: Path, *, orders: int) -> list[str]:
    """Put so many small orders into the JSON files of a home, each with a payment to ask for; their ids."""
    return install_at(Place(store=JSON, home=home), orders=orders)


def install_at(place: Place, *, orders: int) -> list[str]:
    """The same in whichever store."""
    place.install_texts(wide_shop.texts_of(orders=orders, lines=3, name_length=20, mixed=False))
    return list(wide_shop.ids_of(orders))


async def start(shop: Shop, ids: Sequence[str], *, dry_run: bool = False, auto_approve: bool = False) -> str:
    """Start a repair of these at once, whatever else runs for the same person; its id."""
    return await shop.start(scope={"record_ids": ids}, dry_run=dry_run, auto_approve=auto_approve)


async def run(shop: Shop, ids: Sequence[str], *, dry: bool = False) -> RepairResult:
    """A whole repair, approved by policy, with an effect on each order. Raises AssertionError where it is not so."""
    repair_id = await start(shop, ids, dry_run=dry, auto_approve=not dry)
    result = await shop.client.get_workflow_handle_for(RepairAgentWorkflow.run, repair_id).result()
    assert result.phase is (Phase.PLAN_ONLY if dry else Phase.REPORT_COMPLETED), f"{result.phase}: {result.reason}"
    assert dry or result.counts.applied == len(ids), result.outcomes
    assert not (*result.troubles, *result.notices), (result.troubles, result.notices)
    return result


async def at_once(shop: Shop, batches: Iterable[Sequence[str]], *, dry: bool = False) -> float:
    """Seconds until repairs of all batches are over that were started at once."""
    began = time.perf_counter()
    await asyncio.gather(*(run(shop, batch, dry=dry) for batch in batches))
    return time.perf_counter() - began


def size_of(shop: Shop) -> int:
    """How many bytes its records have, which the JSON store writes anew for an effect."""
    return sum(path.stat().st_size for path in (shop.home / "data" / "orders").glob("*.json"))
