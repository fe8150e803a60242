"""A text that a file compares a column with, and that no row has: told as a hint, on real databases."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest

from daper.core.errors import StoreBusy
from daper.domains.declared import constants
from daper.domains.declared.checking import Check, Look
from daper.domains.declared.constants import compared
from daper.domains.declared.reading import read_file
from daper.stores.rows.engine import disconnect
from tests.declared_shop import FILE, KINDS, ONE_SOON, Payments, payments_in


def line(said: str) -> int:
    """Where that stands in the file."""
    return FILE[: FILE.index(said)].count("\n") + 1


WHEN = line("r.status == 'failed' &&")
NOW = datetime(2026, 11, 28, tzinfo=UTC)
THERE = "there are: failed, paid, processing"


@pytest.fixture(params=ONE_SOON)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Payments]:
    made = payments_in(request.param, tmp_path, request)
    made.domain().now().store.init()
    yield made
    made.engine.dispose()
    disconnect()


def look(shop: Payments, *changes: tuple[str, str]) -> Look:
    text = FILE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    shop.file.write_text(text, encoding="utf-8")
    return Check(read_file(shop.file), variables={"PAYMENTS_URL": shop.url}.get, now=NOW).run()


@pytest.mark.parametrize("shop", KINDS, indirect=True)
def test_a_status_that_no_row_has_is_a_hint_with_its_line_and_those_that_there_are(shop: Payments) -> None:
    assert look(shop).hints == [
        f"rule 'passing-failure', line {WHEN}: no row has failure_code 'processor_down'; "
        "there are: card_declined, timeout"
    ]
    for new, column, value, more in (
        ("r.status == 'faild' &&", "status", "faild", f"{THERE}; did you mean 'failed'?"),
        ("'Failed' == r.status &&", "status", "Failed", f"{THERE}; did you mean 'failed'?"),
        ("r.status in ['failed', 'stuck'] &&", "status", "stuck", THERE),
        ("r.status != 'pading' && r.status == 'failed' &&", "status", "pading", THERE),
    ):
        found = look(shop, ("r.status == 'failed' &&", new))
        assert not found.faults
        assert f"rule 'passing-failure', line {WHEN}: no row has {column} '{value}'; {more}" in found.hints, found.hints


def test_sql_of_a_file_is_looked_through_as_well(shop: Payments) -> None:
    found = look(
        shop, ("'processing')\"", "'procesing')\""), ("WHERE o.status = 'cancelled'", "WHERE o.status = 'canceled'")
    )
    assert (
        f"'records.scope', line {line('scope ')}: no row has status 'procesing'; {THERE}; did you mean 'processing'?"
        in found.hints
    )
    assert (
        f"rule 'order-gone', line {line('sql   =')}: no row has status 'canceled'; there are: cancelled, open; "
        "did you mean 'cancelled'?" in found.hints
    )
    [_, told] = look(shop, ("only  = \"status = 'failed'\"", "only  = \"status = 'faled'\"")).hints
    assert (
        told
        == f"tool 'close_payment', line {line('only  =')}: no row has status 'faled'; {THERE}; did you mean 'failed'?"
    )


def test_what_a_tool_sets_is_a_hint_only_where_it_looks_like_a_slip(shop: Payments) -> None:
    assert look(shop).hints[1:] == [], "queued is a status of its own, which no row has yet"
    assert look(shop, ("status = \"'queued'\"", "status = \"'processng'\"")).hints[1:] == [
        f"tool 'retry_payment', line {line('set ')}: it sets status to 'processng', which no row has; "
        "did you mean 'processing'?"
    ]
    helped = look(shop, ('spends = "amount"', "helped = \"r.status == 'piad' || r.status == 'queued'\""))
    assert helped.hints[1:] == [
        f"tool 'retry_payment', line {line('spends')}: no row has status 'piad'; did you mean 'paid'?"
    ]


def test_what_is_hidden_is_not_told_and_free_texts_are_no_list(shop: Payments) -> None:
    found = look(shop, ("r.order_status == 'open'", "r.email == 'lunna@hogwarts.example'"))
    assert any("no row has email 'lunna@hogwarts.example'" in each for each in found.hints)
    assert not any("luna@" in each for each in found.hints)
    for at in range(20, 20 + constants.MOST + 1):
        shop.run(f"INSERT INTO payments (id, order_id, status) VALUES ({at}, 'O1', 'state {at}')")  # noqa: S608 - a test's
    assert not any("status" in each for each in look(shop, ("r.status == 'failed' &&", "r.status == 'faild' &&")).hints)


def test_a_rare_status_of_a_large_table_is_looked_for_by_itself(
    shop: Payments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ROWS", 2)
    assert not any("status" in each for each in look(shop, ("r.status == 'failed' &&", "r.status == 'paid' &&")).hints)
    found = look(shop, ("r.status == 'failed' &&", "r.status == 'faild' &&"))
    assert any("no row has status 'faild'" in each for each in found.hints)


def test_a_look_that_takes_too_long_is_not_tried_for_each_text_and_fails_nothing(
    shop: Payments, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def slow(query: object, column: str, kind: str, *, rows: int, most: int) -> NoReturn:
        asked.append(column)
        raise StoreBusy("it took too long")

    monkeypatch.setattr(constants.statements, "values", slow)
    found = look(shop, ("r.status == 'failed' &&", "r.status in ['faild', 'stuck'] && r.status != 'x' &&"))
    assert (found.faults, found.hints) == ([], [])
    assert asked.count("status") < len(asked), "other columns are asked for all the same"
    assert asked.count("status") == 4, "once for each query: records, scope, the table of tools, the rule in SQL"


def test_an_empty_table_gives_no_hints(shop: Payments) -> None:
    shop.run("DELETE FROM payments")
    assert look(shop, ("r.status == 'failed' &&", "r.status == 'faild' &&")).hints == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("r.a == 'x'", [("a", "x")]),
        ("r . a=='x'||\"y\"!=r.b", [("a", "x"), ("b", "y")]),
        ("r.a in ['x', r'y\\n', 'it\\'s']", [("a", "x"), ("a", "y\\n"), ("a", "it's")]),
        ("r.a == 'r.b == \"z\"'", [("a", 'r.b == "z"')]),
        ("true // r.a == 'x'\n && r.b == 'y'", [("b", "y")]),
        ("r.a.lowerAscii() == 'x' && r.a.b == 'y'", []),
        ("'x' == r.a.lowerAscii() || 'x' + r.a == 'y' || r.a == 'x' + r.b", []),
        ("['x'].exists(e, e == r.a) || other.a == 'x' || r.a == 7 || r.a in [1, 'x']", [("a", "x")]),
        ("r.a == b'x'", []),
    ],
)
def test_only_a_column_itself_that_is_compared_with_a_text_counts(text: str, found: list[tuple[str, str]]) -> None:
    assert [(each.column, each.value) for each in compared(text)] == found
