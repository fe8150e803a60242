"""What must be so after repairs whose processes were killed: each effect once, none lost, every run ended."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from daper.core.digests import effect_key, undo_key
from daper.core.models import Verdict
from daper.core.outcomes import ActionOutcome, Effect, OutcomeStatus, RepairResult
from daper.core.phases import Phase
from daper.domains.orders.tools.order_inventory import OrderInventory
from daper.domains.orders.tools.request_approval import RequestApproval
from daper.domains.orders.tools.request_payment_update import RequestPaymentUpdate
from daper.ports.store import LedgerRow
from daper.stores.jsonfiles.store import Documents, JsonStore
from tests.faults.generated_shop import HELD_ITEM, HELD_ORDER, GeneratedShop, Task, orders_in, stock_in

NEVER_RAN = {OutcomeStatus.FAILED, OutcomeStatus.LAPSED, OutcomeStatus.STALE, OutcomeStatus.BLOCKED}
_STATUS = {
    RequestPaymentUpdate.name: ("payment_update_requested",),
    RequestApproval.name: (),  # noted beside the status of an order that is not paid, as all of these are
    OrderInventory.name: ("restock-ordered", "completed"),
}


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is left of a run, whatever was repaired: the results of the repairs, and the ledger.

    `held`: the keys that killed holders were writing; `open_tools`: those whose effect nobody may be able to tell.
    """

    results: Sequence[RepairResult]
    rows: Mapping[str, LedgerRow]
    held: Sequence[str] = ()
    open_tools: frozenset[str] = frozenset()

    @property
    def outcomes(self) -> tuple[ActionOutcome, ...]:
        """Every outcome of every repair."""
        return tuple(outcome for result in self.results for outcome in result.outcomes)

    @property
    def effects(self) -> dict[str, ActionOutcome]:
        """The outcomes whose effect is in the records, by key."""
        kept = {OutcomeStatus.APPLIED, OutcomeStatus.ALREADY_APPLIED, OutcomeStatus.UNDO_BLOCKED}
        return {outcome.key: outcome for outcome in self.outcomes if outcome.status in kept}


@dataclass(frozen=True, kw_only=True)
class Evidence(Told):
    """The same of the shop, with what its store holds."""

    messages: Mapping[str, int]
    documents: Documents


def gather(shop: GeneratedShop, results: Sequence[RepairResult], *, held: Sequence[str] = ()) -> Evidence:
    """Read the store afresh. What a killed process left half done is finished by that."""
    store = shop.store()
    documents = store.read()
    keys = [path.stem for path in sorted((shop.folder / "ledger").iterdir())]
    return Evidence(
        results=results,
        rows={key: row for key in keys if (row := store.ledger_row(key)) is not None},
        messages=Counter(message.key for message in store.outbox()),
        documents=documents,
        held=held,
    )


def problems(shop: GeneratedShop, evidence: Evidence) -> tuple[str, ...]:
    """Everything that is not as it must be, each in a sentence that names the key, the order or the file."""
    return (
        *endings(evidence),
        *each_outcome_has_its_row(evidence),
        *each_row_has_its_outcome(evidence),
        *each_approved_has_its_outcome(evidence),
        *_nothing_lost(shop, evidence),
        *_orders(shop, evidence),
        *_stock(shop, evidence),
        *_messages(evidence),
        *_holders(evidence),
        *files(shop.folder),
    )


def endings(evidence: Told) -> Iterator[str]:
    """Which repairs did not end as they should, with a report."""
    for result in evidence.results:
        if result.phase is not Phase.REPORT_COMPLETED:
            yield f"{result.repair_id} ended as {result.phase}: {result.reason!r}"
        if result.paths is None or not Path(result.paths.json_path).is_file():
            yield f"{result.repair_id} has no report.json"


def each_outcome_has_its_row(evidence: Told) -> Iterator[str]:
    """Where a report says something else of an action than the ledger."""
    for outcome in evidence.outcomes:
        name = f"key {outcome.key or '(none)'} of {outcome.action_id} on {outcome.record_id}, {outcome.status}"
        row = evidence.rows.get(outcome.key)
        if outcome.status is OutcomeStatus.UNKNOWN:
            if outcome.tool not in evidence.open_tools or (row is not None and row.kind != "begun"):
                yield f"{name}: {outcome.evidence}"
        elif not outcome.status.took_effect:
            if row is not None and (row.kind != "tombstone" or outcome.status not in NEVER_RAN):
                yield f"{name}, but the ledger has a row of kind {row.kind}"
        elif row is None or row.kind != "effect":
            yield f"{name}, but the ledger has {'no row' if row is None else f'a {row.kind}'}"
        elif _facts(row.effect) != _facts(outcome):
            yield f"{name}: {_facts(outcome)}, but the ledger says {_facts(row.effect)}"


def _facts(what: Effect | ActionOutcome) -> tuple[object, ...]:
    return what.before, what.after, what.wrote


def each_row_has_its_outcome(evidence: Told) -> Iterator[str]:
    """What the ledger has, and no report or several tell of."""
    counted = Counter(outcome.key for outcome in evidence.outcomes if outcome.status.took_effect)
    undone = {undo_key(one.key) for one in evidence.outcomes if one.status is OutcomeStatus.UNDONE}
    for key, row in evidence.rows.items():
        if row.kind == "effect" and key not in evidence.held and counted[key] != 1:
            yield f"key {key}: an effect of {row.tool} on {row.record_id} with {counted[key]} outcomes"
        if row.kind == "undo" and key not in undone:
            yield f"key {key}: an undo of {row.tool} on {row.record_id} that no outcome tells of"


def each_approved_has_its_outcome(evidence: Told) -> Iterator[str]:
    """What was approved, and nothing is told of."""
    for result in evidence.results:
        told = {outcome.action_id for outcome in result.outcomes}
        for recorded in result.decisions:
            approved = [name for name, verdict in recorded.decision.verdicts.items() if verdict is Verdict.APPROVE]
            yield from (
                f"{result.repair_id}: {name} was approved and has no outcome" for name in approved if name not in told
            )


def each_effect_was_approved(evidence: Told) -> Iterator[str]:
    """The effects that were approved by nobody."""
    granted = {
        effect_key(result.cycle_id, digest)
        for result in evidence.results
        for recorded in result.decisions
        for digest in recorded.will_run.values()
    }
    for key, row in evidence.rows.items():
        if row.kind == "effect" and key not in granted and key not in evidence.held:
            yield f"key {key}: {row.tool} on {row.record_id} was approved by nobody"


def _nothing_lost(shop: GeneratedShop, evidence: Evidence) -> Iterator[str]:
    done = Counter((outcome.record_id, outcome.tool) for outcome in evidence.effects.values())
    fought_over: Counter[str] = Counter()
    for task in shop.tasks.values():
        for tool in task.tools:
            if task.contested:
                fought_over[next(iter(task.lines))] += done[task.order_id, tool]
            elif done[task.order_id, tool] != 1:
                yield f"{task.order_id}: {tool} took effect {done[task.order_id, tool]} times, not once"
    # Whoever is first at an item that many want finds it as its plan read it.
    yield from (f"{item}: nobody who wanted it got it" for item, count in fought_over.items() if count == 0)


def _orders(shop: GeneratedShop, evidence: Evidence) -> Iterator[str]:
    orders = orders_in(evidence.documents)
    for task in shop.tasks.values():
        order = orders[task.order_id]
        expected, went = history(task, evidence), [change.status for change in order.status_history]
        if went != expected:
            yield f"{task.order_id}: its effects give {expected}, but it went {went}"
        if order.status != (expected or [task.status])[-1]:
            yield f"{task.order_id}: is {order.status!r} after {expected or [task.status]}"
        ordered = sum(one.record_id == task.order_id for one in restocks(evidence))
        if len(order.restocks) != ordered:
            yield f"{task.order_id}: {len(order.restocks)} restocks for {ordered} effects"


def history(task: Task, evidence: Evidence) -> list[str]:
    """The statuses that an order went through, if the effects that are told of are all there were."""
    done = {one.tool for one in evidence.effects.values() if one.record_id == task.order_id}
    return [status for tool in task.tools if tool in done for status in _STATUS[tool]]


def restocks(evidence: Evidence) -> list[ActionOutcome]:
    """The effects that ordered goods."""
    return [one for one in evidence.effects.values() if one.tool == OrderInventory.name]


def _stock(shop: GeneratedShop, evidence: Evidence) -> Iterator[str]:
    expected = Counter(shop.stock)
    for one in restocks(evidence):
        item = str(one.arguments["inventory_to_order"])
        moved = int(str(one.arguments["quantity"])) - shop.tasks[one.record_id].lines[item]
        expected[item] += moved
        if int(str(one.after["current_stock"])) - int(str(one.before["current_stock"])) != moved:
            yield f"key {one.key}: the stock of {item} moved {one.before} → {one.after}, not by {moved}"
    expected[HELD_ITEM] = sum(key in evidence.rows for key in evidence.held)
    for item, row in stock_in(evidence.documents).items():
        if (row.current_stock, row.available) != (expected[item], expected[item]):
            yield f"{item}: stock {row.current_stock}, available {row.available}; its effects give {expected[item]}"


def _messages(evidence: Evidence) -> Iterator[str]:
    # Every tool that ran here sends one message; taking a restock back sends one more, under its own key.
    expected = Counter(key for key, row in evidence.rows.items() if row.kind != "tombstone")
    for key in sorted({*expected, *evidence.messages}):
        if evidence.messages.get(key, 0) != expected[key]:
            yield f"key {key}: {evidence.messages.get(key, 0)} messages for {expected[key]} effects"


def _holders(evidence: Evidence) -> Iterator[str]:
    raw = next(raw for raw in _raw_orders(evidence) if raw["order_id"] == HELD_ORDER)
    noted = str(raw["notes"]).split()
    recorded = [key for key in evidence.held if key in evidence.rows]
    if noted != recorded:
        yield f"{HELD_ORDER}: noted {noted}, but the ledger has {recorded}"


def _raw_orders(evidence: Evidence) -> list[Mapping[str, object]]:
    found = evidence.documents["orders.json"]["orders"]
    assert isinstance(found, list)
    return found  # pyright: ignore[reportUnknownVariableType] - read and checked by `orders_in`


def files(folder: Path) -> Iterator[str]:
    """What is wrong with the files themselves: a change left half done, or one that nobody can read."""
    if (folder / "journal.json").exists():
        yield "journal.json is still there"
    yield from (f"txn/{path.name} is still there" for path in (folder / "txn").iterdir())
    for path in sorted(folder.rglob("*.json")):
        try:
            json.loads(path.read_bytes())
        except ValueError as error:
            yield f"{path.name} is no JSON: {error}"
    JsonStore(folder, documents=("orders", "inventory")).read()
