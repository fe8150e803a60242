"""What MariaDB does otherwise than other databases, and what of that could break the promise of a declared domain."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pymysql
import pytest
import trustme
from pymysql.constants import ER
from sqlalchemy import create_engine, text

from daper.core.errors import ActionFailed, StoreBusy, StoreDamaged, StoreError, StoreUnavailable
from daper.core.models import Proposal, Scope
from daper.core.outcomes import OutcomeStatus
from daper.domains.declared.checking import Check, Look
from daper.domains.declared.domain import DeclaredDomain
from daper.domains.declared.reading import read_file
from daper.domains.declared.set_tool import SetTool
from daper.ports.domain import Terms, ToolCall
from daper.stores.rows import mysql, statements, syntax
from daper.stores.rows.address import MYSQL, database_address
from daper.stores.rows.engine import disconnect
from tests.cases import cases
from tests.declared_shop import FILE, Payments, make_payments, payments_in, set_tool
from tests.mariadb import PASSWORD, MariadbServer, mariadb_server

NOW = datetime(2026, 11, 28, tzinfo=UTC)
# A domain of one table `t`, whose records are found by a column `wrong`; what its tool sets comes in between.
OF_A_TABLE = '''\
[domain]
name     = "payments"
about    = "Rows of a table."
database = "env:PAYMENTS_URL"
timeout  = "1s"

[records]
sql = """{query}"""
key = "id"

[[rule]]
kind  = "wrong"
when  = "r.wrong == 1"
issue = "It is wrong."
fix   = "mend"

[[tool]]
name  = "mend"
does  = "Mends it."
risk  = "low"
table = "t"
set   = {{ {set} }}
'''


@pytest.fixture
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Payments]:
    made = payments_in(getattr(request, "param", "mariadb"), tmp_path, request)
    yield made
    made.engine.dispose()
    disconnect()


def table(shop: Payments, columns: str, *rows: str, query: str = "SELECT id, wrong FROM t", **sets: str) -> None:
    """Declare a domain of a new table `t`: what its tool sets, each to an expression."""
    shop.run(f"CREATE TABLE t ({columns})")
    for row in rows:
        shop.run(f"INSERT INTO t VALUES {row}")  # noqa: S608 - of a test
    written = ", ".join(f'{name} = """{part}"""' for name, part in sets.items())
    shop.file.write_text(OF_A_TABLE.format(query=query, set=written), encoding="utf-8")


def check(shop: Payments) -> Look:
    return Check(read_file(shop.file), variables={"PAYMENTS_URL": shop.url}.get, now=NOW).run()


async def planned(domain: DeclaredDomain, record_id: str, tool: str = "mend") -> tuple[SetTool, ToolCall, Terms]:
    """The tool, and its call as approved now."""
    domain.now().store.init()
    made = set_tool(domain, tool)
    records = await domain.context([record_id])
    proposal = Proposal(record_id=record_id, tool=tool, arguments=made.defaults, answers=())
    terms = domain.terms(proposal, records)
    call = ToolCall(
        key=f"key of {record_id}", record_id=record_id, arguments=made.defaults, expected=terms.reads, today=NOW
    )
    return made, call, terms


def of(shop: Payments, sql: str) -> Any:  # Any: a row as the driver has it
    with shop.engine.begin() as db:
        return db.execute(text(sql)).one()


def of_all(shop: Payments, sql: str) -> Any:  # Any: rows as the driver has them
    with shop.engine.begin() as db:
        return db.execute(text(sql)).all()


async def test_the_order_in_which_columns_are_set_is_no_matter(shop: Payments) -> None:
    table(shop, "id INT PRIMARY KEY, wrong INT, a INT, b INT", "(1, 1, 10, 20)", a="b", b="a + 1", wrong="a - b")
    tool, call, terms = await planned(shop.domain(), "1")
    assert [(each.field, each.after) for each in terms.preview] == [("a", "20"), ("b", "11"), ("wrong", "-10")]
    assert (await tool.apply(call)).status is OutcomeStatus.APPLIED
    assert tuple(of(shop, "SELECT a, b, wrong FROM t")) == (20, 11, -10)


async def test_what_is_set_to_what_it_is_already_is_done(shop: Payments) -> None:
    table(shop, "id INT PRIMARY KEY, wrong INT", "(1, 1)", wrong="wrong")
    tool, call, _ = await planned(shop.domain(), "1")
    assert (await tool.apply(call)).status is OutcomeStatus.APPLIED


@pytest.mark.parametrize("rows", [["('a1 ', 1)"], ["('a1', 1)", "('A1', 1)", "('A1 ', 1)"], ["('á1', 1)"]], ids=repr)
async def test_a_row_whose_key_only_looks_alike_is_another_one(shop: Payments, rows: list[str]) -> None:
    shop.run("CREATE TABLE cases (id VARCHAR(9) COLLATE utf8mb4_bin)")
    shop.run("INSERT INTO cases VALUES ('A1')")
    table(shop, "id VARCHAR(9), wrong INT", *rows, query="SELECT id, 1 AS wrong FROM cases", wrong="2")
    domain = shop.domain()
    tool, call, terms = await planned(domain, "A1")
    there = "('A1', 1)" in rows
    assert bool(terms.preview) is there
    effect = await tool.apply(call)
    assert effect.status is (OutcomeStatus.APPLIED if there else OutcomeStatus.BLOCKED)
    changed = tuple(of(shop, "SELECT COUNT(*), MIN(CONCAT(id, '|')) FROM t WHERE wrong = 2"))
    assert changed == ((1, "A1|") if there else (0, None))
    if there:
        assert (await tool.undo(call, effect, key="undo")).status is OutcomeStatus.UNDONE
        assert of(shop, "SELECT COUNT(*) FROM t WHERE wrong = 1")[0] == 3


@pytest.mark.parametrize("shop", ["sqlite", "mariadb"], indirect=True)
async def test_pages_show_each_of_those_whose_keys_look_alike_once(
    shop: Payments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daper.domains.declared.domain.PAGE", 2)
    alike = "COLLATE NOCASE" if "sqlite" in shop.url else ""
    keys = ["a", "b", "B", "c", "C", "d"]
    table(shop, f"id VARCHAR(9) {alike}, wrong INT", *(f"('{key}', 1)" for key in keys), wrong="2")
    domain, page, seen = shop.domain(), None, list[str]()
    while True:
        found = await domain.scan(Scope(), page)
        seen += [record.record_id for record in found.records]
        page = found.next_page
        if page is None:
            break
    assert sorted(seen) == sorted(keys)


@pytest.mark.parametrize("shop", ["sqlite", "mariadb"], indirect=True)
async def test_of_keys_that_look_alike_the_very_one_is_changed(shop: Payments) -> None:
    alike = "COLLATE NOCASE" if "sqlite" in shop.url else ""
    table(shop, f"id VARCHAR(9) {alike}, wrong INT", "('a', 1)", "('A', 1)", wrong="2")
    tool, call, _ = await planned(shop.domain(), "A")
    effect = await tool.apply(call)
    assert effect.status is OutcomeStatus.APPLIED
    assert tuple(of(shop, "SELECT MIN(id), COUNT(*) FROM t WHERE wrong = 2")) == ("A", 1)
    assert (await tool.undo(call, effect, key="undo")).status is OutcomeStatus.UNDONE
    assert of(shop, "SELECT COUNT(*) FROM t WHERE wrong = 1")[0] == 2


async def test_a_record_is_named_by_its_very_key(shop: Payments) -> None:
    table(shop, "id VARCHAR(9) PRIMARY KEY, wrong INT", "('A1', 1)", wrong="2")
    domain = shop.domain()
    assert [each.record_id for each in await domain.context(["a1", "A1 ", "A1"])] == ["A1"]
    shop.run("DROP TABLE t")
    table(shop, "id INT PRIMARY KEY, wrong INT", "(7, 1)", "(0, 1)", wrong="2")
    assert [each.record_id for each in await shop.domain().context(["7abc", "7.0", "x", "7"])] == ["7"]


TYPES = {
    "TIME(3)": ("'-00:30:00.125'", "'00:00:01'"),
    "TIME": ("'838:59:59'", "'00:00:01'"),
    "DATETIME": ("'0000-00-00 00:00:00'", "'2026-01-01'"),
    "DATETIME(6)": ("'2026-03-29 02:30:00.123456'", "NULL"),
    "TIMESTAMP": ("'2026-10-25 00:30:00'", "'2026-01-01'"),
    "DATE": ("'2026-02-00'", "'2026-01-01'"),
    "YEAR": ("2026", "2027"),
    "BIT(12)": ("b'101010101010'", "b'1'"),
    "TINYINT(1)": ("1", "FALSE"),
    "BIGINT UNSIGNED": ("18446744073709551615", "id"),
    "DECIMAL(65, 30)": ("12345678901234567890123456789012345.123456789012345678901234567890", "0.1"),
    "DOUBLE": ("0.1 + 0.2", "1e308"),
    "ENUM('x', 'it''s')": ("'it''s'", "'x'"),
    "SET('x', 'y', 'z')": ("'x,z'", "''"),
    "JSON": ('\'{"a":  1.0, "é": null}\'', "'[]'"),
    "BLOB": ("X'00FF5C27'", "'x'"),
    "BINARY(4)": ("X'0001'", "'x'"),
    "VARCHAR(20) CHARACTER SET utf8mb4": ("'\U0001f9f9 \\\\ '' \" % \\\\n :x '", "'x'"),
    "CHAR(9) CHARACTER SET latin1": ("'é'", "NULL"),
    "INET6": ("'::ffff:1.2.3.4'", "'::1'"),
    "UUID": ("'123e4567-e89b-12d3-a456-426655440000'", "NULL"),
}


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    cases(
        {kind: (kind, *values) for kind, values in TYPES.items()},
        quick=("TIME(3)", "DATETIME", "DOUBLE", "BIT(12)", "VARCHAR(20) CHARACTER SET utf8mb4"),
    ),
)
async def test_a_column_of_any_type_is_put_back_to_the_digit(
    shop: Payments, kind: str, before: str, after: str
) -> None:
    shop.run(f"CREATE TABLE t (id INT PRIMARY KEY, wrong INT, c {kind} NULL)")
    with shop.engine.connect() as db:  # as somebody's program does that is less strict
        db.exec_driver_sql("SET sql_mode = '', time_zone = '+00:00'")
        db.exec_driver_sql(f"INSERT INTO t VALUES (1, 1, {before})".replace("%", "%%"))  # noqa: S608 - of a test
        db.commit()
    shop.file.write_text(
        OF_A_TABLE.format(query="SELECT id, wrong, c FROM t", set=f'c = """{after.replace(chr(92), chr(92) * 2)}"""'),
        encoding="utf-8",
    )
    was = of(shop, "SELECT HEX(c), c FROM t")
    tool, call, _ = await planned(shop.domain(), "1")
    effect = await tool.apply(call)
    assert effect.status is OutcomeStatus.APPLIED, effect.evidence
    assert of(shop, "SELECT HEX(c), c FROM t") != was
    undone = await tool.undo(call, effect, key="undo")
    assert undone.status is OutcomeStatus.UNDONE, undone.evidence
    assert of(shop, "SELECT HEX(c), c FROM t") == was


async def test_what_would_be_below_zero_is_shown_and_fails_for_its_row_alone(shop: Payments) -> None:
    columns = "id INT PRIMARY KEY, wrong INT, n INT UNSIGNED"
    table(shop, columns, "(1, 1, 3)", "(2, 1, 9)", n="n - 5")
    tool, call, terms = await planned(shop.domain(), "1")
    assert terms.preview[0].after == "-2"
    with pytest.raises(ActionFailed, match="nothing was changed"):
        await tool.apply(call)
    tool, call, terms = await planned(shop.domain(), "2")
    assert (await tool.apply(call)).status is OutcomeStatus.APPLIED
    assert [row[0] for row in of_all(shop, "SELECT n FROM t ORDER BY id")] == [3, 4]


async def test_a_long_text_is_put_back_too(shop: Payments) -> None:
    table(shop, "id INT PRIMARY KEY, wrong INT, c LONGTEXT", "(1, 1, REPEAT('é🧹', 50000))", c="NULL")
    tool, call, _ = await planned(shop.domain(), "1")
    effect = await tool.apply(call)
    assert (await tool.undo(call, effect, key="undo")).status is OutcomeStatus.UNDONE
    assert of(shop, "SELECT c FROM t")[0] == "é🧹" * 50000


async def test_what_names_no_record_is_no_key(shop: Payments) -> None:
    columns = "id BINARY(16) PRIMARY KEY, wrong INT, name CHAR(32) AS (HEX(id)) STORED UNIQUE"
    shop.run(f"CREATE TABLE t ({columns})")
    shop.run("INSERT INTO t (id, wrong) VALUES (X'000102030405060708090A0B0C0D0E0F', 1)")
    shop.file.write_text(OF_A_TABLE.format(query="SELECT id, name, wrong FROM t", set='wrong = "2"'))
    with pytest.raises(StoreDamaged, match="'id' of payments is binary"):
        await shop.domain().scan(Scope())
    shop.file.write_text(shop.file.read_text().replace('key = "id"', 'key = "name"'))
    assert not check(shop).faults
    tool, call, _ = await planned(shop.domain(), "000102030405060708090A0B0C0D0E0F")
    assert (await tool.apply(call)).status is OutcomeStatus.APPLIED


async def test_what_the_database_counts_on_by_itself_is_no_stranger(shop: Payments) -> None:
    at = "at TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)"
    table(shop, f"id INT PRIMARY KEY, wrong INT, {at}", query="SELECT * FROM t", wrong="2")
    shop.run("INSERT INTO t (id, wrong) VALUES (1, 1)")
    assert not check(shop).faults
    tool, call, _ = await planned(shop.domain(), "1")
    effect = await tool.apply(call)
    assert effect.status is OutcomeStatus.APPLIED
    assert (await tool.undo(call, effect, key="undo")).status is OutcomeStatus.UNDONE


async def test_a_float_is_refused_with_the_way_out(shop: Payments) -> None:
    table(shop, "id INT PRIMARY KEY, wrong INT, f FLOAT", "(1, 1, 1234567.5)", query="SELECT * FROM t", wrong="2")
    [fault] = check(shop).faults
    assert "column 'f' is a FLOAT" in fault.said
    assert fault.at.line == 8
    with pytest.raises(StoreDamaged, match="FLOAT"):
        await shop.domain().scan(Scope())
    shop.file.write_text(
        shop.file.read_text().replace("SELECT * FROM t", "SELECT id, wrong, CAST(f AS DOUBLE) AS f FROM t")
    )
    assert not check(shop).faults
    [record] = await shop.domain().context(["1"])
    assert record.data["f"] == 1234567.5
    shop.file.write_text(shop.file.read_text().replace('wrong = """2"""', 'f = "2"'))
    assert any("column 'f' is a FLOAT" in each.said for each in check(shop).faults)


@pytest.mark.parametrize("engine", cases({"MyISAM": "MyISAM", "Aria": "Aria"}, quick=("MyISAM",)))
async def test_a_table_without_transactions_is_no_table_of_a_tool(shop: Payments, engine: str) -> None:
    table(shop, "id INT PRIMARY KEY, wrong INT", "(1, 1)", wrong="2")
    tool, call, _ = await planned(shop.domain(), "1")
    shop.run(f"ALTER TABLE t ENGINE = {engine}")  # after it was approved
    faults = [each.said for each in check(shop).faults]
    assert faults == [
        f"t is a table of {engine}, which has no transactions; make it one of InnoDB: ALTER TABLE t ENGINE = InnoDB"
    ]
    with pytest.raises(ActionFailed, match="no transactions"):
        await tool.apply(call)
    assert of(shop, "SELECT wrong FROM t")[0] == 1

    shop.run("ALTER TABLE t ENGINE = InnoDB")
    shop.run(f"ALTER TABLE daper_ledger ENGINE = {engine}")
    assert any("daper_ledger" in each.said for each in check(shop).faults)
    with pytest.raises(StoreError, match=f"daper_ledger is a table of {engine}"):
        await tool.apply(call)
    assert of(shop, "SELECT wrong FROM t")[0] == 1

    shop.run("ALTER TABLE daper_ledger ENGINE = InnoDB")
    shop.run(f"CREATE TABLE joined (id INT) ENGINE = {engine}")
    shop.file.write_text(shop.file.read_text().replace("FROM t", "FROM t LEFT JOIN joined USING (id)"))
    look = check(shop)
    assert not look.faults
    assert any(f"the query reads 'joined', a table of {engine}" in doubt for doubt in look.doubts)
    shop.run("CREATE VIEW seen AS SELECT * FROM t")
    shop.file.write_text(shop.file.read_text().replace('table = "t"', 'table = "seen"'))
    assert any("seen is a view" in each.said for each in check(shop).faults)


def test_nobody_writes_what_a_change_has_read_and_all_else_is_free(shop: Payments, mariadb: MariadbServer) -> None:
    domain = shop.domain()
    store = domain.now().store
    store.init()
    with closing(mariadb.connect(shop.url.rpartition("/")[2])) as stranger, stranger.cursor() as cursor:
        cursor.execute("SET innodb_lock_wait_timeout = 0")
        with store.change() as change:
            change.records.named(["7"])
            for sql in (
                "UPDATE payments SET note = 'x' WHERE id = 7",
                "UPDATE orders SET status = 'x' WHERE id = 'O1'",
                "UPDATE customers SET email = 'x' WHERE id = 1",
                "DELETE FROM payments WHERE id = 7",
            ):
                with pytest.raises(pymysql.OperationalError) as held:
                    cursor.execute(sql)
                assert held.value.args[0] == ER.LOCK_WAIT_TIMEOUT
            cursor.execute("UPDATE payments SET note = 'x' WHERE id = 8")
            cursor.execute("UPDATE orders SET status = 'x' WHERE id = 'O3'")
        cursor.execute("UPDATE payments SET note = 'x' WHERE id = 7")


async def test_a_row_that_somebody_holds_is_waited_for_and_then_tried_again(
    shop: Payments, mariadb: MariadbServer
) -> None:
    shop.file.write_text(FILE.replace('"env:PAYMENTS_URL"', '"env:PAYMENTS_URL"\ntimeout = "1s"'), encoding="utf-8")
    tool, call, _ = await planned(shop.domain(), "7", "retry_payment")
    with closing(mariadb.connect(shop.url.rpartition("/")[2])) as stranger, stranger.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("UPDATE payments SET note = 'held' WHERE id = 7")
        with pytest.raises(StoreBusy, match="try again"):
            await tool.apply(call)
        cursor.execute("ROLLBACK")
    assert (await tool.apply(call)).status is OutcomeStatus.APPLIED


async def test_another_change_of_daper_that_does_not_end_is_busy(shop: Payments) -> None:
    shop.file.write_text(FILE.replace('"env:PAYMENTS_URL"', '"env:PAYMENTS_URL"\ntimeout = "1s"'), encoding="utf-8")
    domain = shop.domain()
    tool, call, _ = await planned(domain, "7", "retry_payment")
    with domain.now().store.change(), pytest.raises(StoreBusy):
        await tool.apply(call)
    assert (await tool.apply(call)).status is OutcomeStatus.APPLIED


def test_a_deadlock_is_tried_again(shop: Payments, mariadb: MariadbServer) -> None:
    store = shop.domain().now().store
    store.init()
    with closing(mariadb.connect(shop.url.rpartition("/")[2])) as stranger, stranger.cursor() as cursor:
        cursor.execute("CREATE TABLE weight (n INT)")
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO weight SELECT seq FROM seq_1_to_500")  # so that it is the other one that gives in
        cursor.execute("UPDATE customers SET email = 'x' WHERE id = 1")
        meets = threading.Thread(target=cursor.execute, args=("UPDATE orders SET status = 'x' WHERE id = 'O1'",))

        def meet() -> None:
            with store.change() as change:
                change.records.db.execute(text("SELECT * FROM orders WHERE id = 'O1'")).all()
                meets.start()
                change.records.db.execute(text("UPDATE customers SET email = 'y' WHERE id = 1"))

        with pytest.raises(StoreBusy):
            meet()
        meets.join()
        cursor.execute("COMMIT")
    assert of(shop, "SELECT email FROM customers")[0] == "x"


async def test_no_write_is_lost_among_strangers_who_count(shop: Payments, mariadb: MariadbServer) -> None:
    table(shop, "id INT PRIMARY KEY, wrong INT, n INT", "(1, 1, 0)", query="SELECT id, wrong, n FROM t", n="n + 1")
    domain = shop.domain()
    tool, first, _ = await planned(domain, "1")
    written: list[int] = []
    statuses: list[OutcomeStatus] = []

    def count(each: int) -> None:
        with closing(mariadb.connect(shop.url.rpartition("/")[2])) as stranger, stranger.cursor() as cursor:
            for _ in range(15):
                with suppress(pymysql.OperationalError):  # a deadlock is theirs to try again
                    cursor.execute("UPDATE t SET n = n + 1000")
                    written.append(each)

    async def act(each: int) -> None:
        with suppress(StoreBusy):
            [record] = await domain.context(["1"])
            expected = {**first.expected, record.ref: record.version}
            call = ToolCall(key=f"key {each}", record_id="1", arguments={}, expected=expected, today=NOW)
            effect = await tool.apply(call)
            statuses.append(effect.status)
            if effect.status is OutcomeStatus.APPLIED:
                assert effect.after["n"] == int(str(record.data["n"])) + 1, "it was done to what nobody had seen"

    strangers = [threading.Thread(target=count, args=(each,)) for each in range(3)]
    for stranger in strangers:
        stranger.start()
    await asyncio.gather(*(act(each) for each in range(20)))
    for stranger in strangers:
        stranger.join()
    await act(20)
    applied = statuses.count(OutcomeStatus.APPLIED)
    assert applied
    assert set(statuses) <= {OutcomeStatus.APPLIED, OutcomeStatus.STALE}
    assert of(shop, "SELECT n FROM t")[0] == 1000 * len(written) + applied


@pytest.mark.parametrize("when", ["before", "within"])
async def test_a_connection_that_was_cut_is_unavailable_and_then_there_again(
    shop: Payments, mariadb: MariadbServer, when: str
) -> None:
    domain = shop.domain()
    tool, call, _ = await planned(domain, "7", "retry_payment")
    store = domain.now().store
    if when == "before":
        with store.reading() as view:
            number = view.db.execute(text("SELECT CONNECTION_ID()")).scalar_one()
        mariadb.run(f"KILL {number}")
    else:

        def cut() -> None:
            with store.change() as change:
                mariadb.run(f"KILL {change.records.db.execute(text('SELECT CONNECTION_ID()')).scalar_one()}")
                change.records.named(["7"])

        with pytest.raises(StoreUnavailable, match="PAYMENTS_URL"):
            cut()
    assert (await tool.apply(call)).status is OutcomeStatus.APPLIED


async def test_a_query_that_takes_too_long_is_given_up(shop: Payments) -> None:
    table(
        shop, "id INT PRIMARY KEY, wrong INT", "(1, 1)", query="SELECT id, wrong + SLEEP(60) AS wrong FROM t", wrong="2"
    )
    with pytest.raises(StoreBusy):
        await shop.domain().scan(Scope())


async def test_nothing_is_cut_to_fit(shop: Payments) -> None:
    table(shop, "id INT PRIMARY KEY, wrong TINYINT, word VARCHAR(3)", "(1, 1, 'x')", word="'three'")
    tool, call, _ = await planned(shop.domain(), "1")
    with pytest.raises(ActionFailed, match="nothing was changed"):
        await tool.apply(call)
    shop.file.write_text(shop.file.read_text().replace('word = """\'three\'"""', 'wrong = "999"'))
    tool, call, _ = await planned(shop.domain(), "1")
    with pytest.raises(ActionFailed, match="nothing was changed"):
        await tool.apply(call)
    assert tuple(of(shop, "SELECT wrong, word FROM t")) == (1, "x")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["ALTER TABLE t ADD g INT AS (wrong + 1) STORED", "g"], "'g'"),
        (
            [
                "CREATE TRIGGER no BEFORE UPDATE ON t FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not so'",
                "wrong",
            ],
            "not so",
        ),
        (["ALTER TABLE t ADD CONSTRAINT few CHECK (wrong < 2)", "wrong"], "few"),
        (["CREATE TABLE o (id INT PRIMARY KEY)", "ALTER TABLE t ADD o INT REFERENCES o (id)", "o"], "foreign key"),
        (
            ["CREATE TRIGGER other BEFORE UPDATE ON t FOR EACH ROW SET NEW.wrong = NEW.wrong + 5", "wrong"],
            "would keep 7 where the plan has 2",
        ),
    ],
    ids=["a generated column", "a trigger", "a check", "a foreign key", "a trigger that sets something else"],
)
def test_what_the_database_does_not_let_through_is_a_fault_of_the_tool(
    shop: Payments, more: list[str], said: str
) -> None:
    *statements, column = more
    table(shop, "id INT PRIMARY KEY, wrong INT", "(1, 1)", **{column: "2"})
    for statement in statements:
        shop.run(statement)
    [fault] = check(shop).faults
    assert said in fault.said
    assert of(shop, "SELECT wrong FROM t")[0] == 1


CLOCKS = {
    "NOW()": "NOW()",
    "SYSDATE()": "SYSDATE()",
    "UTC_TIMESTAMP()": "UTC_TIMESTAMP()",
    "CURDATE()": "CURRENT_DATE",
    "UTC_DATE()": "UTC_DATE()",
    "LOCALTIMESTAMP": "LOCALTIMESTAMP",
    "FROM_UNIXTIME(UNIX_TIMESTAMP())": "FROM_UNIXTIME(UNIX_TIMESTAMP())",
}


@pytest.mark.parametrize(
    ("part", "shown"), cases({part: (part, shown) for part, shown in CLOCKS.items()}, quick=("NOW()", "UTC_DATE()"))
)
async def test_the_time_is_shown_as_an_expression_and_is_that_of_utc(shop: Payments, part: str, shown: str) -> None:
    table(shop, "id INT PRIMARY KEY, wrong INT, at DATETIME", "(1, 1, NULL)", at=part)
    tool, call, terms = await planned(shop.domain(), "1")
    assert terms.preview[0].after == shown
    assert (await tool.apply(call)).status is OutcomeStatus.APPLIED
    [at, now] = of(shop, "SELECT at, UTC_TIMESTAMP() FROM t")
    assert now - at < timedelta(days=1) if "DATE()" in part else now - at < timedelta(hours=1)
    assert at <= now


@pytest.mark.parametrize("part", ["UUID()", "RAND()", "UUID_SHORT()"])
async def test_what_is_another_value_each_time_does_not_run(shop: Payments, part: str) -> None:
    table(shop, "id INT PRIMARY KEY, wrong INT, word VARCHAR(60)", "(1, 1, NULL)", word=part)
    tool, call, _ = await planned(shop.domain(), "1")
    assert (await tool.apply(call)).status is OutcomeStatus.STALE


async def test_sql_is_that_of_mysql_whatever_the_mode_of_the_server(shop: Payments) -> None:
    table(
        shop, "id INT PRIMARY KEY, wrong INT, word VARCHAR(60)", "(1, 1, 'ab')",
        query="SELECT `id`, (word REGEXP '^a' && 0 || 1) AS wrong, \\\"c:d\\\" AS said FROM t -- no :parameter",
        word="CONCAT(IF(word REGEXP '^a', 'it\\\\'s \\\\\\\\ 100%', word), \\\": \\\", UPPER(word))",
    )  # fmt: skip
    assert not check(shop).faults
    tool, call, terms = await planned(shop.domain(), "1")
    assert terms.preview[0].after == "it's \\ 100%: AB"
    assert (await tool.apply(call)).status is OutcomeStatus.APPLIED
    assert of(shop, "SELECT word FROM t")[0] == "it's \\ 100%: AB"


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        ("a RLIKE 'x' AND NOT (b REGEXP 'y')", "a REGEXP 'x' AND NOT (b REGEXP 'y')"),
        ("REGEXP_LIKE(a, 'x', 'c')", "REGEXP_LIKE(a, 'x', 'c')"),  # of MySQL alone
        ("a || b", "a OR b"),
        ("UTC_DATE()", "UTC_DATE()"),
        ("CONCAT(a, 'it''s \\\\')", "CONCAT(a, 'it''s \\\\')"),
    ],
)
def test_an_expression_is_written_as_it_was_meant(sql: str, written: str) -> None:
    assert statements.told(syntax.expression(sql, MYSQL), MYSQL, {}) == written


def test_a_fault_of_this_kind_of_database_alone_has_its_line(shop: Payments) -> None:
    shop.file.write_text(FILE.replace('"attempts + 1"', '"attempts @> 1"'), encoding="utf-8")
    [fault] = check(shop).faults
    assert (fault.at.line, "attempts" in fault.said) == (FILE[: FILE.index("attempts + 1")].count("\n") + 1, True)


async def test_the_rights_of_the_docs_are_enough_and_the_reader_cannot_write(
    shop: Payments, mariadb: MariadbServer
) -> None:
    database = shop.url.rpartition("/")[2]
    reader, writer = f"r{database[-9:]}", f"w{database[-9:]}"
    shop.domain().now().store.init()
    mariadb.run(
        *(f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'" for user in (reader, writer)),
        *(f"GRANT SELECT ON {database}.{name} TO {user}@'127.0.0.1'"
          for user in (reader, writer) for name in ("payments", "orders", "customers")),
        f"GRANT UPDATE ON {database}.payments TO {writer}@'127.0.0.1'",
        f"GRANT SELECT, INSERT, UPDATE ON {database}.daper_ledger TO {writer}@'127.0.0.1'",
    )  # fmt: skip
    shop.file.write_text(FILE.replace('"env:PAYMENTS_URL"', '"env:PAYMENTS_URL"\nwriter = "env:WRITER"'))
    variables = {"PAYMENTS_URL": mariadb.url(database, user=reader), "WRITER": mariadb.url(database, user=writer)}
    look = Check(read_file(shop.file), variables=variables.get, now=NOW).run()
    assert (look.faults, look.doubts) == ([], [])
    domain = DeclaredDomain(shop.file, variables=variables.get)
    made = set_tool(domain, "retry_payment")
    records = await domain.context(["7"])
    terms = domain.terms(Proposal(record_id="7", tool=made.name, arguments={}, answers=()), records)
    call = ToolCall(key="k", record_id="7", arguments={}, expected=terms.reads, today=NOW)
    effect = await made.apply(call)
    assert effect.status is OutcomeStatus.APPLIED
    assert (await made.undo(call, effect, key="undo")).status is OutcomeStatus.UNDONE


async def test_a_connection_is_encrypted_and_the_server_known_where_the_address_says_so(
    shop: Payments, mariadb: MariadbServer, tmp_path: Path
) -> None:
    plain = shop.url
    shop.url = f"{plain}?ssl_ca={mariadb.certificate}"
    with shop.domain().now().store.reading() as view:
        assert view.db.execute(text("SHOW STATUS LIKE 'Ssl_cipher'")).one()[1]
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    shop.url = f"{plain}?ssl_ca={tmp_path / 'other.pem'}"
    with pytest.raises(StoreUnavailable, match="certificate verify failed"):
        await shop.domain().scan(Scope())


@pytest.mark.long
async def test_what_was_done_is_there_after_a_crash_and_what_was_not_is_done_once(tmp_path: Path) -> None:
    with mariadb_server() as server:
        server.stop()
        server.start("--innodb-flush-log-at-trx-commit=1")
        url = server.empty()
        engine = create_engine(url.replace("mariadb://", "mysql+pymysql://"))
        own = make_payments(engine, url, tmp_path / "own")
        domain = own.domain()
        tool, call, _ = await planned(domain, "7", "retry_payment")

        def crash() -> None:
            with domain.now().store.change() as change:
                tool.act(change.records, call)
                server.kill()

        with pytest.raises(StoreUnavailable):
            crash()
        with pytest.raises(StoreUnavailable):
            await tool.apply(call)
        server.start("--innodb-flush-log-at-trx-commit=1")
        assert (await tool.apply(call)).status is OutcomeStatus.APPLIED
        server.kill()
        server.start("--innodb-flush-log-at-trx-commit=1")
        assert (await tool.apply(call)).status is OutcomeStatus.ALREADY_APPLIED
        engine.dispose()  # its connections are those from before
        assert own.row(7)["attempts"] == 2
        engine.dispose()
        disconnect()


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mysql+pymysql", "mariadb+mariadbconnector"])
def test_each_way_to_write_an_address_is_the_same_place(mariadb: MariadbServer, scheme: str) -> None:
    made = database_address(f"{scheme}://harry:{PASSWORD}@db.example:3307/shop", variable="URL")
    assert made.named == "the database 'shop' on db.example:3307"
    assert made.place == "mysql db.example 3307 shop"
    assert PASSWORD not in repr(made)


async def test_a_socket_is_a_place_too(shop: Payments, mariadb: MariadbServer) -> None:
    mariadb.run(
        f"CREATE OR REPLACE USER root@localhost IDENTIFIED BY '{PASSWORD}'", "GRANT ALL ON *.* TO root@localhost"
    )
    database = shop.url.rpartition("/")[2]
    shop.url = f"mysql://root:{PASSWORD}@/{database}?unix_socket={mariadb.socket}"
    assert len((await shop.domain().scan(Scope())).records) == 3
    assert shop.domain().now().store.reader.named == f"the database {database!r} on {mariadb.socket}"


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        (PASSWORD, f"{PASSWORD}x", "Access denied"),
        ("/empty_", "/no_such_", "has no such database"),
        ("127.0.0.1", "127.0.0.2", "nobody answers there"),
    ],
    ids=["a password", "a database", "a host"],
)
async def test_who_is_not_let_in_is_told_why_without_the_password(
    shop: Payments, right: str, wrong: str, said: str
) -> None:
    shop.url = shop.url.replace(right, wrong)
    with pytest.raises(StoreUnavailable, match="PAYMENTS_URL") as refused:
        await shop.domain().scan(Scope())
    assert said in str(refused.value)
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1213, StoreBusy), (1205, StoreBusy), (1969, StoreBusy), (3024, StoreBusy), (1020, StoreBusy),
        (2006, StoreUnavailable), (2013, StoreUnavailable), (1040, StoreUnavailable), (1290, StoreUnavailable),
        (1062, ActionFailed), (1406, ActionFailed), (1644, ActionFailed), (4025, ActionFailed), (3819, ActionFailed),
        (1064, StoreError), (1142, StoreError), (1792, StoreError),
    ],
)  # fmt: skip
def test_a_number_of_the_server_has_a_meaning(code: int, kind: type[Exception]) -> None:
    assert mysql.meaning(pymysql.OperationalError(code, "said")) is kind
