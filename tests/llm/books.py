"""What a shop's books say: what the rules alone would do, what was done, what was sent, what the records hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from daper.core.models import Finding, Proposal, Scope
from daper.domains.orders.addresses import IN_PLAY_APPROVER
from daper.domains.orders.domain import OrdersDomain
from daper.domains.orders.world import ORDERS_FILE, STOCK_FILE
from daper.ports.store import LedgerRow, Message
from daper.stores import jsontext
from daper.stores.jsonfiles.rowfiles import from_bytes
from tests.llm.poisoned import AS_OF
from tests.llm.wire import Json

SUPPLIER = "trade@scrivenshafts.example"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What the rules find and propose, by record; each record has one problem at most, and one tool for it."""

    findings: Mapping[str, Finding]
    proposals: Mapping[str, Proposal]


@dataclass(frozen=True, kw_only=True)
class Books:
    """The ledger, the outbox and the records at one moment."""

    ledger: tuple[LedgerRow, ...]
    outbox: tuple[Message, ...]
    orders: Mapping[str, Json]
    stock: Mapping[str, Json]

    def changed_orders(self, before: "Books") -> set[str]:
        """The orders that are not as they were."""
        return {each for each in {*self.orders, *before.orders} if _differ(each, self.orders, before.orders)}

    def changed_items(self, before: "Books") -> set[str]:
        """The inventory rows that are not as they were."""
        return {each for each in {*self.stock, *before.stock} if _differ(each, self.stock, before.stock)}


async def rules_on(folder: Path) -> Rules:
    """What the rules make of the records in a store, as it is; no model is asked."""
    domain = OrdersDomain(folder=folder, approvers=(IN_PLAY_APPROVER,), dataset="hogwarts")
    page = await domain.scan(Scope())
    assert page.next_page is None
    found = domain.detect(page.records, AS_OF)
    proposed = domain.propose(found, page.records).proposals
    rules = Rules(
        findings={finding.record_id: finding for finding in found},
        proposals={proposal.record_id: proposal for proposal in proposed},
    )
    assert len(rules.findings) == len(found) == len(rules.proposals) == len(proposed)
    return rules


def books_of(folder: Path) -> Books:
    """The books of a store as they are."""
    return Books(
        ledger=tuple(from_bytes(LedgerRow, path.read_bytes(), path=path) for path in _files(folder / "ledger")),
        outbox=tuple(from_bytes(Message, path.read_bytes(), path=path) for path in _files(folder / "outbox")),
        orders=_rows(folder / ORDERS_FILE, "orders", "order_id"),
        stock=_rows(folder / STOCK_FILE, "inventory", "item_id"),
    )


def letter_of(record_id: str, tool: str, arguments: Mapping[str, JsonValue]) -> tuple[str, str, str]:
    """To whom, about what and in what words a tool writes for an order when it is called with these arguments."""
    said = {name: str(value) for name, value in arguments.items()}
    match tool:
        case "request_approval":
            return said["approver"], f"Approval of order {record_id}", said["approval_request_contents"]
        case "order_inventory":
            what = f"{said['quantity']} x {said['inventory_description']} ({said['inventory_to_order']})"
            about = f"Order of {said['quantity']} x {said['inventory_to_order']}"
            return SUPPLIER, about, f"Please deliver {what}."
        case "request_payment_update":
            body = (
                f"Dear {said['customer_name']},\n\nwe have not received the payment of {said['amount']} for order "
                f"{record_id}, which was to come by {said['original_payment_method']}. Please pay again, or name "
                "another way to pay."
            )
            return said["customer_id"], f"Payment of order {record_id}", body
        case _:
            raise AssertionError(f"{tool} writes to nobody")


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


def _rows(path: Path, name: str, key: str) -> dict[str, Json]:
    # The test's own store: a list of objects, each with an id.
    rows = cast("list[Json]", jsontext.parse(path.read_bytes(), path=path)[name])
    return {str(row[key]): row for row in rows}


def _differ(row_id: str, rows: Mapping[str, Json], before: Mapping[str, Json]) -> bool:
    return rows.get(row_id) != before.get(row_id)
