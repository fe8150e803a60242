"""Which records a plan would write, and what becomes of actions on records that another open plan holds. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from daper.core.messages import Held, Hold
from daper.core.models import Finding, SuppressedFinding
from daper.core.second_opinion import Option


@dataclass(frozen=True, kw_only=True)
class Ref:
    """A record by its ref in the store, with its version; `""` where the store has none."""

    ref: str
    version: str


def where_it_waits(repair_id: str, until: datetime, *, what: str = "") -> str:
    """What is said of something that another open plan has."""
    waits = f"{what} waits" if what else "waits"
    return f"{waits} for a decision in {repair_id}, until {until:%Y-%m-%d %H:%M} UTC"


def holds_of(option: Option, records: Mapping[str, Ref]) -> tuple[Hold, ...]:
    """What an action would write: its own record, and each one of which it shows a change.

    `records`: the own refs, by the ids of the records.
    """
    versions = {each.ref: each.version for each in records.values()} | dict(option.bindable.reads)
    own = records.get(option.proposal.record_id)
    refs = ([own.ref] if own else []) + [change.record for change in option.bindable.preview]
    return tuple(Hold(ref=ref, version=versions.get(ref, "")) for ref in dict.fromkeys(refs))


def without_held(
    options: Sequence[Option], refused: Iterable[Held], findings: Iterable[Finding]
) -> tuple[list[Option], tuple[SuppressedFinding, ...]]:
    """The options that may be planned, and the findings that wait for another plan because no other option is left.

    An alternative goes with what it is instead of.
    """
    held = {each.at: each for each in refused}
    gone = {at for at, option in enumerate(options) if at in held or option.instead_of in held}
    kept = [at for at in range(len(options)) if at not in gone]
    place = {at: number for number, at in enumerate(kept)}
    left = [
        options[at] if (main := options[at].instead_of) is None else replace(options[at], instead_of=place[main])
        for at in kept
    ]
    known = {finding.fingerprint: finding for finding in findings}
    answered = {fingerprint for option in left for fingerprint in option.proposal.answers}
    suppressed = {
        fingerprint: _suppressed(known[fingerprint], each)
        for at, each in held.items()
        for fingerprint in options[at].proposal.answers
        if fingerprint in known and fingerprint not in answered
    }
    return left, tuple(suppressed.values())


def not_planned(findings: Iterable[Finding], options: Iterable[Option]) -> Collection[str]:
    """The findings that no action of the plan answers: nobody else has to wait for them."""
    answered = {fingerprint for option in options for fingerprint in option.proposal.answers}
    return tuple(finding.fingerprint for finding in findings if finding.fingerprint not in answered)


def _suppressed(finding: Finding, held: Held) -> SuppressedFinding:
    reason = where_it_waits(held.repair_id, held.until, what=held.ref)
    return SuppressedFinding(finding=finding, reason=reason, held_by=held.repair_id)
