"""What a supplier's delivery means for the order that waits for it, and for the stock."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final, cast

from pydantic import Field, PlainSerializer, PlainValidator

from daper.core.base import Reply
from daper.core.errors import FactRefused
from daper.core.text import shown
from daper.domains.orders.changes import list_of, order_of, stamp
from daper.domains.orders.fact_entry import BY_HAND, FactEntry
from daper.domains.orders.fields import Number, as_json, number
from daper.domains.orders.models import Order
from daper.domains.orders.needs import share_of
from daper.domains.orders.statuses import OrderStatus, normal, takes_stock
from daper.domains.orders.world import Raw, world_of
from daper.stores.facts import Fits, Known

_TOO_MANY: Final = 10**12


def _quantity(value: object) -> Number:
    """How many, as somebody types it or a program sends it."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError("must be a number above 0")  # noqa: TRY004 - pydantic turns only ValueError into a finding
    try:
        many = Decimal(str(value))
    except InvalidOperation:
        raise ValueError("must be a number above 0") from None
    if not many.is_finite() or not 0 < many < _TOO_MANY:
        raise ValueError("must be a number above 0")
    return number(many)


def _quantity_or_none(value: object) -> Number | None:
    return None if value is None else _quantity(value)


class DeliveredArgs(Reply):
    """What its supplier brought. All that is outstanding, if nothing is named."""

    item: str = Field(default="", max_length=200)
    quantity: Annotated[
        Number | None,
        PlainValidator(_quantity_or_none, json_schema_input_type=int | float | str | None),
        PlainSerializer(as_json, when_used="json"),
    ] = None


@dataclass(frozen=True, kw_only=True)
class _Part:
    """So many of one restock, by its place in the order."""

    place: int
    item_id: str
    quantity: Number
    whole: bool


def delivered(it: FactEntry, args: DeliveredArgs) -> Known | Fits:
    """More of its items in stock, and the order goes on once nothing is outstanding. Raises FactRefused."""
    order = it.order
    if args.item and args.item not in order.quantities:
        items = ", ".join(map(shown, order.quantities)) or "none"
        raise FactRefused(f"{shown(args.item)!r} is no item of {it.named}; its items: {items}")
    ours = [each for each in order.restocks if not args.item or each.item_id == args.item]
    what = f" of {shown(args.item)}" if args.item else ""
    if not ours:
        raise it.refuse(f"nothing{what} was ordered from a supplier for it, by what its restocks say; {BY_HAND}")
    waiting = dict.fromkeys(each.item_id for each in ours if each.on_order)
    if args.quantity is not None and not args.item and len(waiting or {each.item_id: None for each in ours}) > 1:
        raise FactRefused(f"of which item? Outstanding for {it.named}: {_outstanding(order)}")
    if args.quantity is not None and (entry := _told_before(it, args)) is not None:
        again = "; if this is another delivery, say when it came" if it.told.request_key == "" else ""
        return Known(
            since=f"that {args.quantity}{what} came is already known: told by {shown(entry.get('by'))} "
            f"on {shown(entry.get('told'))}{again}"
        )
    if not waiting:
        if args.quantity is None and all(each.delivered for each in ours):
            return it.known(f"has all that was ordered{what} for it")
        raise it.refuse(f"nothing{what} is outstanding of what was ordered for it; its restocks: {_restocks(order)}")
    parts = _parts(it, args, next(iter(waiting)))

    def change() -> None:
        _bring(it, parts)

    return Fits(carry_out=lambda: it.deed(change))


def _parts(it: FactEntry, args: DeliveredArgs, first: str) -> list[_Part]:
    """What of which restock, the oldest first. Raises FactRefused for more than is outstanding."""
    item = args.item or (first if args.quantity is not None else "")
    left, parts = args.quantity, list[_Part]()
    for place, each in enumerate(it.order.restocks):
        if not each.on_order or (item and each.item_id != item) or left == 0:
            continue
        many = each.quantity if left is None else min(left, each.quantity)
        left = None if left is None else number(left - many)
        parts.append(_Part(place=place, item_id=each.item_id, quantity=many, whole=many == each.quantity))
    if left:
        raise FactRefused(
            f"{args.quantity} x {shown(item)} are more than is outstanding for {it.named}: {_outstanding(it.order)}"
        )
    return parts


def _bring(it: FactEntry, parts: Sequence[_Part]) -> None:
    """More in stock; with the last of an item the order takes its own out of it, as far as there is enough."""
    restocks, world, order = list_of(it.raw, "restocks"), world_of(it.book.records([it.raw])), it.order
    came: dict[str, Number] = {}
    for part in parts:
        came[part.item_id] = number(came.get(part.item_id, 0) + part.quantity)
    split: list[tuple[int, Raw]] = []
    last: dict[str, Raw] = {}
    for part in parts:
        raw = cast("Raw", restocks[part.place])
        if not part.whole:
            split.append((part.place, {**raw, "quantity": number(order.restocks[part.place].quantity - part.quantity)}))
        raw.update({"quantity": part.quantity, "state": "delivered", "taken": 0})
        last[part.item_id] = raw
    for place, rest in reversed(split):
        restocks.insert(place + 1, rest)
    after = order_of(it.raw)
    for item, many in came.items():
        row, taken = it.item(item), 0
        if takes_stock(order.state) and not any(each.on_order and each.item_id == item for each in after.restocks):
            need, share = order.need(item), share_of(order, world, item)
            taken = need if share is None else number(min(need, max(0, share + many)))
            last[item]["taken"] = taken
        it.move(item, row, number(many - taken))
        row["last_restocked"] = stamp(it.told.happened_at)
        it.evidence.append(f"{many} x {shown(item)} came into the stock; the order took {taken} out of it")
    rest = order_of(it.raw)
    if any(each.on_order for each in rest.restocks):
        it.evidence.append(f"still outstanding: {_outstanding(rest)}")
    goes_on = order.state == normal(OrderStatus.RESTOCK_ORDERED) and not any(each.on_order for each in rest.restocks)
    listed = ", ".join(f"{many} x {shown(item)}" for item, many in came.items())
    it.note(
        f"the supplier delivered {listed}",
        status=OrderStatus.PROCESSING if goes_on else None,
        delivered=dict(came),
        keys=[order.restocks[part.place].key for part in parts],
    )


def _told_before(it: FactEntry, args: DeliveredArgs) -> Raw | None:
    """The same part of the same restock, told without a name of its own: it is the same delivery, told twice.

    One that came at another time, and says so, is another one.
    """
    if it.told.request_key:
        return None
    waits = next((each for each in it.order.restocks if each.on_order and each.item_id in (args.item, "")), None)
    for entry in it.entries():
        delivered = entry.get("delivered")
        if entry["fact"] != "delivered" or not isinstance(delivered, dict):
            continue
        found = cast("Raw", delivered)
        if len(found) != 1 or (args.item and args.item not in found) or args.quantity not in found.values():
            continue
        keys = entry.get("keys")
        of_it = waits is None or (isinstance(keys, list) and waits.key in keys)
        if entry.get("at") == stamp(it.told.happened_at) if it.told.timed else of_it:
            return entry
    return None


def _outstanding(order: Order) -> str:
    waiting: dict[str, Number] = {}
    for each in order.restocks:
        if each.on_order:
            waiting[each.item_id] = number(waiting.get(each.item_id, 0) + each.quantity)
    return ", ".join(f"{many} x {shown(item)}" for item, many in waiting.items()) or "nothing"


def _restocks(order: Order) -> str:
    return ", ".join(f"{each.quantity} x {shown(each.item_id)} {shown(each.state)}" for each in order.restocks[:5])
