"""One key, one repair, at every moment: before it begins, while it runs, just after its end, and long after."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import (
    Client,
    DescribeScheduleInput,
    DescribeWorkflowInput,
    Interceptor,
    OutboundInterceptor,
    ScheduleDescription,
    StartWorkflowInput,
    WorkflowExecutionDescription,
    WorkflowHandle,
)
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from daper.adapters.reports.archive import FileReports
from daper.adapters.reports.kept_answers import KeptAnswers
from daper.adapters.state import StatePlace
from daper.core.errors import DecisionRefused, NotFound, UserError
from daper.core.ids import file_stem
from daper.core.models import Scope
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.ports import KeptAnswer
from daper.service.proactive import ProactiveService
from daper.service.repairs import RepairService
from daper.service.requests import Started, StartProactive, StartRepair
from daper.service.schedule_orders import PutSchedule
from daper.service.schedules import ScheduleService
from daper.stores.sql.state_schema import ANSWERS
from tests.workflow.events import BADGES, EGG, ONE_AT_A_TIME, agent_of, approved, report
from tests.workflow.shop import DEADLINE, HARRY, Shop, answer, open_shop

Step = Callable[[], Awaitable[object]]
ONE = Scope(record_ids=("ORD-001-HJP",))


class Gaps(Interceptor):
    """A client in whose gaps somebody else comes: once, right after Temporal has answered and before that is heard."""

    def __init__(self) -> None:
        self.after: dict[str, Step] = {}

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _Gapped(next, self)

    async def pass_through(self, name: str) -> None:
        if step := self.after.pop(name, None):
            await step()


class _Gapped(OutboundInterceptor):
    def __init__(self, next: OutboundInterceptor, gaps: Gaps) -> None:
        super().__init__(next)
        self._gaps = gaps

    async def describe_workflow(self, input: DescribeWorkflowInput) -> WorkflowExecutionDescription:
        try:
            return await super().describe_workflow(input)
        finally:
            await self._gaps.pass_through("describe")

    async def describe_schedule(self, input: DescribeScheduleInput) -> ScheduleDescription:
        try:
            return await super().describe_schedule(input)
        finally:
            await self._gaps.pass_through("describe schedule")

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle:  # type: ignore[type-arg]  # as the SDK has it
        try:
            return await super().start_workflow(input)
        finally:
            await self._gaps.pass_through("start")


class GappedReports(FileReports):
    """Reports of the same home, after whose answer somebody comes, once."""

    after_answer: Step | None = None

    async def answer(self, asked_id: str) -> KeptAnswer | None:
        found = await super().answer(asked_id)
        step, self.after_answer = self.after_answer, None
        if step:
            await step()
        return found


def forget_answers(home: Path) -> None:
    with StatePlace(home=home).database().transaction() as db:
        db.execute(ANSWERS.delete())


class Beside:
    """Another process with the same home and queue, whose questions can be come between."""

    def __init__(self, shop: Shop) -> None:
        self.gaps = Gaps()
        config = shop.client.config()
        config["interceptors"] = [self.gaps]
        self.shop, self.client = shop, Client(**config)
        queue, domains = shop.settings.task_queue, shop.domains
        self.reports = GappedReports(shop.home / "reports", answers=KeptAnswers(StatePlace(home=shop.home).database))
        self.repairs = RepairService(
            client=self.client, queue=queue, domains=domains, reports=self.reports, indexed=True
        )
        self.proactive = ProactiveService(
            client=self.client, queue=queue, domains=domains, repairs=self.repairs, indexed=True
        )
        self.schedules = ScheduleService(
            client=self.client, queue=queue, domains=domains, repairs=self.repairs, indexed=True
        )

    async def start(self, **order: object) -> Started:
        return await start(self.shop, self.repairs, **order)


async def start(shop: Shop, service: RepairService, **order: object) -> Started:
    given = StartRepair.model_validate({"requested_by": HARRY, "domain": "orders", "request_key": "monday", **order})
    with shop.env.with_time_skipping_disabled():
        return await service.start(given)


async def forget(shop: Shop, repair_id: str) -> None:
    """What Temporal does when its retention is over."""
    execution = WorkflowExecution(workflow_id=repair_id)
    request = DeleteWorkflowExecutionRequest(namespace=shop.client.namespace, workflow_execution=execution)
    await shop.client.workflow_service.delete_workflow_execution(request)
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                await shop.client.get_workflow_handle(repair_id).describe()
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    return
                raise
            await asyncio.sleep(0.01)


async def event(shop: Shop, record_id: str, key: str) -> Started:
    return await report(shop, record_id, request_key=key)


def delete_report(shop: Shop, repair_id: str) -> None:
    shutil.rmtree(shop.home / "reports" / file_stem(repair_id))


async def test_a19_a_repair_that_begins_and_ends_between_two_questions_is_found(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        first: list[Started] = []

        async def whole_repair() -> None:
            first.append(await start(shop, shop.service, auto_approve=True))
            await shop.end(first[0].repair_id)

        beside = Beside(shop)
        beside.gaps.after["describe"] = whole_repair
        told = await beside.start(auto_approve=True)
        assert told == first[0].model_copy(update={"created": False})
        assert shop.effects() == 4


@pytest.mark.long
async def test_a19_a_repair_that_is_even_forgotten_between_two_questions_is_found(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        beside, first = Beside(shop), list[Started]()

        async def whole_repair() -> None:
            first.append(await start(shop, shop.service, auto_approve=True))
            await shop.end(first[0].repair_id)
            beside.gaps.after["start"] = forgotten

        async def forgotten() -> None:
            await forget(shop, first[0].repair_id)
            delete_report(shop, first[0].repair_id)

        beside.reports.after_answer = whole_repair
        told = await beside.start(auto_approve=True)
        assert told == first[0].model_copy(update={"created": False})
        assert shop.effects() == 4


@pytest.mark.long
@pytest.mark.parametrize("kept", [True, False])
async def test_a19_long_after_the_end_a_key_is_still_that_of_its_repair(
    temporal_env: WorkflowEnvironment, tmp_path: Path, kept: bool
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        first = await start(shop, shop.service, auto_approve=True)
        await shop.end(first.repair_id)
        await forget(shop, first.repair_id)
        if not kept:
            delete_report(shop, first.repair_id)
        again = await start(shop, shop.service, auto_approve=True)
        assert again == first.model_copy(update={"created": False})
        with pytest.raises(UserError, match="asked for something else"):
            await start(shop, shop.service, auto_approve=True, scope=ONE)
        assert shop.effects() == 4


@pytest.mark.long
@pytest.mark.parametrize("kept", [True, False])
async def test_a19_what_was_reported_with_a_key_begins_nothing_new_long_after(
    temporal_env: WorkflowEnvironment, tmp_path: Path, kept: bool
) -> None:
    """Also where another report began the repair that answers it, and the agent that knew so is gone."""
    async with open_shop(temporal_env, tmp_path, gathering=ONE_AT_A_TIME) as shop:
        before = await event(shop, BADGES, "sunday")
        first = await event(shop, EGG, "monday")
        joined = await event(shop, EGG, "tuesday")
        assert joined.repair_id == first.repair_id != before.repair_id
        assert joined.waits_for
        for each in (before, first):
            await approved(shop, each.repair_id)
        assert (await event(shop, EGG, "tuesday")).waits_for == ""
        agent = await agent_of(shop)
        await agent.terminate()
        for each in (before.repair_id, first.repair_id, agent.id):
            await forget(shop, each)
        if not kept:
            delete_report(shop, first.repair_id)
        for key in ("monday", "tuesday"):
            again = await event(shop, EGG, key)
            assert again == first.model_copy(update={"created": False, "waits_for": ""})


async def test_a19_what_was_reported_and_dropped_before_its_turn_is_told_anew(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path, gathering=ONE_AT_A_TIME) as shop:
        await event(shop, BADGES, "sunday")
        first = await event(shop, EGG, "monday")
        assert first.waits_for
        await (await agent_of(shop)).terminate()
        again = await event(shop, EGG, "monday")
        assert (again.repair_id, again.created) == (first.repair_id, True)


@pytest.mark.long
async def test_a19_the_key_of_a_repair_of_an_earlier_release_is_refused(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Its report does not say what it was asked for."""
    async with open_shop(temporal_env, tmp_path) as shop:
        first = await start(shop, shop.service, dry_run=True)
        ended = await shop.end(first.repair_id)
        forget_answers(shop.home)
        path = shop.home / "reports" / file_stem(first.repair_id) / "report.json"
        path.write_text(ended.model_dump_json(exclude={"asked"}))
        await forget(shop, first.repair_id)
        with pytest.raises(UserError, match="which ended long ago; take another key"):
            await start(shop, shop.service, dry_run=True)


@pytest.mark.long
async def test_a19_a_decision_and_a_stop_are_answered_alike_before_and_after_temporal_forgets(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = (await start(shop, shop.service)).repair_id
        decision = answer(await shop.plan(repair_id))
        await shop.service.decide(repair_id, decision)
        await shop.end(repair_id)

        async def answers() -> tuple[object, str]:
            receipt = await shop.service.decide(repair_id, decision)
            with pytest.raises(DecisionRefused) as error:
                await shop.service.stop(repair_id, by="Harry")
            return receipt, str(error.value)

        before = await answers()
        await forget(shop, repair_id)
        assert await answers() == before
        assert "is already over" in before[1]


@pytest.mark.long
async def test_a19_a_repair_that_is_forgotten_while_it_is_looked_at_is_read_from_its_report(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = (await start(shop, shop.service)).repair_id
        plan, beside = await shop.plan(repair_id), Beside(shop)

        async def ends() -> None:
            await shop.decide(repair_id, plan)
            await shop.end(repair_id)
            await forget(shop, repair_id)

        beside.gaps.after["describe"] = ends
        look = await beside.repairs.look(repair_id)
        assert isinstance(look, RepairResult)
        assert look.phase is Phase.REPORT_COMPLETED


async def test_a19_a_repair_that_begins_while_it_is_looked_for_is_there(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    elsewhere, beside = Shop(temporal_env, tmp_path / "other", domains=None, indexed=True), Beside(shop)
    repair_id = (await start(elsewhere, elsewhere.service)).repair_id
    await forget(elsewhere, repair_id)
    with pytest.raises(NotFound):
        await beside.repairs.ended(repair_id)

    async def begins() -> None:
        await start(elsewhere, elsewhere.service)

    forget_answers(elsewhere.home)
    beside.gaps.after["describe"] = begins
    assert await beside.repairs.ended(repair_id) is None


async def test_a19_what_was_reported_before_it_was_terminated_is_read(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        ended = await shop.end(await shop.start(dry_run=True))
        repair_id = await shop.start()
        await shop.plan(repair_id)
        await shop.reports.write(ended.model_copy(update={"repair_id": repair_id}))
        await shop.client.get_workflow_handle(repair_id).terminate()
        assert (await shop.service.ended(repair_id)) is not None


async def test_a19_an_agent_that_ends_while_it_is_started_again_is_started_again(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True, environ={"USER_NAME": "Harry"})
    beside = Beside(shop)
    order = StartProactive(requested_by=HARRY.model_copy(update={"name": f"Harry{tmp_path.name}"}), domain="orders")
    first = await beside.proactive.start(order)
    beside.gaps.after["start"] = shop.client.get_workflow_handle(first.agent_id).terminate
    again = await beside.proactive.start(order)
    assert (first.already_running, again.already_running) == (False, False)
    assert (await beside.proactive.start(order)).already_running
    await shop.client.get_workflow_handle(first.agent_id).terminate()


async def test_a19_a_schedule_that_is_deleted_while_it_is_changed_is_made(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    beside = Beside(shop)
    order = PutSchedule(requested_by=HARRY, domain="orders", name=f"nightly-{shop.settings.task_queue}"[:100])
    await shop.schedules.create(order)

    async def deleted() -> None:
        await shop.schedules.delete(order.ref)

    beside.gaps.after["describe schedule"] = deleted
    view, made = await beside.schedules.upsert(order)
    assert (view.schedule_id, made) == (order.name, True)
    await shop.schedules.delete(order.ref)
