"""Starting a repair that was asked for before: the same one again, or a refusal; never a second one unnoticed."""

import asyncio
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.core.errors import UserError
from daper.core.ids import keyed_repair_id
from daper.core.models import Scope
from daper.core.phases import Phase
from daper.service.requests import Started, StartRepair
from daper.workflows.labels import WORKFLOW_NAME
from tests.workflow.shop import GINNY, HARRY, Shop, open_shop


async def _start(shop: Shop, **order: object) -> Started:
    with shop.env.with_time_skipping_disabled():
        return await shop.service.start(
            StartRepair.model_validate({"requested_by": HARRY, "domain": "orders", **order})
        )


async def _count(shop: Shop) -> int:
    query = f"WorkflowType = '{WORKFLOW_NAME}' AND TaskQueue = '{shop.settings.task_queue}'"
    return len([execution async for execution in shop.client.list_workflows(query)])


@pytest.mark.long
async def test_a_hundred_starts_with_one_key_are_one_repair(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    queue = {"TEMPORAL_TASK_QUEUE": shop.settings.task_queue}
    beside = Shop(temporal_env, tmp_path, domains=shop.domains, indexed=True, environ=queue)
    starts = [_start(each, request_key="monday") for each in (shop, beside) for _ in range(50)]
    told = await asyncio.gather(*starts)
    assert len({each.repair_id for each in told}) == 1
    assert [each.created for each in told].count(True) == 1


async def test_a_key_stays_with_its_repair_after_the_end(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        first = await _start(shop, request_key="monday", auto_approve=True)
        assert (await shop.end(first.repair_id)).phase is Phase.REPORT_COMPLETED
        again = await _start(shop, request_key="monday", auto_approve=True)
        assert again == first.model_copy(update={"created": False})


@pytest.mark.parametrize(
    "other",
    [{"scope": Scope(record_ids=("ORD-001-HJP",))}, {"dry_run": True}, {"auto_approve": True}, {"again": True}],
    ids=lambda other: next(iter(other)),
)
async def test_a_key_given_for_something_else_is_refused(
    temporal_env: WorkflowEnvironment, tmp_path: Path, other: dict[str, object]
) -> None:
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    first = await _start(shop, request_key="monday")
    with pytest.raises(UserError, match=rf"'monday' of Harry belongs to repair '{first.repair_id}'.*something else"):
        await _start(shop, request_key="monday", **other)


async def test_two_people_may_use_the_same_key(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    harrys = await _start(shop, request_key="monday")
    ginnys = await _start(shop, request_key="monday", requested_by=GINNY)
    assert harrys.repair_id != ginnys.repair_id
    assert ginnys.created


async def test_the_key_of_a_repair_whose_report_does_not_say_what_it_was_asked_for_is_refused(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        kept = await shop.end((await _start(shop, auto_approve=True)).repair_id)
        forgotten = keyed_repair_id(shop.settings.task_queue, HARRY, "monday")
        await shop.reports.write(kept.model_copy(update={"repair_id": forgotten, "asked": ""}))
        with pytest.raises(UserError, match=f"'monday' of Harry belongs to repair '{forgotten}', which ended long ago"):
            await _start(shop, request_key="monday", auto_approve=True)


@pytest.mark.parametrize("indexed", [True, False])
async def test_an_open_repair_for_the_same_is_joined_and_an_ended_one_is_not(
    temporal_env: WorkflowEnvironment, tmp_path: Path, indexed: bool
) -> None:
    async with open_shop(temporal_env, tmp_path, indexed=indexed) as shop:
        first = await _start(shop, join_open=True)
        told = await asyncio.gather(*(_start(shop, join_open=True) for _ in range(20)))
        assert {each.repair_id for each in told} == {first.repair_id}
        plan = await shop.plan(first.repair_id)
        await shop.decide(first.repair_id, plan)
        await shop.end(first.repair_id)
        assert (await _start(shop, join_open=True)).created


async def test_what_asks_for_something_else_joins_nothing(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    orders: list[dict[str, object]] = [
        {},
        {"requested_by": GINNY},
        {"scope": Scope(record_ids=("ORD-001-HJP",))},
        {"dry_run": True},
    ]
    async with open_shop(temporal_env, tmp_path) as shop:
        told = [await _start(shop, join_open=True, **order) for order in orders]
    assert len({each.repair_id for each in told}) == len(orders)


async def test_a_repair_that_another_process_began_is_joined(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        first = await _start(shop)
        await shop.plan(first.repair_id)
        async with asyncio.timeout(30):
            while not await _count(shop):
                pass  # Temporal lists it a moment later
        assert await _start(shop, join_open=True) == first.model_copy(update={"created": False})
