"""Each way to be stuck is found in a real cluster, by what its server says, and told of so that one can act."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio import workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import PauseActivityRequest, SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.exceptions import ChildWorkflowError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig

from daper.clock import utc_now
from daper.core.errors import StoreError
from daper.core.models import Finding, Scope
from daper.core.outcomes import Holding, OutcomeStatus
from daper.core.partition import Partition
from daper.domains.temporal.findings import workflow_findings
from daper.domains.temporal.options import TemporalOptions
from daper.domains.temporal.workflow import QueueRecord
from daper.ports.domain import Record, Window
from tests.stuck import PATIENCE, WORLD, Errand, Outside, StuckWorld, step, stuck_world


@workflow.defn(name="Delegation")
class Delegation:
    """Lets an activity run on another queue, or an errand as its child, and bears its failure."""

    @workflow.run
    async def run(self, activity_queue: str, child_queue: str, steps: list[str]) -> None:
        if activity_queue:
            await workflow.execute_activity(
                step, "far", task_queue=activity_queue, start_to_close_timeout=timedelta(seconds=20), activity_id="far"
            )
            return
        try:
            await workflow.execute_child_workflow(
                Errand.run, steps, id=f"{workflow.info().workflow_id}-child", task_queue=child_queue
            )
        except ChildWorkflowError:
            await workflow.wait_condition(lambda: False)


@pytest.fixture
async def world(real_time: WorkflowEnvironment, tmp_path: Path) -> AsyncGenerator[StuckWorld]:
    async with stuck_world(real_time.client, tmp_path, retrying_attempts="2") as made:
        yield made


async def scanned(world: StuckWorld, scope: Scope | None = None) -> list[Record]:
    found: list[Record] = []
    page = None
    while True:
        part = await world.domain.scan(scope or Scope(), page)
        found += part.records
        page = part.next_page
        if page is None:
            return found


async def found(world: StuckWorld) -> list[Finding]:
    return list(world.domain.detect(await scanned(world), utc_now()))


async def until_found(world: StuckWorld, kind: str, *, of: str = "") -> Finding:
    """The problem of that kind, once a scan sees it: lists come a moment later than what they tell of."""
    async with asyncio.timeout(PATIENCE):
        while True:
            problems = [each for each in await found(world) if each.kind == kind and of in ("", each.record_id)]
            if problems:
                return problems[0]
            await asyncio.sleep(0.05)


def words(finding: Finding) -> str:
    return " | ".join([finding.issue, *finding.evidence])


async def test_failing_tasks_are_found_before_the_server_reports_them_and_end_with_mended_code(
    world: StuckWorld,
) -> None:
    world.outside.wedged = True
    handle = await world.start(["pay"])
    state = await world.until(handle.id, lambda state: bool(state.task_causes))
    assert not state.problems
    finding = await until_found(world, "task-failing")
    assert "fail: WorkflowWorkerUnhandledFailure: application RuntimeError" in finding.issue
    assert "it heals by itself: mend the code" in finding.evidence[0]
    [finding] = world.domain.detect(await world.domain.context([handle.id]), utc_now())
    assert "a bug in the code" in words(finding)
    assert "last at worker" in words(finding)
    world.outside.wedged = False
    assert await handle.result() == ["pay"]
    assert world.domain.detect(await world.domain.context([handle.id]), utc_now()) == ()


async def test_what_the_server_reports_later_is_the_same_problem(world: StuckWorld) -> None:
    world.outside.wedged = True
    handle = await world.start(["pay"])
    early = await until_found(world, "task-failing", of=handle.id)
    state = await world.state(handle.id)
    told = (f"cause={state.task_causes[0]}", "category=WorkflowTaskFailed")
    reported = replace(state, problems=told, task_failure=None)
    [late] = workflow_findings(reported, TemporalOptions(query=""), utc_now())
    assert (late.fingerprint, reported.version) == (early.fingerprint, state.version)
    await handle.terminate()


async def test_an_activity_that_was_tried_too_often_is_found_with_its_cause_and_its_worker(world: StuckWorld) -> None:
    world.outside.failing["pay"] = "CardDeclined"
    handle = await world.start(["pay"])
    finding = await until_found(world, "activity-retrying")
    assert finding.record_id == handle.id
    assert "application CardDeclined" in finding.issue
    assert "application CardDeclined: the owl is lost" in words(finding)
    assert "without a limit" in words(finding)
    assert "last at worker" in words(finding)
    world.outside.message = "the owl is lost again"
    await world.until(handle.id, lambda state: "again" in state.activities[0].failures[0].message)
    [same] = await found(world)
    assert same.fingerprint == finding.fingerprint
    world.outside.failing["pay"] = "BankClosed"
    await world.until(handle.id, lambda state: state.activities[0].cause == "BankClosed")
    [other] = await found(world)
    assert other.fingerprint != finding.fingerprint
    world.outside.failing.clear()
    await handle.result()


async def test_an_activity_that_is_tried_for_too_long_is_found_by_its_first_attempt(
    real_time: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with stuck_world(real_time.client, tmp_path, retrying_after="2s", retrying_attempts="1000") as world:
        world.outside.failing["pay"] = "CardDeclined"
        handle = await world.start(["pay"])
        # Each attempt is scheduled anew, so that the time of the last one says nothing of the first.
        finding = await until_found(world, "activity-retrying")
        assert "it was first scheduled" in words(finding)
        await handle.terminate()


async def test_failed_ones_are_found_with_their_chain_until_they_run_anew(world: StuckWorld) -> None:
    world.outside.failing["!pay"] = "CardDeclined"
    first = await world.start(["!pay"])
    with pytest.raises(WorkflowFailureError):
        await first.result()
    finding = await until_found(world, "failed")
    assert "activity step > application CardDeclined" in finding.issue
    assert "application CardDeclined: the owl is lost" in finding.evidence
    second = await world.start(["!pay"])
    with pytest.raises(WorkflowFailureError):
        await second.result()
    assert "1 other of the 2" in words(await until_found_alike(world, second.id))
    world.outside.failing.clear()
    again = await world.start(["wait"], workflow_id=first.id)
    assert [each.record_id for each in await found(world)] == [second.id]
    await again.signal(Errand.go)
    await again.result()
    assert [each.record_id for each in await found(world)] == [second.id]


async def until_found_alike(world: StuckWorld, workflow_id: str) -> Finding:
    async with asyncio.timeout(PATIENCE):
        while True:
            problem = await until_found(world, "failed", of=workflow_id)
            if "alike" in words(problem):
                return problem
            await asyncio.sleep(0.05)


async def test_only_failures_of_known_types_count_where_some_are_named(
    real_time: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with stuck_world(real_time.client, tmp_path, failure_types="CardDeclined") as world:
        world.outside.failing |= {"!pay": "CardDeclined", "!look": "OwlLost"}
        for each in ("!look", "!pay"):
            handle = await world.start([each])
            with pytest.raises(WorkflowFailureError):
                await handle.result()
        await until_found(world, "failed")
        assert ["CardDeclined" in each.issue for each in await found(world)] == [True]


async def test_one_that_ran_out_of_its_time_is_found(world: StuckWorld) -> None:
    handle = await world.client.start_workflow(
        Errand.run, ["wait"], id=f"errand-{uuid4()}", task_queue=world.queue, execution_timeout=timedelta(seconds=1)
    )
    finding = await until_found(world, "timed-out")
    assert finding.record_id == handle.id


async def test_a_newer_run_that_the_query_leaves_out_is_left_alone(world: StuckWorld) -> None:
    """An id may be used again for something else, by somebody else."""
    world.outside.failing["!pay"] = "CardDeclined"
    theirs, ours = await world.start(["!pay"]), await world.start(["!pay"])
    for each in (theirs, ours):
        with pytest.raises(WorkflowFailureError):
            await each.result()
    elsewhere = await world.client.start_workflow(
        Errand.run, ["wait"], id=theirs.id, task_queue=f"{world.queue}-2", execution_timeout=timedelta(seconds=1)
    )
    again = await world.client.start_workflow(
        Errand.run, ["wait"], id=ours.id, task_queue=world.queue, execution_timeout=timedelta(seconds=1)
    )
    for each in (elsewhere, again):
        with pytest.raises(WorkflowFailureError):
            await each.result()
    assert (await until_found(world, "timed-out", of=ours.id)).record_id == ours.id
    assert [each.record_id for each in await found(world)] == [ours.id]


async def test_the_failure_of_a_child_is_its_parents_to_judge(world: StuckWorld) -> None:
    world.outside.failing["!pay"] = "CardDeclined"
    queue = f"{world.queue}-2"
    async with Worker(
        world.client, task_queue=queue, workflows=[Delegation], workflow_runner=UnsandboxedWorkflowRunner()
    ):
        parent = await world.client.start_workflow(
            Delegation.run, args=["", world.queue, ["!pay"]], id=f"parent-{uuid4()}", task_queue=queue
        )
        child = f"{parent.id}-child"
        await world.until(child, lambda state: state.status == "Failed")
        lone = await world.start(["!pay"])
        await until_found(world, "failed", of=lone.id)
        assert [each.record_id for each in await found(world)] == [lone.id]
        assert world.domain.detect(await world.domain.context([child]), utc_now()) == ()
        await parent.terminate()


async def test_a_queue_that_nobody_asks_is_one_problem_and_its_workflows_have_none(
    real_time: WorkflowEnvironment, tmp_path: Path
) -> None:
    empty = f"nobody-{uuid4()}"
    async with stuck_world(real_time.client, tmp_path, query=f'TaskQueue = "{empty}"') as world:
        handles = [
            await world.client.start_workflow(Errand.run, ["go"], id=f"errand-{uuid4()}", task_queue=empty)
            for _ in range(3)
        ]
        finding = await until_found(world, "nobody-polls")
        assert finding.record_id == f"task-queue:{empty}"
        async with asyncio.timeout(PATIENCE):
            while "3 workflows wait there" not in words(finding):
                finding = await until_found(world, "nobody-polls")
        assert [each.record_id for each in await found(world)] == [finding.record_id]
        [record] = await world.domain.context([finding.record_id])
        assert isinstance(record, QueueRecord)
        [same] = world.domain.detect([record], utc_now())
        assert same.fingerprint == finding.fingerprint
        assert "3 tasks wait there, as the server counts them" in words(same)
        WORLD[empty] = Outside()
        async with Worker(
            world.client, task_queue=empty, workflows=[Errand], workflow_runner=UnsandboxedWorkflowRunner()
        ):
            await world.until(handles[0].id, lambda state: bool(state.activities))
            [record] = await world.domain.context([finding.record_id])
            assert [
                each.issue for each in world.domain.detect([record], utc_now()) if "workflow tasks" in each.issue
            ] == []


async def test_a_queue_for_activities_alone_that_nobody_asks_is_found(
    real_time: WorkflowEnvironment, tmp_path: Path
) -> None:
    queue, empty = f"delegations-{uuid4()}", f"nobody-{uuid4()}"
    async with (
        stuck_world(real_time.client, tmp_path, query=f'TaskQueue = "{queue}"') as world,
        Worker(world.client, task_queue=queue, workflows=[Delegation], workflow_runner=UnsandboxedWorkflowRunner()),
    ):
        handle = await world.client.start_workflow(
            Delegation.run, args=[empty, "", []], id=f"delegation-{uuid4()}", task_queue=queue
        )
        finding = await until_found(world, "nobody-polls")
        assert finding.record_id == f"task-queue:{empty}"
        assert "for activities" in finding.issue
        assert handle.id in words(finding)
        await handle.terminate()


async def test_one_that_runs_for_too_long_is_told_of_with_what_it_waits_for(
    real_time: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with stuck_world(real_time.client, tmp_path, too_long="Errand=1s") as world:
        handle = await world.start(["wait"])
        await world.until(handle.id, lambda state: state.task is None)
        finding = await until_found(world, "too-long")
        assert "it waits for a signal, an update or a timer" in words(finding)
        await handle.terminate()


async def test_a_paused_activity_is_found_once_it_is_forgotten(real_time: WorkflowEnvironment, tmp_path: Path) -> None:
    async with stuck_world(real_time.client, tmp_path, paused_after="1s") as world:
        world.outside.failing["pay"] = "CardDeclined"
        handle = await world.start(["pay"])
        await world.until(handle.id, lambda state: any(each.attempt > 1 for each in state.activities))
        await world.client.workflow_service.pause_activity(
            PauseActivityRequest(
                namespace=world.client.namespace,
                execution=WorkflowExecution(workflow_id=handle.id),
                id="pay",
                identity="ron",
                reason="\u202ewait\x1b[2J",
            )
        )
        finding = await until_found(world, "paused-and-forgotten")
        assert "paused by ron: <U+202E>wait<U+001B>[2J" in words(finding)
        await handle.terminate()


async def test_dapers_own_workflows_and_temporals_cannot_be_seen_or_named(
    real_time: WorkflowEnvironment, tmp_path: Path
) -> None:
    queue = f"nobody-{uuid4()}"
    async with stuck_world(real_time.client, tmp_path, query=f'TaskQueue = "{queue}"', too_long="*=1s") as world:
        ids = [f"errand-{uuid4()}" for _ in range(3)]
        types = ("RepairAgentWorkflow", "RepairAgentWorkflowProactive", "temporal-sys-batch-workflow")
        for workflow_id, name in zip(ids, types, strict=True):
            await world.client.start_workflow(name, id=workflow_id, task_queue=queue)
        stranger = await world.client.start_workflow("Errand", [], id=f"errand-{uuid4()}", task_queue=queue)
        await until_found(world, "too-long", of=stranger.id)
        seen = {each.record_id for each in await scanned(world)}
        assert seen == {stranger.id, f"task-queue:{queue}"}
        assert await world.domain.context(ids) == ()
        assert (await world.domain.scan(Scope(record_ids=tuple(ids)))).records == ()
        [record] = await world.domain.context([f"task-queue:{queue}"])
        assert isinstance(record, QueueRecord)
        assert record.state.waiting == (stranger.id,)


async def test_a_workflow_that_is_called_like_a_queue_is_a_record_of_its_own(world: StuckWorld) -> None:
    handle = await world.start(["wait"], workflow_id=f"task-queue:{world.queue}")
    async with asyncio.timeout(PATIENCE):
        while not (records := await scanned(world)):  # noqa: ASYNC110 - a server is asked
            await asyncio.sleep(0.05)
    assert [each.record_id for each in records] == [f"workflow:task-queue:{world.queue}"]
    named = await world.domain.context([records[0].record_id, f"task-queue:{world.queue}"])
    assert [type(each).__name__ for each in named] == ["WorkflowRecord", "QueueRecord"]
    obstacles = {tool.terms(records[0].record_id, {}, named).obstacle for tool in world.domain.tools.values()}
    assert obstacles == {"its id reads as that of a task queue, by which nothing is done: a person looks at it"}
    await handle.terminate()


@pytest.mark.parametrize("name", ["", "\udcff", "task-queue:", "task-queue:\udcff", "workflow:", "workflow:a\udcff"])
async def test_what_nothing_can_be_called_is_not_there(world: StuckWorld, name: str) -> None:
    assert await world.domain.context([name]) == ()


async def test_a_query_that_the_server_refuses_is_named(real_time: WorkflowEnvironment, tmp_path: Path) -> None:
    async with stuck_world(real_time.client, tmp_path, query="Colour = 'red'") as world:
        with pytest.raises(StoreError, match="DAPER_TEMPORAL_QUERY"):
            await world.domain.scan(Scope())
        with pytest.raises(StoreError, match="invalid search attribute: Colour"):
            await world.domain.count_open(Scope())


async def test_a_scan_keeps_to_its_status_and_to_its_part(world: StuckWorld) -> None:
    world.outside.failing["!pay"] = "CardDeclined"
    running = [await world.start(["wait"]) for _ in range(4)]
    failed = await world.start(["!pay"])
    with pytest.raises(WorkflowFailureError):
        await failed.result()
    await until_found(world, "failed")
    async with asyncio.timeout(PATIENCE):
        while len(await scanned(world)) < 5:  # noqa: ASYNC110 - a server is asked
            await asyncio.sleep(0.05)
    ids = {each.id for each in running}
    assert {each.record_id for each in await scanned(world, Scope(status="running"))} == ids
    assert {each.record_id for each in await scanned(world, Scope(status="Failed"))} == {failed.id}
    assert await scanned(world, Scope(status="TimedOut")) == []
    parts = [
        {each.record_id for each in await scanned(world, Scope(partition=Partition(number=number, of=2)))}
        for number in (1, 2)
    ]
    assert parts[0] | parts[1] == ids | {failed.id}
    assert not parts[0] & parts[1]
    assert await world.domain.count_open(Scope()) == 5
    assert await world.domain.count_open(Scope(status="failed")) == 1
    view = await world.domain.browse(Scope(), Window(most=2, skip=1))
    assert [each.record_id for each in view.records] == [each.id for each in running[1:3]]
    assert (view.total, view.earlier, view.later) == (5, True, True)
    after = await world.domain.browse(Scope(), Window(most=2, after=running[2].id))
    assert [each.record_id for each in after.records] == [running[3].id, failed.id]
    view = await world.domain.browse(Scope(), Window(most=9, search=running[3].id[:-2].upper()))
    assert [each.record_id for each in view.records] == [running[3].id]
    for handle in running:
        await handle.terminate()


async def test_what_may_not_be_done_there_is_nothing_on_an_open_server(world: StuckWorld) -> None:
    assert await world.domain.lacks() == []


@dataclass(frozen=True)
class Versions:
    """Workers of a deployment on one queue, of which each version asks until it is stopped."""

    world: StuckWorld
    deployment: str
    queue: str

    @asynccontextmanager
    async def run(self, build: str) -> AsyncGenerator[None]:
        """Workers of this version, which is the current one from then on."""
        version = WorkerDeploymentVersion(deployment_name=self.deployment, build_id=build)
        async with Worker(
            self.world.client,
            task_queue=self.queue,
            workflows=[Errand],
            activities=[step],
            workflow_runner=UnsandboxedWorkflowRunner(),
            deployment_config=WorkerDeploymentConfig(
                version=version, use_worker_versioning=True, default_versioning_behavior=VersioningBehavior.PINNED
            ),
        ):
            await self.world.client.workflow_service.set_worker_deployment_current_version(
                SetWorkerDeploymentCurrentVersionRequest(
                    namespace=self.world.client.namespace,
                    deployment_name=self.deployment,
                    build_id=build,
                    ignore_missing_task_queues=True,
                    allow_no_pollers=True,
                )
            )
            yield

    async def start(self, steps: list[str]) -> WorkflowHandle[Errand, list[str]]:
        return await self.world.client.start_workflow(Errand.run, steps, id=f"errand-{uuid4()}", task_queue=self.queue)


@asynccontextmanager
async def left_behind(
    client: Client, folder: Path, monkeypatch: pytest.MonkeyPatch, fixes: str = ""
) -> AsyncGenerator[tuple[Versions, WorkflowHandle[Errand, list[str]], Finding]]:
    """A workflow that is pinned to a version whose workers are gone, and that was found, while others ask its queue."""
    monkeypatch.setattr("daper.domains.temporal.cluster.SILENT_AFTER", timedelta(seconds=2))
    queue = f"versions-{uuid4()}"
    WORLD[queue] = Outside()
    async with AsyncExitStack() as left:
        world = await left.enter_async_context(stuck_world(client, folder, query=f'TaskQueue = "{queue}"', fixes=fixes))
        versions = Versions(world, f"errands-{uuid4()}", queue)
        async with versions.run("1"):
            handle = await versions.start(["wait"])
            await world.until(handle.id, lambda state: state.build == "1" and state.task is None)
        await left.enter_async_context(versions.run("2"))
        await handle.signal("go")
        async with asyncio.timeout(PATIENCE):
            problems = list[Finding]()
            while not problems:
                await (await versions.start([])).result()  # the others work, and so ask anew
                problems = [each for each in await found(world) if each.kind == "version-silent"]
        yield versions, handle, problems[0]


async def test_one_that_is_pinned_to_a_version_that_asks_no_more_is_found_though_others_ask_its_queue(
    real_time: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with left_behind(real_time.client, tmp_path, monkeypatch) as (versions, handle, finding):
        world = versions.world
        assert finding.record_id == handle.id
        assert f"it is pinned to version {versions.deployment}.1 of its workers" in finding.issue
        assert f"{versions.deployment}.2" in words(finding)
        records = await world.domain.context([handle.id])
        [same] = [each for each in world.domain.detect(records, utc_now()) if each.kind == "version-silent"]
        assert same.fingerprint == finding.fingerprint
        made = world.domain.propose([same], records)
        assert made.proposals == ()
        assert "start workers of that version" in made.for_person[same.fingerprint]
        async with versions.run("1"):
            assert await handle.result() == []
        assert world.domain.detect(await world.domain.context([handle.id]), utc_now()) == ()


async def test_where_that_is_allowed_it_is_moved_to_the_version_that_asks(
    real_time: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixes = "version-silent=move_to_version"
    async with left_behind(real_time.client, tmp_path, monkeypatch, fixes) as (versions, handle, finding):
        world = versions.world
        records = await world.domain.context([handle.id])
        [proposal] = world.domain.propose([finding], records).proposals
        assert (proposal.tool, proposal.arguments["version"]) == ("move_to_version", "2")
        call = await world.call("move_to_version", handle.id, version="2")
        tool = world.domain.tools["move_to_version"]
        done = await tool.apply(call)
        assert done.status is OutcomeStatus.APPLIED
        assert await handle.result() == []
        assert (await tool.holds(call, done)).holding is Holding.YES
