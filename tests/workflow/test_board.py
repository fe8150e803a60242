"""The board on a real Temporal: what waits there, what is decided, and how often Temporal is asked for it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bench.temporal_calls import CountedCalls, counted_calls
from temporalio.testing import WorkflowEnvironment

from daper.core.phases import Phase
from daper.service.board import Board, BoardView
from daper.service.listing import Listing, open_repairs
from daper.service.repairs import RepairService
from daper.service.requests import RepairLine
from tests.workflow.shop import DEADLINE, Shop, open_shop


@pytest.fixture
async def shop(temporal_env: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_shop(temporal_env, tmp_path) as opened:
        yield opened


class CountedLooks(Listing):
    """A listing that counts how often it is looked at."""

    looks = 0

    async def look(self, **_: object) -> tuple[RepairLine, ...]:
        self.looks += 1
        return await super().look()


async def board_of(shop: Shop) -> tuple[Board, CountedLooks, CountedCalls]:
    """A board of a shop, and what it costs."""
    calls = await counted_calls(shop.client)
    queue = shop.settings.task_queue
    service = RepairService(client=calls.client, queue=queue, domains=shop.domains, reports=shop.reports, indexed=True)
    looks = CountedLooks(calls.client, queue=queue, such="ExecutionStatus = 'Running'")
    return Board(service=service, listing=looks, policy=shop.settings.policy), looks, calls


async def until_waiting(board: Board, number: int) -> BoardView:
    """What is known, once so many wait; Temporal's list lags behind."""
    shown = await board.snapshot()
    while (len(shown.waiting), shown.unread) != (number, 0):
        shown = await board.changed_since(shown.version)
    return shown


async def test_what_waits_is_told_and_each_is_asked_once_however_many_look(shop: Shop) -> None:
    first, second = [await shop.start(scope={"record_ids": (record,)}) for record in ("ORD-001-HJP", "ORD-002-HJG")]
    plans = {repair_id: await shop.plan(repair_id) for repair_id in (first, second)}
    board, looks, calls = await board_of(shop)
    async with asyncio.timeout(DEADLINE), board.open():
        shown = await until_waiting(board, 2)
        tabs = [asyncio.create_task(board.changed_since(shown.version)) for _ in range(100)]
        assert {row.repair_id: row.digest for row in shown.waiting} == {
            repair_id: plan.digest for repair_id, plan in plans.items()
        }
        known = board.plan(plans[first].digest)
        assert known is not None
        assert known.plan == plans[first]

        await shop.decide(first, plans[first])
        await board.touch(first)
        told = await asyncio.gather(*tabs)
    asked = calls.since()
    assert {tuple(row.repair_id for row in view.waiting) for view in told} == {(second,)}
    assert asked["ListWorkflowExecutions"] == looks.looks
    assert asked["QueryWorkflow"] == 3, "one for each that began to wait, and one for the decision"
    assert asked["DescribeWorkflowExecution"] == 3


@pytest.mark.long
async def test_repairs_of_another_queue_and_what_has_ended_are_not_on_it(
    shop: Shop, temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    elsewhere = Shop(temporal_env, tmp_path / "elsewhere", domains=shop.domains, indexed=True)
    await elsewhere.start()
    waiting, ended = [await shop.start(scope={"record_ids": (record,)}) for record in ("ORD-001-HJP", "ORD-002-HJG")]
    await shop.plan(waiting)
    await shop.decide(ended, await shop.plan(ended))
    await shop.end(ended)
    listing = open_repairs(shop.client, queue=shop.settings.task_queue)
    async with asyncio.timeout(DEADLINE):
        while [(line.repair_id, line.phase) for line in await listing.look()] != [(waiting, Phase.PENDING_APPROVAL)]:
            pass
    assert await listing.look() is await listing.look()


@pytest.mark.parametrize("indexed", [True, False], ids=["search attributes", "memo"])
async def test_a_line_of_the_listing_is_the_line_of_the_list(
    temporal_env: WorkflowEnvironment, tmp_path: Path, indexed: bool
) -> None:
    async with open_shop(temporal_env, tmp_path, indexed=indexed) as shop:
        repair_id = await shop.start()
        await shop.plan(repair_id)
        line = await shop.service.line(repair_id)
        listing = open_repairs(shop.client, queue=shop.settings.task_queue)
        async with asyncio.timeout(DEADLINE):
            while await listing.look() != (line,):
                pass


async def test_what_could_end_a_filter_is_a_name_of_a_queue(temporal_env: WorkflowEnvironment) -> None:
    for queue in ("it's", 'a "b"', "back\\slash", "x' OR ExecutionStatus = 'Running"):
        assert await open_repairs(temporal_env.client, queue=queue).look() == ()
