"""A workflow is started again once, as it was started before, and its new run is ended where it did not help."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from google.protobuf.message import Message
from temporalio import workflow
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowHandle
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from daper.core.errors import CannotSettle, NoAnswer
from daper.core.outcomes import Holding, OutcomeStatus
from daper.domains.temporal.inputs import input_words
from daper.domains.temporal.tools.run_tool import history_in
from daper.domains.temporal.tools.start_again import StartAgain
from daper.ports import ToolCall
from tests.journeys import Journey, SideTrip, visit
from tests.stuck import WORLD, StuckWorld, stuck_world

TOOL = "start_again"
Change = Callable[[str, Message], Awaitable[Message]]


@workflow.defn(name="Fickle")
class Fickle:
    """Fails: for good while the code is wedged, and else so that its retry policy has it tried again."""

    @workflow.run
    async def run(self) -> None:
        raise ApplicationError("no", non_retryable=WORLD[workflow.info().task_queue].wedged)


@pytest.fixture
async def world(real_time: WorkflowEnvironment, tmp_path: Path) -> AsyncGenerator[StuckWorld]:
    async with stuck_world(
        real_time.client, tmp_path, workflows=[Journey, SideTrip, Fickle], activities=[visit], hide="password"
    ) as made:
        yield made


async def failed(world: StuckWorld, *legs: str) -> str:
    """A workflow that has failed, and would not any more."""
    world.outside.failing = {"bad": "NoRoad"}
    handle: WorkflowHandle[Journey, list[str]] = await world.client.start_workflow(
        Journey.run,
        [*legs],
        id=f"journey-{uuid4()}",
        task_queue=world.queue,
        memo={"for": "the aunt"},
        execution_timeout=timedelta(hours=2),
        run_timeout=timedelta(hours=1),
        task_timeout=timedelta(seconds=7),
        retry_policy=RetryPolicy(maximum_attempts=1),
        priority=Priority(priority_key=2),
        static_summary="a journey",
    )
    await world.until(handle.id, lambda state: state.status == "Failed")
    world.outside.failing = {}
    return handle.id


def tool_of(world: StuckWorld) -> StartAgain:
    tool = world.domain.tools[TOOL]
    assert isinstance(tool, StartAgain)
    return tool


async def proposed(world: StuckWorld, workflow_id: str) -> ToolCall:
    return await world.call(TOOL, workflow_id, run_id=(await world.state(workflow_id)).run_id)


async def started(world: StuckWorld, workflow_id: str, run_id: str) -> HistoryEvent:
    return await anext(world.domain.cluster.events(workflow_id, run_id))


async def test_it_is_started_once_for_a_key_with_all_that_it_was_started_with(world: StuckWorld) -> None:
    workflow_id = await failed(world, "bad", "a")
    tool, call = tool_of(world), await proposed(world, workflow_id)
    done = await tool.apply(call)
    assert done.status is OutcomeStatus.APPLIED, done.evidence
    await world.until(workflow_id, lambda state: state.status == "Completed")
    assert (await tool.apply(call)).status is OutcomeStatus.ALREADY_APPLIED
    assert (await world.state(workflow_id)).run_id == done.after["run"]
    assert (await tool.holds(call, done)).holding is Holding.YES
    before, after = (
        await started(world, workflow_id, str(call.arguments["run_id"])),
        await started(world, workflow_id, str(done.after["run"])),
    )
    assert before.user_metadata == after.user_metadata
    was, is_ = before.workflow_execution_started_event_attributes, after.workflow_execution_started_event_attributes
    for own in (
        "original_execution_run_id",
        "first_execution_run_id",
        "identity",
        "workflow_execution_expiration_time",
    ):
        for each in (was, is_):
            each.ClearField(own)
    assert was == is_
    assert (was.memo.fields["for"].data, was.priority.priority_key) == (b'"the aunt"', 2)


async def test_asked_twice_where_the_answer_got_lost_it_is_started_once(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow_id = await failed(world, "bad", "a")
    tool, call = tool_of(world), await proposed(world, workflow_id)
    real = world.domain.cluster.change

    async def lost(name: str, request: Message) -> Message:
        await real(name, request)
        raise NoAnswer("the line went dead")

    with monkeypatch.context() as patched:
        patched.setattr(world.domain.cluster, "change", lost)
        with pytest.raises(NoAnswer):
            await tool.apply(call)
    await world.until(workflow_id, lambda state: state.status == "Completed")
    found = await tool.apply(call)
    assert found.status is OutcomeStatus.APPLIED, found.evidence
    assert (await world.state(workflow_id)).run_id == found.after["run"]


async def test_a_request_that_never_came_is_sent_again(world: StuckWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    workflow_id = await failed(world, "bad", "a")
    tool, call = tool_of(world), await proposed(world, workflow_id)

    async def never(name: str, request: Message) -> Message:
        raise NoAnswer("the line was dead")

    with monkeypatch.context() as patched:
        patched.setattr(world.domain.cluster, "change", never)
        with pytest.raises(NoAnswer):
            await tool.apply(call)
        with pytest.raises(CannotSettle):
            await tool.settle(call.key)
    assert (await tool.apply(call)).status is OutcomeStatus.APPLIED


async def test_what_somebody_else_has_started_is_left_alone(world: StuckWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between plan and execution, and in the same moment."""
    workflow_id = await failed(world, "bad", "wait:1")
    tool, call = tool_of(world), await proposed(world, workflow_id)
    real = world.domain.cluster.change
    late = await proposed(world, workflow_id)

    async def beaten(name: str, request: Message) -> Message:
        await world.client.start_workflow(Journey.run, ["wait:1"], id=workflow_id, task_queue=world.queue)
        return await real(name, request)

    with monkeypatch.context() as patched:
        patched.setattr(world.domain.cluster, "change", beaten)
        assert (await tool.apply(call)).status is OutcomeStatus.FAILED
    assert (await tool.apply(late)).status is OutcomeStatus.STALE
    assert (await world.state(workflow_id)).is_running


async def test_undoing_ends_the_new_run_while_it_is_not_over(world: StuckWorld) -> None:
    workflow_id = await failed(world, "bad", "wait:1")
    tool, call = tool_of(world), await proposed(world, workflow_id)
    done = await tool.apply(call)
    await world.until(workflow_id, lambda state: state.is_running and not state.activities)
    undone = await tool.undo(call, done, key="back")
    assert undone.status is OutcomeStatus.UNDONE, undone.evidence
    assert (await tool.undo(call, done, key="back")).status is OutcomeStatus.UNDONE
    assert (await world.state(workflow_id)).status == "Terminated"
    event = await world.domain.cluster.last_event(workflow_id, str(done.after["run"]))
    assert event is not None
    assert event.workflow_execution_terminated_event_attributes.reason == "daper key=back"


async def test_an_ending_whose_answer_got_lost_is_found(world: StuckWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    workflow_id = await failed(world, "bad", "wait:1")
    tool, call = tool_of(world), await proposed(world, workflow_id)
    done = await tool.apply(call)
    real = world.domain.cluster.change

    async def lost(name: str, request: Message) -> Message:
        await real(name, request)
        raise NoAnswer("the line went dead")

    with monkeypatch.context() as patched:
        patched.setattr(world.domain.cluster, "change", lost)
        with pytest.raises(NoAnswer):
            await tool.undo(call, done, key="back")
    assert (await tool.undo(call, done, key="back")).status is OutcomeStatus.UNDONE


@pytest.mark.parametrize("pauses", [("1h",), ("0.05s", "1h")], ids=["once", "twice"])
async def test_a_new_run_that_failed_and_is_tried_again_by_its_retry_policy_has_not_helped(
    world: StuckWorld, pauses: tuple[str, ...]
) -> None:
    world.outside.wedged = True
    handle = await world.client.start_workflow(
        Fickle.run,
        id=f"fickle-{uuid4()}",
        task_queue=world.queue,
        retry_policy=RetryPolicy(
            initial_interval=timedelta(milliseconds=50) if len(pauses) > 1 else timedelta(hours=1),
            backoff_coefficient=100_000 if len(pauses) > 1 else 1,
            maximum_interval=timedelta(hours=1),
        ),
    )
    await world.until(handle.id, lambda state: state.status == "Failed")
    world.outside.wedged = False
    tool, call = tool_of(world), await proposed(world, handle.id)
    done = await tool.apply(call)
    assert done.status is OutcomeStatus.APPLIED, done.evidence
    runs = {str(call.arguments["run_id"]), str(done.after["run"])}
    for _ in pauses:
        runs.add((await world.until(handle.id, lambda state: state.run_id not in runs)).run_id)
    word = await tool.holds(call, done)
    assert (word.holding, "tried again" in word.evidence) == (Holding.NO, True), word
    await world.client.get_workflow_handle(handle.id).terminate()


async def test_of_a_new_run_that_somebody_has_reset_nobody_says_that_it_helped(world: StuckWorld) -> None:
    workflow_id = await failed(world, "bad", "wait:1")
    tool, call = tool_of(world), await proposed(world, workflow_id)
    done = await tool.apply(call)
    await world.until(workflow_id, lambda state: state.is_running and not state.activities)
    await world.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=world.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            workflow_task_finish_event_id=4,
            request_id=str(uuid4()),
        )
    )
    assert (await tool.holds(call, done)).holding is Holding.UNKNOWN


async def test_a_new_run_that_is_over_is_not_undone(world: StuckWorld) -> None:
    workflow_id = await failed(world, "bad", "a")
    tool, call = tool_of(world), await proposed(world, workflow_id)
    done = await tool.apply(call)
    await world.until(workflow_id, lambda state: state.status == "Completed")
    assert (await tool.undo(call, done, key="back")).status is OutcomeStatus.UNDO_BLOCKED


async def test_the_preview_tells_what_is_done_again_and_hides_what_it_must(world: StuckWorld) -> None:
    workflow_id = await failed(world, "a", "trip:k", "b", "bad")
    terms = tool_of(world).terms(workflow_id, {}, await world.domain.context([workflow_id]))
    told = {each.field: (each.before, each.after) for each in terms.preview}
    assert told["input"][1] == '["a","trip:k","b","bad"]'
    assert told["done again"][0] == f"visit a, child SideTrip {workflow_id}-k, visit b"
    assert told["tried again"][0] == "visit bad"
    assert told["kept"] == ("nothing", "nothing")
    beside = ("input", "kept", "done again", "tried again")
    assert all(told[each][0] == told[each][1] for each in beside), "what is told beside the change is none itself"


async def test_a_child_is_left_to_its_parent(world: StuckWorld) -> None:
    parent = await failed(world, "a", "trip:bad")
    child = f"{parent}-bad"
    records = await world.domain.context([parent, child])
    assert f"it is a child of {parent!r}" in tool_of(world).terms(child, {}, records).obstacle
    assert not tool_of(world).terms(parent, {}, records).obstacle


async def test_of_a_child_that_still_runs_no_second_one_is_started(world: StuckWorld) -> None:
    workflow_id = await failed(world, "far:k", "bad")
    records = await world.domain.context([workflow_id])
    assert "still runs" in tool_of(world).terms(workflow_id, {}, records).obstacle
    await world.client.get_workflow_handle(f"{workflow_id}-k").signal(SideTrip.home)
    await world.client.get_workflow_handle(f"{workflow_id}-k").result()
    records = await world.domain.context([workflow_id])
    assert not tool_of(world).terms(workflow_id, {}, records).obstacle


async def test_of_a_child_that_nobody_has_named_it_is_said_that_two_will_run(world: StuckWorld) -> None:
    workflow_id = await failed(world, "stray:k", "bad")
    terms = tool_of(world).terms(workflow_id, {}, await world.domain.context([workflow_id]))
    told = {each.field: (each.before, each.after) for each in terms.preview}
    assert told["still running"][0].startswith("child SideTrip")
    assert "beside the one that is started once more" in told["still running"][1]


async def test_what_runs_by_a_cron_schedule_is_left_to_a_person(world: StuckWorld) -> None:
    workflow_id = await failed(world, "bad")
    records = await world.domain.context([workflow_id])
    history = history_in(records, workflow_id)
    assert history is not None
    assert history.history is not None
    assert history.history.started is not None
    history.history.started.cron_schedule = "0 * * * *"
    assert "cron schedule" in tool_of(world).terms(workflow_id, {}, records).obstacle


UNKNOWN = "6 bytes, encrypted or in an encoding that is not known here"


@pytest.mark.parametrize(
    ("encoding", "data", "shown"),
    [
        (b"json/plain", b'{"user":"h","Password":"x"}', '{"Password":"(hidden)","user":"h"}'),
        (b"json/plain", b'[{"a":{"password":1}}]', '[{"a":{"password":"(hidden)"}}]'),
        (b"json/plain", b'"{\\"password\\":\\"x\\"}"', '"{\\"password\\":\\"(hidden)\\"}"'),
        (
            b"json/plain",
            b'{"a":" [{\\"password\\": 1}]","b":"{no"}',
            '{"a":"[{\\"password\\":\\"(hidden)\\"}]","b":"{no"}',
        ),
        (b"json/protobuf", b'{"cardNumber":1,"card_numbers":2}', '{"cardNumber":"(hidden)","card_numbers":2}'),
        (b"json/plain", b'["password=x&a=1","a passwordless one"]', '["(hidden)","a passwordless one"]'),
        (b"json/plain", b'["{\\"password\\": 1} behind it","Card-Number: 7"]', '["(hidden)","(hidden)"]'),
        (b"json/plain", b'["\xef\xbb\xbf{\\"password\\": 1}"]', '["(hidden)"]'),
        (b"json/plain", b"{secret", "JSON that cannot be read, not shown"),
        (b"binary/null", b"", "null"),
        (b"binary/plain", b"secret", "6 bytes, not shown"),
        (b"binary/encrypted", b"secret", f"{UNKNOWN} (binary/encrypted), not shown"),
        (b"", b"secret", f"{UNKNOWN} (none named), not shown"),
    ],
)
def test_of_an_input_only_what_may_be_seen_is_shown(encoding: bytes, data: bytes, shown: str) -> None:
    payload = Payload(metadata={"encoding": encoding}, data=data)
    assert input_words(Payloads(payloads=[payload]), hide={"password", "card_number"}) == shown
