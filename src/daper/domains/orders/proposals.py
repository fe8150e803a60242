"""What the rules propose for each finding, and what they leave to a person. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from daper.core.models import Finding, Proposal
from daper.domains.orders.arguments import ToolName
from daper.domains.orders.handing_over import kind_of, why_held, why_no_tool
from daper.domains.orders.models import Order, StockRow
from daper.domains.orders.needs import OrderProblem, hold_reasons, short_items, unapproved_items
from daper.domains.orders.obstacles import obstacle, quantity_bounds
from daper.domains.orders.rules import restock_fingerprint
from daper.domains.orders.terms import ANSWERS, REQUEST_LENGTH
from daper.domains.orders.wording import field, shown
from daper.domains.orders.world import World
from daper.ports import ProposalSet

# Plausible constants: how often each request has been the right answer is not measured.
_SURE: Mapping[OrderProblem, float] = {
    OrderProblem.PAYMENT_PENDING: 0.8,
    OrderProblem.PAYMENT_DENIED: 0.9,
    OrderProblem.INVENTORY_SHORT: 0.95,
    OrderProblem.RESTRICTED_WITHOUT_APPROVAL: 0.95,
    OrderProblem.PROHIBITED_ITEM: 0.9,
    OrderProblem.UNKNOWN_ITEM: 0.85,
}

_WHY: Mapping[ToolName, str] = {
    ToolName.HOLD_ORDER: "Nothing may be shipped before a person has looked at the items of this order.",
    ToolName.REQUEST_APPROVAL: "A restricted item may only be sold with an approval, and none is recorded.",
    ToolName.REQUEST_PAYMENT_UPDATE: "The order cannot go on before the customer sees to the payment.",
    ToolName.ORDER_INVENTORY: "The order cannot be completed from the stock; the supplier has to bring the rest.",
}


@dataclass(frozen=True, kw_only=True)
class _Case:
    """One order with what was found wrong with it."""

    order: Order
    findings: Sequence[Finding]
    world: World
    approvers: Sequence[str]
    # What earlier proposals add to the stock of an item, less what their orders take.
    moved: dict[str, int]


def propose(findings: Sequence[Finding], world: World, *, approvers: Sequence[str]) -> ProposalSet:
    """A tool for each finding that one fits, in the order in which they must run; the reason for each other one.

    What is only put on hold is left to a person too: the hold decides nothing.
    """
    by_record: dict[str, list[Finding]] = {}
    for finding in findings:
        by_record.setdefault(finding.record_id, []).append(finding)
    proposals: list[Proposal] = []
    moved: dict[str, int] = {}
    for record_id, found in by_record.items():
        order = world.orders.get(record_id)
        if order is not None:
            proposals += _for_order(_Case(order=order, findings=found, world=world, approvers=approvers, moved=moved))
    answers = {fingerprint: proposal.tool for proposal in proposals for fingerprint in proposal.answers}
    left = {
        finding.fingerprint: why_no_tool(finding, world) for finding in findings if finding.fingerprint not in answers
    }
    left |= {
        finding.fingerprint: why_held(finding)
        for finding in findings
        if answers.get(finding.fingerprint) == ToolName.HOLD_ORDER
    }
    return ProposalSet(proposals=tuple(proposals), for_person=left)


def _for_order(case: _Case) -> Iterator[Proposal]:
    for tool, kinds in ANSWERS.items():
        found = [finding for finding in case.findings if kind_of(finding) in kinds]
        if not found:
            continue
        if tool is ToolName.ORDER_INVENTORY:
            yield from _restocks(case, found)
        elif obstacle(tool, case.order, case.world) is None:
            yield _proposal(case, tool, _arguments(tool, case), found)


def _restocks(case: _Case, found: Sequence[Finding]) -> Iterator[Proposal]:
    by_fingerprint = {finding.fingerprint: finding for finding in found}
    for item in short_items(case.order, case.world):
        finding = by_fingerprint.get(restock_fingerprint(case.order, item))
        if finding is None or obstacle(ToolName.ORDER_INVENTORY, case.order, case.world, item=item) is not None:
            continue
        row = case.world.stock[item]
        quantity = _quantity(case, row)
        case.moved[item] = case.moved.get(item, 0) + quantity - case.order.need(item)
        arguments: dict[str, JsonValue] = {
            "inventory_to_order": item,
            "inventory_description": field(row.item_name),
            "quantity": quantity,
        }
        yield _proposal(case, ToolName.ORDER_INVENTORY, arguments, [finding])


def _quantity(case: _Case, row: StockRow) -> int:
    """The usual quantity, if it is enough: also when the orders before this one have taken theirs off the shelf."""
    least, most = quantity_bounds(case.order, row)
    moved = case.moved.get(row.item_id, 0)
    return min(most, max(least, least - moved, min(most - max(0, moved), row.reorder_quantity)))


def _arguments(tool: ToolName, case: _Case) -> dict[str, JsonValue]:
    order = case.order
    if tool is ToolName.REQUEST_APPROVAL:
        return {"approver": case.approvers[0], "approval_request_contents": _request(order, case.world)}
    if tool is ToolName.REQUEST_PAYMENT_UPDATE:
        return {
            "customer_id": field(order.customer_id),
            "customer_name": field(order.customer_name),
            "original_payment_method": field(order.payment_method),
        }
    return {"reason": str(hold_reasons(order, case.world)[0])}


def _request(order: Order, world: World) -> str:
    items = unapproved_items(order, world)
    listed = ", ".join(f"{order.quantities[item]} x {shown(world.stock[item].item_name or item)}" for item in items[:3])
    more = f" and {len(items) - 3} more" if len(items) > 3 else ""
    text = f"Please approve order {order.order_id} of {shown(order.customer_name)}: {listed}{more}."
    return shown(text, longest=REQUEST_LENGTH - 50)


def _proposal(case: _Case, tool: ToolName, arguments: dict[str, JsonValue], found: Iterable[Finding]) -> Proposal:
    answered = list(found)
    return Proposal(
        record_id=case.order.order_id,
        tool=tool,
        arguments={"order_id": case.order.order_id} | arguments,
        answers=tuple(finding.fingerprint for finding in answered),
        confidence_score=min(_SURE[OrderProblem(finding.kind)] for finding in answered),
        rationale=_WHY[tool],
    )
