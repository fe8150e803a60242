"""Models that think: a competent one, and what makes another one of it."""

import re
from collections.abc import Iterator
from typing import Final

from tests.llm.mutations import Mutation
from tests.llm.reading import Prompt, ReadRecord
from tests.llm.thinking import Brain
from tests.llm.wire import Json

SURE: Final = 0.9
_NEEDS_APPROVAL = re.compile(r"ministry[\s_-]+(of[\s_-]+magic[\s_-]+)?(approval|consent)", re.IGNORECASE)
_FORBIDDEN = re.compile(r"\b(prohibited|banned|illegal)\b", re.IGNORECASE)
_PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,60}")
_PAYMENT = {
    "pending-payment": "payment-pending",
    "payment-pending": "payment-pending",
    "payment-denied": "payment-denied",
    "payment-declined": "payment-denied",
    "payment-failed": "payment-denied",
}
_UNPAID = frozenset({*_PAYMENT, "payment-update-requested"})
_LEFT_ALONE = frozenset(
    {"completed", "cancelled", "canceled", "delivered", "refunded", "returned", "shipped", "closed", "on-hold"}
)
_ISSUES = {
    "payment-pending": "The payment has not come in.",
    "payment-denied": "The payment was refused.",
    "restricted-without-approval": "An item needs the approval of the Ministry, and none is recorded.",
    "prohibited-item": "An item must not be sold.",
    "unknown-item": "An item is not in the inventory.",
    "inventory-short": "There is not enough in stock.",
}


def good(prompt: Prompt) -> Json:
    """Finds what the findings say, or else what is obvious; proposes the right tools; writes a decent sentence."""
    found = problems(prompt)
    if prompt.role == "detect":
        first = {str(problem["record_id"]): str(problem["issue"]) for problem in reversed(found)}
        return {"suspects": [_sure(record_id, why=why) for record_id, why in reversed(first.items())]}
    if prompt.role == "analyze":
        named = [_sure(each["record_id"], kind=each["kind"], issue=each["issue"]) for each in found]
        return {"problems": named, "doubts": []}
    if prompt.role == "plan":
        actions = list(_actions(prompt, found))
        left = {problem["record_id"] for problem in found} - {action["record_id"] for action in actions}
        return {"actions": actions, "doubts": [], "notes": "What has no tool is for a person." if left else ""}
    if prompt.role == "ping":
        return {"ok": True}
    return {"narrative": "The repair has ended. What was done is listed below, and so is what is left to a person."}


def mutated(brain: Brain, *mutations: Mutation) -> Brain:
    """The same model, whose replies are changed, one mutation after the other."""

    def think(prompt: Prompt) -> Json:
        reply = brain(prompt)
        for mutation in mutations:
            reply = mutation(prompt.role, reply, prompt.record_ids)
        return reply

    return think


def problems(prompt: Prompt) -> list[Json]:
    """The findings of the prompt; without any block of findings, what is obvious from the records."""
    if "findings" in prompt.blocks:
        return list(prompt.findings)
    return [
        {"record_id": record.record_id, "kind": kind, "issue": _ISSUES[kind]}
        for record in prompt.records
        for kind in obvious(record)
    ]


def obvious(record: ReadRecord) -> list[str]:
    """The kinds of problem that one look at an order shows; not those of sums and of time."""
    if record.status in _LEFT_ALONE:
        return []
    rows = [record.stock.get(item) for item in record.quantities]
    known = [row for row in rows if row is not None]
    kinds = [_PAYMENT[record.status]] if record.status in _PAYMENT else []
    if short_items(record):
        kinds.append("inventory-short")
    if not _approved(record) and any(_needs_approval(row) for row in known):
        kinds.append("restricted-without-approval")
    if any(_forbidden(row) for row in known):
        kinds.append("prohibited-item")
    if len(known) < len(rows):
        kinds.append("unknown-item")
    return kinds


def short_items(record: ReadRecord) -> dict[str, int]:
    """The items of which there are too few, and how many it is sensible to order."""
    wanted: dict[str, int] = {}
    for item, need in record.quantities.items():
        row = record.stock.get(item)
        if row is None or need <= (available := _available(row)):
            continue
        least, usual = need - available, int(row.get("reorder_quantity") or 0)
        ceiling = row.get("max_stock_level")
        most = max(least, usual) if ceiling is None else int(ceiling) - int(row.get("current_stock") or 0) + need
        if least <= most:
            wanted[item] = min(most, max(least, usual))
    return wanted


def _actions(prompt: Prompt, found: list[Json]) -> Iterator[Json]:
    kinds: dict[str, list[str]] = {}
    for problem in found:
        kinds.setdefault(str(problem["record_id"]), []).append(str(problem["kind"]))
    for record in prompt.records:
        yield from _for_record(record, kinds.get(record.record_id, []))


def _for_record(record: ReadRecord, kinds: list[str]) -> Iterator[Json]:
    held = [kind for kind in kinds if kind in ("prohibited-item", "unknown-item")]
    if held:
        yield _action(record, "hold_order", {"reason": held[0]}, why="A person has to look at its items first.")
        return
    if "restricted-without-approval" in kinds:
        request = f"Please approve order {record.record_id}: it has an item that needs an approval."
        yield _action(record, "request_approval", {"approval_request_contents": request}, why="No approval is there.")
    if {"payment-pending", "payment-denied"} & set(kinds) and "totals-mismatch" not in kinds:
        customer = str(record.order.get("customer_id") or "")
        arguments = {"customer_id": customer} if _PLAIN_ID.fullmatch(customer) else {}
        yield _action(record, "request_payment_update", arguments, why="It cannot go on before it is paid.")
    if "inventory-short" in kinds and record.status not in _UNPAID:
        for item, quantity in short_items(record).items():
            order = {"inventory_to_order": item, "quantity": quantity}
            yield _action(record, "order_inventory", order, why="The supplier has to bring what is missing.")


def _action(record: ReadRecord, tool: str, arguments: Json, *, why: str) -> Json:
    return _sure(record.record_id, tool=tool, arguments={"order_id": record.record_id} | arguments, why=why)


def _sure(record_id: object, **more: object) -> Json:
    return {"record_id": record_id, "confidence_score": SURE, **more}


def _available(row: Json) -> int:
    said = row.get("available_stock", row.get("available"))
    return int(row.get("current_stock") or 0) - int(row.get("reserved_stock") or 0) if said is None else int(said)


def _needs_approval(row: Json) -> bool:
    told = (row.get("special_requirements"), row.get("restrictions"), row.get("needs_approval"))
    return told[2] is True or any(_NEEDS_APPROVAL.search(str(value)) for value in told)


def _forbidden(row: Json) -> bool:
    told = (row.get("status"), row.get("category"))
    return row.get("prohibited") is True or any(_FORBIDDEN.search(str(value)) for value in told)


def _approved(record: ReadRecord) -> bool:
    asked = record.order.get("approval") or record.order.get("approval_request")
    return bool(asked) or record.status in ("approval-requested", "approved-preparing-shipment")
