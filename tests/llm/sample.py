"""A small prompt for each role: three orders with a problem each, and one without."""

import json

from tests.llm.reading import Prompt, read_texts
from tests.llm.wire import Json

ROLES = ("detect", "analyze", "plan", "report")
IDS = ("ORD-1", "ORD-2", "ORD-3", "ORD-4")
_STATUS = {"ORD-1": "payment-denied", "ORD-2": "pending-inventory", "ORD-3": "pending-approval", "ORD-4": "processing"}


def block(tag: str, *values: Json) -> str:
    """A block of a prompt, one object on each line, in which data cannot close it."""
    lines = [json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e") for value in values]
    return "\n".join([f"<{tag}>", *lines, f"</{tag}>"])


def record(order_id: str) -> Json:
    """One of the four orders with its inventory row."""
    item = order_id.replace("ORD", "ITM")
    row: Json = {"item_id": item, "current_stock": 9, "available_stock": 9, "reorder_quantity": 30}
    if order_id == "ORD-2":
        row |= {"current_stock": 1, "available_stock": 1, "max_stock_level": 20}
    if order_id == "ORD-3":
        row["special_requirements"] = {"ministry_approval": True}
    lines = [{"item_id": item, "quantity": 4}]
    order = {"order_id": order_id, "customer_id": f"CUST-{order_id}", "status": _STATUS[order_id], "items": lines}
    return {"record_id": order_id, "order": order, "stock": [row]}


def prompt(role: str, *, notes: str = "") -> Prompt:
    """The four orders, or the facts of a repair of them, with a text among them."""
    if role == "report":
        facts: Json = {"actions": [{"record": record_id} for record_id in IDS], "left": [notes]}
        return read_texts(f"Role: {role}\n", block("facts", facts))
    records = [record(order_id) for order_id in IDS]
    records[0]["order"]["notes"] = notes
    return read_texts(f"Role: {role}\n", block("records", *records))
