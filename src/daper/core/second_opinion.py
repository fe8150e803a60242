"""Where rules and a language model look at the same: what both see, what one alone sees, what is doubted. Pure.

A model adds, seconds and doubts. It takes nothing away, and raises no confidence.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from daper.core.guard import Bindable
from daper.core.limits import Sentence
from daper.core.messages import DetectResult
from daper.core.models import MOST_PROBLEMS, Doubt, Finding, Proposal
from daper.core.policy import LOW_CONFIDENCE
from daper.core.text import counted

LONGEST_NOTES = 2000


def merge_findings(
    known: Sequence[Finding], found: Sequence[Finding], doubts: Sequence[Doubt]
) -> tuple[tuple[Finding, ...], int]:
    """Everything that anybody found, the known ones first; and how many are over the cap of a cycle.

    Whoever finds the same kind on the same record seconds what is known of it; less than half sure, it is a doubt. The
    confidence of what is known stays what it was. A doubt stays with what it is about.
    """
    told_of = {(finding.record_id, finding.kind): finding for finding in found if _sure(finding)}
    unsure = [
        Doubt(record_id=each.record_id, kind=each.kind, by=each.found_by, why=f"{each.confidence_score:g} sure of it")
        for each in found
        if not _sure(each)
    ]
    more = {finding.fingerprint: finding for finding in found}
    least = dict[tuple[str, str], float]()
    for finding in found:
        key = (finding.record_id, finding.kind)
        least[key] = min(least.get(key, 1.0), finding.confidence_score)
    known_of = {(finding.record_id, finding.kind) for finding in known}
    result: list[Finding] = []
    for finding in known:
        second = told_of.get((finding.record_id, finding.kind))
        seconded = (*finding.seconded_by, second.found_by) if second is not None else finding.seconded_by
        told = tuple(
            f"{doubt.by}: {doubt.why}"
            for doubt in (*unsure, *(doubts if second is None else ()))
            if doubt.record_id == finding.record_id and doubt.kind == finding.kind
        )
        update = {
            "seconded_by": tuple(dict.fromkeys(seconded)),
            "seconded_confidence": min(finding.seconded_confidence, least.get((finding.record_id, finding.kind), 1.0)),
            "doubts": (*finding.doubts, *told),
        }
        result.append(finding.model_copy(update=update))
    result += (finding for finding in more.values() if (finding.record_id, finding.kind) not in known_of)
    return tuple(result[:MOST_PROBLEMS]), max(0, len(result) - MOST_PROBLEMS)


def _sure(finding: Finding) -> bool:
    return finding.confidence_score >= LOW_CONFIDENCE


@dataclass(frozen=True, kw_only=True)
class Option:
    """One proposal that the guard let through, and the place of the one that it is an alternative to, in one list."""

    proposal: Proposal
    bindable: Bindable
    instead_of: int | None = None


def add_advice(
    options: Sequence[Option],
    advised: Iterable[Option],
    *,
    room: int,
    fits: Callable[[Option], bool] = lambda _: True,
) -> tuple[Option, ...]:
    """The options with a model's own beside them: seconded where it proposes the same, else an alternative, or more.

    What both propose keeps the arguments of the first one, and the lower confidence of the two. `room`: how many more
    problems the plan may take on; what is beyond is left out. `fits`: asked of each that would be one more action.
    """
    merged = list(options)
    for option in advised:
        place = next((at for at, each in enumerate(merged) if _overlap(each.proposal, option.proposal)), None)
        if place is None:
            if room > 0 and fits(option):
                merged.append(option)
                room -= 1
            continue
        instead_of = merged[place].instead_of
        main = place if instead_of is None else instead_of
        family = [at for at, each in enumerate(merged) if main in (at, each.instead_of)]
        twin = next((at for at in family if _same(merged[at], option)), None)
        if twin is None:
            if fits(option):
                merged.append(replace(option, instead_of=main))
        else:
            merged[twin] = replace(merged[twin], proposal=_second(merged[twin].proposal, option.proposal))
    return tuple(merged)


def doubt(option: Option, doubts: Iterable[Doubt], findings: Mapping[str, Finding]) -> Option:
    """The option with what speaks against it: doubts of its record, and of the findings that it answers.

    A doubt of somebody who proposes the same counts for nothing.
    """
    proposal = option.proposal
    friends = {proposal.proposed_by, *proposal.seconded_by}
    told = [
        f"{each.by}: {each.why}"
        for each in doubts
        if each.record_id == proposal.record_id and not each.kind and each.by not in friends
    ]
    for fingerprint in proposal.answers:
        told += findings[fingerprint].doubts if fingerprint in findings else ()
    return replace(option, proposal=proposal.model_copy(update={"doubts": (*proposal.doubts, *dict.fromkeys(told))}))


def suspects_of(found: DetectResult, answers: Sequence[DetectResult], *, by: str) -> DetectResult:
    """The suspects of the rules, and those of which a model is at least half sure; the rules' come first.

    Below that it is said, and nobody looks closer: with no other suspect nothing has to be repaired.
    """
    scores = {record_id: score for answer in answers for record_id, score in answer.scores.items()}
    why = {record_id: told for answer in answers for record_id, told in answer.why.items()}
    added = {
        record_id: score
        for record_id, score in scores.items()
        if record_id not in found.suspects and score >= LOW_CONFIDENCE
    }
    doubtful = {
        record_id: score
        for record_id, score in scores.items()
        if record_id not in found.suspects and score < LOW_CONFIDENCE
    }
    suspects = (*found.suspects, *added)[:MOST_PROBLEMS]
    over = len(found.suspects) + len(added) - len(suspects)
    notes = [found.detection.notes]
    for what, some in (
        ("suspects besides", added),
        ("is less than half sure of, so nobody looked closer at", doubtful),
    ):
        if some:
            named = "; ".join(f"{each} ({score:g}: {why.get(each, '')})" for each, score in list(some.items())[:10])
            notes.append(f"{by} {what} {counted(len(some), 'record')}: {named}")
    detection = found.detection.model_copy(
        update={
            "confidence_score": max(found.detection.confidence_score, *scores.values(), 0.0),
            "suspects": found.detection.suspects + len(added),
            "notes": ". ".join(filter(None, notes))[:LONGEST_NOTES],
        }
    )
    update = {"detection": detection, "suspects": suspects, "left_out": found.left_out + over}
    return found.model_copy(update=update)


def _overlap(left: Proposal, right: Proposal) -> bool:
    return left.record_id == right.record_id and bool(set(left.answers) & set(right.answers))


def _same(left: Option, right: Option) -> bool:
    """Whether both would do the same: words for people are no difference."""
    if left.proposal.tool != right.proposal.tool:
        return False
    words = {name for name, limit in left.bindable.limits.items() if isinstance(limit, Sentence)}
    mine, yours = left.proposal.arguments, right.proposal.arguments
    return all(mine.get(name) == yours.get(name) for name in (mine.keys() | yours.keys()) - words)


def _second(proposal: Proposal, other: Proposal) -> Proposal:
    lower = other.confidence_score < proposal.confidence_score
    unsure = (
        f"{other.proposed_by} is {other.confidence_score:g} sure, {proposal.proposed_by} {proposal.confidence_score:g}"
    )
    words = f"{proposal.rationale} {other.proposed_by}: “{other.rationale}”" if other.rationale else proposal.rationale
    return proposal.model_copy(
        update={
            "seconded_by": tuple(dict.fromkeys((*proposal.seconded_by, other.proposed_by))),
            "confidence_score": min(proposal.confidence_score, other.confidence_score),
            "rationale": f"{words} ({unsure})" if lower else words,
        }
    )
