"""Ten thousand orders are imported and paged through, and a megabyte of text in an order stays where it is."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.cases import cases

from daper.core.models import Scope
from daper.domains.orders.domain import open_domain
from daper.ports import Terms
from daper.service.records import RecordsService
from daper.service.selection import RecordFilter

NOW = datetime(2025, 7, 1, tzinfo=UTC)
MANY = 10_000
STATUSES = ("completed", "processing", "pending-payment", "payment-denied")
STUCK = ("payment-denied", "pending-inventory", "pending-approval")
MEGABYTE = "Accio! " * 150_000


def item(number: int, **fields: object) -> dict[str, object]:
    return {
        "item_id": f"I-{number}",
        "item_name": f"Item {number}",
        "current_stock": 5 if number == 49 else 50_000,
        "max_stock_level": 100_000,
        "unit_cost": 1.25,
        "supplier_contact": "owls@example.org",
        **fields,
    }


def line(item_id: str, quantity: int) -> dict[str, object]:
    return {"item_id": item_id, "quantity": quantity}


def order(number: int, **fields: object) -> dict[str, object]:
    return {
        "order_id": f"O-{number}",
        "customer_name": f"Wizard {number}",
        "customer_id": f"c{number}@owls.example",
        "order_date": "2025-06-30",
        "status": STATUSES[number % 4],
        "items": [
            {"item_id": "I-49" if number % 100 == 1 else f"I-{number % 49}", "quantity": 9 if number % 100 == 1 else 1}
        ],
        **fields,
    }


async def imported(folder: Path, orders: list[dict[str, object]], items: list[dict[str, object]]) -> RecordsService:
    """A service on records that came in by an import."""
    files = (folder / "o.json", folder / "i.json")
    for path, rows in zip(files, (orders, items), strict=True):
        path.write_text(json.dumps(rows), encoding="utf-8")
    service = RecordsService(domains={"orders": open_domain(folder / "data", {"approvers": "ministry@magic.example"})})
    draft = await service.read_import("orders", files, now=NOW)
    assert draft.faults == draft.warnings == ()
    assert draft.counts["orders"] == len(orders)
    await service.import_records("orders", draft, replace_own=False)
    return service


@pytest.mark.long
async def test_ten_thousand_orders_are_imported_filtered_and_paged_through(tmp_path: Path) -> None:
    service = await imported(tmp_path, [order(n) for n in range(MANY)], [item(n) for n in range(50)])

    async def page(
        first: int = 0, most: int = 2, *, status: str | None = None, **wanted: object
    ) -> tuple[int, list[str]]:
        found = await service.list(
            "orders",
            Scope(status=status),
            now=NOW,
            first=first,
            most=most,
            wanted=RecordFilter.model_validate(wanted),
        )
        return found.total, [line.head.record_id for line in found.records]

    assert await page() == (MANY, ["O-0", "O-1"])
    assert await page(first=499, most=3) == (MANY, ["O-499", "O-500", "O-501"])
    assert await page(first=MANY - 1) == (MANY, ["O-9999"])
    assert await page(first=MANY) == (MANY, [])
    assert await page(with_problems=True) == (5_100, ["O-1", "O-2"])
    assert await page(first=5_099, with_problems=True) == (5_100, ["O-9999"])
    assert await page(problem="inventory-short") == (100, ["O-1", "O-101"])
    assert await page(first=98, problem="Inventory_Short") == (100, ["O-9801", "O-9901"])
    assert await page(problem="inventory-short", status="completed") == (0, [])
    assert await page(first=1, search="o-77") == (111, ["O-770", "O-771"])
    assert await page(search="WIZARD 77", problem="payment-denied") == (28, ["O-771", "O-775"])
    found = await service.list("orders", Scope(), now=NOW, wanted=RecordFilter(problem="nonsense"))
    assert (found.total, found.kinds) == (
        0,
        {"payment-pending": 2_500, "payment-denied": 2_500, "inventory-short": 100},
    )


async def test_problems_are_beside_their_own_records_on_every_page(tmp_path: Path) -> None:
    service = await imported(tmp_path, [order(n) for n in range(1_100)], [item(n) for n in range(50)])

    found = await service.list("orders", Scope(), now=NOW, first=498, most=5)

    kinds = {line.head.record_id: [problem.kind for problem in line.problems] for line in found.records}
    assert kinds == {
        "O-498": ["payment-pending"],
        "O-499": ["payment-denied"],
        "O-500": [],
        "O-501": ["inventory-short"],
        "O-502": ["payment-pending"],
    }


def most_of(terms: Terms) -> int:
    return max(len(str(part)) for part in (terms.limits, terms.preview, terms.reads))


@pytest.mark.parametrize("status", cases({each: each for each in STUCK}, quick=["payment-denied"]))
async def test_a_megabyte_of_text_in_any_field_never_leaves_its_record(tmp_path: Path, status: str) -> None:
    texts = ("notes", "customer_name", "payment_method", "status_notes", "shipping_address")
    line = {"item_id": "I-1", "item_name": MEGABYTE, "quantity": 9, "description": MEGABYTE}
    big = order(1, status=status, items=[line], **dict.fromkeys(texts, MEGABYTE))
    row = item(1, item_name=MEGABYTE, category=MEGABYTE, restrictions=[MEGABYTE, "requires Ministry approval"])
    service = await imported(tmp_path, [big], [row])
    domain = open_domain(tmp_path / "data", {"approvers": "ministry@magic.example"})

    listed = await service.list("orders", Scope(), now=NOW)
    records = await domain.context(["O-1"])
    findings = domain.detect(records, NOW)
    proposed = domain.propose(findings, records)

    assert findings
    assert proposed.proposals
    assert len(listed.model_dump_json()) < 4_000
    for made in (*findings, *proposed.proposals):
        assert len(made.model_dump_json()) < 2_000
    for proposal in proposed.proposals:
        assert most_of(domain.terms(proposal, records)) < 2_000
    assert all(len(reason) < 400 for reason in proposed.for_person.values())
