"""What the names of phases, outcomes and verifications mean, for a reader who sees them for the first time."""

from collections.abc import Iterable

from daper.core.models import IdentityProof, Person, RecordedDecision
from daper.core.outcomes import OutcomeStatus, RepairResult, VerificationStatus
from daper.core.phases import Phase
from daper.documents.blocks import Facts
from daper.documents.cells import cell, code, text

PHASES = {
    Phase.INITIALIZING: "it has just begun",
    Phase.DETECTING_PROBLEMS: "the records are looked through",
    Phase.ANALYZING_PROBLEMS: "what is wrong is looked at closely",
    Phase.PLANNING_REPAIR: "the plan is being made",
    Phase.PENDING_APPROVAL: "the plan waits for a decision",
    Phase.APPROVED: "a decision is recorded",
    Phase.PENDING_REPAIR: "what was approved is being done",
    Phase.VERIFYING_REPAIR: "the records are read again, to see whether it helped",
    Phase.PENDING_REPORT: "the report is being written",
    Phase.REPORT_COMPLETED: "it has ended, and this is what became of it",
    Phase.NO_REPAIR_NEEDED: "it has ended; there was nothing to do",
    Phase.PLAN_ONLY: "it has ended after the plan, as was asked; nothing was done",
    Phase.REJECTED: "it has ended; a person rejected the plan",
    Phase.APPROVAL_EXPIRED: "it has ended; nobody decided in time",
    Phase.REPAIR_FAILED: "it has ended; it could not go on",
    Phase.CANCELLED: "it has ended; somebody stopped it",
}

OUTCOMES = {
    OutcomeStatus.APPLIED: "it took effect",
    OutcomeStatus.ALREADY_APPLIED: "an earlier attempt had done it; it was not done twice",
    OutcomeStatus.NOT_APPROVED: "nobody approved it; it was not done",
    OutcomeStatus.REJECTED: "a person rejected it; it was not done",
    OutcomeStatus.SKIPPED: "it was not sure enough, or something before it did not go through; it was not done",
    OutcomeStatus.STALE: "the record had changed since the plan was made; nothing was done",
    OutcomeStatus.BLOCKED: "it was outside its limits; nothing was done",
    OutcomeStatus.LAPSED: "it was approved, and did not begin in time; nothing was done",
    OutcomeStatus.FAILED: "it could not be done; nothing was changed",
    OutcomeStatus.UNDONE: "it took effect, did not help, and was taken back",
    OutcomeStatus.UNDO_BLOCKED: "it took effect, did not help, and could not be taken back",
    OutcomeStatus.UNKNOWN: "nobody can tell whether it happened; look before anything else is done",
}

VERIFIED = {
    VerificationStatus.RESOLVED: "the problem is gone; the record was read again to make sure",
    VerificationStatus.WAITING_ON_OTHER: "somebody was asked and has not answered; that is not repaired yet",
    VerificationStatus.WAITING_ON_PERSON: "nobody was asked, as far as is known: the message has to be sent from here",
    VerificationStatus.STILL_OPEN: "the problem is still there",
    VerificationStatus.WORSE: "something is wrong that was not wrong before",
    VerificationStatus.NOT_VERIFIABLE: "nobody can tell whether it helped",
}

PROOFS = {
    IdentityProof.OS_USER: "the login name on that person's machine",
    IdentityProof.TOKEN: "the name that belongs to an access token",
    IdentityProof.OIDC: "the name that the identity provider gave when that person signed in",
    IdentityProof.PASSKEY: "that person's passkey signed this very plan",
    IdentityProof.MAILBOX: "whoever reads that mailbox: the link was sent there, and used once",
    IdentityProof.SIGNATURE: "a program, by the secret that it signs with",
    IdentityProof.CLAIMED: "a name that was given and not checked",
}

SIMULATED = "nobody real was asked; a stand-in answered"


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
