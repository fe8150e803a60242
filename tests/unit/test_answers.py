"""What becomes of a decision is one of five things, each with a sentence; only a wrong decision is refused."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from planned import plan_of, proposed, shown_plan

from daper.core.decisions import BEING_STOPPED, NOBODY_DECIDED, TOO_LATE, answer_plan, record, refuse_decision
from daper.core.errors import DecisionRefused
from daper.core.messages import PageArgs
from daper.core.models import Decision, IdentityProof, Person, Plan, RecordedDecision
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.views import PlanView, RepairView, view_plan
from daper.service.answers import ANYBODY, AnswerKind, Authority, DecisionAnswer, Shown, answer_of
from daper.service.receipts import after_the_end
from daper.service.requests import DecisionReceipt

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
UNTIL = AT + timedelta(hours=12)
MINERVA = Person(name="Minerva", how=IdentityProof.TOKEN)
GINNY = Person(name="Ginny", how=IdentityProof.TOKEN)
PLAN = plan_of(*map(proposed, (1, 2, 3)))
VIEW = shown_plan(*map(proposed, (1, 2, 3)))
SHOWN = Shown.of(VIEW)
NONE_WAITS = "no plan waits for a decision now: the repair is"
NEXT = plan_of(*(proposed(n, record_id=f"ORD-{n}\x1b[2J") for n in range(4, 30)))


def look(phase: Phase = Phase.PENDING_APPROVAL, *, plan: Plan | None = PLAN, **more: object) -> RepairView:
    return RepairView.model_validate(
        {
            "repair_id": "repair-1",
            "phase": phase,
            "requested_by": MINERVA,
            "domain": "orders",
            "store_id": "s1",
            "started_at": AT,
            "phase_since": AT,
            "plan": view_plan(plan) if plan else None,
            "decide_by": UNTIL if phase is Phase.PENDING_APPROVAL else None,
            **more,
        }
    )


def ended(phase: Phase, *, plans: tuple[Plan, ...] = (PLAN,), **more: object) -> RepairResult:
    given = {"repair_id": "repair-1", "cycle_id": "c1", "user": "Minerva", "domain": "orders", "phase": phase}
    return RepairResult.model_validate({**given, "started_at": AT, "ended_at": UNTIL, "plans": plans, **more})


def approval(*ids: str, by: Person = MINERVA, plan: PlanView = VIEW, rejected: tuple[str, ...] = ()) -> Decision:
    return answer_plan(plan, approved=ids, rejected=rejected, by=by, door="console")


def recorded(decision: Decision) -> RecordedDecision:
    return record(PLAN, decision, AT)


class Repairs:
    """A repair that another person, a clock or an end may change between a look and a decision."""

    def __init__(self, now: RepairView | RepairResult, *, plan: Plan | None = PLAN, refusal: str = "") -> None:
        self.now = now
        self.sent: list[Decision] = []
        self._plan = plan
        self._refusal = refusal

    async def look(self, repair_id: str, page: PageArgs | None = None) -> RepairView | RepairResult:
        return self.now

    async def decide(self, repair_id: str, decision: Decision) -> DecisionReceipt:
        self.sent.append(decision)
        if isinstance(self.now, RepairResult):
            return after_the_end(self.now, decision)
        why = self._refusal or refuse_decision(self.now.phase, self._plan, self.now.decision, decision)
        if why:
            raise DecisionRefused(why)
        assert self._plan is not None
        return DecisionReceipt(recorded=record(self._plan, decision, AT))


async def told(
    now: RepairView | RepairResult,
    decision: Decision | None = None,
    *,
    refusal: str = "",
    plan: Plan | None = PLAN,
    seen: Shown = SHOWN,
    authority: Authority = ANYBODY,
) -> DecisionAnswer:
    service = Repairs(now, plan=plan, refusal=refusal)
    return await answer_of(service, "repair-1", decision or approval("a1"), seen=seen, authority=authority)


async def test_a_decision_that_approves_some_and_rejects_others_is_recorded_as_both() -> None:
    answer = await told(look(), approval("a1", "a3", rejected=("a2",)))

    assert (answer.kind, answer.repeated, answer.by, answer.at) == (AnswerKind.RECORDED, False, "Minerva (token)", AT)
    assert answer.sentence == "recorded: a1, a3 approved and a2 rejected by Minerva (token) at 2026-03-01 09:00:00 UTC"
    assert answer.recorded is not None
    assert set(answer.recorded.will_run) == {"a1", "a3"}


Later = Callable[[RecordedDecision], RepairView | RepairResult]
LATER: dict[str, Later] = {
    "running": lambda done: look(Phase.PENDING_REPAIR, decision=done),
    "verifying": lambda done: look(Phase.VERIFYING_REPAIR, decision=done),
    "ended": lambda done: ended(Phase.REPORT_COMPLETED, decisions=(done,)),
    "a later round expired": lambda done: ended(Phase.APPROVAL_EXPIRED, plans=(PLAN, NEXT), decisions=(done,)),
}


@pytest.mark.parametrize("now", LATER.values(), ids=LATER)
async def test_the_second_person_hears_who_decided_when_and_what_and_the_first_hears_that_it_stands(
    now: Later,
) -> None:
    mine = approval("a1", rejected=("a2",), by=GINNY)
    other = await told(now(recorded(mine)))
    again = await told(now(recorded(mine)), mine)

    assert (other.kind, other.by, other.at) == (AnswerKind.ALREADY_DECIDED, "Ginny (token)", AT)
    assert other.sentence == (
        "nothing was decided by this: already decided: "
        "a1 approved and a2 rejected by Ginny (token) at 2026-03-01 09:00:00 UTC"
    )
    assert (again.kind, again.repeated) == (AnswerKind.RECORDED, True)
    assert again.sentence.startswith("recorded before: a1 approved and a2 rejected")


async def test_another_plan_that_waits_now_is_told_with_what_it_holds_and_nothing_hidden() -> None:
    answer = await told(look(plan=NEXT), plan=NEXT)

    assert answer.kind is AnswerKind.CHANGED
    assert (
        answer.sentence == "nothing was decided: another plan waits now, of round 1, with 26 actions, since you looked"
    )
    assert answer.changes[1] == "a4: send_reminder for ORD-4<U+001B>[2J waits"
    assert (len(answer.changes), answer.changes[-1]) == (22, "and 6 more actions")


@pytest.mark.parametrize(
    ("now", "refusal", "changes"),
    [
        (
            look(Phase.ANALYZING_PROBLEMS),
            "",
            ("no plan waits for a decision now: the repair is in ANALYZING-PROBLEMS",),
        ),
        (
            look(Phase.PENDING_REPORT, message="stopped by Ginny: a mistake"),
            "",
            (f"{NONE_WAITS} in PENDING-REPORT", "stopped by Ginny: a mistake"),
        ),
        (look(), BEING_STOPPED, (BEING_STOPPED,)),
        (
            ended(Phase.CANCELLED, reason="stopped by Ginny"),
            "",
            ("the repair ended as CANCELLED at 2026-03-01 21:00:00 UTC", "stopped by Ginny"),
        ),
        (
            ended(Phase.APPROVAL_EXPIRED, plans=(PLAN, NEXT), reason="nobody decided within 12:00:00"),
            "",
            ("the repair ended as APPROVAL-EXPIRED at 2026-03-01 21:00:00 UTC", "nobody decided within 12:00:00"),
        ),
    ],
    ids=["planned anew", "stopped, reporting", "being stopped", "stopped", "a later round expired"],
)
async def test_what_changed_since_the_look_is_told_in_lines(
    now: RepairView | RepairResult, refusal: str, changes: tuple[str, ...]
) -> None:
    answer = await told(now, refusal=refusal)
    assert (answer.kind, answer.changes) == (AnswerKind.CHANGED, changes)
    assert answer.sentence == f"nothing was decided: {changes[0]}, since you looked"


@pytest.mark.parametrize(
    ("now", "refusal", "at"),
    [
        (look(), TOO_LATE, UNTIL),
        (look(Phase.PENDING_REPORT, message=f"{NOBODY_DECIDED} 12:00:00", phase_since=UNTIL), "", UNTIL),
        (ended(Phase.APPROVAL_EXPIRED), "", UNTIL),
    ],
    ids=["the clock of the workflow says so", "reporting", "ended"],
)
async def test_a_decision_after_its_time_is_told_when_that_was_over(
    now: RepairView | RepairResult, refusal: str, at: datetime
) -> None:
    answer = await told(now, refusal=refusal)
    assert (answer.kind, answer.at) == (AnswerKind.EXPIRED, at)
    assert answer.sentence == "nothing was decided: the time to decide was over at 2026-03-01 21:00:00 UTC"


@pytest.mark.parametrize(
    ("who_can", "said"),
    [
        (("Minerva", "Ginny"), "Luna may not decide here; who can: Minerva, Ginny"),
        ((), "Luna may not decide here; it takes somebody with the scope approve"),
        (tuple(f"P{n}" for n in range(12)), "who can: P0, P1, P2, P3, P4, P5, P6, P7, P8, P9 and 2 more"),
    ],
    ids=["two", "not known", "many"],
)
async def test_who_may_not_decide_hears_who_can_and_nothing_is_sent(who_can: tuple[str, ...], said: str) -> None:
    service = Repairs(look())
    luna = approval("a1", by=Person(name="Luna", how=IdentityProof.TOKEN))
    authority = Authority(may_decide=False, who_can=who_can)
    answer = await answer_of(service, "repair-1", luna, seen=SHOWN, authority=authority)

    assert (answer.kind, answer.who_can, service.sent) == (AnswerKind.NOT_YOURS, who_can, [])
    assert answer.sentence.startswith("nothing was decided: Luna may not decide here")
    assert answer.sentence.endswith(said)


@pytest.mark.parametrize(
    ("decision", "seen", "why"),
    [
        (approval("a1", "a3"), Shown(digest=VIEW.digest, action_ids=frozenset({"a1", "a2"})), "a3 of the plan was not"),
        (
            approval("a1", rejected=("a3",)),
            Shown(digest=VIEW.digest, action_ids=frozenset({"a1"})),
            "a3 of the plan was not shown, and nothing is decided that was not",
        ),
        (approval("a1"), Shown(digest=VIEW.digest, action_ids=frozenset()), "a1 of the plan was not shown"),
        (
            approval("a1").model_copy(update={"edits": {"a2": {"quantity": 1}}}),
            Shown(digest=VIEW.digest, action_ids=frozenset({"a1"})),
            "a2 of the plan was not shown",
        ),
        (
            approval("a1"),
            Shown(digest="f" * 64, action_ids=SHOWN.action_ids),
            "another plan than the one that was",
        ),
    ],
    ids=["approved", "rejected", "nothing shown", "edited", "another digest"],
)
async def test_what_was_not_shown_is_never_decided_nor_sent(decision: Decision, seen: Shown, why: str) -> None:
    plan = PLAN.model_copy(update={"digest": seen.digest})  # it waits, whatever was shown
    service = Repairs(look(plan=plan), plan=plan)
    with pytest.raises(DecisionRefused, match=why):
        await answer_of(service, "repair-1", decision, seen=seen, authority=ANYBODY)
    assert service.sent == []


async def test_what_was_not_shown_of_a_plan_that_is_over_is_told_as_what_became_of_that() -> None:
    one = Shown(digest=VIEW.digest, action_ids=frozenset({"a1"}))
    answer = await told(
        look(Phase.PENDING_REPAIR, decision=recorded(approval("a2", by=GINNY))), approval("a3"), seen=one
    )
    assert (answer.kind, answer.by) == (AnswerKind.ALREADY_DECIDED, "Ginny (token)")


@pytest.mark.parametrize(
    ("decision", "why"),
    [
        (approval("a1").model_copy(update={"verdicts": {}}), "the decision names no action"),
        (approval("a1").model_copy(update={"edits": {"a1": {"customer": "x"}}}), "a1.customer may not be changed"),
        (approval(rejected=("a2",)).model_copy(update={"edits": {"a2": {"customer": "x"}}}), "edited but not approved"),
    ],
    ids=["nothing", "over a limit", "edited and rejected"],
)
async def test_what_is_wrong_with_the_decision_itself_is_refused_while_its_plan_waits(
    decision: Decision, why: str
) -> None:
    with pytest.raises(DecisionRefused, match=why):
        await told(look(), decision)
