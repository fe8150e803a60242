"""Tools by HTTP and by statements in a file: what is wrong with one is told with its line, before anything is asked."""

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from tests.declared_shop import Payments, faults_of, make_payments
from tests.declared_tools import TOKEN, http_file
from tests.payment_processor import processing

from daper.domains.declared.checking import Check, Look
from daper.domains.declared.expressions import CannotJudge, answer_condition
from daper.domains.declared.reading import read_file
from daper.stores.rows.syntax import SqlFault, change

URL = "https://psp.example/v1"
FILE = http_file(URL)
# What is put in place of what, the words of the fault, and what is in its line.
FAULTS: dict[str, tuple[str, str, str, str]] = {
    "two ways": (
        "[tool.http]",
        '[tool.sql]\nrun = "x"\npreview = "y"\n[tool.http]',
        "'tool[1].sql' is no key",
        "[tool.sql]",
    ),
    "a key": ("timeout = ", "timeuot = ", "'tool[1].http.timeuot' is no key here; did you mean 'timeout'?", "timeuot"),
    "a key of settling": ("happened =", "hapened =", "did you mean 'happened'?", "hapened"),
    "no url": (f'url     = "{URL}', f'#url     = "{URL}', "'tool[1].http.url' is missing: the address", "[tool.http]"),
    "a method": ("timeout = ", 'method = "GET"\ntimeout = ', "it must be 'POST', 'PUT', 'PATCH' or 'DELETE'", "GET"),
    "a host of a record": (
        f"{URL}/payments/",
        "https://{order_id}.example/payments/",
        "the host is written",
        "{order_id}.ex",
    ),
    "half a host": (f"{URL}/payments/", "https://psp{id}/payments/", "the host is written", "psp{id}"),
    "another scheme": (f"{URL}/payments/", "file:///etc/", "begins with file://; it must begin with https://", "file:"),
    "no scheme": (
        f"{URL}/payments/",
        "psp.example/payments/",
        "has no https:// in front of it; write https://psp.example/payments/{id}/retry?order={order_id}",
        '"psp.ex',
    ),
    "no host": (f"{URL}/payments/", "https:///payments/", "it names no host: https://host/path", "https:///"),
    "a blank": ("/retry?order", "/re try?order", "has a blank; write %20 for one", "re try"),
    "a letter of another kind": ("/retry?order", "/rétry?order", "it has 'é'; write %C3%A9 for it", "rétry"),
    "a backslash": ("/retry?order", "/re\\\\try?order", "it has '\\'; write %5C for it", "re\\"),
    "a name in it": (
        f"{URL}/payments/",
        f"https://u:{TOKEN}@psp.example/payments/",
        "'tool[1].http.url' is 'https://***@psp.example/payments/{id}/retry?order={order_id}': a name or password",
        "u:tok",
    ),
    "a fragment": ("/retry?order", "/retry#order", "what is behind a # is not sent; write %23 for one", "#order="),
    "a port": (f"{URL}/payments/", "https://psp.example:99999/payments/", "it has a port over 65535", ":99999"),
    "a port of letters": (f"{URL}/payments/", "https://psp.example:http/payments/", "its port is no number", ":http"),
    "a line break": (
        f"{URL}/payments/",
        "https://psp.example/\\r\\nX: y/",
        "has a character that cannot be seen (U+000D); take it out",
        "X: y",
    ),
    "a brace": ("/retry?order", "/retry{?order", "there is a '{'", "retry{"),
    "a secret in the clear": (f'"{URL}/payments', '"http://psp.example/v1/payments', "over https alone", "http://psp"),
    "a hidden column": ("/payments/{id}", "/payments/{email}", "'email' is hidden", "/payments/{email}"),
    "a hidden column in the body": ('"{attempts}"', '"<{email}>"', "'email' is hidden", "<{email}>"),
    "a brace in the body": ('"{attempts}"', '"{attempts"', "there is a '{'", "{attempts"),
    "a date in the body": ('"{attempts}"', "2026-01-01", "JSON knows no others", "2026-01-01"),
    "a header of two lines": (
        '"hogwarts"',
        '"a\\r\\nX-Evil: 1"',
        "'tool[1].http.headers.X-Shop' is not right",
        "X-Evil",
    ),
    "a header's name": ("X-Shop", '"X Shop"', "is not right (not shown)", "X Shop"),
    "a host as header": ("X-Shop", "Host", "'Host' is no header for a file", "Host"),
    "a secret as header": ('X-Shop = "hogwarts"', f'Authorization = "{TOKEN}"', "goes into 'secret'", "headers"),
    "a header twice": ("X-Shop", "idempotency-KEY", "is there twice", "key_header"),
    "a cookie": ('"Authorization"', '"Cookie"', "'Cookie' is no header for a file", '"Cookie"'),
    "a secret itself": ('"env:PROCESSOR_TOKEN"', f'"{TOKEN}"', "a secret itself never stands in a file", "value ="),
    "a prefix": ('"Bearer "', '"Bearer\\n"', "plain characters in one line", "Bearer"),
    "done and refused": ("timeout = ", "ok = [422]\ntimeout = ", "422 is in 'ok' as well", "[tool.http]"),
    "too long": ('timeout = "1s"', 'timeout = "5m"', "'tool[1].http.timeout'", "timeout"),
    "settled elsewhere": (
        f'"{URL}/requests',
        '"https://other.example/requests',
        "on the host that is asked",
        "other.ex",
    ),
    "settled by what changes": (
        "/requests/{key}",
        "/requests/{order_id}",
        "it takes 'order_id'",
        "requests/{order_id}",
    ),
    "settled by a key that is not sent": ("key_header", "#", "which the request does not send", "/requests/{key}"),
    "never without a key": ("/requests/{key}", "/payments/{id}", "nobody can say of this very request", "never    ="),
    "an argument of ours": ("args.reason", "args.daper_t0 = { sentence = 5 }\nargs.reason", "daper's own", "daper_t0"),
    "settled by a record": ("a.state ==", "r.status ==", "it names 'r'; there is a, the JSON", "happened"),
    "settled by nothing": ("a.state == 'done'", "a.state ==", "it cannot be read", "happened"),
    "an argument": ("args.reason", "args.key = { sentence = 5 }\nargs.reason", "is the key of the action", "args.key"),
    "nothing to look at": (
        FILE[FILE.index("[tool.http.settle]") : FILE.index('[[tool]]\nname  = "close')],
        "",
        "needs 'helped' or",
        "[[tool]]",
    ),
    "no help": (
        "helped = \"r.status == 'closed: done'\"",
        "",
        "tool 'close_payment' needs 'helped'",
        "[[tool]]",
    ),
    "no statement": ('run     = "UPDATE', 'run     = "SELECT', "'tool[2].sql.run'", 'run     = "SELECT'),
    "for any record": ("WHERE id = :id AND status = 'failed'", "WHERE status = 'failed'", "it has no :id", "run"),
    "no argument": ("note = :reason", "note = :why", "takes :why, and args has no 'why'", "run"),
    "a parameter in a preview": (
        "WHERE status = 'failed'\"\nundo",
        'WHERE id = :id"\nundo',
        "takes no parameters",
        "preview",
    ),
    "a preview without key": ("SELECT id, 'status' AS what", "SELECT 'status' AS what", "it must give 'id'", "preview"),
    "a preview with more": ("AS what,", "AS what, note,", "it gives 'note', which nobody would see", "preview"),
    "a preview of the time": ("'closed: done' AS after", "CURRENT_TIMESTAMP AS after", "it tells the time", "preview"),
    "a preview of what is hidden": ("status AS before", "email AS before", "'email' is hidden", "preview"),
    "an undo that adds": (
        'undo    = "UPDATE payments SET',
        'undo    = "INSERT INTO payments SELECT',
        "must be one UPDATE or DELETE",
        "undo",
    ),
    "an id of its own": (
        'args.reason = { sentence = 200, default = "order',
        'args.id = { sentence = 5 }\nargs.reason = { sentence = 200, default = "order',
        ":id is the key of the record",
        "args.id",
    ),
    "what helps": (
        "\"r.status == 'closed: done'\"",
        '"SELECT id, note FROM payments"',
        "it must give 'id' alone",
        "helped",
    ),
}


def test_the_file_itself_has_none(tmp_path: Path) -> None:
    for key_header in (True, False):
        for settle in (True, False):
            assert faults_of(tmp_path, http_file(URL, key_header=key_header, settle=settle)) == []
    assert faults_of(tmp_path, http_file("http://127.0.0.1:8080")) == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_with_its_line_and_what_would_be_right(tmp_path: Path, name: str) -> None:
    old, new, said, where = FAULTS[name]
    assert old in FILE
    text = FILE.replace(old, new, 1)
    found = faults_of(tmp_path, text)
    lines = text.splitlines()
    assert any(said in told and where.partition("\n")[0] in lines[at - 1] for at, told in found), found
    assert TOKEN not in str(found)


def test_an_address_that_is_wrong_is_told_with_its_key_and_as_it_stands_there(tmp_path: Path) -> None:
    for old, key in ((f"{URL}/payments/", "'tool[1].http.url'"), (f"{URL}/requests/", "'tool[1].http.settle.url'")):
        for new in ("psp.example/", "ftp://psp.example/", "https://psp.example/ x/", "https://{id}.example/", "x{y/"):
            text = FILE.replace(old, new, 1)
            told = [said for _, said in faults_of(tmp_path, text) if said.startswith(f"{key} is '{new}")]
            assert len(told) == 1, (key, new)
            assert ": " in told[0]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM a WHERE id = :id",
        "DROP TABLE a",
        "TRUNCATE a",
        "UPDATE a SET x = 1; DELETE FROM a",
        "INSERT OR REPLACE INTO a VALUES (:id)",
        "WITH d AS (DELETE FROM b RETURNING id) UPDATE a SET x = 1 WHERE id = :id",
        "UPDATE daper_ledger SET written = ''",
        'INSERT INTO public."DAPER_ledger" VALUES (:id)',
        "CALL p()",
        "COPY a FROM PROGRAM 'x'",
        "UPDATE a SET x = pg_read_file('/etc/passwd')",
        'UPDATE a SET x = pg_catalog."pg_sleep"(9)',
        "UPDATE a SET x = dblink('x', 'y')",
        "UPDATE a SET x = load_extension('x')",
        "UPDATE a SET x = 1 WHERE id = :id RETURNING x",
        "UPDATE a SET x = ?",
        "SELECT 1 INTO a",
        "MERGE INTO a USING b ON a.id = b.id WHEN MATCHED THEN DELETE",
        "GRANT ALL ON a TO b",
        "",
        "UPDATE a SET x = :daper_ids",
    ],
)
@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_a_statement_does_one_thing_to_rows_or_is_refused(sql: str, kind: str) -> None:
    with pytest.raises(SqlFault):
        change(sql, kind)


def test_an_answer_is_judged_and_what_cannot_be_is_not_repeated() -> None:
    condition = answer_condition("status == 200 && a.state == 'done'")
    assert condition.holds(200, {"state": "done"})
    assert not condition.holds(404, None)
    for answer in (None, {}, {"stat": TOKEN}, [TOKEN]):
        with pytest.raises(CannotJudge) as error:
            condition.holds(200, answer)
        assert TOKEN not in str(error.value)


@pytest.fixture
def shop(tmp_path: Path) -> Payments:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    made = make_payments(create_engine(url), url, tmp_path / "domains")
    made.more = {"PROCESSOR_TOKEN": TOKEN}
    return made


def look(shop: Payments, text: str) -> Look:
    shop.file.write_text(text, encoding="utf-8")
    known = {"PAYMENTS_URL": shop.url, **shop.more}
    return Check(read_file(shop.file), variables=known.get, now=datetime(2026, 11, 28, tzinfo=UTC)).run()


def test_a_check_sends_nothing_and_says_what_it_could_not_prove(shop: Payments) -> None:
    with processing() as processor:
        for key_header, settle, doubt in (
            (True, True, "is for good is the other system's promise"),
            (True, False, "asked again with the same key, and ends as unknown"),
            (False, False, "it ends as unknown, and a person looks"),
        ):
            found = look(shop, http_file(processor.url, key_header=key_header, settle=settle))
            assert not found.faults
            assert any(doubt in each for each in found.doubts), found.doubts
            assert any("'retry_payment' was not tried: nothing is sent before" in each for each in found.doubts)
        assert not processor.asked
    assert (shop.row(8)["status"], shop.row(8)["note"]) == ("failed", None), "a look has changed something"


@pytest.mark.parametrize(
    ("old", "new", "said", "where"),
    [
        (
            '{order_id}"',
            '{oder_id}"',
            f"'tool[1].http.url' is '{URL}/payments/{{id}}/retry?order={{oder_id}}': there is no column or argument "
            "'oder_id'; did you mean 'order_id'?",
            "/retry",
        ),
        (
            '"{attempts}"',
            '"{reson}"',
            "'tool[1].http.body' has '{reson}': there is no column or argument 'reson'; did you mean 'reason'?",
            "body",
        ),
        ("r.attempts < 4", "r.atempts < 4", "there is no column 'atempts'", "only"),
        (
            'args.reason = { sentence = 200, default = "a',
            'args.attempts = { between = [1, 2] }\nargs.reason = { sentence = 200, default = "a',
            "'attempts' is an argument and a column",
            "body",
        ),
        ("FROM payments WHERE status", "FROM paymnets WHERE status", "no such table: paymnets", "preview"),
        (
            "SET status = 'closed: done', note",
            "SET status = 'closed: done', not_e",
            "no such column: not_e",
            "[[tool]]",
        ),
        ("SET status = 'failed', note = NULL", "SET status = 'x', note = NULL", "does not bring back", "[[tool]]"),
        ("\nundo", "\nexpects = 2\nundo", "would have changed 1 rows, and not 2", "[[tool]]"),
    ],
)
def test_a_check_finds_what_only_the_database_knows(shop: Payments, old: str, new: str, said: str, where: str) -> None:
    text = http_file(URL)
    assert old in text
    text = text.replace(old, new, 1)
    found = look(shop, text)
    lines = text.splitlines()
    assert any(said in each.said and where in lines[each.at.line - 1] for each in found.faults), found.faults


def test_an_address_with_a_name_that_is_no_column_says_so_and_not_that_it_is_empty(shop: Payments) -> None:
    shop.file.write_text(FILE.replace("?order={order_id}", "?order={oder_id}"), encoding="utf-8")
    domain = shop.domain()
    records = asyncio.run(domain.context(["7"]))
    terms = domain.tools["retry_payment"].terms("7", {"reason": "why"}, records)
    assert terms.obstacle == "there is no column or argument 'oder_id'; did you mean 'order_id'?"


def test_a_check_names_the_variable_of_a_secret_that_is_missing(shop: Payments) -> None:
    shop.more = {}
    [fault] = look(shop, FILE).faults
    assert re.match(r"PROCESSOR_TOKEN is not set", fault.said)
    assert "secret" in FILE.splitlines()[fault.at.line - 1]
