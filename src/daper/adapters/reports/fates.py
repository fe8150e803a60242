"""What happened to each finding of a repair: in words, and as one of a few kinds that can be counted. Pure."""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

from daper.core.models import Finding
from daper.core.outcomes import OutcomeStatus, RepairResult, VerificationStatus
from daper.documents.blocks import Bars, Cell, Line
from daper.documents.cells import cell, code, listed, text


class Fate(StrEnum):
    """What became of one problem; each has exactly one."""

    REPAIRED = "repaired, and verified"
    REQUESTED = "waiting for somebody else"
    UNSENT = "waiting for a message to be sent from here"
    NOT_HELPED = "tried, and not known to be repaired"
    NOT_APPROVED = "not approved"
    NOT_DONE = "proposed, and not done"
    FOR_PERSON = "left for a person"
    LEFT_ALONE = "left alone, because it is known"
    LATER = "over the cap of this repair, left for another one"


_UNSOLVED = {VerificationStatus.STILL_OPEN, VerificationStatus.WORSE, VerificationStatus.NOT_VERIFIABLE}
_DECIDED_AGAINST = {OutcomeStatus.NOT_APPROVED, OutcomeStatus.REJECTED}

_LEFT = {*_DECIDED_AGAINST, OutcomeStatus.SKIPPED}


def fates(result: RepairResult) -> list[tuple[Finding, Cell]]:
    """Every finding, suppressed ones too, each once, with what happened to it.

    The last word counts: what verification saw, else what became of its actions, else why there were none.
    """
    nothing = cell(text("no action that may run was proposed"))
    known = {
        **{finding.fingerprint: nothing for finding in result.findings},
        **_handed_over(result),
        **_acted(result),
        **_verified(result),
        **{fingerprint: cell(text("left alone, see below")) for fingerprint in _suppressed(result)},
    }
    findings = {finding.fingerprint: finding for finding in result.findings} | _suppressed(result)
    return [(finding, known[fingerprint]) for fingerprint, finding in findings.items()]


def chart(result: RepairResult) -> Bars | None:
    """How many problems had which fate; None where there were none."""
    suppressed, seen, done = _suppressed(result), _seen(result), _done(result)
    fates_of = {finding.fingerprint: Fate.FOR_PERSON for finding in result.findings}
    fates_of |= {fingerprint: _acted_fate(statuses) for fingerprint, statuses in done.items()}
    fates_of |= {fingerprint: _verified_fate(statuses) for fingerprint, statuses in seen.items()}
    fates_of |= dict.fromkeys(suppressed, Fate.LEFT_ALONE)
    counted = Counter(fates_of.values())
    counted[Fate.LATER] = max((plan.left_out for plan in result.plans), default=0)
    bars = tuple((str(fate), counted[fate]) for fate in Fate if counted[fate])
    return Bars("what became of the problems", bars) if bars else None


def _seen(result: RepairResult) -> dict[str, set[VerificationStatus]]:
    found: dict[str, set[VerificationStatus]] = {}
    for item in result.verification.findings if result.verification else ():
        found.setdefault(item.fingerprint, set()).add(item.status)
    return found


def _done(result: RepairResult) -> dict[str, set[OutcomeStatus]]:
    """The outcomes of the actions that answer a finding; of the last round only that has some."""
    outcomes = {outcome.action_id: outcome.status for outcome in result.outcomes}
    found: dict[str, set[OutcomeStatus]] = {}
    for plan in result.plans:
        of_round: dict[str, set[OutcomeStatus]] = {}
        for action in plan.actions:
            for fingerprint in action.answers:
                statuses = of_round.setdefault(fingerprint, set())
                statuses |= {outcomes[action.id]} if action.id in outcomes else set()
        found |= of_round
    return found


def _acted_fate(statuses: set[OutcomeStatus]) -> Fate:
    if not statuses:
        return Fate.NOT_DONE
    if any(status.took_effect for status in statuses):
        return Fate.NOT_HELPED
    if statuses <= _DECIDED_AGAINST:
        return Fate.NOT_APPROVED
    return Fate.NOT_DONE if statuses <= _LEFT else Fate.FOR_PERSON


def _verified_fate(seen: set[VerificationStatus]) -> Fate:
    # The worst word counts: a problem with two actions is repaired when both say so.
    if seen & _UNSOLVED:
        return Fate.NOT_HELPED
    if VerificationStatus.WAITING_ON_PERSON in seen:
        return Fate.UNSENT
    return Fate.REQUESTED if VerificationStatus.WAITING_ON_OTHER in seen else Fate.REPAIRED


def _suppressed(result: RepairResult) -> dict[str, Finding]:
    return {item.finding.fingerprint: item.finding for plan in result.plans for item in plan.suppressed}


def _verified(result: RepairResult) -> dict[str, Cell]:
    outcomes = {outcome.action_id: outcome.status for outcome in result.outcomes}
    seen = result.verification.findings if result.verification else ()
    return _joined(
        (
            item.fingerprint,
            (*code(item.status), *text(" ("), *_did(item.action_id, outcomes.get(item.action_id)), *text(")")),
        )
        for item in seen
    )


def _acted(result: RepairResult) -> dict[str, Cell]:
    outcomes = {outcome.action_id: outcome.status for outcome in result.outcomes}
    return _joined(
        (fingerprint, _did(action.id, outcomes.get(action.id)))
        for plan in result.plans
        for action in plan.actions
        for fingerprint in action.answers
    )


def _did(action_id: str, status: OutcomeStatus | None) -> Line:
    return (*code(action_id), *text(" "), *(code(status) if status else text("did not run")))


def _handed_over(result: RepairResult) -> dict[str, Cell]:
    return _joined(
        (item.fingerprint, (*text("for a person: "), *text(item.reason)))
        for plan in result.plans
        for item in plan.for_person
    )


def _joined(pairs: Iterable[tuple[str, Line]]) -> dict[str, Cell]:
    gathered: dict[str, list[Line]] = {}
    for fingerprint, line in pairs:
        gathered.setdefault(fingerprint, []).append(line)
    return {fingerprint: listed(lines) for fingerprint, lines in gathered.items()}
