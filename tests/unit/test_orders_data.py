"""The shipped orders and inventory: their facts, their sums, and that they load and are written back whole."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
import simplejson
from pydantic import TypeAdapter

from daper.core.errors import SettingError, StoreDamaged
from daper.core.models import RecordHead, Scope
from daper.domains.orders import shipped
from daper.domains.orders.domain import open_domain
from daper.domains.orders.fields import Number
from daper.domains.orders.models import Order, StockRow

NOTHING: list[object] = []
CENT = Decimal("0.01")
STOCK_FIELDS = {
    "item_id", "item_name", "category", "subcategory", "current_stock", "reserved_stock", "available_stock",
    "reorder_point", "reorder_quantity", "max_stock_level", "unit_cost", "unit_price", "supplier", "supplier_contact",
    "lead_time_days", "last_restocked", "status", "dangerous_goods",
}  # fmt: skip
ORDER_FIELDS = {
    "order_id", "customer_name", "customer_id", "order_date", "status", "shipping_address", "items", "subtotal", "tax",
    "shipping", "total", "payment_method", "notes",
}  # fmt: skip
LINE_FIELDS = {"item_id", "item_name", "description", "category", "quantity", "unit_price", "total_price"}


def document(name: str) -> dict[str, list[dict[str, object]]]:
    return simplejson.loads(shipped.texts("hogwarts")[name], use_decimal=True)


def orders() -> list[Order]:
    return [Order.model_validate(raw) for raw in document("orders.json")["orders"]]


def stock() -> dict[str, StockRow]:
    rows = [StockRow.model_validate(raw) for raw in document("inventory.json")["inventory"]]
    return {row.item_id: row for row in rows}


def write(folder: Path, *, orders: object, inventory: object) -> None:
    folder.mkdir()
    (folder / "orders.json").write_text(simplejson.dumps(orders), encoding="utf-8")
    (folder / "inventory.json").write_text(simplejson.dumps(inventory), encoding="utf-8")


def test_the_six_orders_have_the_agreed_facts() -> None:
    facts = [
        (one.order_id, one.customer_name, one.customer_id, one.status, str(one.order_date)[:10]) for one in orders()
    ]
    assert facts == [
        ("ORD-001-HJP", "Harry James Potter", "CUST-HP-001", "pending-payment", "2025-06-27"),
        ("ORD-002-HJG", "Hermione Jean Granger", "CUST-HG-002", "pending-inventory", "2025-06-12"),
        ("ORD-003-RBW", "Ronald Bilius Weasley", "CUST-RW-003", "payment-denied", "2025-06-18"),
        ("ORD-004-RHG", "Rubeus Hagrid", "CUST-RH-004", "pending-approval", "2025-06-10"),
        ("ORD-005-LLV", "Luna Lovegood", "CUST-LL-005", "completed", "2025-06-14"),
        ("ORD-006-DLM", "Draco Lucius Malfoy", "CUST-DM-006", "priority_processing", "2025-06-16"),
    ]


def test_the_badges_and_the_egg_are_as_agreed() -> None:
    badges, by_id = stock()["STP-ORG-001"], {one.order_id: one for one in orders()}
    assert (badges.current_stock, badges.available, badges.max_stock_level, badges.reorder_quantity) == (
        247,
        187,
        500,
        200,
    )
    assert by_id["ORD-002-HJG"].quantities["STP-ORG-001"] == 300
    egg = next(line for line in by_id["ORD-004-RHG"].items if line.item_id == "DRG-EGG-007")
    assert (egg.quantity, egg.unit_price) == (1, Decimal("37.98"))
    assert [item for item, row in stock().items() if row.needs_approval] == ["DRG-EGG-007"]


def test_every_order_adds_up_to_the_cent() -> None:
    for one in orders():
        assert 3 <= len(one.items) <= 4
        for line in one.items:
            assert line.unit_price is not None
            assert line.total_price == (line.unit_price * line.quantity).quantize(CENT)
        assert one.subtotal is not None
        assert one.subtotal == sum((line.total_price or 0 for line in one.items), Decimal(0))
        assert one.tax == (one.subtotal * Decimal("0.05")).quantize(CENT, ROUND_HALF_UP)
        assert one.total == one.subtotal + (one.tax or 0) + (one.shipping or 0)


def test_the_order_summary_fits_the_orders() -> None:
    raw: Mapping[str, object] = simplejson.loads(shipped.texts("hogwarts")["orders.json"], use_decimal=True)
    total = sum((one.total or Decimal(0) for one in orders()), Decimal(0))
    assert raw["order_summary"] == {
        "total_orders": 6,
        "total_revenue": total,
        "average_order_value": (total / 6).quantize(CENT, ROUND_HALF_UP),
        "orders_by_status": {one.status: 1 for one in orders()},
        "currency": "Galleons",
        "period": "Summer 2025",
    }


def test_every_ordered_item_is_in_the_inventory_with_plenty_of_all_but_the_badges() -> None:
    rows, wanted = stock(), dict[str, Number]()
    for one in orders():
        for item, quantity in one.quantities.items():
            wanted[item] = wanted.get(item, 0) + quantity
    assert len(rows) == 23
    assert [item for item, quantity in wanted.items() if quantity > (rows[item].available or 0)] == ["STP-ORG-001"]


def test_rows_have_all_fields_and_stock_that_is_possible() -> None:
    for raw in document("inventory.json")["inventory"]:
        row = StockRow.model_validate(raw)
        assert set(raw) >= STOCK_FIELDS
        current, available = row.current_stock or 0, row.available or 0
        assert row.available_stock == current - row.reserved_stock
        assert available >= 0
        assert current <= (row.max_stock_level or 0)
    for raw in document("orders.json")["orders"]:
        assert set(raw) >= ORDER_FIELDS
        lines: list[dict[str, object]] = TypeAdapter(list[dict[str, object]]).validate_python(raw["items"])
        assert all(set(line) == LINE_FIELDS for line in lines)
        assert str(raw["order_date"]).endswith("Z")


async def test_a_new_folder_gets_the_shipped_data_on_first_use_and_not_before(tmp_path: Path) -> None:
    domain = open_domain(tmp_path / "data", {})
    assert not (tmp_path / "data").exists()
    info = await domain.store()
    assert (info.as_of, info.counterparty) == (datetime(2025, 6, 28, tzinfo=UTC), "simulated")
    assert info.place == str(tmp_path / "data")
    assert await domain.count_open(Scope()) == 5


async def test_own_files_with_more_fields_in_another_order_load_and_claim_no_counterparty(tmp_path: Path) -> None:
    line = {"quantity": 2, "gift": True, "item_id": "X"}
    write(
        tmp_path / "own",
        orders={"meta": {"by": "us"}, "orders": [{"priority": 1, "status": "new", "items": [line], "order_id": "O-1"}]},
        inventory={"inventory": [{"shelf": "B4", "current_stock": 9, "item_id": "X"}], "meta": 1},
    )
    domain = open_domain(tmp_path / "own", {})
    info = await domain.store()
    assert (info.as_of, info.counterparty) == (None, None)
    page = await domain.scan(Scope())
    assert domain.detect(page.records, datetime(2025, 6, 28, tzinfo=UTC)) == ()
    assert page.records[0].data["priority"] == 1


@pytest.mark.parametrize(
    ("order", "place"),
    [
        ({"order_id": "A", "items": [{"item_id": "X", "quantity": "many"}]}, "orders[1].items[0].quantity"),
        ({"order_id": "A", "items": [{"item_id": "X", "quantity": True}]}, "orders[1].items[0].quantity"),
        ({"order_id": "A", "items": [{"item_id": "X", "quantity": [1]}]}, "orders[1].items[0].quantity"),
        ({"order_id": "A", "items": NOTHING, "total": "12.50"}, "orders[1].total"),
        ({"order_id": "A", "items": NOTHING, "total": 1e300}, "orders[1].total"),
        ({"items": NOTHING}, "orders[1].order_id"),
        ({"order_id": "", "items": NOTHING}, "orders[1].order_id"),
        ({"order_id": "A" * 201, "items": NOTHING}, "orders[1].order_id"),
        ({"order_id": "A", "items": [{"item_id": "X" * 201, "quantity": 1}]}, "orders[1].items[0].item_id"),
        ({"order_id": "A", "items": NOTHING, "customer_id": "C" * 201}, "orders[1].customer_id"),
        ({"order_id": "A", "items": NOTHING, "status": "s" * 201}, "orders[1].status"),
        ({"order_id": "O-1", "items": NOTHING}, "orders[1].order_id"),
        ({"order_id": "A", "items": [7]}, "orders[1].items[0]"),
        ({"order_id": "A", "items": 7}, "orders[1].items"),
        (7, "orders[1]"),
    ],
)
async def test_a_row_that_cannot_be_parsed_is_refused_with_its_file_and_place(
    tmp_path: Path, order: object, place: str
) -> None:
    write(
        tmp_path / "own",
        orders={"orders": [{"order_id": "O-1", "items": NOTHING}, order]},
        inventory={"inventory": [{"item_id": "X", "current_stock": 1}]},
    )
    with pytest.raises(StoreDamaged) as refused:
        await open_domain(tmp_path / "own", {}).scan(Scope())
    assert f"orders.json: {place} " in str(refused.value)


async def test_an_inventory_row_with_text_for_a_number_is_refused_with_its_value(tmp_path: Path) -> None:
    write(
        tmp_path / "own",
        orders={"orders": []},
        inventory={"inventory": [{"item_id": "X", "current_stock": "a few"}]},
    )
    with pytest.raises(StoreDamaged, match=r"inventory.json: inventory\[0\].current_stock holds 'a few'"):
        await open_domain(tmp_path / "own", {}).context(["O-1"])


@pytest.mark.parametrize("field", ["item_id", "status"])
async def test_an_inventory_id_or_status_over_200_characters_is_refused(tmp_path: Path, field: str) -> None:
    row = {"item_id": "X", "current_stock": 1, field: "x" * 201}
    write(tmp_path / "own", orders={"orders": []}, inventory={"inventory": [row]})
    with pytest.raises(StoreDamaged, match=rf"inventory.json: inventory\[0\].{field} .*at most 200 char") as refused:
        await open_domain(tmp_path / "own", {}).context(["O-1"])
    assert len(str(refused.value)) < 400


async def test_ids_and_statuses_of_200_characters_load(tmp_path: Path) -> None:
    long = "x" * 200
    order = {"order_id": long, "customer_id": long, "status": long, "items": [{"item_id": long, "quantity": 1}]}
    row = {"item_id": long, "current_stock": 1, "status": long}
    write(tmp_path / "own", orders={"orders": [order]}, inventory={"inventory": [row]})
    assert len((await open_domain(tmp_path / "own", {}).scan(Scope())).records) == 2


async def test_pages_hold_500_orders_and_cover_the_scope_exactly_once(tmp_path: Path) -> None:
    many: list[dict[str, object]] = [
        {"order_id": f"O-{n}", "status": "odd" if n % 2 else "even", "items": NOTHING} for n in range(1203)
    ]
    write(tmp_path / "own", orders={"orders": many}, inventory={"inventory": []})
    domain = open_domain(tmp_path / "own", {})
    seen, page, sizes = list[str](), None, list[int]()
    while True:
        found = await domain.scan(Scope(), page)
        seen += [record.record_id for record in found.records]
        sizes.append(len(found.records))
        page = found.next_page
        if page is None:
            break
    assert sizes == [500, 500, 203]
    assert seen == [one["order_id"] for one in many]
    odd = await domain.scan(Scope(status="ODD"))
    assert len(odd.records) == 500
    assert odd.next_page == "500"
    named = await domain.scan(Scope(record_ids=("O-7", "O-nowhere")))
    assert [record.record_id for record in named.records] == ["O-7"]


async def test_context_gives_the_named_orders_and_only_the_rows_of_their_items(tmp_path: Path) -> None:
    domain = open_domain(tmp_path / "data", {})
    records = await domain.context(["ORD-005-LLV", "nobody"])
    assert [record.ref for record in records] == [
        "orders/ORD-005-LLV",
        "inventory/QLL-EGL-002",
        "inventory/SPC-SPX-018",
        "inventory/JWL-RAD-019",
    ]
    heads = [domain.head(record) for record in records]
    assert heads == [RecordHead(record_id="ORD-005-LLV", title="Luna Lovegood", status="completed"), None, None, None]


async def test_reset_restores_the_shipped_data_and_keeps_the_store_id(tmp_path: Path) -> None:
    domain = open_domain(tmp_path / "data", {})
    before = await domain.store()
    (tmp_path / "data" / "orders.json").write_text('{"orders": []}', encoding="utf-8")
    assert await domain.count_open(Scope()) == 0
    assert (await domain.reset()).store == before
    assert await domain.count_open(Scope()) == 5


@pytest.mark.parametrize("options", [{"dataset": "narnia"}, {"approvers": " , "}])
def test_an_option_that_is_wrong_is_refused_before_any_file_is_touched(tmp_path: Path, options: dict[str, str]) -> None:
    with pytest.raises(SettingError):
        open_domain(tmp_path / "data", options)
    assert not (tmp_path / "data").exists()
