"""What happened to each finding of a repair, in words. Pure."""

from collections.abc import Iterable

from daper.adapters.reports.tables import code, listed
from daper.core.models import Finding
from daper.core.outcomes import RepairResult
from daper.core.text import markdown


def fates(result: RepairResult) -> list[tuple[Finding, str]]:
    """Every finding, suppressed ones too, each once, with what happened to it as safe Markdown.

    The last word counts: what verification saw, else what became of its actions, else why there were none.
    """
    suppressed = {item.finding.fingerprint: item.finding for plan in result.plans for item in plan.suppressed}
    known = {
        **dict.fromkeys((finding.fingerprint for finding in result.findings), "no action that may run was proposed"),
        **_handed_over(result),
        **_acted(result),
        **_verified(result),
        **dict.fromkeys(suppressed, "left alone, see below"),
    }
    findings = {finding.fingerprint: finding for finding in result.findings} | suppressed
    return [(finding, known[fingerprint]) for fingerprint, finding in findings.items()]


def _verified(result: RepairResult) -> dict[str, str]:
    outcomes = {outcome.action_id: outcome.status for outcome in result.outcomes}
    seen = result.verification.findings if result.verification else ()
    return _joined(
        (item.fingerprint, f"{code(item.status)} ({_did(item.action_id, outcomes.get(item.action_id, ''))})")
        for item in seen
    )


def _acted(result: RepairResult) -> dict[str, str]:
    outcomes = {outcome.action_id: outcome.status for outcome in result.outcomes}
    return _joined(
        (fingerprint, _did(action.id, outcomes.get(action.id, "")))
        for plan in result.plans
        for action in plan.actions
        for fingerprint in action.answers
    )


def _did(action_id: str, status: str) -> str:
    return f"{code(action_id)} {code(status) or 'did not run'}"


def _handed_over(result: RepairResult) -> dict[str, str]:
    return _joined(
        (item.fingerprint, f"for a person: {markdown(item.reason)}")
        for plan in result.plans
        for item in plan.for_person
    )


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    gathered: dict[str, list[str]] = {}
    for fingerprint, text in pairs:
        gathered.setdefault(fingerprint, []).append(text)
    return {fingerprint: listed(texts) for fingerprint, texts in gathered.items()}
