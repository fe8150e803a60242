"""What a chaos run must not have come to, counted by the ledger, the records, the outbox and the reports."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from daper.core.models import Verdict
from daper.core.outcomes import ActionOutcome, OutcomeStatus, RepairResult, VerificationStatus
from daper.core.phases import Phase
from tests.faults.cases import Answer, Case, Edit
from tests.faults.checks import (
    Evidence,
    each_effect_was_approved,
    each_outcome_has_its_row,
    each_row_has_its_outcome,
    files,
    history,
    restocks,
)
from tests.faults.generated_shop import HELD_ITEM, GeneratedShop, orders_in, stock_in

_ENDS = {Answer.NONE: Phase.REJECTED, Answer.NOTHING: Phase.APPROVAL_EXPIRED}
_HELPED = {VerificationStatus.RESOLVED, VerificationStatus.WAITING_ON_OTHER}
_DONE = {OutcomeStatus.APPLIED, OutcomeStatus.ALREADY_APPLIED}


class Fault(StrEnum):
    """In which way the promise was broken."""

    DOUBLE = "double"
    LOST = "lost"
    UNDECIDED = "without a decision"
    MISREPORTED = "reported wrongly"
    STUCK = "stuck"
    UNKNOWN = "unknown"
    FAILED = "failed for something passing"


Found = tuple[Fault, str]


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """One thing that is not as it must be; `case` is empty where it is about no single repair."""

    fault: Fault
    what: str
    case: str = ""


def reckon(
    shop: GeneratedShop,
    evidence: Evidence,
    *,
    cases: Sequence[Case],
    reports: Mapping[str, RepairResult | None],
    others: Sequence[Edit],
    beside: str,
) -> tuple[Wrong, ...]:
    """Everything that is wrong. `reports`: what the report of each repair says, read afresh; `others`: edits of orders
    that no repair was about; `beside`: the text of all files that a recovery put aside.
    """
    by_key = {outcome.key: case.repair_id for case in cases if case.result for outcome in case.result.outcomes}
    owners = {record: case.repair_id for case in cases for record in case.records}
    notes = {order["order_id"]: str(order["notes"]) for order in _raw(evidence)}
    return (
        *(wrong for case in cases for wrong in _of_case(shop, case, notes=notes, report=reports.get(case.repair_id))),
        *_undecided(evidence),
        *(Wrong(fault=Fault.MISREPORTED, what=what, case=by_key.get(_key(what), "")) for what in _told_of(evidence)),
        *_messages(evidence, by_key),
        *_records(shop, evidence, owners),
        *_edits(cases, others, notes, beside),
        *(Wrong(fault=Fault.LOST, what=what) for what in files(shop.folder)),
    )


def _of_case(
    shop: GeneratedShop, case: Case, *, notes: Mapping[str, str], report: RepairResult | None
) -> Iterator[Wrong]:
    name, result = case.repair_id or case.key, case.result
    if result is None:
        yield Wrong(fault=Fault.STUCK, what=f"has not ended; the person says {case.answer} to it", case=name)
        return
    faults = [*_of_ending(case, result, report), *_of_decisions(case, result)]
    for outcome in result.outcomes:
        edits = [edit for edit in case.edits if edit.order_id == outcome.record_id]
        changed = bool(edits) or shop.tasks[outcome.record_id].contested
        # What a recovery put aside is no more in the records than if it had never been.
        there = [edit for edit in edits if edit.before_decision and edit.mark in notes[edit.order_id]]
        faults += _of_outcome(outcome, changed=changed, rejected=outcome.record_id in case.rejected)
        if outcome.status.took_effect and there:
            faults.append(
                (Fault.UNDECIDED, f"{_named(outcome)}; it was edited ({there[0].mark}) after its plan was seen")
            )
        if outcome.status in _DONE and not changed:
            faults += _of_verification(outcome, result)
    yield from (Wrong(fault=fault, what=what, case=name) for fault, what in faults)


def _of_ending(case: Case, result: RepairResult, report: RepairResult | None) -> Iterator[Found]:
    if result.phase is not _ENDS.get(case.answer, Phase.REPORT_COMPLETED):
        yield Fault.FAILED, f"ended as {result.phase}: {result.reason!r}; the person says {case.answer} to it"
    yield from ((Fault.FAILED, f"left to a person: {trouble}") for trouble in result.troubles)
    yield from ((Fault.FAILED, f"the person was refused: {refusal}") for refusal in case.refusals)
    if report is None:
        yield Fault.FAILED, "there is no report"
    elif (report.outcomes, report.phase) != (result.outcomes, result.phase):
        yield Fault.MISREPORTED, "its report.json and its result differ"


def _of_decisions(case: Case, result: RepairResult) -> Iterator[Found]:
    told = {outcome.action_id for outcome in result.outcomes}
    for recorded in result.decisions:
        if recorded.decision not in case.sent:
            yield Fault.UNDECIDED, f"a decision that nobody gave: {recorded.decision.verdicts}"
        for name, verdict in recorded.decision.verdicts.items():
            if verdict is Verdict.APPROVE and name not in told:
                yield Fault.LOST, f"{name} was approved and has no outcome"


def _of_outcome(outcome: ActionOutcome, *, changed: bool, rejected: bool) -> Iterator[Found]:
    """`changed`: somebody may have changed what it read; `rejected`: the person did."""
    name = _named(outcome)
    if not outcome.status.took_effect and not any(outcome.evidence):
        yield Fault.LOST, f"{name}: not done, for no reason"
    match outcome.status:
        case OutcomeStatus.UNKNOWN:
            yield Fault.UNKNOWN, name
        case OutcomeStatus.STALE | OutcomeStatus.SKIPPED if not changed:
            yield Fault.FAILED, f"{name}; nobody had changed what it read"
        case OutcomeStatus.REJECTED if not rejected:
            yield Fault.LOST, f"{name}; nobody rejected it"
        case OutcomeStatus.STALE | OutcomeStatus.SKIPPED | OutcomeStatus.REJECTED:
            pass
        case _ if outcome.status not in _DONE:
            yield Fault.FAILED, name
        case _:
            pass


def _of_verification(outcome: ActionOutcome, result: RepairResult) -> Iterator[Found]:
    verified = result.verification.findings if result.verification else ()
    mine = [one.status for one in verified if one.action_id == outcome.action_id]
    if not mine or not _HELPED.issuperset(mine):
        yield Fault.FAILED, f"{_named(outcome)}; verified as {[str(status) for status in mine]}"


def _named(outcome: ActionOutcome) -> str:
    return f"{outcome.action_id} ({outcome.tool} on {outcome.record_id}), {outcome.status}: {outcome.evidence}"


def _undecided(evidence: Evidence) -> Iterator[Wrong]:
    yield from (Wrong(fault=Fault.UNDECIDED, what=what) for what in each_effect_was_approved(evidence))


def _told_of(evidence: Evidence) -> Iterator[str]:
    yield from (what for what in each_outcome_has_its_row(evidence) if f", {OutcomeStatus.UNKNOWN}:" not in what)
    yield from each_row_has_its_outcome(evidence)


def _key(what: str) -> str:
    return what.removeprefix("key ").split(" ")[0].rstrip(":")


def _messages(evidence: Evidence, by_key: Mapping[str, str]) -> Iterator[Wrong]:
    expected = Counter(key for key, row in evidence.rows.items() if row.kind != "tombstone")
    for key in sorted({*expected, *evidence.messages}):
        sent = evidence.messages.get(key, 0)
        if sent != expected[key]:
            fault = Fault.DOUBLE if sent > expected[key] else Fault.LOST
            what = f"key {key}: {sent} messages for {expected[key]} effects"
            yield Wrong(fault=fault, what=what, case=by_key.get(key, ""))


def _records(shop: GeneratedShop, evidence: Evidence, owners: Mapping[str, str]) -> Iterator[Wrong]:
    orders, ordered = orders_in(evidence.documents), Counter(one.record_id for one in restocks(evidence))
    for task in shop.tasks.values():
        order, expected = orders[task.order_id], history(task, evidence)
        went, owner = [change.status for change in order.status_history], owners.get(task.order_id, "")
        if went != expected or order.status != (expected or [task.status])[-1]:
            fault = Fault.DOUBLE if len(went) > len(expected) else Fault.LOST
            what = f"{task.order_id}: is {order.status} after {went}; its effects give {expected}"
            yield Wrong(fault=fault, what=what, case=owner)
        if len(order.restocks) != ordered[task.order_id]:
            fault = Fault.DOUBLE if len(order.restocks) > ordered[task.order_id] else Fault.LOST
            what = f"{task.order_id}: {len(order.restocks)} restocks for {ordered[task.order_id]} effects"
            yield Wrong(fault=fault, what=what, case=owner)
    yield from _stock(shop, evidence)


def _stock(shop: GeneratedShop, evidence: Evidence) -> Iterator[Wrong]:
    expected = Counter(shop.stock)
    for one in restocks(evidence):
        item = str(one.arguments["inventory_to_order"])
        expected[item] += int(str(one.arguments["quantity"])) - shop.tasks[one.record_id].lines[item]
    for item, row in stock_in(evidence.documents).items():
        if (row.current_stock, row.available) != (expected[item], expected[item]) and item != HELD_ITEM:
            fault = Fault.DOUBLE if (row.current_stock or 0) > expected[item] else Fault.LOST
            yield Wrong(fault=fault, what=f"{item}: stock {row.current_stock}; its effects give {expected[item]}")


def _edits(cases: Sequence[Case], others: Sequence[Edit], notes: Mapping[str, str], beside: str) -> Iterator[Wrong]:
    edits = [(case.repair_id, edit) for case in cases for edit in case.edits] + [("", edit) for edit in others]
    for case, edit in edits:
        if edit.mark not in notes[edit.order_id] and edit.mark not in beside:
            yield Wrong(fault=Fault.LOST, what=f"{edit.mark} in {edit.order_id}: an edit was written over", case=case)


def _raw(evidence: Evidence) -> list[dict[str, str]]:
    found = evidence.documents["orders.json"]["orders"]
    assert isinstance(found, list)
    return found  # pyright: ignore[reportUnknownVariableType] - read and checked by `orders_in`
