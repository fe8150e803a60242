"""The report of an ended cycle, derived from its result. Pure: every number is counted here."""

from collections import Counter
from collections.abc import Iterable

from daper.core.models import RULES, Plan
from daper.core.outbox import MessageState, in_words, withdrawn
from daper.core.outcomes import (
    ActionOutcome,
    Counts,
    OutcomeStatus,
    RecordReport,
    RepairResult,
    Report,
    VerificationStatus,
    VerifiedFinding,
)
from daper.core.phases import Phase
from daper.core.text import counted, shown

_CALLS_A_PERSON = {
    OutcomeStatus.STALE: "changed since the plan was made, so nothing was done",
    OutcomeStatus.BLOCKED: "was refused by its limits",
    OutcomeStatus.FAILED: "failed; nothing was changed",
    OutcomeStatus.LAPSED: "was approved, but did not begin in time",
    OutcomeStatus.UNKNOWN: "may or may not have happened: nobody can tell, look before anything else is done",
    OutcomeStatus.UNDO_BLOCKED: "did not help, and could not be undone",
    OutcomeStatus.UNDONE: "did not help, and was undone",
}

# What is known of these was seen last, by the undo: the effect's own evidence comes before it.
_TAKEN_BACK = {OutcomeStatus.UNDO_BLOCKED, OutcomeStatus.UNDONE}


_BY_HAND = {
    MessageState.WRITTEN: "send it",
    MessageState.REFUSED: "send it by hand, or mend what refused it",
    MessageState.UNKNOWN: "find out whether it arrived before it is sent again",
}


def count(result: RepairResult) -> Counts:
    """The numbers of a result."""
    verified = result.verification.findings if result.verification else ()
    return Counts(
        problems=len(result.findings),
        suppressed=sum(len(plan.suppressed) for plan in result.plans),
        proposed=sum(not action.instead_of for plan in result.plans for action in plan.actions),
        applied=sum(outcome.status.took_effect for outcome in result.outcomes),
        repaired=_problems(verified, VerificationStatus.RESOLVED),
        requested=_problems(verified, VerificationStatus.WAITING_ON_OTHER),
        undone=sum(outcome.status is OutcomeStatus.UNDONE for outcome in result.outcomes),
        for_person=len(left_for_person(result)),
        by_status=dict(
            Counter(str(outcome.status) for outcome in result.outcomes if not _asked_again(result, outcome))
        ),
    )


def _problems(verified: Iterable[VerifiedFinding], status: VerificationStatus) -> int:
    """How many problems have that status; two actions that answer one problem count once."""
    return len({finding.fingerprint for finding in verified if finding.status is status})


def _asked_again(result: RepairResult, outcome: ActionOutcome) -> bool:
    """Whether an action lapsed, and the plan of a later round answers its problems anew."""
    if outcome.status is not OutcomeStatus.LAPSED:
        return False
    answers: set[str] = set()
    for plan in result.plans:
        mine = plan.action(outcome.action_id)
        if mine is not None:
            answers = set(mine.answers)
        elif answers & {fingerprint for action in plan.actions for fingerprint in action.answers}:
            return True
    return False


def left_for_person(result: RepairResult) -> tuple[str, ...]:
    """What a person still has to do, one line each, each beginning with the record."""
    lines: list[str] = []
    for plan in result.plans:
        lines += [f"{item.record_id}: {item.kind}: {item.reason}" for item in plan.for_person]
        if plan.left_out:
            lines.append(f"{plan.left_out} more problems are over the cap of one repair; start another one")
        lines += _refused(plan)
    for outcome in result.outcomes:
        why = _CALLS_A_PERSON.get(outcome.status)
        if why and not _asked_again(result, outcome):
            evidence = outcome.evidence[-1:] if outcome.status in _TAKEN_BACK else outcome.evidence[:1]
            lines.append(": ".join([outcome.record_id, f"{outcome.tool} {why}", *evidence]))
    lines += _untold(result)
    lines += _unverified(result)
    lines += result.troubles
    return tuple(dict.fromkeys(lines))


def _refused(plan: Plan) -> list[str]:
    """What the guard refused and nothing else does: of a model's, only where no action is proposed for the record."""
    acted = {action.bound.record_id for action in plan.actions}
    lines: list[str] = []
    for item in plan.blocked:
        if item.proposed_by == RULES:
            lines.append(f"{item.record_id}: {item.tool} was not proposed: {item.reason}")
        elif item.record_id not in acted:
            lines.append(
                f"{item.record_id}: {item.tool}, as {item.proposed_by} would have it, was refused: {item.reason}"
            )
    return lines


def _untold(result: RepairResult) -> list[str]:
    """The messages that did not go, as far as anybody knows: whoever they are for was not asked."""
    return [
        f"{message.record_id}: message {message.sequence} in the outbox, to {shown(message.to)}, is "
        f"{in_words(message.state, message.note)}: {_BY_HAND[message.state]}"
        for message in result.messages
        if not message.state.told and not withdrawn(message.note)
    ]


def _unverified(result: RepairResult) -> list[str]:
    verified = result.verification.findings if result.verification else ()
    undone = {outcome.action_id for outcome in result.outcomes if outcome.status is OutcomeStatus.UNDONE}
    # Of which the message itself says more.
    untold = {message.action_id for message in result.messages if not message.state.told}
    open_statuses = {
        VerificationStatus.STILL_OPEN,
        VerificationStatus.WORSE,
        VerificationStatus.NOT_VERIFIABLE,
        VerificationStatus.WAITING_ON_PERSON,
    }
    lines = [
        f"{finding.record_id}: {finding.kind} is {finding.status} after the repair: {finding.evidence}"
        for finding in verified
        if finding.status in open_statuses
        and finding.action_id not in undone
        and not (finding.status is VerificationStatus.WAITING_ON_PERSON and finding.action_id in untold)
    ]
    looked_at = {finding.action_id for finding in verified}
    lines += [
        f"{outcome.record_id}: {outcome.tool} took effect, but was not verified"
        for outcome in result.outcomes
        if outcome.status.took_effect and outcome.action_id not in looked_at
    ]
    return lines


def build_report(result: RepairResult) -> Report:
    """The report that follows from a result."""
    verified = result.verification.findings if result.verification else ()
    did = {outcome.action_id for outcome in result.outcomes if outcome.status.took_effect}
    scores = [action.confidence_score for plan in result.plans for action in plan.actions if action.id in did]
    solved = {VerificationStatus.RESOLVED, VerificationStatus.WAITING_ON_OTHER}
    share = sum(finding.status in solved for finding in verified) / len(verified) if verified else 0.0
    left = left_for_person(result)
    return Report(
        summary=summarize(result),
        records=_records(result, left),
        left_for_person=left,
        repairs_sufficient_confidence_score=round(share * min(scores, default=1.0), 4) if verified else 0.0,
    )


def summarize(result: RepairResult) -> str:
    """The result in two or three sentences."""
    counts = count(result)
    match result.phase:
        case Phase.NO_REPAIR_NEEDED if (seen := result.detection) and not seen.scanned and seen.notes:
            return f"Nothing was looked at: {seen.notes}."
        case Phase.NO_REPAIR_NEEDED:
            tail = f" {counted(counts.suppressed, 'known problem')} left alone." if counts.suppressed else ""
            where = f" in part {result.partition} of the records" if result.partition else ""
            return f"Nothing had to be repaired{where}.{tail}"
        case Phase.PLAN_ONLY:
            return f"A dry run: {_found(counts)}, nothing was done."
        case Phase.REJECTED:
            return f"The plan was rejected. {_did(result, counts)}"
        case Phase.APPROVAL_EXPIRED:
            return f"Nobody answered the plan of {counted(counts.proposed, 'action')} in time. {_did(result, counts)}"
        case Phase.REPAIR_FAILED:
            return f"The repair could not go on: {_sentence(result.reason)} {_did(result, counts)}"
        case Phase.CANCELLED:
            return f"The repair was stopped: {_sentence(result.reason)} {_did(result, counts)}"
        case _:
            return _did(result, counts)


def _sentence(reason: str) -> str:
    return reason if reason.endswith((".", "?", "!")) else f"{reason}."


def _did(result: RepairResult, counts: Counts) -> str:
    if not any(o.status.took_effect or o.status is OutcomeStatus.UNKNOWN for o in result.outcomes):
        return f"{_found(counts)}; nothing was done.{_for_person(counts)}"
    proposed = counted(counts.proposed, "proposed action")
    parts = [f"{counted(counts.problems, 'problem')} found, {counts.applied} of {proposed} took effect"]
    if counts.repaired:
        parts.append(f"{counts.repaired} verified as repaired")
    if counts.requested:
        parts.append(f"{counts.requested} waiting for somebody else")
    verified = result.verification.findings if result.verification else ()
    if unsent := _problems(verified, VerificationStatus.WAITING_ON_PERSON):
        parts.append(f"{unsent} waiting for a message to be sent from here")
    if counts.undone:
        parts.append(f"{counts.undone} undone, because they did not help")
    return "; ".join(parts) + "." + _for_person(counts)


def _found(counts: Counts) -> str:
    return f"{counted(counts.problems, 'problem')} found, {counted(counts.proposed, 'action')} proposed"


def _for_person(counts: Counts) -> str:
    if not counts.for_person:
        return ""
    return f" {counted(counts.for_person, 'thing')} {'is' if counts.for_person == 1 else 'are'} left for a person."


def _records(result: RepairResult, left: tuple[str, ...]) -> tuple[RecordReport, ...]:
    after = {head.record_id: head for head in (result.verification.heads if result.verification else ())}
    verified = result.verification.findings if result.verification else ()
    waits = {VerificationStatus.WAITING_ON_OTHER, VerificationStatus.WAITING_ON_PERSON}
    waiting = [item for item in verified if item.status in waits]
    return tuple(
        RecordReport(
            record_id=head.record_id,
            title=head.title,
            status_before=head.status,
            status_after=after.get(head.record_id, head).status,
            outstanding=(
                *(line.removeprefix(f"{head.record_id}: ") for line in left if line.startswith(f"{head.record_id}: ")),
                *(f"waiting: {item.evidence}" for item in waiting if item.record_id == head.record_id),
                *_not_approved(result, head.record_id),
            ),
        )
        for head in result.heads
    )


def _not_approved(result: RepairResult, record_id: str) -> tuple[str, ...]:
    silent = {OutcomeStatus.NOT_APPROVED, OutcomeStatus.REJECTED, OutcomeStatus.SKIPPED}
    return tuple(
        f"{outcome.tool} {outcome.status}"
        for outcome in result.outcomes
        if outcome.record_id == record_id and outcome.status in silent
    )
