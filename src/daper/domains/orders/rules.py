"""What can be wrong with an order: one small rule per problem, all pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from pydantic import JsonValue

from daper.core.models import Finding
from daper.core.text import shown
from daper.domains.orders.amounts import gaps, other_parts
from daper.domains.orders.fields import as_json, cents
from daper.domains.orders.lookalikes import difference
from daper.domains.orders.models import Order
from daper.domains.orders.needs import (
    OrderProblem,
    is_prohibited,
    misspelt_items,
    share_of,
    short_items,
    short_of,
    unapproved_items,
    unknown_items,
)
from daper.domains.orders.statuses import MUST_MOVE, PAYMENT_DENIED, PAYMENT_PENDING, UNDER_WAY, WITHDRAWN
from daper.domains.orders.wording import money
from daper.domains.orders.world import World

DOMAIN = "orders"
STUCK_AFTER = timedelta(days=14)


def detect(world: World, today: datetime) -> tuple[Finding, ...]:
    """What is wrong with these orders."""
    return tuple(finding for order in world.orders.values() for finding in judge(order, world, today))


def judge(order: Order, world: World, today: datetime) -> tuple[Finding, ...]:
    """What is wrong with one order. An order is stuck only if nothing else explains why it does not move."""
    if order.closed:
        return ()
    if order.parked:
        return tuple(_totals(order))
    if order.unknown:
        return (_unknown_status(order, (*_stock(order, world), *_items(order, world))), *_totals(order))
    if order.state in WITHDRAWN:
        return tuple(_totals(order)) or tuple(_stuck(order, today))
    found = (*_payment(order), *_stock(order, world), *_items(order, world), *_totals(order))
    return found or tuple(_stuck(order, today))


def restock_fingerprint(order: Order, item_id: str) -> str:
    """The fingerprint of "this order is short of this item"."""
    facts = _short_facts(order, item_id)
    return Finding.fingerprint_of(DOMAIN, order.order_id, OrderProblem.INVENTORY_SHORT, facts)


def _short_facts(order: Order, item_id: str) -> dict[str, JsonValue]:
    return {"item": item_id, "quantity": as_json(order.quantities[item_id])}


def _finding(
    order: Order, kind: OrderProblem, issue: str, facts: dict[str, JsonValue], evidence: Iterable[str] = ()
) -> Finding:
    return Finding(
        record_id=order.order_id,
        kind=kind,
        issue=shown(issue, longest=200),
        evidence=tuple(shown(line, longest=200) for line in evidence),
        fingerprint=Finding.fingerprint_of(DOMAIN, order.order_id, kind, facts),
    )


def _quantities(order: Order, items: Iterable[str]) -> dict[str, JsonValue]:
    return {item: as_json(order.quantities[item]) for item in items}


def _payment(order: Order) -> Iterator[Finding]:
    total = "unknown" if order.total is None else money(order.total, order.currency)
    owed = "unknown" if order.total is None else _fact(order.total)
    facts: dict[str, JsonValue] = {"total": owed, "payment_method": order.payment_method}
    evidence = (f"status {shown(order.status)}", f"total {total} by {shown(order.payment_method)}")
    if order.paid_on_delivery:
        return
    if order.state in PAYMENT_PENDING:
        yield _finding(order, OrderProblem.PAYMENT_PENDING, f"The payment of {total} has not come in.", facts, evidence)
    elif order.state in PAYMENT_DENIED:
        yield _finding(order, OrderProblem.PAYMENT_DENIED, f"The payment of {total} was refused.", facts, evidence)


def _stock(order: Order, world: World) -> Iterator[Finding]:
    if order.state in UNDER_WAY:
        return
    for item in short_items(order, world):
        row, need, share = world.stock[item], order.need(item), share_of(order, world, item)
        earlier = () if share == row.available else (f"{share} of them are left by earlier open orders",)
        yield _finding(
            order,
            OrderProblem.INVENTORY_SHORT,
            f"{need} of {shown(row.item_name)} ({shown(item)}) are needed, {share} are available.",
            _short_facts(order, item),
            (
                f"in stock {row.current_stock}, reserved {row.reserved_stock}, available {row.available}",
                *earlier,
                f"short by {short_of(order, world, item)}",
            ),
        )


def _items(order: Order, world: World) -> Iterator[Finding]:
    unapproved = unapproved_items(order, world)
    if unapproved and not order.approval_asked:
        yield _about_items(
            order, world, OrderProblem.RESTRICTED_WITHOUT_APPROVAL, unapproved, "Needs the approval of the Ministry"
        )
    forbidden = [item for item in order.quantities if is_prohibited(world, item)]
    if forbidden:
        yield _about_items(order, world, OrderProblem.PROHIBITED_ITEM, forbidden, "Must not be sold")
    misspelt = misspelt_items(order, world)
    if misspelt:
        told = "The inventory has it under an id that only looks the same"
        found = _about_items(order, world, OrderProblem.UNKNOWN_ITEM, tuple(misspelt), told)
        how = [_near(item, other) for item, other in list(misspelt.items())[:5]]
        yield found.model_copy(update={"evidence": (*found.evidence, *how)})
    unknown = unknown_items(order, world)
    if unknown:
        yield _about_items(order, world, OrderProblem.UNKNOWN_ITEM, unknown, "Is not in the inventory")


def _near(item: str, other: str) -> str:
    return shown(f"the inventory has {other!r}: {difference(item, other)}", longest=200)


def _about_items(order: Order, world: World, kind: OrderProblem, items: Sequence[str], what: str) -> Finding:
    names = {line.item_id: line.item_name for line in order.items}
    # What the shop calls it counts: an order may call a locket a kettle.
    names |= {item: row.item_name for item in items if (row := world.stock.get(item)) and row.item_name}
    evidence = [f"{order.quantities[item]} x {shown(item)} {shown(names[item])}" for item in items[:5]]
    evidence += [f"{shown(item)} is {shown(world.stock[item].status)}" for item in items[:5] if item in world.stock]
    listed = ", ".join(shown(names[item] or item) for item in items[:3]) + (" and more" if len(items) > 3 else "")
    return _finding(order, kind, f"{what}: {listed}.", {"items": _quantities(order, items)}, evidence)


def _fact(amount: Decimal | None) -> str | None:
    """To the cent, as fingerprints have always had it; more digits only where they make a difference."""
    return None if amount is None else f"{cents(amount) if cents(amount) == amount else amount:f}"


def _totals(order: Order) -> Iterator[Finding]:
    found = gaps(order)
    if found:
        parts: Mapping[str, Decimal | None] = {
            "subtotal": order.subtotal,
            "tax": order.tax,
            "shipping": order.shipping,
            "total": order.total,
        }
        facts: dict[str, JsonValue] = {name: _fact(value) for name, value in parts.items()}
        facts["lines"] = [
            [line.item_id, as_json(line.quantity), _fact(line.unit_price), _fact(line.total_price)]
            for line in order.items
        ]
        facts |= {name: value for name, value in other_parts(order).items() if name not in facts}
        yield _finding(order, OrderProblem.TOTALS_MISMATCH, "The amounts do not add up.", facts, found[:5])


def _unknown_status(order: Order, behind: Iterable[Finding]) -> Finding:
    """Its status alone: whatever else there is to be found waits until somebody knows what it means."""
    return _finding(
        order,
        OrderProblem.UNKNOWN_STATUS,
        f"Its status {shown(order.status)!r} is not known here.",
        {"status": order.state},
        (f"if it is still open: {each.issue}" for each in list(behind)[:5]),
    )


def _stuck(order: Order, today: datetime) -> Iterator[Finding]:
    since = order.last_moved
    moves = order.state in MUST_MOVE or order.paid_on_delivery
    if moves and since is not None and today - since > STUCK_AFTER:
        yield _finding(
            order,
            OrderProblem.STUCK,
            f"Nothing has moved for {(today - since).days} days.",
            {"items": _quantities(order, order.quantities)},
            (f"status {shown(order.status)} since {since:%Y-%m-%d}",),
        )
