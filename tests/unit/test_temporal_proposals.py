"""Which tool the rules propose for a stuck workflow, with which arguments, and what is left to a person."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import JsonValue

from daper.clock import utc_now
from daper.core.errors import StoreUnavailable
from daper.core.guard import refuse_arguments
from daper.core.limits import Between, Exactly, OneOf
from daper.core.models import Finding, Proposal
from daper.core.outcomes import Effect, Holding, OutcomeStatus
from daper.domains.temporal.cluster import Cluster
from daper.domains.temporal.domain import TemporalDomain
from daper.domains.temporal.entry import open_domain
from daper.domains.temporal.findings import workflow_findings
from daper.domains.temporal.options import TemporalOptions
from daper.domains.temporal.surroundings import with_surroundings
from daper.domains.temporal.workflow import (
    Failure,
    Pause,
    PendingActivity,
    WorkflowRecord,
    WorkflowState,
    workflow_record,
)
from daper.ports import ToolCall

DECLINED = Failure(sort="application", type="CardDeclined", message="the card is declined")
TOO_SLOW = Failure(sort="timeout", type="start-to-close")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
SEEN: Mapping[str, object] = {
    "start_to_close": 20.0,
    "schedule_to_close": 0.0,
    "schedule_to_start": 0.0,
    "heartbeat": 0.5,
    "maximum_interval": 100.0,
    "maximum_attempts": 0,
}


def domain(folder: Path, **options: str) -> TemporalDomain:
    return open_domain(folder, {"query": "*", "too_long": "*=1s", **options})


def activity(
    name: str = "pay", *failures: Failure, due: timedelta | None = None, attempt: int = 50, **options: object
) -> PendingActivity:
    return PendingActivity(
        id=name,
        type="step",
        state="scheduled",
        attempt=attempt,
        most_attempts=0,
        scheduled_at=LONG_AGO,
        started_at=None,
        next_at=utc_now() + due if due else None,
        paused=False,
        failures=failures,
        options={**SEEN, **options},
    )


def workflow(*activities: PendingActivity, young: bool = True) -> WorkflowRecord:
    return workflow_record(
        WorkflowState(
            workflow_id="errand-1",
            run_id="the-run",
            type="Errand",
            queue="errands",
            status="Running",
            started_at=utc_now() + timedelta(days=1) if young else LONG_AGO,
            closed_at=None,
            history_length=10,
            activities=activities,
        )
    )


def proposed(of: TemporalDomain, record: WorkflowRecord) -> list[Proposal | str]:
    """What is proposed for each problem, or why nothing is."""
    findings = of.detect([record], utc_now())
    found = of.propose(findings, [record])
    by_finding = {fingerprint: each for each in found.proposals for fingerprint in each.answers}
    return [by_finding.get(each.fingerprint) or found.for_person[each.fingerprint] for each in findings]


def one(of: TemporalDomain, record: WorkflowRecord) -> Proposal:
    [found] = proposed(of, record)
    assert isinstance(found, Proposal), found
    return found


def left(of: TemporalDomain, record: WorkflowRecord) -> str:
    [found] = proposed(of, record)
    assert isinstance(found, str), found
    return found


def test_what_is_tried_again_far_off_is_tried_at_once(tmp_path: Path) -> None:
    found = one(domain(tmp_path), workflow(activity("pay", DECLINED, due=timedelta(hours=2))))
    assert found.tool == "reset_activity"
    assert found.arguments == {
        "run_id": "the-run",
        "activities": ["pay"],
        "attempt_seen": 50,
        "event_seen": 10,
        "keep_paused": False,
        "restore_original_options": False,
    }


@pytest.mark.parametrize(("due", "told"), [(timedelta(minutes=2), "tried again by 20"), (None, "tried just now")])
def test_what_is_tried_again_soon_is_left_to_a_person(tmp_path: Path, due: timedelta | None, told: str) -> None:
    assert told in left(domain(tmp_path), workflow(activity("pay", DECLINED, due=due)))


def test_what_runs_out_of_its_time_gets_twice_as_much(tmp_path: Path) -> None:
    of = domain(tmp_path)
    record = workflow(activity("pay", TOO_SLOW))
    found = one(of, record)
    assert found.tool == "change_activity_options"
    seen = {"run_id": "the-run", "activities": ["pay"], "attempt_seen": 50, "event_seen": 10}
    assert found.arguments == {**seen, "start_to_close": 40}
    terms = of.terms(found, [record])
    assert dict(terms.limits) == {
        "run_id": Exactly(value="the-run"),
        "activities": Exactly(value=["pay"]),
        "attempt_seen": Exactly(value=50),
        "event_seen": Exactly(value=10),
        "start_to_close": Between(minimum=20, maximum=200),
        "heartbeat": Between(minimum=1, maximum=5),
        "maximum_interval": Between(minimum=1, maximum=100),
    }
    [change] = terms.preview
    assert (change.field, change.before, change.after) == ("activity step: time for one attempt", "20 s", "40 s")


def test_no_attempt_gets_more_time_than_all_of_them_have(tmp_path: Path) -> None:
    of = domain(tmp_path)
    record = workflow(activity("pay", TOO_SLOW, schedule_to_close=30.0, maximum_attempts=3))
    found = one(of, record)
    assert (found.arguments["start_to_close"], found.arguments["schedule_to_close"]) == (40, 40)
    limits = of.terms(found, [record]).limits
    assert limits["start_to_close"] == Between(minimum=20, maximum=40)
    assert limits["schedule_to_close"] == Between(minimum=30, maximum=300)
    assert limits["maximum_attempts"] == Between(minimum=3, maximum=30)
    alone = {name: value for name, value in found.arguments.items() if name != "schedule_to_close"}
    given = found.model_copy(update={"arguments": alone})
    assert of.terms(given, [record]).limits["start_to_close"] == Between(minimum=20, maximum=30)


@pytest.mark.parametrize("given", [{}, {"start_to_close": 20}])
def test_what_changes_nothing_is_not_proposed(tmp_path: Path, given: dict[str, int]) -> None:
    arguments = {"run_id": "the-run", "activities": ["pay"], "attempt_seen": 50, "event_seen": 10, **given}
    proposal = Proposal.model_validate(
        {"record_id": "errand-1", "tool": "change_activity_options", "arguments": arguments, "answers": ()}
    )
    terms = domain(tmp_path).terms(proposal, [workflow(activity("pay", TOO_SLOW))])
    assert terms.obstacle == "no option is named that would change"


def test_each_problem_gets_its_own_activity(tmp_path: Path) -> None:
    other = replace(activity("ship", Failure(sort="application", type="NoOwl"), due=timedelta(hours=1)), type="ship")
    record = workflow(activity("pay", DECLINED, due=timedelta(hours=1)), other)
    found = proposed(domain(tmp_path), record)
    assert [each.arguments["activities"] for each in found if isinstance(each, Proposal)] == [["pay"], ["ship"]]


def test_of_activities_that_fail_by_different_causes_some_have_to_be_named(tmp_path: Path) -> None:
    of = domain(tmp_path)
    far = timedelta(hours=1)
    lost = Failure(sort="application", type="OwlLost")
    record = workflow(*(activity(each, DECLINED, due=far) for each in "ab"), activity("c", lost, due=far))
    terms = of.terms(Proposal(record_id="errand-1", tool="reset_activity", arguments={}, answers=()), [record])
    assert dict(terms.limits) == {"activities": OneOf(values=(["a", "b"], ["c"]))}
    assert terms.findings == frozenset()
    assert [each.arguments["activities"] for each in proposed(of, record) if isinstance(each, Proposal)] == [
        ["a", "b"],
        ["c"],
    ]


def test_one_of_many_that_fail_alike_repairs_nothing(tmp_path: Path) -> None:
    of = domain(tmp_path)
    record = workflow(*(activity(each, DECLINED, due=timedelta(hours=1)) for each in "ab"))
    found = one(of, record)
    assert found.arguments["activities"] == ["a", "b"]
    assert of.terms(found, [record]).findings == frozenset(found.answers)
    alone = found.model_copy(update={"arguments": {**found.arguments, "activities": ["a"]}})
    assert of.terms(alone, [record]).findings == frozenset()


def test_hundreds_that_fail_alike_are_named_as_far_as_they_can_be_shown(tmp_path: Path) -> None:
    of, far = domain(tmp_path), timedelta(hours=1)
    record = workflow(*(activity(str(each), DECLINED, due=far) for each in range(5, 305)))
    found = one(of, record)
    assert found.arguments["activities"] == ["5..304"]
    [change, *others] = of.terms(found, [record]).preview
    assert change.field == "300 activities step: attempt"
    assert others == []
    ids = sorted(str(uuid4()) for _ in range(300))
    record = workflow(*(activity(each, DECLINED, due=far) for each in ids))
    found = one(of, record)
    named = found.arguments["activities"]
    assert named == ids[: 1500 // 39]
    assert refuse_arguments(found.arguments, of.tools[found.tool].args, of.terms(found, [record]).limits) is None
    assert of.terms(found, [record]).preview[-1].before.startswith("262 others of this type")


def test_an_activity_whose_id_reads_as_others_is_left_alone(tmp_path: Path) -> None:
    far = timedelta(hours=1)
    record = workflow(*(activity(each, DECLINED, due=far) for each in ("1..3", "1", "x" * 2000)))
    assert one(domain(tmp_path), record).arguments["activities"] == ["1"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"activities": "a"},
        {"activities": [["a"]]},
        {"activities": ["0..999999999"]},
        {"activities": None},
        {"activities": ["nobody"]},
        {"activities": ["a"], "attempt_seen": 99},
    ],
)
def test_an_activity_that_is_not_there_is_an_obstacle(tmp_path: Path, arguments: dict[str, object]) -> None:
    given = Proposal.model_validate(
        {"record_id": "errand-1", "tool": "reset_activity", "arguments": arguments, "answers": ()}
    )
    terms = domain(tmp_path).terms(given, [workflow(activity("a", DECLINED))])
    assert terms.obstacle
    assert not terms.limits


def test_a_paused_activity_goes_on(tmp_path: Path) -> None:
    pause = Pause(at=LONG_AGO, by="somebody", reason="")
    found = one(domain(tmp_path), workflow(replace(activity("pay", DECLINED), paused=True, pause=pause)))
    assert (found.tool, found.arguments["activities"]) == ("unpause_activity", ["pay"])


def test_a_reset_that_keeps_the_pause_repairs_no_pause(tmp_path: Path) -> None:
    of = domain(tmp_path)
    record = workflow(replace(activity("pay", DECLINED), paused=True, pause=Pause(at=LONG_AGO, by="", reason="")))
    [finding] = of.detect([record], utc_now())
    for kept in (False, True):
        given = Proposal(
            record_id="errand-1",
            tool="reset_activity",
            arguments={"activities": ["pay"], "keep_paused": kept},
            answers=(),
        )
        assert of.terms(given, [record]).findings == (frozenset() if kept else {finding.fingerprint})


def test_what_runs_too_long_gets_the_signal_that_is_allowed_for_it(tmp_path: Path) -> None:
    of = domain(tmp_path, signals="stop; go(by=ops|sales, n=2..9) for too-long@Errand")
    found = one(of, workflow(young=False))
    assert found.tool == "signal"
    assert found.arguments == {"run_id": "the-run", "signal": "go", "event_seen": 10, "by": "ops", "n": 2}


@pytest.mark.parametrize("signals", ["", "go", "go for too-long@Other", "go for activity-retrying"])
def test_what_runs_too_long_gets_no_signal_that_is_not_allowed_for_it(tmp_path: Path, signals: str) -> None:
    assert "a person looks" in left(domain(tmp_path, signals=signals), workflow(young=False))


def test_a_signal_that_it_does_not_take_is_not_proposed(tmp_path: Path) -> None:
    record = workflow(young=False)
    deaf = replace(record, state=replace(record.state, handlers=frozenset({"other"})))
    of = domain(tmp_path, signals="go for too-long")
    assert "a person looks" in left(of, deaf)
    told = of.terms(Proposal(record_id="errand-1", tool="signal", arguments={}, answers=()), [deaf]).obstacle
    assert told == "it has no handler for the signal 'go'; it has: other"


def test_the_only_signal_is_sent_where_signals_are_set_as_the_repair(tmp_path: Path) -> None:
    of = domain(tmp_path, signals="approve(by=the Ministry)", fixes="too-long@Errand=signal")
    assert one(of, workflow(young=False)).arguments == {
        "run_id": "the-run",
        "signal": "approve",
        "event_seen": 10,
        "by": "the Ministry",
    }
    many = domain(tmp_path, signals="a; b", fixes="too-long=signal")
    assert "signal does not fit" in left(many, workflow(young=False))


@pytest.mark.parametrize(("seen", "taken"), [(7, 7), (10, 10), (11, 10), (0, 10), (True, 10), ("all", 10)])
def test_nobody_says_that_more_of_a_history_was_seen_than_there_is(tmp_path: Path, seen: JsonValue, taken: int) -> None:
    of = domain(tmp_path, signals="go for too-long")
    arguments: dict[str, JsonValue] = {"run_id": "the-run", "signal": "go", "event_seen": seen}
    given = Proposal(record_id="errand-1", tool="signal", arguments=arguments, answers=())
    assert of.terms(given, [workflow(young=False)]).limits["event_seen"] == Exactly(value=taken)


@pytest.mark.parametrize("due", [None, timedelta(seconds=5), timedelta(seconds=-5)])
def test_an_activity_is_not_reset_that_may_be_tried_before_it_is(tmp_path: Path, due: timedelta | None) -> None:
    record = workflow(activity("pay", DECLINED, due=due))
    given = Proposal(record_id="errand-1", tool="reset_activity", arguments={}, answers=())
    assert "tried again in a moment" in domain(tmp_path).terms(given, [record]).obstacle


@pytest.mark.parametrize("state", ["started", "pause-requested", "cancel-requested"])
def test_an_activity_is_not_reset_while_an_attempt_of_it_runs(tmp_path: Path, state: str) -> None:
    record = workflow(replace(activity("pay", DECLINED), state=state))
    given = Proposal(record_id="errand-1", tool="reset_activity", arguments={}, answers=())
    assert "runs just now" in domain(tmp_path).terms(given, [record]).obstacle


@pytest.mark.parametrize("tool", ["cancel_workflow", "terminate_workflow"])
def test_a_workflow_is_ended_only_where_that_is_set(tmp_path: Path, tool: str) -> None:
    record = workflow(young=False)
    assert "ending it is not set" in left(domain(tmp_path), record)
    found = one(domain(tmp_path, fixes=f"too-long={tool}"), record)
    assert (found.tool, found.arguments) == (tool, {"run_id": "the-run"})


def test_what_ends_a_workflow_says_what_goes_with_it(tmp_path: Path) -> None:
    of = domain(tmp_path)
    record = workflow(activity("pay", DECLINED))
    record = replace(record, state=replace(record.state, children=("c1", "c2")))
    given = Proposal(record_id="errand-1", tool="terminate_workflow", arguments={"run_id": "the-run"}, answers=())
    [change] = of.terms(given, [record]).preview
    assert change.after == (
        "terminated, and nothing is tidied up; 1 pending activity is given up; "
        "what becomes of its 2 children, the parent close policy of each says"
    )


def judged(tool: str, now: PendingActivity, after: dict[str, JsonValue], **given: JsonValue) -> Holding:
    """What a tool says of an activity at attempt 50 at which it acted, as it is now."""
    made = domain(Path()).tools[tool]
    call = ToolCall(
        key="k",
        record_id="errand-1",
        arguments={"run_id": "the-run", "activities": ["pay"], "attempt_seen": 50, "event_seen": 10, **given},
        expected={},
        today=LONG_AGO,
    )
    effect = Effect(status=OutcomeStatus.APPLIED, after=after)
    return made.judge(call, effect, [workflow(now)]).holding


@pytest.mark.parametrize(
    ("attempt", "state", "holding"),
    [
        (1, "scheduled", Holding.WAITING),
        (1, "started", Holding.WAITING),
        (2, "scheduled", Holding.NO),
        (2, "started", Holding.NO),
        (50, "started", Holding.NO),
        (50, "scheduled", Holding.NO),
    ],
)
def test_a_reset_helped_where_no_attempt_since_has_failed(attempt: int, state: str, holding: Holding) -> None:
    now = replace(activity("pay", DECLINED, attempt=attempt), state=state)
    assert judged("reset_activity", now, {"attempt": 1}, keep_paused=False) is holding


@pytest.mark.parametrize(
    ("attempt", "seconds", "holding"),
    [(50, 40.0, Holding.WAITING), (51, 40.0, Holding.WAITING), (52, 40.0, Holding.NO), (51, 20.0, Holding.NO)],
)
def test_other_options_helped_where_no_attempt_with_them_has_failed(
    attempt: int, seconds: float, holding: Holding
) -> None:
    now = activity("pay", TOO_SLOW, attempt=attempt, start_to_close=seconds)
    after: dict[str, JsonValue] = {"start_to_close": 40, "attempt": 51}
    assert judged("change_activity_options", now, after, start_to_close=40) is holding


@pytest.mark.parametrize(
    ("changes", "cancel", "terminate"),
    [
        ({"status": "Running"}, Holding.WAITING, Holding.NO),
        ({"status": "Paused"}, Holding.WAITING, Holding.NO),
        ({"status": "Canceled"}, Holding.YES, Holding.YES),
        ({"status": "Running", "run_id": "next", "first_run_id": "the-run"}, Holding.NO, Holding.NO),
        ({"status": "Completed", "run_id": "next", "first_run_id": "the-run"}, Holding.YES, Holding.YES),
        ({"status": "Running", "run_id": "by-somebody", "first_run_id": "by-somebody"}, Holding.YES, Holding.YES),
    ],
)
def test_a_workflow_that_is_paused_or_goes_on_as_another_run_has_not_ended(
    changes: dict[str, str], cancel: Holding, terminate: Holding
) -> None:
    arguments: dict[str, JsonValue] = {"run_id": "the-run"}
    call = ToolCall(key="k", record_id="errand-1", arguments=arguments, expected={}, today=LONG_AGO)
    now = workflow_record(replace(workflow().state, **changes))
    effect = Effect(status=OutcomeStatus.APPLIED)
    tools = domain(Path()).tools
    told = [tools[each].judge(call, effect, [now]).holding for each in ("cancel_workflow", "terminate_workflow")]
    assert told == [cancel, terminate]


def on_version(*versions: str, build: str, pinned: bool, **changes: str) -> WorkflowRecord:
    """Its tasks fail, on a deployment with these versions in use, the current one first."""
    record = workflow()
    failing = ("category=WorkflowTaskFailed", "cause=WorkflowTaskFailedCauseWorkflowWorkerUnhandledFailure")
    state = replace(
        record.state,
        problems=failing,
        deployment="errands",
        build=build,
        versions=versions,
        pinned=pinned,
        override=changes.get("override", ""),
    )
    return replace(record, state=state)


def test_what_is_pinned_to_a_version_that_fails_moves_to_the_current_one(tmp_path: Path) -> None:
    of = domain(tmp_path)
    record = on_version("2", "3", build="1", pinned=True)
    found = one(of, record)
    assert (found.tool, found.arguments) == ("move_to_version", {"run_id": "the-run", "version": "2"})
    terms = of.terms(found, [record])
    assert terms.limits["version"] == OneOf(values=("2", "3", "auto-upgrade"))
    [change] = terms.preview
    assert (change.before, change.after) == ("1", "2, and stays there")


@pytest.mark.parametrize(
    "record",
    [
        on_version("1", build="1", pinned=True),
        on_version(build="1", pinned=True),
        # It goes with what is current: that version fails, and `build` is the one before.
        on_version("2", build="1", pinned=False),
    ],
    ids=["no other", "none in use", "not pinned"],
)
def test_what_has_no_other_version_or_goes_with_the_current_one_is_left_to_a_person(
    tmp_path: Path, record: WorkflowRecord
) -> None:
    assert "mend the code" in left(domain(tmp_path), record)


def test_what_goes_with_the_current_version_may_go_back_to_where_it_got_on(tmp_path: Path) -> None:
    given = Proposal(record_id="errand-1", tool="move_to_version", arguments={}, answers=())
    limits = domain(tmp_path).terms(given, [on_version("2", build="1", pinned=False)]).limits
    assert limits["version"] == OneOf(values=("1", "2"))


def test_what_is_being_moved_already_is_left_alone(tmp_path: Path) -> None:
    given = Proposal(record_id="errand-1", tool="move_to_version", arguments={}, answers=())
    record = on_version("2", build="1", pinned=True, override="one-time")
    assert "already" in domain(tmp_path).terms(given, [record]).obstacle


async def test_where_no_versions_are_told_nothing_is_moved_and_all_else_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster({}, calls_per_second=100)

    async def refused(deployment: str) -> tuple[str, ...]:
        raise StoreUnavailable("Temporal does not let daper look")

    monkeypatch.setattr(cluster, "versions", refused)
    record = on_version("2", build="1", pinned=True)
    [found] = await with_surroundings(cluster, [record], signals=False)
    assert isinstance(found, WorkflowRecord)
    assert found.state.versions == ()


def test_the_preview_says_which_others_are_left_as_they_are(tmp_path: Path) -> None:
    far = timedelta(hours=1)
    busy = replace(activity("b", DECLINED, due=far), state="started")
    record = workflow(*(activity(name, DECLINED, due=far) for name in "ac"), busy, activity("d", TOO_SLOW))
    of = domain(tmp_path)
    found = next(each for each in proposed(of, record) if isinstance(each, Proposal))
    assert found.arguments["activities"] == ["a", "c"]
    others = of.terms(found, [record]).preview[-1]
    assert others.before == "1 other of this type in this workflow, failing alike"
    assert others.after == "left as they are"


def test_of_many_activities_each_is_looked_at_a_few_times_and_not_once_for_each_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused = Pause(at=LONG_AGO, by="ops", reason="storm")
    many = workflow(*(replace(activity(f"a{each}"), paused=True, pause=paused) for each in range(60)))
    looks: list[WorkflowState] = []

    def counted(state: WorkflowState, options: TemporalOptions, now: datetime) -> Iterator[Finding]:
        looks.append(state)
        return workflow_findings(state, options, now)

    monkeypatch.setattr("daper.domains.temporal.tools.activity.workflow_findings", counted)
    found = [each for each in proposed(domain(tmp_path), many) if isinstance(each, Proposal)]
    assert [each.arguments["activities"] for each in found] == [[f"a{each}"] for each in range(60)]
    assert len(looks) < 60 * 10


def test_what_workflows_have_in_common_stays_short_and_is_another_where_its_end_is() -> None:
    many = [activity(f"a{each}", Failure(sort="application", type=f"Declined{each}")) for each in range(500)]
    other = [*many[:-1], activity("last", Failure(sort="application", type="Zebra"))]
    one, two = (workflow(*each).state.alike for each in (many, other))
    assert len(one) < 1100
    assert one != two
    assert one == workflow(*reversed(many)).state.alike


def test_the_pause_of_a_whole_workflow_is_not_that_of_an_activity_that_was_paused_just_now(tmp_path: Path) -> None:
    fresh = replace(activity(), paused=True, pause=Pause(at=utc_now(), by="ops", reason="on purpose"))
    record = workflow(fresh)
    paused = workflow_record(
        replace(record.state, status="Paused", pause=Pause(at=LONG_AGO, by="ops", reason="forgotten"))
    )
    assert "something else of this workflow" in left(domain(tmp_path), paused)


@pytest.mark.parametrize(
    ("by", "told"), [("mallory", "paused by mallory: daper key=abc"), ("daper", "paused by a repair of daper")]
)
def test_a_pause_is_only_ours_where_it_was_made_in_our_name(tmp_path: Path, by: str, told: str) -> None:
    paused = replace(activity(), paused=True, pause=Pause(at=LONG_AGO, by=by, reason="daper key=abc"))
    of, record = domain(tmp_path), workflow(paused)
    [change] = of.terms(one(of, record), [record]).preview
    assert change.before == told
