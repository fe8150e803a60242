"""On what terms each tool may run on an order that it fits: what its arguments may be, what it reads. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from pydantic import JsonValue

from daper.core.limits import Between, Exactly, Limit, OneOf, Sentence
from daper.core.models import Change, Proposal
from daper.domains.orders.arguments import ToolName
from daper.domains.orders.models import Order
from daper.domains.orders.needs import OrderProblem, hold_reasons, unapproved_items
from daper.domains.orders.obstacles import obstacle, quantity_bounds
from daper.domains.orders.rules import restock_fingerprint
from daper.domains.orders.statuses import OrderStatus
from daper.domains.orders.wording import field, shown
from daper.domains.orders.world import World, order_ref, stock_ref
from daper.ports import Terms

# Tools in the order in which they must run on one record: whether it may be sold, whether it is paid, then the stock.
ANSWERS: Mapping[ToolName, frozenset[OrderProblem]] = {
    ToolName.HOLD_ORDER: frozenset({OrderProblem.PROHIBITED_ITEM, OrderProblem.UNKNOWN_ITEM}),
    ToolName.REQUEST_APPROVAL: frozenset({OrderProblem.RESTRICTED_WITHOUT_APPROVAL}),
    ToolName.REQUEST_PAYMENT_UPDATE: frozenset({OrderProblem.PAYMENT_PENDING, OrderProblem.PAYMENT_DENIED}),
    ToolName.ORDER_INVENTORY: frozenset({OrderProblem.INVENTORY_SHORT}),
}

REQUEST_LENGTH = 500
_TOO_MANY = 10**12  # a number that a model made up may be too long even to be written


def limits(
    tool: ToolName, order: Order, world: World, *, approvers: Sequence[str], item: JsonValue = None
) -> dict[str, Limit]:
    """What each argument may be. Only for a tool with no obstacle."""
    fixed: dict[str, Limit] = {"order_id": Exactly(value=order.order_id)}
    match tool:
        case ToolName.REQUEST_APPROVAL:
            own: dict[str, Limit] = {
                "approver": OneOf(values=tuple(approvers)),
                "approval_request_contents": Sentence(max_length=REQUEST_LENGTH),
            }
        case ToolName.ORDER_INVENTORY:
            own = _restock_limits(order, world, item)
        case ToolName.REQUEST_PAYMENT_UPDATE:
            own = {
                "customer_id": Exactly(value=field(order.customer_id)),
                "customer_name": Exactly(value=field(order.customer_name)),
                "original_payment_method": Exactly(value=field(order.payment_method)),
            }
        case ToolName.HOLD_ORDER:
            own = {"reason": OneOf(values=tuple(str(reason) for reason in hold_reasons(order, world)))}
    return fixed | own


def reads(tool: ToolName, order: Order, world: World) -> dict[str, str]:
    """The version of every record that the tool depends on."""
    if tool is ToolName.ORDER_INVENTORY:
        items = tuple(order.quantities)
    elif tool is ToolName.REQUEST_APPROVAL:
        items = unapproved_items(order, world)
    elif tool is ToolName.HOLD_ORDER:
        items = tuple(item for item in order.quantities if item in world.stock and world.stock[item].prohibited)
    else:
        items = ()
    return world.versions_of((order_ref(order.order_id), *(stock_ref(item) for item in items)))


def terms_of(proposal: Proposal, world: World, *, approvers: Sequence[str]) -> Terms:
    """On what terms a proposal may run; without limits, and so refused, where its tool does not fit its order."""
    order = world.orders.get(proposal.record_id)
    if order is None or proposal.tool not in set(ToolName):
        return Terms(answers=frozenset(), limits={})
    tool, item = ToolName(proposal.tool), proposal.arguments.get("inventory_to_order")
    answers = frozenset(str(kind) for kind in ANSWERS[tool])
    if obstacle(tool, order, world, item=item) is not None:
        return Terms(answers=answers, limits={})
    return Terms(
        answers=answers,
        findings=frozenset({restock_fingerprint(order, str(item))}) if tool is ToolName.ORDER_INVENTORY else None,
        limits=limits(tool, order, world, approvers=approvers, item=item),
        reads=reads(tool, order, world),
        preview=_preview(tool, order, world, proposal.arguments),
        spends=_spends(tool, world, proposal.arguments),
    )


def _restock_limits(order: Order, world: World, item: JsonValue) -> dict[str, Limit]:
    row = world.stock[str(item)]
    least, most = quantity_bounds(order, row)
    return {
        "inventory_to_order": Exactly(value=row.item_id),
        "inventory_description": Exactly(value=field(row.item_name)),
        "quantity": Between(minimum=least, maximum=most),
    }


def _preview(tool: ToolName, order: Order, world: World, arguments: Mapping[str, JsonValue]) -> tuple[Change, ...]:
    ref, before = order_ref(order.order_id), shown(order.status)
    match tool:
        case ToolName.REQUEST_APPROVAL:
            if order.unpaid:
                return (Change(record=ref, field="approval", before="none", after=f"asked; the order stays {before}"),)
            return (Change(record=ref, field="status", before=before, after=OrderStatus.APPROVAL_REQUESTED),)
        case ToolName.REQUEST_PAYMENT_UPDATE:
            return (Change(record=ref, field="status", before=before, after=OrderStatus.PAYMENT_UPDATE_REQUESTED),)
        case ToolName.HOLD_ORDER:
            return (Change(record=ref, field="status", before=before, after=OrderStatus.ON_HOLD),)
        case ToolName.ORDER_INVENTORY:
            status = Change(record=ref, field="status", before=before, after=OrderStatus.RESTOCK_ORDERED)
            return (status, *_stock_preview(order, world, arguments))


def _stock_preview(order: Order, world: World, arguments: Mapping[str, JsonValue]) -> tuple[Change, ...]:
    row = world.stock[str(arguments["inventory_to_order"])]
    quantity = _quantity(arguments)
    if quantity is None:
        return ()
    left = row.current_stock + quantity - order.need(row.item_id)
    after = f"{row.current_stock + quantity} when delivered, {left} when this order has its own"
    return (Change(record=stock_ref(row.item_id), field="current_stock", before=str(row.current_stock), after=after),)


def _spends(tool: ToolName, world: World, arguments: Mapping[str, JsonValue]) -> Decimal | None:
    if tool is not ToolName.ORDER_INVENTORY:
        return Decimal(0)
    row, quantity = world.stock[str(arguments["inventory_to_order"])], _quantity(arguments)
    # A price that is missing or below nothing is a gap in the records, not a gift; one in other money adds up to none.
    if row.unit_cost is None or row.unit_cost < 0 or row.in_other_money or quantity is None:
        return None
    return row.unit_cost * quantity


def _quantity(arguments: Mapping[str, JsonValue]) -> int | None:
    quantity = arguments.get("quantity")
    if isinstance(quantity, bool) or not isinstance(quantity, int):
        return None
    return quantity if 0 <= quantity < _TOO_MANY else None
