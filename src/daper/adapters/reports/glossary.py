"""What the words in a report mean: those that occur in it, and no others. Pure."""

from collections.abc import Iterable

from daper.adapters.reports.words import OUTCOMES, PROOFS, SIMULATED, VERIFIED
from daper.core.models import IdentityProof, Person, RecordedDecision
from daper.core.outcomes import RepairResult
from daper.documents.blocks import Facts
from daper.documents.cells import cell, code, text


def glossary(result: RepairResult) -> Facts | None:
    """The words of an ended repair; None if it uses none of them."""
    outcomes = {outcome.status for outcome in result.outcomes}
    verified = {item.status for item in (result.verification.findings if result.verification else ())}
    proofs = _proofs(result.decisions)
    rows = [
        *((str(status), meaning) for status, meaning in OUTCOMES.items() if status in outcomes),
        *((str(status), meaning) for status, meaning in VERIFIED.items() if status in verified),
        *((str(proof), meaning) for proof, meaning in PROOFS.items() if proof in proofs),
    ]
    if any(outcome.simulated for outcome in result.outcomes):
        rows.append(("simulated", SIMULATED))
    return Facts(tuple((code(word), cell(text(meaning))) for word, meaning in rows)) if rows else None


def _proofs(decisions: Iterable[RecordedDecision]) -> set[IdentityProof]:
    people = (recorded.decision.by for recorded in decisions)
    return {(by if isinstance(by, Person) else by.requested_by).how for by in people}
