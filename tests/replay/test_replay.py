"""Every kept history replays on the code of today, so that no deploy wedges a repair that is open somewhere."""

import getpass
import re
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from daper.adapters.temporal.codec import data_converter
from daper.adapters.temporal.sandbox import SANDBOX
from daper.core.events import Batch, Inbox
from daper.core.proactive import Carried, ProactiveRequest
from daper.workers import WORKFLOWS
from daper.workflows.agent import AgentState
from daper.workflows.labels import EVENT_DRIVEN_NAME, PROACTIVE_NAME
from daper.workflows.steps import Steps
from tests.replay import kept
from tests.replay.record import MustNotRecord, to_record
from tests.replay.scenarios import SCENARIOS, TOGETHER

PARKED = {name for name in kept.names() if name.startswith("parked")}
AGENTS = [name for name in kept.names() if kept.workflow_of(name) == PROACTIVE_NAME]
EVENT_DRIVEN = [name for name in kept.names() if kept.workflow_of(name) == EVENT_DRIVEN_NAME]


async def replay(name: str) -> None:
    """Run today's workflow along a kept history. Raises NondeterminismError where it would do something else."""
    replayer = Replayer(workflows=WORKFLOWS, workflow_runner=SANDBOX, data_converter=data_converter())
    await replayer.replay_workflow(kept.load(name))


def test_there_is_a_history_for_each_way_through_a_cycle() -> None:
    assert set(kept.names()) >= set(SCENARIOS).union(*TOGETHER.values())


def test_there_are_histories_of_every_workflow_that_a_worker_runs() -> None:
    """A new workflow needs a scenario before it is released."""
    assert {kept.workflow_of(name) for name in kept.names()} == {
        str(getattr(each, "__temporal_workflow_definition").name) for each in WORKFLOWS
    }


@pytest.mark.parametrize("name", kept.names())
async def test_every_kept_history_replays_on_the_code_of_today(name: str) -> None:
    """D9: a repair that an older worker began goes on with this one."""
    await replay(name)


# What follows plants a change in a workflow: one history of its kind is enough to see that a replay can fail.
@pytest.mark.parametrize(("one", "other"), [("open", "claim"), ("conclude", "report")], ids=["first", "last"])
async def test_a_repair_that_swaps_two_steps_is_noticed(one: str, other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """This change would wedge every open repair."""
    first, second = getattr(Steps, one), getattr(Steps, other)
    monkeypatch.setattr(Steps, one, second)
    monkeypatch.setattr(Steps, other, first)
    with pytest.raises(NondeterminismError):
        await replay("approved_with_edit")


@pytest.mark.parametrize("name", ["proactive_three_cycles", "proactive_continued_as_new"])
async def test_an_agent_that_begins_its_first_cycle_at_another_time_is_noticed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is new waits before it, and one that was carried on begins it without waiting."""

    make = AgentState.__init__

    # Any: whatever else it is made of.
    def due_otherwise(state: AgentState, *, known: Carried, request: ProactiveRequest, **others: Any) -> None:
        due = known.next_cycle_at + (timedelta(days=1) if request.carried is None else -timedelta(days=1))
        make(state, known=known.model_copy(update={"next_cycle_at": due}), request=request, **others)

    monkeypatch.setattr(AgentState, "__init__", due_otherwise)
    with pytest.raises(NondeterminismError):
        await replay(name)


async def test_an_agent_that_takes_reports_in_another_way_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that gives repairs other ids than the events brought would repair again what was repaired."""
    begin = Inbox.begin

    def another(inbox: Inbox) -> Batch:
        batch = begin(inbox)
        return batch.model_copy(update={"repair_id": f"{batch.repair_id}-again"})

    monkeypatch.setattr(Inbox, "begin", another)
    with pytest.raises(NondeterminismError):
        await replay("event_driven_two_repairs")


@pytest.mark.parametrize("names", [AGENTS, EVENT_DRIVEN], ids=["proactive", "event-driven"])
def test_the_kept_agents_end_in_every_way_that_they_can(names: list[str]) -> None:
    ends = {EventType.Name(kept.load(name).events[-1].event_type) for name in names}
    assert ends >= {"EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED", "EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW"}


@pytest.mark.parametrize("name", sorted(PARKED))
def test_a_parked_history_ends_where_it_waits_for_a_person(name: str) -> None:
    """`test_parked.py` goes on from there."""
    kinds = [EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in kept.load(name).events]
    waiting = len(kinds) - kinds[::-1].index("TIMER_STARTED")
    assert set(kinds[waiting:]) <= {kind for kind in kinds if kind.startswith(("ACTIVITY_TASK", "WORKFLOW_TASK"))}


@pytest.mark.parametrize("name", kept.names())
async def test_a_kept_history_tells_nothing_of_the_machine_that_recorded_it(name: str) -> None:
    """D20: also not inside compressed payloads."""
    text = await kept.readable(name)
    assert "Harry" in text, "the payloads were read"
    signs = [str(Path.home()), str(Path(__file__).parents[2]), "/home/", "/root", "/tmp/", "/var/", "site-packages"]  # noqa: S108
    assert not [sign for sign in signs if sign in text]
    words = [r"\d+@", rf"\b{re.escape(socket.gethostname())}\b", rf"\b{re.escape(getpass.getuser())}\b"]
    assert not [word for word in words if re.search(word, text)]


async def test_scrubbing_reaches_what_our_codec_compressed_and_compresses_it_again() -> None:
    said = "the owl came back to /root/daper " * 1000
    [packed] = await data_converter().encode([said])
    event = HistoryEvent(event_id=1)
    event.workflow_execution_started_event_attributes.input.payloads.append(packed)
    assert packed.metadata["encoding"] != b"json/plain"

    text = await kept.scrubbed(WorkflowHistory("any", [event]), replace={"/root(?=/)": "/srv"})

    [scrubbed] = (
        WorkflowHistory.from_json("any", text).events[0].workflow_execution_started_event_attributes.input.payloads
    )
    assert scrubbed.metadata == packed.metadata
    assert await data_converter().decode([scrubbed]) == [said.replace("/root", "/srv")]


WANTED = ("old", "new")


@pytest.mark.parametrize(
    ("releases", "force_new", "recorded"),
    [((), False, ("old", "new")), ((), True, ("new",)), (("v1",), True, ("new",))],
)
def test_what_may_be_recorded(releases: tuple[str, ...], force_new: bool, recorded: tuple[str, ...]) -> None:
    assert to_record(wanted=WANTED, have=("old",), releases=releases, force_new=force_new) == recorded


def test_after_a_release_kept_histories_are_not_recorded_anew() -> None:
    with pytest.raises(MustNotRecord, match=r"v0\.1\.0 is released"):
        to_record(wanted=WANTED, have=("old",), releases=("v0.1.0",), force_new=False)
