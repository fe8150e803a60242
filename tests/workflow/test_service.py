"""What the service says when something is wrong: nobody there, gone, stuck, or lost."""

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import EventType, TaskQueueKind
from temporalio.api.failure.v1 import Failure
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollWorkflowTaskQueueRequest,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskFailedRequest,
)
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from daper.clock import new_id
from daper.core.errors import NotFound, Unreachable
from daper.core.messages import RepairRequest
from daper.core.models import Decision, Scope, Verdict
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.service.inquiry import Asking
from daper.service.requests import Silence
from daper.service.rpc_errors import REPAIR
from daper.workflows.labels import WORKFLOW_NAME
from tests.workflow.shop import DEADLINE, HARRY, STICKY, Shop, answer, open_shop


@workflow.defn(name=WORKFLOW_NAME, sandboxed=False)
class BrokenRepair:
    """A release with a bug."""

    @workflow.run
    async def run(self, request: RepairRequest) -> RepairResult:
        raise RuntimeError("the release of last night has a bug")


@pytest.mark.long
async def test_a_bug_leaves_the_repair_open_and_a_mended_worker_goes_on(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    repair_id = await shop.start(auto_approve=True)
    async with Worker(
        shop.client,
        task_queue=shop.settings.task_queue,
        workflows=[BrokenRepair],
        workflow_runner=UnsandboxedWorkflowRunner(),
        sticky_queue_schedule_to_start_timeout=STICKY,
    ):
        await shop.until_events(repair_id, "EVENT_TYPE_WORKFLOW_TASK_FAILED")
        with pytest.raises(Unreachable, match="is stuck: the release of last night has a bug"):
            await shop.service.look(repair_id)
        assert "stuck" in (await shop.service.stuck())[0]
    async with shop.worker(), asyncio.timeout(60):
        await shop.client.get_workflow_handle(repair_id).result()
        ended = await shop.service.ended(repair_id)
    assert ended is not None
    assert ended.phase is Phase.REPORT_COMPLETED


class Unhurried:
    """A worker that takes what there is to do, and fails or does it, or is too slow, as the test says."""

    def __init__(self, shop: Shop) -> None:
        self._client = shop.client
        self._queue = TaskQueue(name=shop.settings.task_queue, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL)

    async def start(self) -> str:
        """A repair whose worker may take a second for each of its tasks."""
        repair_id = f"repair-{new_id()}"
        await self._client.start_workflow(
            WORKFLOW_NAME, id=repair_id, task_queue=self._queue.name, task_timeout=timedelta(seconds=1)
        )
        return repair_id

    @property
    def asking(self) -> Asking:
        return Asking(self._client, queue=self._queue.name)

    async def take(self) -> bytes:
        """The next task; it is late if nothing is said to it."""
        async with asyncio.timeout(DEADLINE):
            polled = PollWorkflowTaskQueueRequest(namespace=self._client.namespace, task_queue=self._queue)
            return (await self._client.workflow_service.poll_workflow_task_queue(polled)).task_token

    async def fail(self, message: str) -> None:
        await self._client.workflow_service.respond_workflow_task_failed(
            RespondWorkflowTaskFailedRequest(task_token=await self.take(), failure=Failure(message=message))
        )

    async def do(self) -> None:
        await self._client.workflow_service.respond_workflow_task_completed(
            RespondWorkflowTaskCompletedRequest(task_token=await self.take())
        )


@pytest.mark.long
async def test_a_worker_that_is_late_is_called_slow_and_the_repair_not_stuck(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """D21: on a busy machine a workflow task times out, and is done at the next try."""
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    worker = Unhurried(shop)
    repair_id = await worker.start()
    await worker.take()
    await worker.take()
    told = f"^the worker of repair '{repair_id}' is slow to answer: a workflow task timed out (once|[0-9]+ times); "
    with pytest.raises(Unreachable, match=told + "it is tried again$"):
        await shop.service.look(repair_id)
    assert await worker.asking.stuck(repair_id, REPAIR) is None, "as `doctor` asks"
    await shop.client.get_workflow_handle(repair_id).terminate()


async def test_what_once_failed_and_was_mended_is_not_called_stuck_when_it_is_late(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    worker = Unhurried(shop)
    repair_id = await worker.start()
    await worker.fail("the release of last night has a bug")
    assert "has a bug" in str(await worker.asking.trouble(repair_id, REPAIR))
    await worker.do()
    await shop.client.get_workflow_handle(repair_id).signal("owl")
    await worker.take()
    await worker.take()
    assert "is slow to answer" in str(await worker.asking.trouble(repair_id, REPAIR))
    await shop.client.get_workflow_handle(repair_id).terminate()


async def test_an_id_that_was_never_given_out_is_named(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        for call in (
            shop.service.look("repair-nobody-1"),
            shop.service.stop("repair-nobody-1", by="Harry"),
            shop.service.look("x" * 5000),
        ):
            with pytest.raises(NotFound, match="repair list"):
                await call


async def test_without_a_worker_a_look_says_which_to_start(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    repair_id = await shop.start()
    with pytest.raises(Unreachable, match="start one: daper up, or daper worker"):
        await shop.service.look(repair_id)
    await shop.client.get_workflow_handle(repair_id).terminate()


async def test_a_repair_terminated_from_outside_is_not_waited_for(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        await shop.plan(repair_id)
        await shop.client.get_workflow_handle(repair_id).terminate()
        with pytest.raises(Unreachable, match="terminated from outside"):
            await shop.service.look(repair_id)


async def test_an_ended_repair_is_read_without_any_worker(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start(auto_approve=True)
        ended = await shop.end(repair_id)
    looked = await shop.service.look(repair_id)
    assert looked == ended


@pytest.mark.long
async def test_many_who_follow_one_repair_share_one_watch(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)

        async def follow() -> RepairResult:
            async for look in shop.service.follow(repair_id):
                if isinstance(look, RepairResult):
                    return look
                assert not isinstance(look, Silence)
            raise AssertionError("left no result")

        followers = [asyncio.create_task(follow()) for _ in range(20)]
        await shop.decide(repair_id, plan)
        results = await asyncio.gather(*followers)
        assert {result.phase for result in results} == {Phase.REPORT_COMPLETED}


async def test_the_list_shows_phase_and_user(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        async with asyncio.timeout(30):
            while not (found := [line for line in await shop.service.list() if line.repair_id == repair_id]):
                pass
        assert found[0].user == "Harry"
        await shop.service.decide(repair_id, answer(plan))
        await shop.end(repair_id)


async def test_one_line_of_a_repair_is_told_also_where_only_its_report_is_left(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start(dry_run=True)
        ended = await shop.end(repair_id)
    line = await shop.service.line(repair_id)
    assert (line.phase, line.user, line.ended_at is not None) == ("PLAN-ONLY", "Harry", True), "needs no worker"
    await shop.reports.write(ended.model_copy(update={"repair_id": "forgotten"}))
    assert (await shop.service.line("forgotten")).phase == "PLAN-ONLY"
    with pytest.raises(NotFound, match="there is no repair 'never-was'"):
        await shop.service.line("never-was")


async def test_an_id_that_no_repair_has_is_told_with_the_one_that_may_be_meant(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start(dry_run=True)
        await shop.end(repair_id)
        wrong = repair_id[:-6] + repair_id[-5:]
        for call in (
            shop.service.look(wrong),
            shop.service.ended(wrong),
            shop.service.stop(wrong, by="Harry"),
            shop.service.decide(wrong, Decision(plan_digest="0", by=HARRY, verdicts={"a1": Verdict.APPROVE})),
        ):
            with pytest.raises(NotFound, match=f"there is no repair '{wrong}'; did you mean '{repair_id}'.*see: daper"):
                await call


@pytest.mark.long
async def test_the_newest_repair_is_listed_first_also_before_older_ones_that_are_open(
    future_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Temporal lists the open ones first, whatever their age. On a server on which nobody else starts any."""
    async with open_shop(future_env, tmp_path) as shop:
        waiting = await shop.start()
        await shop.plan(waiting)
        ended = await shop.start(dry_run=True)
        await shop.end(ended)
        shutil.rmtree(tmp_path / "reports")

        async with asyncio.timeout(30):
            while (line := (await shop.service.list(limit=1))[0]).repair_id != ended:
                assert line.repair_id == waiting, "this test's two repairs are the newest"
                await asyncio.sleep(0.05)
        await shop.service.stop(waiting, by="Harry")
        await shop.end(waiting)


@pytest.mark.long
async def test_a_decision_that_nobody_answered_is_not_said_to_be_lost(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker goes between the look and the decision: it may still count, and the message says so."""
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    repair_id = await shop.start()
    async with shop.worker():
        plan = await shop.plan(repair_id)
        seen = await shop.service.look(repair_id)

    async def as_it_was(_: str) -> object:
        return seen

    monkeypatch.setattr(shop.service, "look", as_it_was)
    with pytest.raises(Unreachable, match="may still be recorded: daper repair show"):
        await shop.service.decide(repair_id, answer(plan))
    await shop.client.get_workflow_handle(repair_id).terminate()


@workflow.defn(name="PayrollWorkflow", sandboxed=False)
class Payroll:
    """Somebody else's workflow in the same namespace, with a signal by one of our names."""

    def __init__(self) -> None:
        self.stopped = False

    @workflow.run
    async def run(self) -> bool:
        await workflow.wait_condition(lambda: self.stopped)
        return self.stopped

    @workflow.signal
    def stop(self, nudge: object) -> None:
        self.stopped = True


async def test_a_workflow_that_is_no_repair_is_left_alone(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    foreign = f"payroll-{shop.settings.task_queue}"
    handle = await shop.client.start_workflow(Payroll.run, id=foreign, task_queue=shop.settings.task_queue)
    plan = Decision(plan_digest="x", verdicts={"a1": Verdict.APPROVE}, by=HARRY, door="test")
    for call in (
        shop.service.stop(foreign, by="Harry"),
        shop.service.look(foreign),
        shop.service.ended(foreign),
        shop.service.decide(foreign, plan),
    ):
        with pytest.raises(NotFound, match="is a workflow of type PayrollWorkflow, and no repair"):
            await call
    kinds = [EventType.Name(event.event_type) async for event in handle.fetch_history_events()]
    assert "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED" not in kinds
    await handle.terminate()


async def test_a_repair_of_a_record_that_is_not_there_says_which_may_be_meant(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        slip = await shop.end(await shop.start(scope=Scope(record_ids=("ORD-001-HPJ",))))
        strange = await shop.end(await shop.start(scope=Scope(record_ids=("unheard-of",))))
    assert (slip.phase, strange.phase) == (Phase.REPAIR_FAILED, Phase.REPAIR_FAILED)
    assert "there is no record 'ORD-001-HPJ' in orders; did you mean 'ORD-001-HJP'" in (slip.reason or "")
    assert "see: daper records list --domain orders" in (strange.reason or "")
