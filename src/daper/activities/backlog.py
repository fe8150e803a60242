"""Which suspects one cycle takes on, where there are more than it can hold: the others are counted, never lost."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from daper.activities.claims import Claims
from daper.core.messages import ClaimInput, DetectInput
from daper.core.models import Finding
from daper.ports import Domain

_LOOKED_AT_ONCE = 500
# So many are looked at for a count that is exact; beyond, one more suspect counts as one problem.
_COUNTED = 10_000


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """The suspects that a cycle takes on, those first of whom it can do most; and what it leaves.

    `left_out` counts the problems that another cycle takes on, `known` those that are left alone: another repair plans
    for them, or they were rejected or tried too often.
    """

    suspects: tuple[str, ...]
    left_out: int
    known: int


async def backlog(suspects: Sequence[str], input: DetectInput, *, domain: Domain, claims: Claims, most: int) -> Backlog:
    """At most so many of the suspects. Marks nothing in the memory; what is planned for is claimed later.

    First come those for which a tool may do something, then those that a person has to see to, then what is known: so
    no number of problems that nothing is done about keeps the others from their turn. Raises Unreachable.
    """
    ranks: tuple[list[str], list[str], list[str]] = ([], [], [])
    fresh, known, looked_at = Counter[str](), Counter[str](), 0
    while looked_at < len(suspects) and (looked_at < _COUNTED or len(ranks[0]) < most):
        part = suspects[looked_at : looked_at + _LOOKED_AT_ONCE]
        looked_at += len(part)
        wanted = set(part)
        records = await domain.context(part)
        found = await asyncio.to_thread(domain.detect, records, input.cycle.today)
        findings = tuple(finding for finding in found if finding.record_id in wanted)
        # It marks nothing, so until when it would does not matter.
        asked = ClaimInput(
            cycle=input.cycle, findings=findings, until=input.cycle.today, again=input.again, dry_run=True
        )
        claimed = await claims.claim(asked)
        proposed = await asyncio.to_thread(domain.propose, claimed.fresh, records)
        workable = {proposal.record_id for proposal in proposed.proposals}
        fresh.update(finding.record_id for finding in claimed.fresh)
        known.update(item.finding.record_id for item in claimed.suppressed)
        for record_id in part:
            alone = record_id in known and record_id not in fresh
            ranks[0 if record_id in workable else 2 if alone else 1].append(record_id)
    in_order = [*ranks[0], *ranks[1], *ranks[2]]
    left = in_order[most:]
    return Backlog(
        suspects=tuple(in_order[:most]),
        left_out=sum(fresh[each] for each in left) + len(suspects) - looked_at,
        known=sum(known[each] for each in left),
    )


def first_of(findings: tuple[Finding, ...], record_ids: Sequence[str], *, most: int) -> tuple[Finding, ...]:
    """At most so many of the findings, in their order: those of the records that are named first."""
    if len(findings) <= most:
        return findings
    place = {record_id: at for at, record_id in enumerate(record_ids)}
    first = sorted(range(len(findings)), key=lambda at: place[findings[at].record_id])[:most]
    return tuple(findings[at] for at in sorted(first))
