"""What is left to a person, in words: what was found, why no tool mends it, and whom to ask. Pure."""

from collections.abc import Mapping, Sequence

from daper.core.models import Finding
from daper.core.text import said, shown
from daper.domains.orders.models import Order
from daper.domains.orders.needs import OrderProblem, hold_reasons
from daper.domains.orders.statuses import (
    PAYMENT_ASKED,
    UNDER_WAY,
    WAITS_FOR_GOODS_OR_APPROVAL,
    WITHDRAWN,
    OrderStatus,
    normal,
)
from daper.domains.orders.tools.order_tool import OrderTool, left_alone
from daper.domains.orders.world import World

_AMOUNTS = "check them against the invoice and correct them by hand; no tool changes amounts"
_ON_HOLD = "it is only put on hold: a person has to decide what becomes of it"
# Whom an order waits for that does not move, by what its status says.
_ASK: Mapping[frozenset[str], str] = {
    frozenset(
        {normal(OrderStatus.APPROVAL_REQUESTED)}
    ): "see that the request was sent, and ask whoever approves once more",
    frozenset({PAYMENT_ASKED}): "see that the request was sent, and ask the customer once more, or cancel the order",
    frozenset(
        {normal(OrderStatus.RESTOCK_ORDERED)}
    ): "see that the order was sent, and ask the supplier what became of the delivery",
    WAITS_FOR_GOODS_OR_APPROVAL: "nothing is missing for it: let it go on",
    UNDER_WAY: "ask the carrier what became of it, then set the status by hand; no tool moves a parcel",
    WITHDRAWN: "ask whoever looks after refunds and returns, then set the status by hand",
}
_NOT_KNOWN = "find out what it means, and set one that is known; nothing is done to the order before"
_ASK_WAREHOUSE = "ask the warehouse what became of it, then set the status by hand; no tool moves a parcel"
_WHAT = 110  # of what was found: room for what to do about it


def why_held(finding: Finding) -> str:
    """Why a finding that a hold answers is a person's too."""
    return said(f"{_what(finding)}; {_ON_HOLD}")


def why_no_tool(finding: Finding, world: World, *, tools: Sequence[OrderTool]) -> str:
    """Why no tool answers a finding, and what a person can do about it."""
    return said(_why_no_tool(finding, world, tools))


def remedy_kind(finding: Finding) -> OrderProblem | None:
    """The kind of a finding, if it is one of the rules'."""
    return OrderProblem(finding.kind) if finding.kind in set(OrderProblem) else None


def _why_no_tool(finding: Finding, world: World, tools: Sequence[OrderTool]) -> str:
    order, kind = world.orders.get(finding.record_id), remedy_kind(finding)
    if order is None:
        return f"order {finding.record_id!r} is no longer in the store: look whether it was removed on purpose"
    if kind is None:
        return "no tool fits what was found: read it and decide"
    if kind is OrderProblem.TOTALS_MISMATCH:
        return f"{_what(finding)}: {_AMOUNTS}"
    if kind is OrderProblem.UNKNOWN_STATUS:
        return f"{_what(finding)}: {_NOT_KNOWN}"
    if kind is OrderProblem.STUCK:
        return f"{_what(finding)}: {_whom_to_ask(order)}"
    reasons = hold_reasons(order, world)
    if reasons and left_alone(order) is None:
        return f"waits behind the hold of this order ({', '.join(reasons)}): decide on that first"
    tool = next(tool for tool in tools if kind in tool.answers)
    why = tool.hindrance_to(finding, order, world)
    why = why or f"{tool.name} does not fit the order as it is now: look at it again"
    return f"{_what(finding)}: {why}" if left_alone(order) else why


def _what(finding: Finding) -> str:
    """What was found, short: the gap in the amounts, or the issue with how long it has lasted."""
    issue = finding.issue.removesuffix(".")
    told = issue[:1].lower() + issue[1:]
    first = next(iter(finding.evidence), "")
    if first and finding.kind == OrderProblem.TOTALS_MISMATCH:
        told = first + (f" (and {len(finding.evidence) - 1} more)" if len(finding.evidence) > 1 else "")
    elif first and finding.kind == OrderProblem.STUCK:
        told = f"{told} ({first})"
    return shown(told, longest=_WHAT)


def _whom_to_ask(order: Order) -> str:
    return next((ask for states, ask in _ASK.items() if order.state in states), _ASK_WAREHOUSE)
