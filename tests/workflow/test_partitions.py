"""Several repairs share one backlog: each looks at a part of the records, and none touches those of another."""

from pathlib import Path

import pytest
from daper_alerts import Alerts
from temporalio.testing import WorkflowEnvironment

from daper.core.models import Scope
from daper.core.outcomes import RepairResult
from daper.core.partition import Partition, within
from daper.core.phases import Phase
from daper.core.policy import ApprovalPolicy
from daper.core.views import RepairView
from daper.entrypoints.cli.repair_view import look_lines
from daper.ports import RecordPage
from daper.service.launch import launch_of
from daper.service.requests import StartRepair, Times
from tests.workflow.agents import Agent
from tests.workflow.chat import chat_with
from tests.workflow.shop import HARRY, Shop, open_shop
from tests.workflow.test_details import current_details
from tests.workflow.wide_shop import install

HALVES = (Partition(number=1, of=2), Partition(number=2, of=2))
ORDERS = 12


class Heedless(Alerts):
    """A domain of somebody who knows nothing of partitions."""

    async def scan(self, scope: Scope, page: str | None = None) -> RecordPage:
        return await super().scan(scope.model_copy(update={"partition": None}), page)

    async def count_open(self, scope: Scope) -> int:
        return await super().count_open(scope.model_copy(update={"partition": None}))


async def _halves(shop: Shop) -> tuple[str, str]:
    first, second = [await shop.start(scope={"partition": half.model_dump()}) for half in HALVES]
    return first, second


@pytest.mark.long
async def test_two_repairs_with_halves_of_one_backlog_repair_all_of_it_and_nothing_twice(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    ids = install(tmp_path / "data" / "orders", orders=ORDERS, lines=1)
    async with open_shop(temporal_env, tmp_path) as shop:
        begun = await _halves(shop)
        plans = [await shop.plan(repair_id) for repair_id in begun]
        planned = [{action.record_id for action in plan.actions} for plan in plans]
        assert planned == [set(within(half, ids)) for half in HALVES]
        assert all(planned)
        assert [plan.suppressed for plan in plans] == [(), ()]
        for repair_id, plan in zip(begun, plans, strict=True):
            await shop.decide(repair_id, plan)
        results = [await shop.end(repair_id) for repair_id in begun]
        touched = [{outcome.record_id for outcome in result.outcomes} for result in results]
        assert touched == planned
        assert [result.detection and result.detection.scanned for result in results] == [len(each) for each in planned]
        assert shop.effects() == ORDERS


async def test_a_domain_that_knows_no_partitions_keeps_to_them_all_the_same(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    services = [f"service-{number}" for number in range(8)]
    domain = Heedless(tmp_path, services)
    async with open_shop(temporal_env, tmp_path, domains={"alerts": domain}) as shop:
        found: list[str] = []
        for half in HALVES:
            repair_id = await shop.start(domain="alerts", dry_run=True, scope={"partition": half.model_dump()})
            result = await shop.end(repair_id)
            mine = [finding.record_id for finding in result.findings]
            assert tuple(mine) == within(half, services)
            assert result.detection is not None
            assert (result.detection.scanned, result.detection.suspects) == (len(mine), len(mine))
            found += mine
        assert sorted(found) == services


@pytest.mark.long
async def test_every_door_says_in_which_part_a_repair_looks(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    install(tmp_path / "data" / "orders", orders=ORDERS, lines=1)
    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop) as chat:
        repair_id, _ = await _halves(shop)
        await shop.plan(repair_id)
        words = "only part 1/2 of the records"
        look = await shop.service.look(repair_id)
        assert isinstance(look, RepairView)
        assert f"  - partition: {words}" in look_lines(look)
        assert words in await current_details(shop, repair_id)
        assert (await chat.call("get_repair", repair_id=repair_id))["partition"] == "1/2"
        await shop.service.stop(repair_id, by="Harry")
        result = await shop.end(repair_id)
        assert result.paths is not None
        assert words in Path(result.paths.markdown_path).read_text(encoding="utf-8")
        assert f"  - partition: {words}" in look_lines(result)
        order = StartRepair(requested_by=HARRY, domain="orders", scope=Scope(partition=HALVES[0])).under(
            ApprovalPolicy(), Times()
        )
        assert result.store is not None
        launch = launch_of(order, result.store, queue="q", indexed=False)
        assert launch.summary == "Repair part 1/2 of orders for Harry"


async def test_where_nothing_is_wrong_in_a_part_the_report_says_that_it_looked_only_there(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    (order_id,) = install(tmp_path / "data" / "orders", orders=1, lines=1)
    other = next(half for half in HALVES if not half.holds(order_id))
    async with open_shop(temporal_env, tmp_path) as shop:
        result: RepairResult = await shop.end(await shop.start(scope={"partition": other.model_dump()}))
        assert result.phase is Phase.NO_REPAIR_NEEDED
        assert result.report is not None
        assert result.report.summary == f"Nothing had to be repaired in part {other} of the records."


async def test_a_chat_client_takes_a_part_and_is_told_what_is_none(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop) as chat:
        with shop.env.with_time_skipping_disabled():
            begun = await chat.call("start_repair", partition="2/2", dry_run=True)
            result = await shop.end(begun["repair_id"])
            assert result.partition == "2/2"
            assert "up to 4/4" in await chat.refused("start_repair", partition="5/4")
            said = await chat.refused("start_repair", partition="1/4", record_ids=["ORD-001-HJP"])
            assert "records that are named need none" in said


async def test_a_proactive_agent_keeps_to_its_part(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    ids = install(tmp_path / "data" / "orders", orders=ORDERS, lines=1)
    async with open_shop(temporal_env, tmp_path) as shop:
        agent = Agent(shop)
        await agent.start(scope={"partition": HALVES[1].model_dump()})
        plan = await shop.plan(await agent.cycle())
        assert {action.record_id for action in plan.actions} == set(within(HALVES[1], ids))
        assert (await agent.view()).partition == "2/2"
        await agent.stop()
        await agent.ended()
