"""Own orders, of which nobody plays the other side; what lies in their outbox, and what was verified."""

import json
from pathlib import Path

from daper.core.outcomes import RepairResult, VerificationStatus
from daper.domains.orders import shipped
from daper.domains.orders.domain import OrdersDomain
from daper.ports import Message
from tests.workflow.shop import Shop

APPROVERS = {"DAPER_ORDERS_APPROVERS": "ministry@owls.example"}
PAYS, APPROVED, RESTOCKED = "ORD-001-HJP", "ORD-004-RHG", "ORD-002-HJG"


def bring_own(home: Path) -> None:
    """The shipped orders as somebody's own: nobody plays their other side."""
    folder = home / "data" / "orders"
    folder.mkdir(parents=True)
    for name, text in shipped.texts("hogwarts").items():
        document = json.loads(text)
        for order in document.get("orders", ()):
            order["customer_email"] = f"{order['customer_id']}@owls.example".lower()
        (folder / name).write_text(json.dumps(document), encoding="utf-8")


async def outbox(shop: Shop) -> tuple[Message, ...]:
    orders = shop.domains["orders"]
    assert isinstance(orders, OrdersDomain)
    return await orders.outbox()


def verified(result: RepairResult) -> dict[str, VerificationStatus]:
    assert result.verification is not None
    return {finding.record_id: finding.status for finding in result.verification.findings}
