"""Large files are gone through entry by entry: what is in them is what would be in them if they were read whole."""

import io
import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from daper.domains.orders.domain import open_domain
from daper.domains.orders.importing import draft as importing
from daper.domains.orders.importing import intake, streams
from daper.domains.orders.importing.intake import NotReadable
from daper.domains.orders.importing.streams import Elements
from daper.ports import ImportDraft, ImportWay
from daper.stores.jsonreading import examine

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
TEXTS = ("", "plain", 'quo"te', "back\\slash", "\\\\", "[{,}]:", "\n\t", "ü€😀", "\u2028", "x" * 700)


def made_up(random_: random.Random, depth: int = 3) -> object:
    """Some JSON value."""
    kind = random_.randrange(8 if depth else 5)
    if kind < 5:
        return (random_.choice(TEXTS), random_.randrange(-5, 5), True, None, 1.5)[kind]
    inner = [made_up(random_, depth - 1) for _ in range(random_.randrange(4))]
    return inner if kind == 5 else {f"{random_.choice(TEXTS)}{at}": each for at, each in enumerate(inner)}


@pytest.mark.parametrize("chunk", [1, 7, 64, 100_000])
@pytest.mark.parametrize("seed", range(5))
def test_every_entry_is_as_it_is_in_the_whole(seed: int, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_CHUNK", chunk)
    random_ = random.Random(seed)
    entries = [made_up(random_) for _ in range(40)]
    document = {"first": made_up(random_), "orders": entries, "last": {"orders": [1]}}
    for text in (
        json.dumps(document),
        json.dumps(document, indent=3, ensure_ascii=False).replace("\n", "\r\n"),
        "\ufeff" + json.dumps(document),
    ):
        found = [*Elements(io.BytesIO(text.encode()), frozenset({"orders"}))]
        whole, flaws = examine(text.encode())

        assert flaws == ()
        assert isinstance(whole, dict)
        fields = cast("dict[str, object]", whole)
        assert [each.value for each in found if each.key is None] == fields["orders"]
        assert {each.key: each.value for each in found if each.key is not None} == {
            name: value for name, value in fields.items() if name != "orders"
        }
    assert [each.value for each in Elements(io.BytesIO(json.dumps(entries).encode()), frozenset())] == entries


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1, column 1 is wrong: a list, [...], or an object, {...}, is expected"),
        ("[1, 2", "is wrong: ']' is expected"),
        ("[1 2]", "line 1, column 4 is wrong: ']' is expected, not '2]'"),
        ('[\n{"a": 1},\n{"a": ]', "line 3"),
        ('["abc', "the file ends within a text"),
        ('{"orders": [], "orders": []}', "a second list, 'orders', follows 'orders'"),
        ("{1: []}", "the name of a field, in quotes, is expected"),
        ("[] x", "something follows the end of the document, not 'x'"),
        ("[1,]", "a value is expected"),
    ],
)
def test_broken_json_is_refused_with_its_place(text: str, why: str) -> None:
    flaws: list[str] = []

    try:
        for each in Elements(io.BytesIO(text.encode()), frozenset({"orders"})):
            flaws += [f"line {flaw.line} {flaw.why}" for flaw in each.flaws]
    except NotReadable as error:
        flaws.append(str(error))

    assert why in flaws[0]


@pytest.mark.parametrize("flaw", ['"\\ud800"', "1e999", '{"a": 1, "a": 2}', "NaN"])
def test_a_flaw_within_an_entry_has_the_place_that_it_has_in_the_whole(flaw: str) -> None:
    text = '{"orders": [\n  {"ok": 1},\n  {"b":\n   ' + flaw + "}\n]}"
    _, [right] = examine(text.encode())

    found = [each for element in Elements(io.BytesIO(text.encode()), frozenset({"orders"})) for each in element.flaws]

    assert found == [right]


async def read(folder: Path, orders: object, store: str = "json", *, merge: bool = True) -> ImportDraft:
    files = folder / "o.json", folder / "i.json"
    files[0].write_text(orders if isinstance(orders, str) else json.dumps(orders), encoding="utf-8")
    files[1].write_text(json.dumps([{"item_id": "I-1", "current_stock": 5, "unit_cost": 1, "supplier_contact": "x@y"}]))
    return await domain(folder, store).read_import(files, now=NOW, way=ImportWay(merge=merge))


def domain(folder: Path, store: str = "json"):
    return open_domain(
        folder / "data", {"store": store, "approvers": "a@b.example", "dataset": "hogwarts", "database_url": ""}
    )


def order(order_id: str, **fields: object) -> Mapping[str, object]:
    lines = [{"item_id": "I-1", "quantity": 1}]
    return {"order_id": order_id, "status": "processing", "order_date": "2026-11-28", "items": lines, **fields}


ROWS = {
    "orders": [
        order("O-1"),
        order("O-1"),
        order("o_1"),
        order("O-2", items=[{"item_id": "I-1", "quantity": -2}]),
        order("O-3", items=[{"item_id": "I-9", "quantity": 1}]),
        order("O-4", status="odd", currency="EUR"),
        7,
        {"status": "none"},
    ],
    "note": "kept",
}


@pytest.mark.parametrize("store", ["json", "sqlite"])
async def test_a_large_file_is_judged_as_a_small_one(
    tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = await read(tmp_path, ROWS, store)
    monkeypatch.setattr(importing, "KEPT_AS_WRITTEN", 10)
    large = await read(tmp_path, ROWS, store)

    assert sorted(map(str, large.faults)) == sorted(map(str, small.faults))
    assert sorted(map(str, large.warnings)) == sorted(map(str, small.warnings))


@pytest.mark.parametrize("store", ["json", "sqlite"])
async def test_a_large_file_comes_in_with_all_that_stands_around_its_rows(
    tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "KEPT_AS_WRITTEN", 10)
    draft = await read(tmp_path, {"orders": [order("O-1", total=1.5), order("O-2")], "note": "kept"}, store)
    assert draft.faults == ()
    await domain(tmp_path, store).import_records(draft)

    with domain(tmp_path, store).stored_as(store).contents() as found:
        assert found is not None
        rows = [row for page in found.pages("orders") for row in page]
        assert [row["order_id"] for row in rows] == ["O-1", "O-2"]
        assert dict(found.extras()["orders"])["note"] == "kept"


def test_what_a_file_may_have_is_more_when_it_is_gone_through() -> None:
    assert intake.LARGEST_FILE < intake.LARGEST_STREAM
