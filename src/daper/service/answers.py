"""What became of a decision, in one of five ways, each with a sentence: a click is never swallowed."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from pydantic import Field

from daper.core.access import Access
from daper.core.base import Wire
from daper.core.decisions import BEING_STOPPED, NOBODY_DECIDED, TOO_LATE, decision_id, in_one_line, who
from daper.core.errors import DecisionRefused
from daper.core.messages import MOST_PER_PAGE, PageArgs
from daper.core.models import MOST_PROBLEMS, ActionId, Decision, Digest, Person, RecordedDecision
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.text import counted, shown, visible
from daper.core.views import PlanView, RepairView
from daper.service.requests import DecisionReceipt
from daper.service.whole_plan import Looks

_MOST_CHANGES: Final = 20
_NAMED: Final = 10


class AnswerKind(StrEnum):
    """What became of a decision."""

    RECORDED = "recorded"
    ALREADY_DECIDED = "already-decided"
    CHANGED = "changed"
    NOT_YOURS = "not-yours"
    EXPIRED = "expired"


class Shown(Wire):
    """What the person saw, as a form brings it back: the digest of a plan, and the ids of its actions that were there.

    Nothing else is ever decided for this person.
    """

    digest: Digest
    action_ids: frozenset[ActionId] = Field(max_length=10 * MOST_PROBLEMS)

    @classmethod
    def of(cls, plan: PlanView) -> "Shown":
        """What a page shows that has these actions of a plan."""
        return cls(digest=plan.digest, action_ids=frozenset(action.id for action in plan.actions))

    def unseen(self, decision: Decision) -> tuple[str, ...]:
        """The actions that a decision is about and that were not shown."""
        return tuple(
            action_id for action_id in {**decision.verdicts, **decision.edits} if action_id not in self.action_ids
        )


class Authority(Wire):
    """Whether whoever decides may, at this door, and who can, as far as is known. Only the door knows that."""

    may_decide: bool = True
    who_can: tuple[str, ...] = ()


ANYBODY: Final = Authority()


class DecisionAnswer(Wire):
    """What became of a decision. `sentence` says it, whatever the kind.

    `recorded`: what stands, where something does; `repeated`: it stood before, word for word. `by`, `at`: who decided,
    and when; or when the time to decide was over. `changes`: what is otherwise than it was shown. `who_can`: decide.
    """

    kind: AnswerKind
    sentence: str
    recorded: RecordedDecision | None = None
    repeated: bool = False
    by: str = ""
    at: datetime | None = None
    changes: tuple[str, ...] = ()
    who_can: tuple[str, ...] = ()


class Decides(Looks, Protocol):
    """What shows where a repair stands, and takes decisions."""

    async def decide(self, repair_id: str, decision: Decision) -> DecisionReceipt:
        """Answer the plan of a repair. Raises DecisionRefused with the reason."""
        ...


async def answer_of(
    service: Decides, repair_id: str, decision: Decision, *, seen: Shown, authority: Authority
) -> DecisionAnswer:
    """Send a decision on what was seen, and say what became of it; see `RepairService.answer`."""
    if isinstance(decision.by, Person) and not authority.may_decide:
        return not_yours(decision.by, authority)
    try:
        return as_recorded(await _decide_seen(service, repair_id, decision, seen))
    except DecisionRefused as refusal:
        look = await service.look(repair_id, PageArgs(size=MOST_PER_PAGE))
        quoted = decision.model_copy(update={"plan_digest": seen.digest})
        if (told := why_refused(look, quoted, refusal)) is not None:
            return told
        raise


async def _decide_seen(service: Decides, repair_id: str, decision: Decision, seen: Shown) -> DecisionReceipt:
    if unseen := refuse_unseen(decision, seen):
        raise DecisionRefused(unseen)
    return await service.decide(repair_id, decision)


def refuse_unseen(decision: Decision, seen: Shown) -> str | None:
    """Why a decision is not about what was shown, or None."""
    if decision.plan_digest != seen.digest:
        return "the decision quotes another plan than the one that was shown; look at it again"
    if unseen := seen.unseen(decision):
        named = ", ".join(visible(each, longest=20) for each in unseen[:_NAMED])
        more = f" and {len(unseen) - _NAMED} more" if unseen[_NAMED:] else ""
        return f"{named}{more} of the plan was not shown, and nothing is decided that was not; look at it first"
    return None


def not_yours(by: Person, authority: Authority) -> DecisionAnswer:
    """This person may not decide, at this door; others can."""
    can = ", ".join(shown(name) for name in authority.who_can[:_NAMED])
    more = f" and {len(authority.who_can) - _NAMED} more" if authority.who_can[_NAMED:] else ""
    ask = f"; who can: {can}{more}" if can else f"; it takes somebody with the scope {Access.APPROVE}"
    return DecisionAnswer(
        kind=AnswerKind.NOT_YOURS,
        sentence=f"nothing was decided: {shown(by.name)} may not decide here{ask}",
        who_can=authority.who_can,
    )


def as_recorded(receipt: DecisionReceipt) -> DecisionAnswer:
    """The decision stands."""
    return _standing(
        AnswerKind.RECORDED,
        receipt.recorded,
        "recorded before" if receipt.repeated else "recorded",
        repeated=receipt.repeated,
    )


def why_refused(look: RepairView | RepairResult, decision: Decision, refusal: DecisionRefused) -> DecisionAnswer | None:
    """Why the plan that a decision quotes takes it no more, by a look at the repair since; None where it still waits.

    Then what was refused is the decision itself: it names what is not there, or goes over a limit.
    """
    recorded = _decisions(look, decision)
    if same := next((each for each in recorded if decision_id(each.decision) == decision_id(decision)), None):
        return as_recorded(DecisionReceipt(recorded=same, repeated=True))
    if recorded:
        return _standing(AnswerKind.ALREADY_DECIDED, recorded[-1], "nothing was decided by this: already decided")
    if (expired := _expired_at(look, decision, refusal)) is not None:
        return DecisionAnswer(
            kind=AnswerKind.EXPIRED,
            sentence=f"nothing was decided: the time to decide was over at {_moment(expired)}",
            at=expired,
        )
    changes = tuple(_changes(look, decision, refusal))
    if not changes:
        return None
    return DecisionAnswer(
        kind=AnswerKind.CHANGED, sentence=f"nothing was decided: {changes[0]}, since you looked", changes=changes
    )


def _standing(kind: AnswerKind, recorded: RecordedDecision, said: str, *, repeated: bool = False) -> DecisionAnswer:
    return DecisionAnswer(
        kind=kind,
        sentence=f"{said}: {in_one_line(recorded)}",
        recorded=recorded,
        repeated=repeated,
        by=who(recorded.decision.by),
        at=recorded.decided_at,
    )


def _decisions(look: RepairView | RepairResult, decision: Decision) -> tuple[RecordedDecision, ...]:
    """What was decided on the plan that the decision quotes, as far as the look shows."""
    known = look.decisions if isinstance(look, RepairResult) else (look.decision,)
    return tuple(each for each in known if each is not None and each.decision.plan_digest == decision.plan_digest)


def _expired_at(look: RepairView | RepairResult, decision: Decision, refusal: DecisionRefused) -> datetime | None:
    """When the time to decide on the quoted plan was over, if that is why nobody decided."""
    if isinstance(look, RepairResult):
        mine = bool(look.plans) and look.plans[-1].digest == decision.plan_digest
        return look.ended_at if mine and look.phase is Phase.APPROVAL_EXPIRED else None
    if look.plan is None or look.plan.digest != decision.plan_digest:
        return None
    if look.phase is Phase.PENDING_APPROVAL:
        return (look.decide_by or look.phase_since) if str(refusal) == TOO_LATE else None
    over = look.phase is Phase.PENDING_REPORT and look.message.startswith(NOBODY_DECIDED)
    return look.phase_since if over else None


def _changes(look: RepairView | RepairResult, decision: Decision, refusal: DecisionRefused) -> Iterator[str]:
    """What is otherwise than it was when the quoted plan was shown, the main thing first."""
    if isinstance(look, RepairResult):
        yield f"the repair ended as {look.phase} at {_moment(look.ended_at)}"
        if look.reason:
            yield shown(look.reason, longest=300)
        return
    plan = look.plan
    if plan is None or look.phase is not Phase.PENDING_APPROVAL:
        yield f"no plan waits for a decision now: the repair is in {look.phase}"
        if look.message:
            yield shown(look.message, longest=300)
    elif plan.digest != decision.plan_digest:
        yield f"another plan waits now, of round {plan.round}, with {counted(plan.total_actions, 'action')}"
        told = plan.actions[:_MOST_CHANGES]
        yield from (f"{each.id}: {each.tool} for {shown(each.record_id)} waits" for each in told)
        if plan.total_actions > len(told):
            yield f"and {counted(plan.total_actions - len(told), 'more action')}"
    elif str(refusal) == BEING_STOPPED:
        yield BEING_STOPPED


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
