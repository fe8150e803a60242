"""What an answer has to mean, role by role: ids that exist, kinds that there are, numbers that are true. Pure."""

import re
from collections.abc import Collection, Iterable, Mapping

from pydantic import JsonValue

from daper.agents.llm.briefs import line
from daper.agents.llm.replies import OTHER, AnalyzeReply, DetectReply, PlanReply, ReportReply
from daper.core.models import Finding, Proposal
from daper.core.outcomes import RepairResult
from daper.core.report import left_for_person
from daper.core.text import visible
from daper.ports import Review

LONGEST_ISSUE = 200
_OF_RECORDS = frozenset({"records", "actions", "verified"})
_MOST_FACTS = 40  # records, outcomes and so on that a narrative is told of; a report has them all
_LINK = re.compile(r"://|www\.|\][(\[]|<[a-z/!]|mailto:|javascript:|[\w-]+\.[a-z]{2,}\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")
_LARGE = re.compile(r"\b(dozens?|hundreds?|thousands?|millions?|billions?)\b", re.IGNORECASE)
_IN_WORDS = {
    word: str(value)
    for words, step in (
        ("two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen", 1),
        ("twenty thirty forty fifty sixty seventy eighty ninety", 10),
    )
    for value, word in zip(range(2 * step, 100, step), words.split(), strict=False)
}


def check_suspects(reply: DetectReply, record_ids: Collection[str]) -> str | None:
    """Suspects are records that were shown."""
    return _unknown((each.record_id for each in reply.suspects), record_ids)


def check_analysis(reply: AnalyzeReply, record_ids: Collection[str], kinds: Collection[str]) -> str | None:
    """Problems and doubts are on records that were shown, problems of kinds that there are.

    A doubt of what nobody found, or of what the same answer lists as a problem, counts for nothing: it is not worth
    another call.
    """
    if why := _unknown((each.record_id for each in (*reply.problems, *reply.doubts)), record_ids):
        return why
    for problem in reply.problems:
        if problem.kind not in kinds and problem.kind != OTHER:
            return f"there is no kind {problem.kind!r}; the kinds are: {', '.join(kinds)}, and {OTHER} for any else"
    return None


def findings_of(reply: AnalyzeReply, *, domain: str, by: str) -> tuple[Finding, ...]:
    """The problems as findings: one for each record and kind, or each sentence of the kind other; the surest score."""
    merged: dict[str, Finding] = {}
    for problem in reply.problems:
        issue = visible(" ".join(problem.issue.split()), longest=LONGEST_ISSUE)
        facts: dict[str, JsonValue] = {"found_by": "model"}
        if problem.kind == OTHER:
            # Nothing else tells two of them apart; and what was said of one must hold no other one back.
            facts["issue"] = issue
        fingerprint = Finding.fingerprint_of(domain, problem.record_id, problem.kind, facts)
        before = merged.get(fingerprint)
        merged[fingerprint] = Finding(
            record_id=problem.record_id,
            kind=problem.kind,
            issue=before.issue if before else issue,
            confidence_score=max(problem.confidence_score, before.confidence_score if before else 0.0),
            found_by=by,
            fingerprint=fingerprint,
        )
    return tuple(merged.values())


class ProposalCheck:
    """Tells a planner once what the guard refuses. What it insists on goes on, and is shown as blocked."""

    def __init__(self, review: Review, *, by: str) -> None:
        self._review = review
        self._by = by
        self._told = False

    def __call__(self, reply: PlanReply) -> str | None:
        """Why some actions are refused, the first time; then None."""
        if self._told:
            return None
        reviewed = self._review(self.proposals(reply))
        refused = [f"- {proposal.tool} on {proposal.record_id}: {why}" for proposal, why in reviewed if why]
        self._told = bool(refused)
        if not refused:
            return None
        told = "\n".join(visible(each, longest=400) for each in refused[:20])
        return f"These actions would be refused; correct or leave them out, and keep the others:\n{told}"

    def proposals(self, reply: PlanReply) -> tuple[Proposal, ...]:
        """The actions as proposals; which findings they answer is found out from what their tools repair."""
        return tuple(
            Proposal(
                record_id=each.record_id,
                tool=each.tool,
                arguments=each.arguments,
                answers=(),
                confidence_score=each.confidence_score,
                rationale=visible(" ".join(each.why.split()), longest=300),
                proposed_by=self._by,
            )
            for each in reply.actions
        )


def facts_of(result: RepairResult) -> dict[str, JsonValue]:
    """What a narrative may be about; every number in it was counted by code."""
    after = {head.record_id: head.status for head in result.verification.heads} if result.verification else {}
    verified = result.verification.findings if result.verification else ()
    facts: dict[str, JsonValue] = {
        "phase": str(result.phase),
        "reason": result.reason,
        "counts": {
            "problems": result.counts.problems,
            "proposed": result.counts.proposed,
            "applied": result.counts.applied,
            "repaired": result.counts.repaired,
            "waiting for somebody else": result.counts.requested,
            "undone": result.counts.undone,
            "left for a person": result.counts.for_person,
        },
        "records": [
            {"record": head.record_id, "about": head.title, "before": head.status, "after": after.get(head.record_id)}
            for head in result.heads[:_MOST_FACTS]
        ],
        "actions": [
            {"record": each.record_id, "tool": each.tool, "outcome": str(each.status)}
            for each in result.outcomes[:_MOST_FACTS]
        ],
        "verified": [
            {"record": each.record_id, "problem": each.kind, "status": str(each.status)}
            for each in verified[:_MOST_FACTS]
        ],
        "left": list(left_for_person(result)[:_MOST_FACTS]),
    }
    return {key: value for key, value in facts.items() if value not in ("", [], None)}


def check_narrative(reply: ReportReply, facts: Mapping[str, JsonValue]) -> str | None:
    """No link, no markup, and no number that is not among the facts."""
    if found := _LINK.search(reply.narrative):
        return f"no links and no markup, and there is {found.group()!r} in it"
    # What a record calls itself is no number of ours: it is taken out, there and here.
    counted = {name: value for name, value in facts.items() if name not in _OF_RECORDS}
    known = set(_NUMBER.findall(line(counted)))
    told = reply.narrative
    for record_id in sorted(_ids(facts), key=len, reverse=True):
        told = told.replace(record_id, "")
    strange = [number for number in _NUMBER.findall(told) if number not in known]
    strange += [char for char in told if char.isnumeric() and not char.isascii()]
    strange += _LARGE.findall(told)
    strange += [word for word in re.findall(r"[a-z]+", told.lower()) if _IN_WORDS.get(word, "") not in {"", *known}]
    if strange:
        return f"the number {strange[0]} is not among the facts; use only numbers that are"
    return None


def _ids(facts: Mapping[str, JsonValue]) -> set[str]:
    """The ids of the records that the facts name."""
    rows = facts.get("records")
    return {str(row["record"]) for row in rows if isinstance(row, dict)} if isinstance(rows, list) else set()


def _unknown(named: Iterable[str], record_ids: Collection[str]) -> str | None:
    for record_id in named:
        if record_id not in record_ids:
            return f"there is no record {visible(repr(record_id), longest=80)} among those that were shown"
    return None
