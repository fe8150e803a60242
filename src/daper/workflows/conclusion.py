"""What the memory is told when a cycle ends."""

from collections.abc import Collection
from datetime import datetime

from daper.core.decisions import who
from daper.core.messages import ConcludeInput
from daper.core.models import Finding
from daper.core.outcomes import OutcomeStatus, VerificationStatus
from daper.workflows.state import CycleState


def conclusion(state: CycleState, now: datetime) -> ConcludeInput:
    """What the memory is told: what was rejected, what was tried, what nobody waits for any more."""
    rejected = [item.action_id for item in state.outcomes.values() if item.status is OutcomeStatus.REJECTED]
    useless = [item.action_id for item in state.outcomes.values() if state.did_not_help(item.action_id)]
    unsettled = [item.action_id for item in state.outcomes.values() if item.status is OutcomeStatus.UNKNOWN]
    effective = [item.action_id for item in state.outcomes.values() if item.status.took_effect]
    ineffective, gone = _answered(state, useless), _gone(state)
    in_vain = {finding.fingerprint for finding in ineffective}
    others = [finding for finding in _answered(state, effective) if finding.fingerprint not in in_vain]
    return ConcludeInput(
        cycle=state.cycle,
        rejected=_only_rejected(state, rejected),
        ineffective=ineffective,
        unsettled=_answered(state, unsettled),
        repaired=tuple(finding for finding in others if finding.fingerprint in gone),
        unverified=tuple(finding for finding in others if finding.fingerprint not in gone),
        by=", ".join(dict.fromkeys(who(recorded.decision.by) for recorded in state.decisions)),
        at=now,
    )


def _gone(state: CycleState) -> set[str]:
    """The problems that were verified as resolved, whichever action answers them."""
    resolved = VerificationStatus.RESOLVED
    others = {each.fingerprint for each in state.verified.values() if each.status is not resolved}
    return {each.fingerprint for each in state.verified.values()} - others


def _answered(state: CycleState, action_ids: Collection[str]) -> tuple[Finding, ...]:
    answers = {
        fingerprint
        for plan in state.plans
        for action in plan.actions
        if action.id in action_ids
        for fingerprint in action.answers
    }
    return tuple(finding for fingerprint, finding in state.findings.items() if fingerprint in answers)


def _only_rejected(state: CycleState, action_ids: Collection[str]) -> tuple[Finding, ...]:
    """The findings of rejected actions, without those that another action was approved for instead."""
    approved = [action_id for recorded in state.decisions for action_id in recorded.will_run]
    answered = {finding.fingerprint for finding in _answered(state, approved)}
    return tuple(finding for finding in _answered(state, action_ids) if finding.fingerprint not in answered)
