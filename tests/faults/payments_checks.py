"""What must be so of payments whose workers were killed: in the database, and at the processor, key by key."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from daper.core.outcomes import ActionOutcome, OutcomeStatus, RepairResult
from tests.faults.checks import (
    Told,
    each_approved_has_its_outcome,
    each_effect_was_approved,
    each_outcome_has_its_row,
    each_row_has_its_outcome,
    endings,
)
from tests.faults.generated_payments import BY_HTTP, HELD, OPEN, TOOLS, Found, GeneratedPayments, Need, Payment, as_made
from tests.payment_processor import Asked

_DONE: Final = frozenset({OutcomeStatus.APPLIED, OutcomeStatus.ALREADY_APPLIED})
_MAY_BE: Final[Mapping[Need, frozenset[OutcomeStatus]]] = {
    Need.RETRY: _DONE,
    Need.FIGHT: _DONE | {OutcomeStatus.STALE},
    Need.REFUSE: frozenset({OutcomeStatus.REJECTED}),
    Need.VAIN: frozenset({OutcomeStatus.UNDONE}),
    Need.CLOSE: _DONE,
    # A worker died before it asked: the processor says that nothing came, and takes it no more.
    Need.CHARGE: _DONE | {OutcomeStatus.FAILED},
    Need.REMIND: _DONE,
    Need.RING: _DONE | {OutcomeStatus.UNKNOWN},
}


@dataclass(frozen=True, kw_only=True)
class PaymentsEvidence(Told):
    """What is left of a run: in the tables, and at the processor. `never`: the keys that it takes no more."""

    found: Mapping[str, Found]
    asked: Mapping[str, Sequence[Asked]]
    acted: Mapping[str, int]
    never: frozenset[str]


def gather_payments(
    payments: GeneratedPayments, results: Sequence[RepairResult], *, held: Sequence[str] = ()
) -> PaymentsEvidence:
    """Look at the database and at the processor."""
    processor = payments.processor
    asked: dict[str, list[Asked]] = {}
    for one in processor.changes:
        asked.setdefault(processor.key_of(one), []).append(one)
    return PaymentsEvidence(
        results=results,
        rows=payments.ledger(),
        held=held,
        open_tools=OPEN,
        found=payments.found(),
        asked=asked,
        acted=+processor.acted,
        never=frozenset(processor.never),
    )


def problems_of_payments(payments: GeneratedPayments, evidence: PaymentsEvidence) -> tuple[str, ...]:
    """Everything that is not as it must be, each in a sentence that names the key or the payment."""
    return (
        *endings(evidence),
        *each_outcome_has_its_row(evidence),
        *each_row_has_its_outcome(evidence),
        *each_effect_was_approved(evidence),
        *each_approved_has_its_outcome(evidence),
        *_outcomes(payments, evidence),
        *_rows(payments, evidence),
        *_requests(evidence),
    )


def _outcomes(payments: GeneratedPayments, evidence: PaymentsEvidence) -> Iterator[str]:
    of_record: dict[str, list[ActionOutcome]] = {}
    for outcome in evidence.outcomes:
        of_record.setdefault(outcome.record_id, []).append(outcome)
    fought_over: Counter[str] = Counter()
    for task in payments.tasks.values():
        found = of_record.get(task.record_id, [])
        if [one.tool for one in found] != [TOOLS[task.need]]:
            yield f"{task.record_id}: {[one.tool for one in found]} has outcomes, not {TOOLS[task.need]} alone"
        for one in found:
            if one.status not in _MAY_BE[task.need]:
                yield f"key {one.key}: {one.tool} on {task.record_id} is {one.status}: {one.evidence}"
            if task.need is Need.FIGHT:
                fought_over[task.account] += one.status in _DONE
    # Whoever is first finds the account as its plan read it.
    yield from (f"account {name}: nobody who wanted it got it" for name, count in fought_over.items() if count == 0)


def _rows(payments: GeneratedPayments, evidence: PaymentsEvidence) -> Iterator[str]:
    for task in payments.tasks.values():
        expected = _expected(task, evidence)
        if evidence.found[task.record_id] != expected:
            yield f"{task.record_id}: is {evidence.found[task.record_id]}; its effects give {expected}"
    held = evidence.found[HELD].attempts
    recorded = sum(key in evidence.rows for key in evidence.held)
    if held != recorded:
        yield f"{HELD}: changed {held} times, but the ledger has {recorded}"


def _expected(task: Payment, evidence: PaymentsEvidence) -> Found:
    done = any(one.record_id == task.record_id for one in evidence.effects.values())
    match task.need:
        case Need.RETRY | Need.FIGHT | Need.REFUSE if done:
            return as_made(status="queued", attempts=1)
        case Need.VAIN if done:
            return as_made(status="pushed", attempts=1)
        case Need.CLOSE:
            return as_made(closed=done)
        case _:
            return as_made()


def _requests(evidence: PaymentsEvidence) -> Iterator[str]:
    outcomes = {one.key: one for one in evidence.outcomes if one.tool in BY_HTTP}
    for key, asked in evidence.asked.items():
        if key not in outcomes:
            yield f"key {key}: {asked[0].path} was asked for, which no outcome tells of"
        if len({(one.path, one.body) for one in asked}) != 1:
            yield f"key {key}: asked for with {[(one.path, one.body) for one in asked]}"
    for key, count in evidence.acted.items():
        if key not in outcomes or count != 1:
            yield f"key {key}: the processor did it {count} times"
    for key, one in outcomes.items():
        yield from (f"key {key}: {one.tool} on {one.record_id}, {one.status}: {why}" for why in _asked(one, evidence))


def _asked(one: ActionOutcome, evidence: PaymentsEvidence) -> Iterator[str]:
    acted, asked = evidence.acted.get(one.key, 0), evidence.asked.get(one.key, ())
    if one.status is not OutcomeStatus.UNKNOWN and acted != one.status.took_effect:
        yield f"the processor did it {acted} times"
    if one.tool in OPEN and len(asked) > 1:
        yield f"it was asked {len(asked)} times, and one key does not have one effect there"
    if any(one.record_id not in each.path.split("/") for each in asked):
        yield f"another payment was asked for: {[each.path for each in asked]}"
    if one.status is OutcomeStatus.FAILED and one.key not in evidence.never:
        yield "a late request would still be taken"
