"""What exports of real shops have beside orders of goods with a SKU: no item is lost, doubled or made up."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import cast

import pytest
from tests.shop_exports import (
    MAGENTO_ORDER,
    PLAIN_STOCK,
    SHOPIFY_INVENTORY,
    SHOPIFY_ORDERS,
    magento_item,
    magento_lines,
    shopify_line,
    shopify_order,
    shopify_orders,
    shopify_products,
    shopify_variant,
    table,
    woo_order,
)
from tests.unit.test_orders_mapping import NOW, Desk, desk, orders, statuses, stock, told

from daper.core.models import Scope
from daper.domains.orders.importing.spool import Spool
from daper.domains.orders.models import Order
from daper.ports import ImportWay

__all__ = ["desk"]


def lines(row: Mapping[str, object]) -> list[dict[str, object]]:
    return cast("list[dict[str, object]]", row["items"])


async def found_in(desk: Desk, orders: str, stock: str, mapping: str) -> dict[str, set[str]]:
    """The kinds of problem of each order, once these files are imported."""
    draft = await desk.read(orders, stock, mapping)
    assert told(draft) == []
    await desk.domain.import_records(draft)
    records = (await desk.domain.scan(Scope())).records
    kinds: dict[str, set[str]] = {}
    for finding in desk.domain.detect(records, NOW):
        kinds.setdefault(finding.record_id, set()).add(finding.kind)
    return kinds


def test_variants_without_a_sku_are_called_as_the_lines_of_orders_call_them(desk: Desk) -> None:
    blue, red = {"Option1 Value": "Blue", "Option2 Value": "M"}, {"Option1 Value": "Red", "Option2 Value": "M"}
    products = shopify_products(
        shopify_variant("t-shirt", "", "1", Title="T-Shirt", **blue),
        shopify_variant("t-shirt", "", "2", **red),
        shopify_variant("ink", "", "3", Title="Ink", **{"Option1 Value": "Default Title"}),
    )
    sold = shopify_orders(
        shopify_order("#1", "paid", **{"Lineitem sku": "", "Lineitem name": "T-Shirt - Blue / M"}),
        shopify_order("#2", "paid", **{"Lineitem sku": "", "Lineitem name": "Ink"}),
    )

    spool = desk.mapped(sold, products, "shopify")

    assert stock(spool).keys() == {"T-Shirt - Blue / M", "T-Shirt - Red / M", "Ink"}
    assert {line["item_id"] for row in orders(spool).values() for line in lines(row)} <= stock(spool).keys()


def test_what_no_place_has_is_none_of_it_and_not_an_unknown_item(desk: Desk) -> None:
    header, *_ = SHOPIFY_INVENTORY.split("\n")
    inventory = table(
        header.split(","),
        [
            {"Handle": "ink", "Title": "Ink", "SKU": "INK-1", "Location": "A", "On hand (current)": "not stocked"},
            {"Handle": "ink", "Title": "Ink", "SKU": "INK-1", "Location": "B", "On hand (current)": "not stocked"},
        ],
    )
    sources = table(
        ("source_code", "sku", "status", "quantity"),
        [{"source_code": "default", "sku": "LADLE", "status": "0", "quantity": "5.0000"}],
    )

    assert stock(desk.mapped(shopify_orders(), inventory, "shopify"))["INK-1"]["current_stock"] == 0
    assert stock(desk.mapped(magento_lines(), sources, "magento"))["LADLE"]["current_stock"] == 0


async def test_what_need_not_lie_on_a_shelf_is_no_unknown_item(desk: Desk) -> None:
    unshipped = {"Lineitem requires shipping": "false"}
    sold = shopify_orders(
        shopify_order("#1", "paid", **{"Lineitem sku": "QLL-1"}),
        shopify_line("#1", "1", "Tip", "2.00", **unshipped),
        shopify_order("#2", "paid", **{"Lineitem sku": "", "Lineitem name": "Gift card - 50", **unshipped}),
        shopify_order("#3", "paid", **{"Lineitem sku": "NO-SUCH", "Lineitem requires shipping": "true"}),
    )

    kinds = await found_in(desk, sold, PLAIN_STOCK, "shopify")

    assert {name for name, found in kinds.items() if "unknown-item" in found} == {"#3"}


async def test_what_is_counted_is_short_also_where_it_is_not_shipped(desk: Desk) -> None:
    ticket = {"Lineitem sku": "QLL-1", "Lineitem quantity": "9", "Lineitem requires shipping": "false"}

    kinds = await found_in(desk, shopify_orders(shopify_order("#1", "paid", **ticket)), PLAIN_STOCK, "shopify")

    assert "inventory-short" in kinds["#1"]


async def test_an_order_that_only_tests_the_shop_is_a_person_s(desk: Desk) -> None:
    def order(name: str, **fields: object) -> dict[str, object]:
        line = {"sku": "QLL-1", "name": "Quill", "quantity": 9, "price": "1.00"}
        paid = {"financial_status": "paid", "fulfillment_status": None, "total_price": "9.00"}
        return {"name": name, "created_at": "2026-11-20T16:20:00Z", **paid, "line_items": [line], **fields}

    api = [order("#1", test=True), order("#2", test=False), order("#3", test=True, cancelled_at="2026-11-21T00:00:00Z")]
    sold = shopify_orders(shopify_order("#1", "paid", **{"Payment Method": "bogus", "Lineitem quantity": "9"}))

    found = statuses(orders(desk.mapped(json.dumps({"orders": api}), PLAIN_STOCK, "shopify")))

    assert found == {"#1": "test order / paid", "#2": "processing", "#3": "cancelled"}
    kinds = await found_in(desk, sold, PLAIN_STOCK, "shopify")
    assert kinds["#1"] == {"unknown-status"}


def test_a_variation_that_is_counted_with_its_product_is_counted(desk: Desk) -> None:
    products = [
        {"id": 9, "sku": "CAP", "name": "Cap", "manage_stock": True, "stock_quantity": 2, "stock_status": "instock"},
        {"id": 10, "sku": "CAP-R", "manage_stock": "parent", "stock_quantity": 2, "stock_status": "instock"},
        {"id": 11, "sku": "CAP-B", "manage_stock": False, "stock_quantity": None, "stock_status": "instock"},
    ]

    found = stock(desk.mapped(json.dumps([woo_order("1", "completed")]), json.dumps(products), "woocommerce"))

    assert {name: row["current_stock"] for name, row in found.items()} == {"CAP": 2, "CAP-R": 2, "CAP-B": None}


async def test_the_parts_of_a_bundle_are_what_is_needed_and_its_own_line_is_what_it_costs(desk: Desk) -> None:
    money = {
        "subtotal": "50.0000",
        "discount_amount": "0.0000",
        "gift_cards_amount": "0.0000",
        "grand_total": "55.0000",
    }
    kit = {"item:product_type": "bundle"}
    shirt = {"item:product_type": "configurable"}
    sold = magento_lines(
        {**MAGENTO_ORDER, **money, **magento_item("1", "KIT-A-B", "Kit", "1.0000", "30.0000", "30.0000"), **kit},
        magento_item("2", "QLL-1", "Quill", "9.0000", "1.0000", "9.0000", "1"),
        magento_item("3", "INK-1", "Ink", "1.0000", "0.0000", "0.0000", "1"),
        {**magento_item("4", "ROBE-M", "Robe", "1.0000", "20.0000", "20.0000"), **shirt},
        magento_item("5", "ROBE-M", "Robe M", "1.0000", "0.0000", "0.0000", "4"),
        {
            **magento_item("6", "SONG", "Song", "1.0000", "0.0000", "0.0000"),
            "item:product_type": "downloadable",
            "item:is_virtual": "1",
        },
    )
    shelf = json.dumps(
        [{"item_id": name, "current_stock": 3} for name in ("QLL-1", "INK-1", "ROBE-M")],
    )

    found = orders(desk.mapped(sold, shelf, "magento"))["000000201"]

    assert [(line["item_id"], line.get("total_price")) for line in lines(found)] == [
        ("KIT-A-B", Decimal("30.0000")),
        ("QLL-1", None),
        ("INK-1", None),
        ("ROBE-M", Decimal("20.0000")),
        ("SONG", Decimal("0.0000")),
    ]
    assert await found_in(desk, sold, shelf, "magento") == {"000000201": {"inventory-short"}}


@pytest.mark.parametrize("apart", [True, False])
async def test_an_order_that_is_in_a_file_twice_is_not_one_with_twice_the_lines(desk: Desk, apart: bool) -> None:
    one = [
        shopify_order("#1", "paid", **{"Lineitem sku": "QLL-1"}),
        shopify_line("#1", "1", "Ink", "1.00", "INK-1"),
    ]
    other = [shopify_order("#2", "paid")] if apart else []

    draft = await desk.read(shopify_orders(*one, *other, *one), PLAIN_STOCK, "shopify")

    assert len(told(draft)) == 1
    assert "holds '#1', which line 2 has too, as an order of its own" in told(draft)[0]


@pytest.mark.parametrize(
    ("again", "why"),
    [
        ("1;open;A;2\n", "holds '1', which line 2 has too"),
        ("1;closed;B;2\n", "holds '1', which line 2 has too"),
        ("1;open;B;2\n", ""),
    ],
)
async def test_rows_further_down_are_more_lines_only_where_they_say_nothing_else(
    desk: Desk, again: str, why: str
) -> None:
    mapping = desk.folder / "mine.toml"
    mapping.write_text(
        '[[orders]]\nformat = "csv"\nneeds = ["No"]\none_row_for_each = "line"\n[orders.fields]\norder_id = "No"\n'
        'status = "State"\n[orders.lines]\nitem_id = "SKU"\nquantity = "Pieces"\n',
        encoding="utf-8",
    )

    draft = await desk.read(f"No;State;SKU;Pieces\n1;open;A;2\n2;open;A;1\n{again}", PLAIN_STOCK, str(mapping))

    assert why in "".join(told(draft))
    assert bool(told(draft)) == bool(why)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (SHOPIFY_ORDERS.encode("utf-16"), "is not UTF-8 text but UTF-16; save it as UTF-8"),
        (SHOPIFY_ORDERS.replace("Billing City", "Städte").encode("cp1252"), "in or near line 1; save it as UTF-8"),
        (SHOPIFY_ORDERS.replace("Luna", "Lüna").encode("cp1252"), "is not UTF-8 text, in or near line"),
    ],
)
async def test_a_table_that_is_not_utf_8_is_refused_with_the_way_out(desk: Desk, text: bytes, why: str) -> None:
    path, shelf = desk.folder / "orders.csv", desk.folder / "stock.json"
    path.write_bytes(text)
    shelf.write_text(PLAIN_STOCK, encoding="utf-8")

    draft = await desk.domain.read_import((path, shelf), now=NOW, way=ImportWay(mapping="shopify", merge=True))

    assert why in told(draft)[0]


def test_a_line_for_excel_before_the_header_says_the_separator(desk: Desk) -> None:
    plain = shopify_orders(shopify_order("#1", "paid"), shopify_order("#2", "paid"))
    given = "\ufeffsep=;\r\n" + plain.replace(",", ";")

    assert orders(desk.mapped(given, PLAIN_STOCK, "shopify")).keys() == {"#1", "#2"}


async def test_the_place_of_a_fault_counts_that_line(desk: Desk) -> None:
    given = "sep=,\n" + shopify_orders(shopify_order("#1", "paid", Total="much"))
    assert "line 3, Total holds 'much'" in told(await desk.read(given, PLAIN_STOCK, "shopify"))[0]


async def test_a_column_that_is_there_twice_and_not_read_is_no_fault(desk: Desk) -> None:
    plain = shopify_orders(shopify_order("#1", "paid"))

    assert told(await desk.read(plain.replace("Tax 5 Name", "Tax 4 Name"), PLAIN_STOCK, "shopify")) == []
    twice = told(await desk.read(plain.replace("Duties", "Total"), PLAIN_STOCK, "shopify"))
    assert "names a column twice: 'Total'" in twice[0]


@pytest.mark.parametrize("zone", [" UTC", "Z", " GMT", " +0000"])
async def test_a_time_in_utc_may_say_so_in_letters(desk: Desk, zone: str) -> None:
    sold = shopify_orders(shopify_order("#1", "paid", **{"Created at": f"2026-11-20 16:20:00{zone}"}))

    assert told(await desk.read(sold, PLAIN_STOCK, "shopify")) == []
    assert str(orders(desk.mapped(sold, PLAIN_STOCK, "shopify"))["#1"]["order_date"])[:19] == "2026-11-20T16:20:00"


def pages(*names: str) -> list[dict[str, object]]:
    line = {"sku": "QLL-1", "name": "Quill", "quantity": 1, "price": "1.00"}
    return [
        {"orders": [{"name": name, "financial_status": "paid", "line_items": [line], "total_price": "1.00"}]}
        for name in names
    ]


@pytest.mark.parametrize("joined", ["", "\n", " \r\n"])
def test_pages_of_an_api_behind_one_another_are_all_read(desk: Desk, joined: str) -> None:
    shop = joined.join(map(json.dumps, pages("#1", "#2", "#3")))
    woo = joined.join(json.dumps([woo_order(number, "processing")]) for number in "12")

    assert orders(desk.mapped(shop, PLAIN_STOCK, "shopify")).keys() == {"#1", "#2", "#3"}
    assert orders(desk.mapped(woo, PLAIN_STOCK, "woocommerce")).keys() == {"1", "2"}


def test_pages_in_a_list_are_all_read(desk: Desk) -> None:
    woo = json.dumps([[woo_order("1", "processing")], [woo_order("2", "processing"), woo_order("3", "processing")]])

    assert orders(desk.mapped(json.dumps(pages("#1", "#2")), PLAIN_STOCK, "shopify")).keys() == {"#1", "#2"}
    assert orders(desk.mapped(woo, PLAIN_STOCK, "woocommerce")).keys() == {"1", "2", "3"}


@pytest.mark.parametrize("last", ['{"errors": "Exceeded 2 calls per second"}', "Not Found"])
async def test_a_page_that_is_none_is_a_fault_and_not_left_out(desk: Desk, last: str) -> None:
    [page] = pages("#1")

    assert len(told(await desk.read(json.dumps(page) + last, PLAIN_STOCK, "shopify"))) == 1


async def test_an_order_that_two_pages_have_is_told(desk: Desk) -> None:
    given = "".join(map(json.dumps, pages("#1", "#1")))
    assert "holds '#1', which orders[0] has too" in told(await desk.read(given, PLAIN_STOCK, "shopify"))[0]


def test_what_was_cancelled_or_refunded_of_a_line_is_not_needed(desk: Desk) -> None:
    gone = {"item:qty_canceled": "2.0000", "item:qty_refunded": "1.0000"}
    columns = magento_lines().strip().split(",")
    sold = table(
        (*columns, *gone),
        [{**MAGENTO_ORDER, **magento_item("1", "QLL-1", "Quill", "5.0000", "2.0000", "10.0000"), **gone}],
    )

    assert [line["quantity"] for line in lines(orders(desk.mapped(sold, PLAIN_STOCK, "magento"))["000000201"])] == [2]


@pytest.mark.parametrize("at", ["0001-01-01 00:00:00 +1400", "9999-12-31 23:00:00 -1200"])
async def test_a_time_before_or_after_all_time_is_refused_as_what_it_is(desk: Desk, at: str) -> None:
    sold = shopify_orders(shopify_order("#1", "paid", **{"Created at": at}))

    [fault] = told(await desk.read(sold, PLAIN_STOCK, "shopify"))

    assert "line 2, Created at holds" in fault
    assert "must be a date" in fault


def test_stock_goes_by_the_moment_and_not_by_how_its_zone_writes_it() -> None:
    def order(name: str, date: str) -> Order:
        lines = [{"item_id": "A", "quantity": 2}]
        return Order.model_validate({"order_id": name, "status": "processing", "order_date": date, "items": lines})

    spool = Spool()
    for each in (order("LATER", "2026-11-27T09:00:00Z"), order("EARLIER", "2026-11-27T10:00:00+02:00")):
        spool.claim(each)
    spool.allot()

    assert spool.ahead(["LATER", "EARLIER"]) == {"LATER": {"A": 2}}
