"""What becomes of each kind of thing that people's files hold: refused with its place, or imported, or also told."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daper.core.errors import UserError
from daper.core.models import Scope
from daper.domains.orders.domain import OrdersDomain, open_domain
from daper.domains.orders.importing import intake as intake
from daper.domains.orders.importing.remarks import MOST_REMARKS
from daper.domains.orders.models import Order, StockRow
from daper.ports import ImportDraft, ImportNote, ImportWay
from daper.stores import jsonreading

NOW = datetime(2025, 7, 1, tzinfo=UTC)
Row = Mapping[str, object]
ITEM: Row = {"item_id": "I-1", "current_stock": 5, "unit_cost": 1, "supplier_contact": "owls@example.org"}
LINE: Row = {"item_id": "I-1", "quantity": 1}
ORDER: Row = {"order_id": "O-1", "status": "processing", "order_date": "2025-06-27T16:20:00Z", "items": [LINE]}
NOTHING: list[object] = []
NO_ROW: Row = {}


@dataclass(frozen=True)
class Desk:
    """Where somebody has two files, and a folder for the records."""

    folder: Path
    domain: OrdersDomain

    def write(self, name: str, content: object) -> Path:
        path = self.folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(json.dumps(content), encoding="utf-8")
        return path

    async def read(self, orders: object, inventory: object) -> ImportDraft:
        files = (self.write("o.json", orders), self.write("i.json", inventory))
        return await self.domain.read_import(files, now=NOW)

    async def read_rows(self, orders: Sequence[object], inventory: Sequence[object] = (ITEM,)) -> ImportDraft:
        return await self.read({"orders": list(orders)}, {"inventory": list(inventory)})


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, open_domain(tmp_path / "data", {}))


def order(**fields: object) -> Row:
    return {**ORDER, **fields}


def item(**fields: object) -> Row:
    return {**ITEM, **fields}


def line(**fields: object) -> Row:
    return order(items=[{**LINE, **fields}])


def told(notes: Sequence[ImportNote]) -> list[str]:
    return [f"{Path(note.file).name}: {note.place} {note.message}" for note in notes]


async def test_a_shop_without_doubts_is_imported_in_silence(desk: Desk) -> None:
    draft = await desk.read_rows([ORDER])

    assert (draft.faults, draft.warnings) == ((), ())
    assert draft.counts == {"orders": 1, "order_lines": 1, "inventory_rows": 1}
    done = await desk.domain.import_records(draft)
    assert (done.changed, done.backup) == (True, None)
    assert (done.store.as_of, done.store.counterparty) == (None, None)
    assert await desk.domain.count_open(Scope()) == 1


FATAL = [
    ("no id", order(order_id=None), "orders[0].order_id holds null: must be text"),
    ("an empty id", order(order_id=""), "orders[0].order_id holds '': must not be empty"),
    ("a number for an id", order(order_id=7), "orders[0].order_id holds 7: must be text: put it in quotes"),
    ("a long id", order(order_id="x" * 201), "must have at most 200 characters"),
    ("a blank around an id", order(order_id="O-1 "), "orders[0].order_id holds 'O-1 ': must not begin or end with"),
    ("a hidden character in an id", order(order_id="O\u200b1"), "holds 'O<U+200B>1': must have no characters that"),
    ("a bidi character in an id", line(item_id="\u202eI-1"), "orders[0].items[0].item_id holds '<U+202E>I-1': must"),
    ("a control character in an id", order(order_id="O\n1"), "holds 'O<U+000A>1': must have no characters that cannot"),
    ("no quantity", order(items=[{"item_id": "I-1"}]), "orders[0].items[0].quantity is missing"),
    ("a negative quantity", line(quantity=-2), "orders[0].items[0].quantity holds -2: must be at least 0"),
    ("a quantity as text", line(quantity="2"), "quantity holds '2': must be a number, without quotes"),
    ("true for a quantity", line(quantity=True), "quantity holds true: must be a number"),
    ("a huge quantity", line(quantity=10**30), "must be a number below 10^12"),
    ("an amount as text", order(total="12,50"), "orders[0].total holds '12,50': must be a number, without quotes"),
    ("a huge amount", order(total=10**13), "orders[0].total holds 10000000000000: must be a number below 10^12"),
    ("no list of lines", order(items=None), "orders[0].items holds null: must be a list"),
    ("a line that is none", order(items=[7]), "orders[0].items[0] holds 7: must be an object"),
    ("an order that is none", "O-1", "orders[0] holds 'O-1': must be an object"),
    ("a name that is none", order(customer_name={"first": "Luna"}), "orders[0].customer_name holds an object: must be"),
    ("a date that is none", order(order_date="soon"), "orders[0].order_date holds 'soon': must be a date such as"),
    ("a date the other way round", order(order_date="27.06.2025"), "must be a date such as 2025-06-27"),
    ("an impossible date", order(order_date="2025-02-30"), "holds '2025-02-30': must be a date such as"),
    (
        "a date before all time",
        order(order_date="0001-01-01T00:00:00+14:00"),
        "must be a date that there is in UTC too",
    ),
    ("a number for a date", order(order_date=20250627), "orders[0].order_date holds 20250627: must be a date such as"),
    ("a number in quotes for a date", order(order_date="1719504000"), "must be a date such as"),
    ("a long status", order(status="x" * 201), "orders[0].status"),
    ("too many lines", order(items=[LINE] * 10_001), "orders[0].items has 10,001 entries; at most 10,000 can"),
    (
        "a negative restock",
        order(restocks=[{"item_id": "I-1", "quantity": -1}]),
        "orders[0].restocks[0].quantity holds",
    ),
]


@pytest.mark.parametrize(("row", "why"), [case[1:] for case in FATAL], ids=[case[0] for case in FATAL])
async def test_an_order_that_cannot_be_is_refused_with_its_place(desk: Desk, row: object, why: str) -> None:
    draft = await desk.read_rows([row])

    [fault] = told(draft.faults)
    assert fault.startswith("o.json: orders[0]")
    assert why in fault
    assert len(fault) < 300
    assert (draft.contents, draft.findings) == ({}, ())
    with pytest.raises(UserError, match="has faults"):
        await desk.domain.import_records(draft)
    assert not (desk.folder / "data").exists()


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (item(item_id=None), "inventory[0].item_id holds null: must be text"),
        ({"item_id": "I-1"}, "inventory[0].current_stock is missing"),
        (item(current_stock="5"), "inventory[0].current_stock holds '5': must be a number, without quotes"),
        (item(reserved_stock=-1), "inventory[0].reserved_stock holds -1: must be at least 0"),
        (item(reorder_quantity=-1), "inventory[0].reorder_quantity holds -1: must be at least 0"),
        (item(max_stock_level=-1), "inventory[0].max_stock_level holds -1: must be at least 0"),
        (item(unit_cost="1.25"), "inventory[0].unit_cost holds '1.25': must be a number, without quotes"),
        (item(item_id="I-1\u2066"), "inventory[0].item_id holds 'I-1<U+2066>': must have no characters that cannot"),
    ],
)
async def test_an_inventory_row_that_cannot_be_is_refused_with_its_place(desk: Desk, row: Row, why: str) -> None:
    draft = await desk.read_rows([], [row])

    assert [fault for fault in told(draft.faults) if why in fault]
    assert {Path(fault.file).name for fault in draft.faults} == {"i.json"}


async def test_every_fault_is_told_and_not_only_the_first(desk: Desk) -> None:
    bad = {"order_id": "O-2", "items": [{"item_id": "I-1", "quantity": -1}, {"quantity": "x"}], "total": "t"}

    draft = await desk.read_rows([ORDER, bad, ORDER], [ITEM, {"item_id": 7}])

    assert told(draft.faults) == [
        "o.json: orders[1].items[0].quantity holds -1: must be at least 0",
        "o.json: orders[1].items[1].item_id is missing",
        "o.json: orders[1].items[1].quantity holds 'x': must be a number, without quotes",
        "o.json: orders[1].total holds 't': must be a number, without quotes",
        "o.json: orders[2].order_id holds 'O-1', which orders[0] has too; give each its own",
        "i.json: inventory[1].item_id holds 7: must be text: put it in quotes",
        "i.json: inventory[1].current_stock is missing",
    ]
    assert [fault.record for fault in draft.faults[:2]] == ["O-2", "O-2"]


async def test_an_id_that_is_there_twice_names_both_places_also_where_the_rows_do_not_fit(desk: Desk) -> None:
    draft = await desk.read_rows([ORDER], [{"item_id": "I-1"}, ITEM, {"item_id": "I-1"}])

    assert [fault for fault in told(draft.faults) if "too" in fault] == [
        f"i.json: inventory[{n}].item_id holds 'I-1', which inventory[0] has too; give each its own" for n in (1, 2)
    ]


DOUBTS: list[tuple[str, Sequence[Row], str]] = [
    ("an unknown status", [order(status="voided")], "orders[0].status holds 'voided': no rule knows this status"),
    ("no status", [order(status=None)], "orders[0].status is missing: the order never counts as unpaid"),
    ("no date", [order(order_date=None)], "orders[0].order_date is missing: the order never counts as stuck"),
    ("a date to come", [order(order_date="2025-07-03")], "holds '2025-07-03', which is still to come"),
    ("no lines", [order(items=NOTHING)], "orders[0].items is missing or empty: nothing is needed"),
    ("a quantity of nothing", [line(quantity=0)], "orders[0].items[0].quantity holds 0: nothing is needed of it"),
    ("an unknown item", [line(item_id="I-2")], "items[0].item_id holds 'I-2': the inventory does not have it"),
    ("no orders", [], "orders is empty"),
    (
        "ids that look alike",
        [order(order_id="O_1"), order(order_id="o-1")],
        "orders[1].order_id holds 'o-1', which is easily taken for that of orders[0]",
    ),
    (
        "two currencies",
        [ORDER, order(order_id="O-2", currency="GBP")],
        "orders are in 2 currencies (GBP, none named): amounts are compared within one order only",
    ),
    (
        "a line in another currency",
        [order(currency="GBP", items=[{**LINE, "currency": "EUR"}])],
        "orders[0].items[0].currency holds 'EUR', and the order has GBP; its amounts are added up as if",
    ),
]


@pytest.mark.parametrize(("orders", "why"), [case[1:] for case in DOUBTS], ids=[case[0] for case in DOUBTS])
async def test_what_the_rules_cannot_make_much_of_is_imported_and_told(
    desk: Desk, orders: Sequence[Row], why: str
) -> None:
    draft = await desk.read_rows(orders)

    assert draft.faults == ()
    [warning] = told(draft.warnings)
    assert why in warning
    assert (await desk.domain.import_records(draft)).changed


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (item(current_stock=-3), "inventory[0].current_stock holds -3, which is less than nothing"),
        (
            item(available_stock=2, reserved_stock=1),
            "available_stock holds 2, which counts; current less reserved is 4",
        ),
        (
            item(supplier_contact=None),
            "supplier_contact is missing: nobody can be asked for more of it, unless DAPER_ORDERS_SUPPLIERS says who",
        ),
        (item(unit_cost=None), "unit_cost is missing or below nothing: nobody can say what a restock costs"),
        (item(unit_cost=-1), "unit_cost is missing or below nothing: nobody can say what a restock costs"),
        (item(currency="GBP"), "currency holds 'GBP': nobody can say what a restock costs in the shop's own money"),
    ],
)
async def test_a_doubtful_inventory_row_is_imported_and_told(desk: Desk, row: Row, why: str) -> None:
    draft = await desk.read_rows([ORDER], [row])

    assert draft.faults == ()
    assert [warning for warning in told(draft.warnings) if why in warning]
    assert len(draft.warnings) == 1
    assert (await desk.domain.import_records(draft)).changed


@pytest.mark.parametrize("way", [ImportWay(), ImportWay(merge=True)], ids=["whole", "row-by-row"])
@pytest.mark.parametrize(
    ("suppliers", "row", "told_of"),
    [
        ("", item(supplier_contact=None), "is missing: nobody can be asked"),
        ("", item(supplier_contact="Mr. Ollivander"), "holds 'Mr. Ollivander', which is no e-mail address: nobody can"),
        ("", item(supplier_contact="Mr. Ollivander", supplier="Wands"), "which is no e-mail address: nobody can"),
        ("Cauldrons=pots@example.org", item(supplier_contact=None, supplier="Wands"), "is missing: nobody can"),
        ("Wands=wands@example.org", item(supplier_contact=None, supplier="wands"), ""),
        ("Wands=wands@example.org", item(supplier_contact="Mr. Ollivander", supplier="Wands"), ""),
        ("shop@example.org", item(supplier_contact=None), ""),
    ],
)
async def test_that_nobody_can_be_asked_is_told_only_where_neither_row_nor_settings_name_somebody(
    tmp_path: Path, way: ImportWay, suppliers: str, row: Row, told_of: str
) -> None:
    desk = Desk(tmp_path, open_domain(tmp_path / "data", {"suppliers": suppliers}))
    await desk.domain.import_records(await desk.read_rows([ORDER]), replace_own=True)
    files = (desk.write("o.json", {"orders": [ORDER]}), desk.write("i.json", {"inventory": [row]}))

    draft = await desk.domain.read_import(files, now=NOW, way=way)

    assert len(draft.warnings) == bool(told_of)
    assert all(note.place == "inventory[0].supplier_contact" and told_of in note.message for note in draft.warnings)


@pytest.mark.parametrize(
    "row",
    [
        order(order_date="2025-06-27"),
        order(order_date="2025-06-27T16:20:00"),
        order(order_date="2025-06-27 16:20"),
        order(order_date="2025-06-27T16:20:00+02:00"),
        order(order_id="2025/001"),
        order(order_id="Πότερ Nr. 7"),
        order(status="  Pending_Payment "),
        order(total=-5, tax=None, subtotal=None),
        line(quantity=2.0),
        line(quantity=1.5),
        order(status="completed", items=NOTHING, order_date=None),
        order(status="completed", items=[{"item_id": "long-gone", "quantity": 1}]),
        order(whatever={"deep": [1, {"er": None}]}),
    ],
)
async def test_what_is_fine_is_imported_in_silence(desk: Desk, row: Row) -> None:
    draft = await desk.read_rows([row])

    assert (draft.faults, draft.warnings) == ((), ())
    assert (await desk.domain.import_records(draft)).changed
    [record] = [each for each in (await desk.domain.scan(Scope())).records if each.ref.startswith("orders/")]
    assert record.record_id == row["order_id"]


async def test_null_is_the_same_as_left_out_but_for_lists_and_ids(desk: Desk) -> None:
    wanted = {"order_id": "O-1", "items": [{"item_id": "I-1", "quantity": 9}], "status": "processing"}
    bare = {"item_id": "I-1", "current_stock": 5}
    nulls = [
        {name: None for name in model.model_fields if not isinstance(model.model_fields[name].default, tuple)}
        for model in (Order, StockRow)
    ]

    left_out = await desk.read_rows([wanted], [bare])
    null = await desk.read_rows([{**nulls[0], **wanted}], [{**nulls[1], **bare}])

    assert left_out.faults == null.faults == ()
    assert null.findings == left_out.findings
    assert null.warnings == left_out.warnings


async def test_the_text_of_a_person_is_kept_as_it_is_and_a_bare_list_gets_its_name(desk: Desk) -> None:
    orders = b'\xef\xbb\xbf{\r\n   "season":  "Summer",\r\n "orders": [] }\r\n'
    inventory = b'\xef\xbb\xbf[\r\n  {"item_id": "I-1",   "current_stock": 5.0}\r\n]\r\n'

    draft = await desk.read(orders, inventory)
    await desk.domain.import_records(draft)

    assert draft.faults == ()
    assert (desk.folder / "data" / "orders.json").read_bytes() == orders
    kept = (desk.folder / "data" / "inventory.json").read_bytes()
    assert kept == b'{"inventory": [\r\n  {"item_id": "I-1",   "current_stock": 5.0}\r\n]}\n'
    assert json.loads(kept)["inventory"] == [{"item_id": "I-1", "current_stock": 5.0}]


@pytest.mark.parametrize(
    ("orders", "inventory", "why"),
    [
        (
            {"inventory": [ITEM]},
            {"orders": [ORDER]},
            ["o.json:  has the inventory, and", "i.json:  has the orders, and"],
        ),
        ([ITEM], [ORDER], ["o.json:  has the inventory, and is given", "i.json:  has the orders, and is given"]),
        ({"orders": [ITEM]}, [ITEM], ["o.json: orders has the inventory, and is given as the orders"]),
        ({"order": [ORDER], "n": 1}, [ITEM], ["o.json:  has no list 'orders'; it has 'order', 'n'"]),
        ({}, [ITEM], ["o.json:  has no list 'orders'; it has nothing"]),
        (7, "text", ["o.json:  holds 7: must be a list, [...]", "i.json:  holds 'text': must be a list, [...]"]),
        ({"orders": {"O-1": ORDER}}, [ITEM], ["o.json: orders holds an object: must be a list"]),
    ],
)
async def test_a_file_that_is_not_what_it_is_given_as_is_refused(
    desk: Desk, orders: object, inventory: object, why: list[str]
) -> None:
    faults = told((await desk.read(orders, inventory)).faults)

    assert [fault for fault, reason in zip(faults, why, strict=True) if not fault.startswith(reason)] == []


async def test_both_lists_in_one_file_are_told_to_be_one_too_many(desk: Desk) -> None:
    both = {"orders": [ORDER], "inventory": [ITEM]}

    draft = await desk.read(both, both)

    assert draft.faults == ()
    assert told(draft.warnings) == [
        "o.json: inventory is kept and not looked at; it comes from the other file",
        "i.json: orders is kept and not looked at; it comes from the other file",
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "line 1, column 1 is wrong: Expecting value"),
        (b'{"orders": [\n  {"order_id": "O-1",}]}', "line 2, column 21 is wrong: Illegal trailing comma"),
        (b'{"orders": [], "orders": []}', "line 1, column 16 is wrong: the key 'orders' is there twice in one object"),
        (b'{"orders": [], "x": NaN}', "line 1, column 21 is wrong: Expecting value, and NaN is none"),
        (b'{"orders": [], "x": [\n-Infinity]}', "line 2, column 1 is wrong: Expecting value, and -Infinity is none"),
        (b'{"orders": [], "x": 1e999999999}', "line 1, column 21 is wrong: the number '1e999999999' is too large"),
        (b'{"orders": [], "x": ' + b"9" * 5000 + b"}", "is too large or too small"),
        (b'{"orders": [], "x": "\\ud83d"}', r"line 1, column 22 is wrong: \ud83d is half a character"),
        (b'{"orders": [], "x": "\xed\xa0\x80"}', "line 1, column 22 is wrong: this is not UTF-8 text"),
        (b'{"orders": [], "x": ' + b"[" * 100 + b"]" * 100 + b"}", "column 120 is wrong: it is nested too deep"),
        (b"[" * 200_000, "line 1, column 101 is wrong: it is nested too deep: more than 100 levels"),
        (json.dumps({"orders": []}).encode("utf-16"), "this is not UTF-8 text but UTF-16 or UTF-32; save it as UTF-8"),
        (json.dumps({"orders": []}).encode("utf-16-le"), "this is not UTF-8 text but UTF-16 or UTF-32"),
        (json.dumps({"orders": []}).encode("utf-32-be"), "this is not UTF-8 text but UTF-16 or UTF-32"),
        (b"order_id,status\nO-1,new\n", "line 1, column 1 is wrong: Expecting value"),
    ],
)
async def test_a_text_that_is_no_good_json_is_refused_with_line_and_column(desk: Desk, text: bytes, why: str) -> None:
    draft = await desk.read(text, [ITEM])

    [fault] = told(draft.faults)
    assert fault.startswith("o.json: line ")
    assert why in fault


async def test_flaws_of_the_text_do_not_hide_those_of_the_rows(desk: Desk) -> None:
    text = b"""[{"order_id": "O-1", "status": "new", "status": "old", "x": NaN},
        {"order_id": "O-2", "note": "\\ud800", "items": [{"item_id": "I-1", "quantity": -1}]}]"""

    assert told((await desk.read(text, [ITEM])).faults) == [
        "o.json: line 1, column 39 is wrong: the key 'status' is there twice in one object",
        "o.json: line 1, column 61 is wrong: Expecting value, and NaN is none",
        r"o.json: line 2, column 38 is wrong: \ud800 is half a character; write the character itself, or remove the "
        "escape",
        "o.json: orders[1].items[0].quantity holds -1: must be at least 0",
    ]


async def test_a_hundred_levels_are_imported(desk: Desk) -> None:
    nested: object = "here"
    for _ in range(jsonreading.DEEPEST - 3):
        nested = [nested]

    draft = await desk.read_rows([order(nested=nested)])

    assert draft.faults == ()
    await desk.domain.import_records(draft)
    assert len((await desk.domain.scan(Scope())).records) == 2


async def test_no_more_is_told_than_anybody_reads_and_that_is_said(desk: Desk) -> None:
    bad = await desk.read_rows([NO_ROW] * (MOST_REMARKS + 500) + [ORDER])
    doubtful = await desk.read_rows([order(order_id=f"O-{n}", status="voided") for n in range(MOST_REMARKS + 500)])

    assert (len(bad.faults), bad.counts["orders"]) == (MOST_REMARKS + 1, 0)
    assert (len(doubtful.warnings), doubtful.counts["orders"]) == (MOST_REMARKS + 1, MOST_REMARKS + 500)
    for notes in (bad.faults, doubtful.warnings):
        assert told(notes)[-1] == f"o.json:  has more than {MOST_REMARKS:,} of these; no more were looked for"


async def test_more_records_than_can_be_are_one_fault(desk: Desk) -> None:
    draft = await desk.read_rows([0] * 1_000_001)

    assert told(draft.faults) == ["o.json: orders has 1,000,001 entries; at most 1,000,000 can be imported"]


async def test_a_file_over_the_limit_is_refused_before_it_is_read(desk: Desk) -> None:
    large = desk.folder / "large.json"
    with large.open("wb") as file:
        file.truncate(intake.LARGEST_STREAM + 1)

    draft = await desk.domain.read_import((large, desk.write("i.json", [ITEM])), now=NOW)

    assert told(draft.faults) == [
        f"large.json:  has {intake.LARGEST_STREAM + 1:,} bytes; at most {intake.LARGEST_STREAM:,} can be imported"
    ]


@pytest.mark.parametrize("number", [0, 1, 3])
async def test_both_files_are_needed(desk: Desk, number: int) -> None:
    with pytest.raises(UserError, match=f"two files, the orders and the inventory; got {number}"):
        await desk.domain.read_import([desk.folder / "o.json"] * number, now=NOW)
