"""What a plan leaves to others: to a person, or to the repair that comes next. What was found is never lost."""

from collections.abc import Sequence
from typing import Final

from daper.core.messages import PlanInput
from daper.core.models import RULES, Finding, ForPerson, ProposedAction, SuppressedFinding
from daper.ports import ProposalSet

_MOST_MESSAGES: Final = 50_000  # characters of all together


def since_analysis(input: PlanInput, present: Sequence[Finding]) -> tuple[ForPerson, ...]:
    """What went wrong with the plan's records after they were analyzed: shown, and left to a person."""
    seen = {finding.fingerprint for finding in input.findings}
    seen |= {item.finding.fingerprint for item in input.suppressed} | set(input.asked_before)
    reason = "found only while the plan was made; another repair looks at it"
    new = [finding for finding in present if finding.fingerprint not in seen]
    return tuple(
        ForPerson(record_id=each.record_id, kind=each.kind, fingerprint=each.fingerprint, reason=reason)
        for each in new[: input.limit]
    )


def remainder(
    input: PlanInput,
    proposed: ProposalSet,
    actions: tuple[ProposedAction, ...],
    held: tuple[SuppressedFinding, ...],
    *,
    over: frozenset[str],
) -> tuple[tuple[ForPerson, ...], int]:
    """The findings that no action answers, or that a person must see to besides, and how many more are over the cap.

    `over`: those with a proposal. Beside them are such that only a person can mend; what was found is never lost.
    """
    answered = {fingerprint for action in actions for fingerprint in action.answers}
    answered |= {item.finding.fingerprint for item in held}
    silent = (answered | over) - proposed.for_person.keys()
    for_person = tuple(
        ForPerson(
            record_id=finding.record_id,
            kind=finding.kind,
            fingerprint=finding.fingerprint,
            reason=_why_person(finding, proposed),
            message=proposed.messages.get(finding.fingerprint, ""),
        )
        for finding in input.findings
        if finding.fingerprint not in silent
    )
    return _with_few_messages(for_person[: input.limit]), len(over) + max(0, len(for_person) - input.limit)


def _with_few_messages(for_person: tuple[ForPerson, ...]) -> tuple[ForPerson, ...]:
    """Those, of which only the first have their message: a plan crosses Temporal, and a person sends a few by hand."""
    told = 0
    found: list[ForPerson] = []
    for each in for_person:
        told += len(each.message)
        found.append(each if told <= _MOST_MESSAGES else each.model_copy(update={"message": ""}))
    return tuple(found)


def _why_person(finding: Finding, proposed: ProposalSet) -> str:
    if finding.found_by != RULES:
        sure = f"only {finding.found_by} sees this ({finding.confidence_score:g} sure)"
        return f"{sure}: “{finding.issue}”; look whether it is so"
    return proposed.for_person.get(finding.fingerprint, "no tool repairs this")
