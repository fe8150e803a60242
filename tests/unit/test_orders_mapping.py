"""Files as other shop systems write them come in as orders and stock of ours, by the mappings that ship."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from tests.shop_exports import (
    MAGENTO_GRID,
    MAGENTO_LINES,
    MAGENTO_PRODUCTS,
    MAGENTO_SOURCES,
    PLAIN_STOCK,
    SHOPIFY_API_ORDERS,
    SHOPIFY_API_PRODUCTS,
    SHOPIFY_INVENTORY,
    SHOPIFY_ORDERS,
    SHOPIFY_PRODUCTS,
    WOO_ORDERS,
    WOO_PRODUCTS,
)

from daper.core.errors import UserError
from daper.core.models import Scope
from daper.domains.orders.domain import OrdersDomain, open_domain
from daper.domains.orders.importing.drafting import draft_mapping
from daper.domains.orders.importing.mapping import find, parse, shipped_names, text_of
from daper.domains.orders.importing.reading import Intake, add_taken
from daper.domains.orders.importing.remarks import Remarks
from daper.domains.orders.importing.sources import Kind
from daper.domains.orders.importing.spool import Spool
from daper.ports import ImportDraft, ImportWay, untold

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
Rows = dict[str, Mapping[str, object]]


@dataclass
class Desk:
    """A new store, and a folder for the files that come into it."""

    domain: OrdersDomain
    folder: Path

    async def read(self, orders: str, stock: str, mapping: str) -> ImportDraft:
        files = self.folder / "orders.txt", self.folder / "stock.txt"
        for path, text in zip(files, (orders, stock), strict=True):
            path.write_text(text, encoding="utf-8", newline="")
        return await self.domain.read_import(files, now=NOW, way=ImportWay(mapping=mapping, merge=True))

    def mapped(self, orders: str, stock: str, mapping: str) -> Spool:
        """What the rows become, before anybody judges them."""
        spool, found = Spool(), find(mapping)
        intakes: list[Intake] = []
        for kind, text in zip(Kind, (orders, stock), strict=True):
            path = self.folder / f"{kind.list_name}.txt"
            path.write_text(text, encoding="utf-8", newline="")
            intakes.append(Intake(path=path, kind=kind, remarks=Remarks(path.name), tell=untold))
            intakes[-1].read_into(spool, found if found.forms(kind.list_name) else None)
            assert intakes[-1].remarks.faults == []
        add_taken(spool, *intakes)
        return spool


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(domain=open_domain(tmp_path / "data", {}), folder=tmp_path)


def told(draft: ImportDraft) -> list[str]:
    return [f"{note.file.rpartition('/')[2]}: {note.place} {note.message}" for note in draft.faults]


def rows(spool: Spool, collection: str, key: str) -> Rows:
    return {str(row.raw[key]): row.raw for page in spool.pages(collection) for row in page}


def orders(draft: Spool) -> Rows:
    return rows(draft, "orders", "order_id")


def stock(draft: Spool) -> Rows:
    return rows(draft, "inventory", "item_id")


def statuses(found: Rows) -> dict[str, object]:
    return {name: row.get("status") for name, row in found.items()}


def test_an_export_of_shopify_is_one_order_for_all_rows_of_its_lines(desk: Desk) -> None:
    draft = desk.mapped(SHOPIFY_ORDERS, SHOPIFY_PRODUCTS, "shopify")
    found = orders(draft)

    assert found["#1001"] == {
        "order_id": "#1001",
        "customer_name": "Luna Lovegood",
        "customer_id": "luna@owls.example",
        "order_date": "2026-11-20T15:20:00Z",
        "status": "processing",
        "currency": "GBP",
        "subtotal": Decimal("32.50"),
        "discount": Decimal("2.50"),
        "shipping": Decimal("4.00"),
        "tax": Decimal("0.00"),
        "total": Decimal("34.00"),
        "refunded": Decimal("0.00"),
        "payment_method": "Shopify Payments",
        "notes": "Please leave it\nwith the owl",
        "items": [
            {"item_id": "QLL-1", "item_name": "Quill - Blue", "quantity": 2, "unit_price": Decimal("10.00")},
            {"item_id": "INK-1", "item_name": 'Ink, "black"', "quantity": 1, "unit_price": Decimal("12.50")},
        ],
    }
    assert statuses(found) == {
        "#1001": "processing",
        "#1002": "pending-payment",
        "#1003": "voided / unfulfilled",
        "#1004": "cancelled",
        "#1005": "shipped",
        "#1006": "paid / partial",
        "#1007": "refunded",
    }
    assert found["#1002"]["customer_id"] == "+44 20 7946 0000"
    assert [line["item_id"] for line in found["#1003"]["items"]] == ["Gift wrapping"]  # type: ignore[index, union-attr]


async def test_stock_that_shopify_gives_without_open_orders_is_what_is_on_the_shelf(desk: Desk) -> None:
    draft = desk.mapped(SHOPIFY_ORDERS, SHOPIFY_PRODUCTS, "shopify")
    found = stock(draft)

    assert {name: row["current_stock"] for name, row in found.items() if name != "WRAP"} == {
        "QLL-1": 3,  # 1, and the 2 of #1001, which is paid and not sent
        "QLL-2": 0,
        "INK-1": -5 + 1 + 1,  # oversold: #1001 and #1002 hold one each
    }
    assert found["QLL-2"]["item_name"] == found["QLL-1"]["item_name"] == "Quill"
    assert (found["QLL-1"]["unit_cost"], found["QLL-1"]["supplier"]) == (Decimal("4.20"), "Scrivenshaft's")


async def test_what_nobody_counts_has_no_stock(desk: Desk) -> None:
    assert stock(desk.mapped(SHOPIFY_ORDERS, SHOPIFY_PRODUCTS, "shopify"))["WRAP"]["current_stock"] is None
    assert stock(desk.mapped(WOO_ORDERS, WOO_PRODUCTS, "woocommerce"))["814"]["current_stock"] is None
    assert stock(desk.mapped(SHOPIFY_API_ORDERS, SHOPIFY_API_PRODUCTS, "shopify"))["902"]["current_stock"] is None


async def test_the_stock_of_several_places_adds_up(desk: Desk) -> None:
    found = stock(desk.mapped(SHOPIFY_ORDERS, SHOPIFY_INVENTORY, "shopify"))
    assert {name: row["current_stock"] for name, row in found.items()} == {"QLL-1": 15, "INK-1": 0}

    found = stock(desk.mapped(MAGENTO_GRID, MAGENTO_SOURCES, "magento"))
    assert {name: row["current_stock"] for name, row in found.items()} == {"CAULDRON-2": Decimal("9.5")}


async def test_the_api_of_shopify_gives_the_same_orders(desk: Desk) -> None:
    found = orders(desk.mapped(SHOPIFY_API_ORDERS, SHOPIFY_API_PRODUCTS, "shopify"))

    first = found["#2001"]
    assert (first["customer_name"], first["customer_id"], first["status"]) == (
        "Neville Longbottom",
        "neville@herbs.example",
        "processing",
    )
    assert (first["subtotal"], first["discount"], first["shipping"], first["tax"], first["total"]) == tuple(
        map(Decimal, ("30.00", "3.00", "5.00", "4.50", "32.00"))
    )
    assert (first["prices_include_tax"], first["payment_method"]) == (True, "gift_card, Cash on Delivery (COD)")
    assert first["items"] == [
        {"item_id": "MIMB-1", "item_name": "Mimbulus", "quantity": 1, "unit_price": Decimal("15.00")},
        {"item_id": "902", "item_name": "Soil", "quantity": Decimal("1.5"), "unit_price": Decimal("10.00")},
    ]
    assert statuses(found) == {"#2001": "processing", "#2002": "payment-failed", "#2003": "partially_paid"}
    assert "customer_name" not in found["#2002"]


async def test_woocommerce_gives_orders_with_fees_refunds_and_words_of_plugins(desk: Desk) -> None:
    draft = desk.mapped(WOO_ORDERS, WOO_PRODUCTS, "woocommerce")
    found = orders(draft)

    first = found["727"]
    assert (first["customer_name"], first["customer_id"]) == ("Molly Weasley", "molly@burrow.example")
    assert (first["subtotal"], first["discount"], first["fees"], first["refunded"]) == tuple(
        map(Decimal, ("10.00", "2.00", "1.50", "5.00"))
    )
    assert (first["shipping"], first["tax"], first["total"]) == tuple(map(Decimal, ("3.00", "1.90", "14.40")))
    assert [line["item_id"] for line in first["items"]] == ["WOOL-1", "813", "814"]  # type: ignore[index, union-attr]
    assert statuses(found) == {
        "727": "processing",
        "728": "pending-payment",
        "729": "wc-awaiting-owl",
        "730": "on-hold",
        "731": "checkout-draft",
        "732": "Cancelled by customer",
        "733": "complete",
    }
    assert {name: row["current_stock"] for name, row in stock(draft).items()} == {
        "WOOL-1": 7 + 2,
        "813": None,
        "814": None,
    }


async def test_magento_gives_a_grid_without_lines_and_amounts_with_signs_of_money(desk: Desk) -> None:
    found = orders(desk.mapped(MAGENTO_GRID, MAGENTO_PRODUCTS, "magento"))

    assert found["000000101"] == {
        "order_id": "000000101",
        "customer_name": "Minerva McGonagall",
        "customer_id": "minerva@hogwarts.example",
        "order_date": "2026-11-18T16:20:00Z",
        "status": "pending-payment",
        "subtotal": Decimal("1200.00"),
        "shipping": Decimal("5.00"),
        "total": Decimal("1205.00"),
        "refunded": Decimal("0.00"),
        "payment_method": "checkmo",
    }
    assert statuses(found) == {"000000101": "pending-payment", "000000102": "completed", "000000103": "Suspected Fraud"}


async def test_magento_s_tables_give_lines_without_the_simple_product_behind_one(desk: Desk) -> None:
    found = orders(desk.mapped(MAGENTO_LINES, MAGENTO_PRODUCTS, "magento"))

    first = found["000000201"]
    assert (first["discount"], first["gift_card"], first["tax"]) == tuple(map(Decimal, ("5.0000", "10.0000", "0.0000")))
    assert first["items"] == [
        {
            "item_id": "CAULDRON-2",
            "item_name": "Cauldron",
            "quantity": Decimal("1.5000"),
            "total_price": Decimal("30.0000"),
        },
        {
            "item_id": "LADLE",
            "item_name": "Ladle",
            "quantity": Decimal("1.0000"),
            "total_price": Decimal("4.0000"),
        },
    ]
    assert statuses(found) == {"000000201": "processing", "000000202": "on-hold"}


async def test_magento_s_products_are_those_with_a_stock_of_their_own(desk: Desk) -> None:
    found = stock(desk.mapped(MAGENTO_GRID, MAGENTO_PRODUCTS, "magento"))

    assert {name: row["current_stock"] for name, row in found.items()} == {"CAULDRON-2": 12, "LADLE": None}


@pytest.mark.parametrize(
    ("given", "mapping", "problems"),
    [
        ((SHOPIFY_ORDERS, SHOPIFY_PRODUCTS), "shopify", {"inventory-short", "payment-pending", "unknown-status"}),
        ((SHOPIFY_API_ORDERS, SHOPIFY_API_PRODUCTS), "shopify", {"payment-denied", "unknown-status"}),
        ((WOO_ORDERS, WOO_PRODUCTS), "woocommerce", {"unknown-status"}),
        ((MAGENTO_GRID, MAGENTO_SOURCES), "magento", {"payment-pending", "unknown-status"}),
        ((MAGENTO_LINES, MAGENTO_PRODUCTS), "magento", set[str]()),
    ],
)
async def test_what_other_systems_give_comes_in_and_no_sum_of_theirs_is_doubted(
    desk: Desk, given: tuple[str, str], mapping: str, problems: set[str]
) -> None:
    draft = await desk.read(*given, mapping)

    assert told(draft) == []
    assert (await desk.domain.import_records(draft)).changed
    assert "totals-mismatch" not in draft.problems
    assert draft.problems.keys() - {"unknown-item"} == problems


async def test_a_mapped_import_is_merged_like_any_other(desk: Desk) -> None:
    draft = await desk.read(SHOPIFY_ORDERS, PLAIN_STOCK, "shopify")
    assert told(draft) == []
    await desk.domain.import_records(draft)
    assert len([each for each in (await desk.domain.scan(Scope())).records if each.ref.startswith("orders/")]) == 7

    again = await desk.read(SHOPIFY_ORDERS, PLAIN_STOCK, "shopify")

    assert again.same


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (",2,Quill - Blue", ",two,Quill - Blue", "line 3, Lineitem quantity holds 'two': must be a number"),
        (",34.00,", ",a lot,", "line 3, Total holds 'a lot': must be a number"),
        ("2026-11-20 16:20:00 +0100", "yesterday", "line 3, Created at holds 'yesterday': must be a date"),
        ("Lineitem quantity", "Menge", "is in no form that the mapping knows; nearest are its orders, exported by"),
    ],
)
async def test_a_fault_is_named_by_its_line_and_the_column_of_the_file(
    desk: Desk, old: str, new: str, said: str
) -> None:
    assert old in SHOPIFY_ORDERS

    draft = await desk.read(SHOPIFY_ORDERS.replace(old, new, 1), PLAIN_STOCK, "shopify")

    assert said in told(draft)[0]
    assert draft.rows is None


async def test_files_the_wrong_way_round_are_told(desk: Desk) -> None:
    draft = await desk.read(SHOPIFY_PRODUCTS, SHOPIFY_ORDERS, "shopify")

    assert "has the inventory, and is given as the orders: name the orders first" in told(draft)[0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a,b\n1,2,3\n", "line 2 has 3 fields, and the header names 2 columns"),
        ("a,b,a\n1,2,3\n", "names a column twice: 'a'"),
        ("", "has no header"),
        ('a,b\n1,"2\n', "is no CSV: line 2: unexpected end of data"),
    ],
)
async def test_what_is_no_table_is_refused(desk: Desk, text: str, why: str) -> None:
    mapping = desk.folder / "mine.toml"
    mapping.write_text('[[orders]]\nformat = "csv"\nneeds = ["a"]\n[orders.fields]\norder_id = "a"\n')

    draft = await desk.read(text, PLAIN_STOCK, str(mapping))

    assert why in told(draft)[0]


async def test_numbers_and_dates_are_read_as_a_country_writes_them(desk: Desk) -> None:
    mapping = desk.folder / "mine.toml"
    mapping.write_text(
        '[[orders]]\nformat = "csv"\nneeds = ["Nr"]\ndecimal = ","\nzone = "Europe/Berlin"\n'
        'dates = ["%d.%m.%Y %H:%M"]\n[orders.fields]\norder_id = "Nr"\ntotal = "Summe"\norder_date = "Datum"\n'
        'status = "Stand"\n[orders.words]\n"bezahlt" = "paid"\n',
        encoding="utf-8",
    )
    text = "Nr;Summe;Datum;Stand\nA-1;1.234,50 €;20.11.2026 16:20;Bezahlt\nA-2;-3,00;20.07.2026 16:20;offen\n"

    found = orders(desk.mapped(text, PLAIN_STOCK, str(mapping)))

    assert [row["total"] for row in found.values()] == [Decimal("1234.50"), Decimal("-3.00")]
    assert [row["order_date"] for row in found.values()] == ["2026-11-20T15:20:00Z", "2026-07-20T14:20:00Z"]
    assert statuses(found) == {"A-1": "paid", "A-2": "offen"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x =", "is no TOML"),
        ("", "has neither [[orders]] nor [[inventory]]"),
        ('[[orders]]\nformat = "csv"\nneeds = ["a"]\n[orders.fields]\nordr_id = "a"', "did you mean order_id?"),
        ('[[orders]]\nformat = "xml"\nneeds = ["a"]\n[orders.fields]\norder_id = "a"', "holds 'xml'"),
        (
            '[[orders]]\nformat = "csv"\nneeds = ["a"]\ndates = ["%Q"]\n[orders.fields]\norder_id = "a"',
            "holds '%Q', which is no way to write a date: 'Q' is a bad directive",
        ),
        ('[[orders]]\nformat = "csv"\nneeds = ["a"]\nzone = "Mars"\n[orders.fields]\norder_id = "a"', "no time zone"),
        ('[[orders]]\nformat = "csv"\nneeds = ["a"]\n[orders.fields]\norder_id = 3', "order_id holds 3: must be a col"),
    ],
)
def test_a_mapping_that_is_wrong_is_refused_with_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(UserError) as refused:
        parse(text, name="mine.toml")

    assert said in str(refused.value)


async def test_a_mapping_that_there_is_not_is_told_with_those_that_there_are(desk: Desk) -> None:
    with pytest.raises(UserError, match="did you mean 'shopify'") as refused:
        await desk.read(SHOPIFY_ORDERS, PLAIN_STOCK, "shopfy")

    assert all(name in str(refused.value) for name in shipped_names())


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_mapping_is_sound_and_says_what_it_reads(name: str) -> None:
    found = parse(text_of(name), name=name)

    assert found.about
    assert all(form.about for form in (*found.orders, *found.inventory))


async def test_a_drafted_mapping_reads_the_file_that_it_was_drafted_from(desk: Desk) -> None:
    text = (
        "Order No,State,E-Mail,Date,Grand Total,SKU,Qty,Price\n"
        "A-1,processing,a@b.example,2026-11-20 16:20:00 +0100,10,QLL-1,2,5\nA-1,,,,,INK-1,1,0\n"
    )
    file, mapping = desk.folder / "export.csv", desk.folder / "mine.toml"
    file.write_text(text)

    mapping.write_text(draft_mapping(file))
    assert told(await desk.read(text, PLAIN_STOCK, str(mapping))) == []
    found = orders(desk.mapped(text, PLAIN_STOCK, str(mapping)))

    assert found["A-1"] == {
        "order_id": "A-1",
        "status": "processing",
        "customer_id": "a@b.example",
        "order_date": "2026-11-20T16:20:00+0100",
        "total": 10,
        "items": [
            {"item_id": "QLL-1", "quantity": 2, "unit_price": 5},
            {"item_id": "INK-1", "quantity": 1, "unit_price": 0},
        ],
    }
