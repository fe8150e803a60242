"""Whether a decision answers the plan that is waiting, and what will run because of it. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from pydantic import JsonValue

from daper.core.digests import canonical, digest
from daper.core.errors import DecisionRefused
from daper.core.models import (
    By,
    Confirmation,
    Decision,
    Person,
    Plan,
    ProposedAction,
    RecordedDecision,
    Verdict,
)
from daper.core.phases import Phase
from daper.core.text import visible
from daper.core.views import PlanView

_CONFIRMED = {
    Confirmation.DIRECT: "",
    Confirmation.FORM: ", confirmed in a form",
    Confirmation.UNCONFIRMED: ", told by a chat client without a confirmation",
}

_NAMED_APART: Final = 8
_ID: Final = re.compile(r"([A-Za-z]+)([0-9]{1,9})")

# What a worker of another release says too: by these a door knows why a decision was refused.
TOO_LATE: Final = "the time to decide on this plan is over"
BEING_STOPPED: Final = "the repair is being stopped; nothing more will run"
NOBODY_DECIDED: Final = "nobody decided within"


def who(by: By) -> str:
    """Who decided, in words."""
    if isinstance(by, Person):
        return f"{by.name} ({by.how})"
    return f"policy {by.rule}, requested by {by.requested_by.name} ({by.requested_by.how})"


def decided_by(decision: Decision) -> str:
    """Who decided, in words, and how that came to us where it was not directly."""
    return who(decision.by) + _CONFIRMED[decision.confirmed]


def in_one_line(recorded: RecordedDecision) -> str:
    """What was decided, by whom, when, and how that came to us."""
    verdicts = recorded.decision.verdicts
    named = {verdict: [name for name, given in verdicts.items() if given is verdict] for verdict in Verdict}
    parts = [
        f"{ids_in_words(names)} {said}"
        for names, said in ((list(recorded.will_run), "approved"), (named[Verdict.REJECT], "rejected"))
        if names
    ]
    return (
        f"{' and '.join(parts) or 'nothing approved'} by {who(recorded.decision.by)} "
        f"at {recorded.decided_at:%Y-%m-%d %H:%M:%S} UTC{_CONFIRMED[recorded.decision.confirmed]}"
    )


def ids_in_words(ids: Iterable[str]) -> str:
    """All of these ids; of many, those whose numbers follow each other as a range: `a1-a48, a50`."""
    every = tuple(ids)
    if len(every) <= _NAMED_APART:
        return ", ".join(every)
    runs = list[list[str]]()
    for each in every:
        if runs and _follows(runs[-1][-1], each):
            runs[-1].append(each)
        else:
            runs.append([each])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs)


def _follows(before: str, after: str) -> bool:
    first, second = (_ID.fullmatch(each) for each in (before, after))
    return bool(first and second and first[1] == second[1] and int(first[2]) + 1 == int(second[2]))


def answer_plan(
    plan: PlanView,
    *,
    approved: Sequence[str] = (),
    rejected: Sequence[str] = (),
    edits: Mapping[str, dict[str, JsonValue]] | None = None,
    by: Person,
    door: str,
    comment: str = "",
    confirmed: Confirmation = Confirmation.DIRECT,
) -> Decision:
    """One answer to a plan: some of its actions are approved, some rejected, by their ids; see `selections` for these.

    An action that is edited counts as approved where it is not rejected. Raises DecisionRefused where one is both.
    """
    changed = [action_id for action_id in edits or {} if action_id not in rejected]
    if both := [action_id for action_id in rejected if action_id in approved]:
        raise DecisionRefused(f"{ids_in_words(both)} would be approved and rejected; say one of the two")
    return Decision(
        plan_digest=plan.digest,
        verdicts=dict.fromkeys((*approved, *changed), Verdict.APPROVE) | dict.fromkeys(rejected, Verdict.REJECT),
        edits=dict(edits or {}),
        by=by,
        door=door,
        confirmed=confirmed,
        comment=comment,
    )


def decision_id(decision: Decision) -> str:
    """The id of a decision: the same person deciding the same again gets the same id."""
    parts = decision.model_dump(mode="json", include={"plan_digest", "verdicts", "edits", "by"})
    return digest(canonical(parts))


def edited(action: ProposedAction, edits: dict[str, JsonValue]) -> ProposedAction:
    """The action with arguments changed by a person: a new text with a digest of its own, and no preview any more.

    Only for edits that `refuse_decision` let through.
    """
    if not edits:
        return action
    bound = action.bound.model_copy(update={"arguments": action.bound.arguments | edits})
    text = bound.to_text()
    # Built anew, not copied: a copy would keep the parsed arguments of the old text.
    return ProposedAction.model_validate({**action.model_dump(), "text": text, "digest": digest(text), "preview": ()})


def _refuse_edit(action: ProposedAction, edits: dict[str, JsonValue]) -> str | None:
    for argument, value in edits.items():
        limit = action.bound.editable.get(argument)
        if limit is None:
            allowed = ", ".join(sorted(action.bound.editable)) or "nothing"
            return f"{action.id}.{argument} may not be changed; what may be: {allowed}"
        if why := limit.refuses(value):
            return f"{action.id}.{argument} {why}"
    return None


def _refuse_content(plan: Plan, decision: Decision) -> str | None:
    if not decision.verdicts:
        return "the decision names no action; name at least one, or stop the repair"
    for action_id in {**decision.verdicts, **decision.edits}:
        action = plan.action(action_id)
        if action is None:
            known = ids_in_words(action.id for action in plan.actions)
            return f"the plan has no action {action_id!r}; it has: {known}"
        edits = decision.edits.get(action_id, {})
        if edits and decision.verdicts.get(action_id) is not Verdict.APPROVE:
            return f"{action_id} is edited but not approved"
        if why := _refuse_edit(action, edits):
            return why
    return _refuse_both(plan, decision)


def _refuse_both(plan: Plan, decision: Decision) -> str | None:
    """Two answers to one problem are alternatives: at most one of them is approved."""
    taken: dict[str, str] = {}
    for action in plan.actions:
        if decision.verdicts.get(action.id) is not Verdict.APPROVE:
            continue
        for fingerprint in action.answers:
            other = taken.setdefault(fingerprint, action.id)
            if other != action.id:
                return f"{other} and {action.id} answer the same problem; approve one of them"
    return None


def refuse_at_sight(plan: PlanView, decision: Decision) -> str | None:
    """What of a decision can be refused before a person is asked, by the whole plan as people see it, or None.

    It spares a question; the workflow checks all of it again, and the limits.
    """
    known = {action.id: action for action in plan.actions}
    for action_id in {**decision.verdicts, **decision.edits}:
        if action_id not in known:
            return f"the plan has no action {action_id!r}; it has: {ids_in_words(known)}"
        action, verdict = known[action_id], decision.verdicts.get(action_id)
        if decision.verdicts.get(action.instead_of) is verdict is Verdict.APPROVE:
            return f"{action.instead_of} and {action_id} answer the same problem; approve one of them"
        edits = decision.edits.get(action_id, {})
        if edits and verdict is not Verdict.APPROVE:
            return f"{action_id} is edited but not approved"
        if fixed := next((argument for argument in edits if argument not in action.editable), None):
            allowed = ", ".join(sorted(action.editable)) or "nothing"
            return f"{action_id}.{fixed} may not be changed; what may be: {allowed}"
    return None


def refuse_decision(
    phase: Phase, plan: Plan | None, recorded: RecordedDecision | None, decision: Decision, *, late: bool = False
) -> str | None:
    """Why a decision is refused, or None if it answers the plan that is waiting.

    The one validator behind every door: early, late (the deadline of the plan is past, whether or not the cycle has
    noticed), repeated, for another plan, or outside the limits is refused.
    """
    if recorded is not None:
        return f"already decided by {decided_by(recorded.decision)} at {recorded.decided_at:%Y-%m-%d %H:%M:%S} UTC"
    if phase.ended or phase is Phase.PENDING_REPORT:
        return f"the repair is over ({phase}); nothing waits for a decision"
    if plan is None or phase is not Phase.PENDING_APPROVAL:
        return f"no plan is waiting for a decision yet (phase {phase})"
    if decision.plan_digest != plan.digest:
        quoted = visible(decision.plan_digest, longest=70)
        return f"the decision quotes plan {quoted!r}, but plan {plan.digest!r} is waiting; look at it again"
    if late:
        return TOO_LATE
    return _refuse_content(plan, decision)


def refuse_identity(decision: Decision) -> str | None:
    """Why the one who decides cannot: only a person answers from outside; a policy's grant is made inside the cycle."""
    if isinstance(decision.by, Person):
        return None
    return "only a person can decide from outside; a policy's grant cannot be sent"


def record(plan: Plan, decision: Decision, at: datetime) -> RecordedDecision:
    """The decision as accepted, with the digest of each action that will run."""
    will_run = {
        action.id: edited(action, decision.edits.get(action.id, {})).digest
        for action in plan.actions
        if decision.verdicts.get(action.id) is Verdict.APPROVE
    }
    return RecordedDecision(decision=decision, decided_at=at, will_run=will_run)
