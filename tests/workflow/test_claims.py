"""Two open plans never want the same: what another one has is named with its id, and free when that has ended."""

import asyncio
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.core.models import SuppressedFinding, Verdict
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from tests.workflow.events import BADGES, EGG, named
from tests.workflow.shop import GINNY, HARRY, open_shop
from tests.workflow.wide_shop import install

MANY = [6, pytest.param(20, marks=pytest.mark.long)]


def held(result: RepairResult) -> list[SuppressedFinding]:
    return [item for plan in result.plans for item in plan.suppressed]


async def test_the_second_repair_of_a_record_says_which_one_has_it_and_proposes_nothing(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        first = await named(shop, BADGES)
        await shop.plan(first.repair_id)
        second = await named(shop, BADGES, EGG, again=True, requested_by=GINNY)
        plan = await shop.plan(second.repair_id)
        assert {action.record_id for action in plan.actions} == {EGG}
        assert [(item.finding.record_id, item.held_by) for item in plan.suppressed] == [(BADGES, first.repair_id)]
        third = await shop.end((await named(shop, BADGES, again=True)).repair_id)
        assert (third.phase, third.reason) == (
            Phase.NO_REPAIR_NEEDED,
            f"{BADGES} waits for a decision in {first.repair_id}",
        )
        [item] = held(third)
        assert item.reason.startswith(f"waits for a decision in {first.repair_id}, until ")


@pytest.mark.parametrize("way", ["rejected", "stopped", "terminated", "approved"])
async def test_a_record_is_free_however_the_repair_that_had_it_ends(
    temporal_env: WorkflowEnvironment, tmp_path: Path, way: str
) -> None:
    """A repair that was terminated can tell the memory nothing."""
    async with open_shop(temporal_env, tmp_path) as shop:
        first = await named(shop, EGG)
        plan = await shop.plan(first.repair_id)
        if way == "terminated":
            await shop.client.get_workflow_handle(first.repair_id).terminate()
        elif way == "stopped":
            await shop.service.stop(first.repair_id, by="Harry")
            await shop.end(first.repair_id)
        elif way == "rejected":
            await shop.decide(first.repair_id, plan, a1=Verdict.REJECT)
            await shop.end(first.repair_id)
        else:
            await shop.decide(first.repair_id, plan)
            await shop.end(first.repair_id)
        second = await shop.end((await named(shop, EGG, dry_run=True)).repair_id)
        rejected = [item.held_by for item in held(second)]
        if way == "rejected":
            assert rejected == [""], "rule 9: a person rejected it"
            second = await shop.end((await named(shop, EGG, dry_run=True, again=True)).repair_id)
        if way != "approved":
            assert second.phase is Phase.PLAN_ONLY
            assert not held(second)
            assert {action.bound.record_id for action in second.plans[-1].actions} == {EGG}
        assert all(item.held_by == "" for item in held(second))


@pytest.mark.long
@pytest.mark.parametrize("number", MANY)
async def test_of_many_repairs_of_one_record_that_start_at_once_exactly_one_plans_it(
    temporal_env: WorkflowEnvironment, tmp_path: Path, number: int
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        people = [HARRY.model_copy(update={"name": f"Harry {each}"}) for each in range(number)]
        told = await asyncio.gather(*(named(shop, BADGES, again=True, requested_by=who) for who in people))
        handles = [shop.client.get_workflow_handle(each.repair_id, result_type=RepairResult) for each in told]
        tasks = {asyncio.create_task(handle.result()): each for handle, each in zip(handles, told, strict=True)}
        ended: set[asyncio.Task[RepairResult]] = set()
        async with asyncio.timeout(120):
            while len(ended) < number - 1:
                done, _ = await asyncio.wait(tasks.keys() - ended, return_when=asyncio.FIRST_COMPLETED)
                ended |= done
        [winner] = [each for task, each in tasks.items() if task not in ended]
        assert {action.record_id for action in (await shop.plan(winner.repair_id)).actions} == {BADGES}
        for task in ended:
            assert task.result().phase is Phase.NO_REPAIR_NEEDED
            assert [item.held_by for item in held(task.result())] == [winner.repair_id]
        for task in tasks.keys() - ended:
            task.cancel()


@pytest.mark.long
@pytest.mark.parametrize("number", MANY)
async def test_many_records_that_one_person_names_are_as_many_plans_while_the_first_waits(
    temporal_env: WorkflowEnvironment, tmp_path: Path, number: int
) -> None:
    ids = install(tmp_path / "data" / "orders", orders=number, lines=2, name_length=20)
    async with open_shop(temporal_env, tmp_path) as shop:
        first = await named(shop, ids[0])
        await shop.plan(first.repair_id)
        told = [first, *await asyncio.gather(*(named(shop, each) for each in ids[1:]))]
        assert len({each.repair_id for each in told}) == number
        for each, record_id in zip(told, ids, strict=True):
            assert {action.record_id for action in (await shop.plan(each.repair_id)).actions} == {record_id}
