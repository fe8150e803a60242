"""What becomes of a decision outside the workflow: before it is sent, and when it comes after the end. Pure."""

from pydantic import ValidationError

from daper.core.decisions import decided_by, decision_id
from daper.core.errors import DecisionRefused
from daper.core.models import Decision, RecordedDecision
from daper.core.outcomes import RepairResult
from daper.service.requests import DecisionReceipt


def refuse_form(decision: Decision) -> str | None:
    """Why a decision could not even be sent, or None; the workflow would only say that it cannot decode it."""
    try:
        Decision.model_validate(decision.model_dump())
    except ValidationError as error:
        first = error.errors()[0]
        return f"the decision does not fit: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return None


def after_the_end(result: RepairResult, decision: Decision) -> DecisionReceipt:
    """The receipt of a decision that the repair had taken before it ended. Raises DecisionRefused for any other."""
    for recorded in result.decisions:
        if decision_id(recorded.decision) == decision_id(decision):
            return DecisionReceipt(recorded=recorded, repeated=True)
    raise DecisionRefused(
        f"repair {result.repair_id!r} ended as {result.phase} at {result.ended_at:%Y-%m-%d %H:%M:%S} UTC; "
        f"{_decided(result.decisions)}nothing waits for a decision"
    )


def _decided(decisions: tuple[RecordedDecision, ...]) -> str:
    if not decisions:
        return ""
    last = decisions[-1]
    return f"decided by {decided_by(last.decision)} at {last.decided_at:%H:%M:%S} UTC; "
