"""What a file hides is shown by no other way: not by another name, a copy, a star, a join, nor by what a tool sets."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from tests.declared_shop import FILE, faults_of, make_payments
from tests.declared_tools import CLOSE_TOOL, http_file, with_tool

from daper.core.errors import DaperError
from daper.core.models import Scope

NOW = datetime(2026, 11, 28, tzinfo=UTC)
ALIASED = FILE.replace("c.email, o", "c.email AS contact, o").replace('["email"]', '["contact"]')

PREVIEWS = {
    "a subquery with a star": "SELECT p.id, 'x' AS what, s.email AS before, 1 AS after FROM payments p"
    " JOIN (SELECT * FROM customers) s ON s.id = p.id",
    "its own name": "SELECT p.id, c.email AS what FROM payments p JOIN customers c ON c.id = p.id",
    "in backticks": "SELECT p.id, c.`email` AS what FROM payments p JOIN customers c ON c.id = p.id",
    "a table with names of its own": "SELECT c.i AS id, c.e AS what FROM customers AS c(i, e)",
    "a star with names of its own": "WITH t(i, e) AS (SELECT * FROM customers) SELECT i AS id, e AS what FROM t",
    "a name from within": "WITH t AS (SELECT id, email AS e FROM customers) SELECT id, e AS what FROM t",
    "a whole row": "SELECT c.id, to_json(c) AS what FROM customers c",
    "a whole row as text": "SELECT customers.id, CAST(customers AS TEXT) AS what FROM customers",
    "a piece of a whole row": "SELECT c.id, (c).email AS what FROM customers c",
    "one star below another": "SELECT id, 'x' AS what FROM payments UNION ALL SELECT * FROM customers",
    "a part": "SELECT p.id, substr(c.email, 1, 9) AS what FROM payments p JOIN customers c ON c.id = p.id",
    "a query within": "SELECT p.id, (SELECT max(email) FROM customers) AS what FROM payments p",
    "a text that is a query": "SELECT id, query_to_xml('TABLE customers', true, true, '') AS what FROM payments",
    "a function of a row": "SELECT c.id, email(c) AS what FROM customers c",
    "tables in brackets": "SELECT p.id, c.email AS what FROM (payments p JOIN customers c ON c.id = p.id)",
    "a lateral query": "SELECT p.id, l.e AS what FROM payments p CROSS JOIN LATERAL"
    " (SELECT c.email AS e FROM customers c WHERE c.id = p.id) l",
    "a query of itself": "WITH RECURSIVE t(i, e) AS (SELECT id, email FROM customers UNION ALL SELECT i + 1, e FROM t"
    " WHERE i < 5) SELECT i AS id, e AS what FROM t",
    "one behind another": "WITH a AS (SELECT * FROM customers), b AS (SELECT * FROM a), d(x, y) AS (SELECT * FROM b)"
    " SELECT x AS id, y AS what FROM d",
    "in capitals": "SELECT p.id, C.EMAIL AS what FROM payments p JOIN customers C ON C.id = p.id",
}


def preview(sql: str, text: str) -> str:
    """The file with a tool by a statement whose preview this is."""
    tool = CLOSE_TOOL[: CLOSE_TOOL.index("preview")] + f'preview = """{sql}"""\n'
    return with_tool(tool).replace(FILE[: FILE.index("[[rule]]")], text[: text.index("[[rule]]")])


@pytest.mark.parametrize("name", PREVIEWS)
@pytest.mark.parametrize("text", [FILE, ALIASED], ids=["by its name", "by another"])
def test_a_preview_that_would_show_it_is_refused(tmp_path: Path, name: str, text: str) -> None:
    found = faults_of(tmp_path, preview(PREVIEWS[name], text))
    assert [said for _, said in found if "is hidden, and a plan would show it" in said], found


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT p.id, o.status AS what FROM payments p JOIN orders o ON o.id = p.order_id",
        "SELECT p.id, s.status AS what FROM payments p JOIN (SELECT * FROM orders) s ON s.id = p.order_id",
        "SELECT p.id, 'x' AS what FROM payments p WHERE EXISTS (SELECT * FROM orders o WHERE o.id = p.order_id)",
        "WITH t(i, n) AS (SELECT order_id, count(*) FROM payments GROUP BY order_id)"
        " SELECT p.id, t.n AS what FROM payments p JOIN t ON t.i = p.order_id",
        "WITH RECURSIVE t AS (SELECT id FROM payments UNION ALL SELECT t.id + 1 FROM t WHERE t.id < 5)"
        " SELECT id, 'x' AS what FROM t",
        "WITH a AS (SELECT * FROM orders), b AS (SELECT * FROM a JOIN payments ON a.id = order_id)"
        " SELECT b.id, b.status AS what FROM b",
    ],
)
@pytest.mark.parametrize("text", [FILE, ALIASED], ids=["by its name", "by another"])
def test_a_preview_that_shows_something_else_is_taken(tmp_path: Path, sql: str, text: str) -> None:
    assert faults_of(tmp_path, preview(sql, text)) == []


@pytest.mark.parametrize(
    "shown",
    ["c.email AS mail", "lower(c.email) AS mail", "c.email || '' AS mail", "CASE WHEN 1 = 1 THEN c.email END AS mail",
     "(SELECT x.email FROM customers x) AS mail", "c.* "],
)  # fmt: skip
@pytest.mark.parametrize("text", [FILE, ALIASED], ids=["by its name", "by another"])
def test_a_query_that_gives_it_by_another_name_too_is_refused(tmp_path: Path, shown: str, text: str) -> None:
    found = faults_of(tmp_path, text.replace("o.status AS order_status", f"o.status AS order_status, {shown}"))
    if shown == "c.* " and text is FILE:  # there it is called as it is hidden
        assert found == []
        return
    assert [said for _, said in found if "is hidden" in said], found


@pytest.mark.parametrize(
    "shown", ["c.email IS NOT NULL AS reachable", "length(c.email) AS long", "count(c.email) OVER () AS many",
              "CASE WHEN c.email = '' THEN 'none' ELSE 'some' END AS reachable", "o.id AS mail"]
)  # fmt: skip
@pytest.mark.parametrize("text", [FILE, ALIASED], ids=["by its name", "by another"])
def test_what_tells_only_something_of_it_is_taken(tmp_path: Path, shown: str, text: str) -> None:
    assert faults_of(tmp_path, text.replace("o.status AS order_status", f"o.status AS order_status, {shown}")) == []


@pytest.mark.parametrize("text", [FILE, ALIASED], ids=["by its name", "by another"])
@pytest.mark.parametrize(
    ("sets", "is_told"),
    [
        ("note = \"'mail ' || email\"", True),
        ("email = \"'x'\"", True),
        ("note = \"CASE WHEN email IS NULL THEN 'none' ELSE 'some' END\"", False),
    ],
)
def test_a_tool_that_sets_or_copies_it_is_refused(tmp_path: Path, text: str, sets: str, is_told: bool) -> None:
    head, tail = text.split('table = "payments"\nset   = { status = "\'closed: done\'", note = ":reason" }')
    made = f'{head}table = "customers"\nset   = {{ {sets}, done = ":reason" }}{tail}'
    found = faults_of(tmp_path, made)
    assert bool([said for _, said in found if "is hidden, and a plan would show it" in said]) == is_told, found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('status  = "status"', 'status  = "email"'),
        ('spends = "amount"', 'spends = "email"'),
        ('status  = "status"', 'status  = "status"\nversion = "email"'),
    ],
)
def test_what_is_shown_of_each_record_cannot_be_hidden(tmp_path: Path, old: str, new: str) -> None:
    found = faults_of(tmp_path, FILE.replace(old, new))
    assert [said for _, said in found if "'email' is hidden, and" in said], found


def test_what_is_sent_under_another_name_is_refused(tmp_path: Path) -> None:
    text = http_file("http://127.0.0.1:1").replace("c.email,", "c.email, c.email AS mail,")
    found = faults_of(tmp_path, text.replace('note = "Order {order_id}', 'note = "Order {mail}'))
    assert [said for _, said in found if "is hidden" in said], found


async def test_a_name_that_hides_nothing_and_a_value_that_does_not_fit_show_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    shop = make_payments(create_engine(url), url, tmp_path / "domains")
    for text in (
        FILE.replace('["email"]', '["e-mail"]'),
        FILE.replace('failed_at = "time"', 'failed_at = "time", email = "number"'),
        FILE.replace("r.status == 'failed' &&", "r.email < 5 &&"),
        FILE.replace("when  = \"r.status == 'failed' &&", "when = \"true ? r.email : 'x'\" # "),
        FILE.replace("r.status == 'failed' &&", "timestamp(r.email) < now &&"),
        FILE.replace("r.status == 'failed' &&", "int(r.email) < 5 &&"),
        FILE.replace("r.status == 'failed' &&", "duration(r.email) < duration('5s') &&"),
    ):
        shop.file.write_text(text, encoding="utf-8")
        domain = shop.domain()
        told = ""
        try:
            page = await domain.scan(Scope())
        except DaperError as error:
            told = str(error)
        else:
            told = repr([*domain.detect(page.records, NOW), *[record.data for record in page.records]])
        assert "luna" not in told, text
