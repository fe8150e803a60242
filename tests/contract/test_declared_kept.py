"""What a column keeps of what a tool sets is what was promised, by value, or nothing is changed: on real databases."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import text

from daper.core.errors import ActionFailed
from daper.core.models import Proposal
from daper.core.outcomes import OutcomeStatus
from daper.domains.declared.checking import Check
from daper.domains.declared.reading import read_file
from daper.ports.domain import ToolCall
from daper.stores.rows.engine import disconnect
from tests.declared_shop import Payments, payments_in, set_tool
from tests.declared_tools import with_tool

TODAY = datetime(2026, 11, 28, tzinfo=UTC)
Make = Callable[[str], Payments]

SETTING: Final = """
[[tool]]
name  = "change_payment"
does  = "Changes the payment."
risk  = "low"
table = "payments"
"""
TRIGGERS: Final = {
    "sqlite": (
        "CREATE TRIGGER other AFTER UPDATE OF note ON payments BEGIN"
        " UPDATE payments SET note = 'changed' WHERE id = NEW.id; END",
    ),
    "postgresql": (
        "CREATE FUNCTION other() RETURNS trigger AS 'BEGIN NEW.note := ''changed''; RETURN NEW; END' LANGUAGE plpgsql",
        "CREATE TRIGGER other BEFORE UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION other()",
    ),
    "mariadb": ("CREATE TRIGGER other BEFORE UPDATE ON payments FOR EACH ROW SET NEW.note = 'changed'",),
}


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes the shop in a database of a kind."""
    made: list[Payments] = []

    def shop(kind: str) -> Payments:
        made.append(payments_in(kind, tmp_path, request))
        return made[-1]

    yield shop
    for each in made:
        each.engine.dispose()
    disconnect()


def setting(what: str, *, more: str = "", column: str = "") -> str:
    """The file with a tool that sets this, and a column of its query with this."""
    made = with_tool(f"{SETTING}set   = {{ {what} }}\n{more}", fix="change_payment")
    return made.replace("p.failed_at,", f"p.failed_at, {column},") if column else made


async def asked(shop: Payments, **arguments: Any) -> ToolCall:
    domain = shop.domain()
    domain.now().store.init()
    tool = domain.tools["change_payment"]
    whole = {**tool.defaults, **arguments}
    records = await domain.context(["7"])
    terms = domain.terms(Proposal(record_id="7", tool=tool.name, arguments=whole, answers=()), records)
    assert not terms.obstacle
    return ToolCall(key="k", record_id="7", arguments=whole, expected=terms.reads, today=TODAY)


OTHERS: Final = [
    ("postgresql", "", "amount = 'amount + 0.005'", "amount", "12.505", "12.51"),
    ("mariadb", "", "amount = 'amount + 0.005'", "amount", "12.505", "12.51"),
    (
        "mariadb",
        "DATETIME",
        "extra = \"TIMESTAMP('2026-01-02 03:04:05.6789')\"",
        "extra",
        "2026-01-02 03:04:05.6789",
        "2026-01-02 03:04:05",
    ),
    ("mariadb", "DATE", "extra = \"'2026-01-02 03:04:05'\"", "extra", "2026-01-02 03:04:05", "2026-01-02"),
    ("mariadb", "VARCHAR(3)", "extra = \"'abc  '\"", "extra", "'abc  '", "'abc'"),
    ("mariadb", "INT", "extra = '2.5'", "extra", "2.5", "3"),
    ("mariadb", "DOUBLE", "extra = 'amount / 3'", "extra", "4.166667", "4.166666666"),
    ("mariadb", "ENUM('red', 'blue')", "extra = '2'", "extra", "2", "blue"),
    ("mariadb", "SET('a', 'b')", "extra = \"'b,a'\"", "extra", "b,a", "a,b"),
    ("mariadb", "VARCHAR(9) COLLATE utf8mb4_general_ci", "extra = \"'done'\"", "extra", "done", "DONE"),
    (
        "postgresql",
        "TIMESTAMP(0)",
        "extra = \"TIMESTAMP '2026-01-02 03:04:05.6'\"",
        "extra",
        "2026-01-02 03:04:05.600000",
        "2026-01-02 03:04:06",
    ),
    (
        "postgresql",
        "TIMESTAMP(0)",
        "extra = \"'2026-01-02 03:04:05.6'\"",
        "extra",
        "2026-01-02 03:04:05.6",
        "2026-01-02 03:04:06",
    ),
    ("postgresql", "VARCHAR(3)", "extra = \"'abc  '\"", "extra", "'abc  '", "'abc'"),
    ("postgresql", "REAL", "extra = '16777217'", "extra", "16777217", "16777216"),
    ("postgresql", "INTEGER", "extra = '2.5'", "extra", "2.5", "3"),
]


@pytest.mark.parametrize(("kind", "column", "what", "name", "promised", "kept"), OTHERS)
async def test_what_a_column_keeps_otherwise_than_it_was_promised_is_refused_and_told_by_the_check(
    make: Make, kind: str, column: str, what: str, name: str, promised: str, kept: str
) -> None:
    shop = make(kind)
    if column:
        shop.run(f"ALTER TABLE payments ADD COLUMN extra {column}")
    if kept == "DONE":
        shop.run("CREATE TRIGGER other BEFORE UPDATE ON payments FOR EACH ROW SET NEW.extra = UPPER(NEW.extra)")
    shop.file.write_text(setting(what))
    call, before = await asked(shop), shop.row(7)
    with pytest.raises(ActionFailed, match="nothing was changed") as refused:
        await set_tool(shop.domain(), "change_payment").apply(call)
    assert f"{name} of payments would keep {kept}" in str(refused.value)
    assert f"where the plan has {promised}" in str(refused.value)
    assert shop.row(7) == before
    look = Check(read_file(shop.file), variables={"PAYMENTS_URL": shop.url}.get, now=TODAY).run()
    assert [each for each in look.faults if f"would keep {kept}" in each.said], look


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mariadb"])
@pytest.mark.parametrize("what", ["note = \"'queued'\"", 'note = ":reason"', "note = \"upper(:reason) || '!'\""])
async def test_what_a_trigger_makes_of_it_is_refused(make: Make, kind: str, what: str) -> None:
    shop = make(kind)
    for statement in TRIGGERS[kind]:
        shop.run(statement)
    args = 'args.reason = { sentence = 200, default = "as agreed" }\n' if ":reason" in what else ""
    shop.file.write_text(setting(what if kind != "mariadb" else what.replace("|| '!'", ""), more=args))
    call, before = await asked(shop), shop.row(7)
    with pytest.raises(ActionFailed, match="note of payments would keep changed where the plan has"):
        await set_tool(shop.domain(), "change_payment").apply(call)
    assert shop.row(7) == before


async def test_a_trigger_that_is_not_strict_cannot_cut_what_was_promised(make: Make) -> None:
    shop = make("mariadb")
    shop.run("ALTER TABLE payments ADD COLUMN extra VARCHAR(3)")
    with shop.engine.begin() as db:
        db.execute(text("SET SESSION sql_mode = ''"))
        db.execute(text("CREATE TRIGGER cutting BEFORE UPDATE ON payments FOR EACH ROW SET NEW.extra = 'abcdef'"))
    shop.file.write_text(setting("extra = \"'xyz'\""))
    call = await asked(shop)
    with pytest.raises(ActionFailed, match="would keep abc where the plan has xyz; nothing was changed"):
        await set_tool(shop.domain(), "change_payment").apply(call)


SAME: Final = [
    ("sqlite", "INTEGER", "extra = \"'10'\""),
    ("sqlite", "NUMERIC(12, 2)", "extra = \"'10.00'\""),
    ("sqlite", "NUMERIC(12, 2)", "extra = 'amount * 1.1'"),
    ("sqlite", "BOOLEAN", "extra = 'true'"),
    ("sqlite", "TEXT", "extra = '10'"),
    ("sqlite", "BLOB", "extra = \"x'00ff'\""),
    ("sqlite", "TEXT", "extra = 'NULL'"),
    ("postgresql", "INTEGER", "extra = \"'10'\""),
    ("postgresql", "NUMERIC(12, 2)", "extra = '10'"),
    ("postgresql", "NUMERIC(12, 2)", "extra = 'round(amount * 1.111, 2)'"),
    ("postgresql", "DOUBLE PRECISION", "extra = 'amount * 1.1'"),
    ("postgresql", "REAL", "extra = '0.1'"),
    ("postgresql", "BOOLEAN", "extra = 'true'"),
    ("postgresql", "BOOLEAN", "extra = \"'yes'\""),
    ("postgresql", "CHAR(5)", "extra = \"'ab'\""),
    ("postgresql", "TIMESTAMP", "extra = \"'2026-01-02 03:04:05.123456'\""),
    ("postgresql", "TIMESTAMPTZ", "extra = \"'2026-01-02 03:04:05+02'\""),
    ("postgresql", "TIMESTAMPTZ", "extra = 'failed_at'"),
    ("postgresql", "DATE", "extra = \"'2026-01-02'\""),
    ("postgresql", "TIMESTAMP", "extra = \"DATE '2026-01-02'\""),
    ("postgresql", "TIME", "extra = \"'10:11'\""),
    ("postgresql", "INTERVAL", "extra = \"'36:00:00'\""),
    ("postgresql", "JSONB", "extra = \"'[1, null]'\""),
    ("postgresql", "JSON", "extra = \"'[1, null]'\""),
    ("postgresql", "UUID", "extra = \"'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'\""),
    ("postgresql", "INTEGER[]", "extra = \"'{1,2}'\""),
    ("postgresql", "BYTEA", "extra = \"'\\\\x00ff'\""),
    ("mariadb", "INT", "extra = \"'10'\""),
    ("mariadb", "DECIMAL(12, 2)", "extra = '10'"),
    ("mariadb", "DECIMAL(12, 2)", "extra = 'round(amount * 1.111, 2)'"),
    ("mariadb", "DOUBLE", "extra = 'amount / 4'"),
    ("mariadb", "VARCHAR(40)", "extra = 'failed_at'"),
    ("postgresql", "VARCHAR(40)", "extra = 'failed_at'"),
    ("mariadb", "BOOLEAN", "extra = 'true'"),
    ("mariadb", "CHAR(5)", "extra = \"'ab  '\""),
    ("mariadb", "VARCHAR(5)", "extra = \"'ab  '\""),
    ("mariadb", "DATETIME(6)", "extra = \"'2026-01-02 03:04:05.123456'\""),
    ("mariadb", "TIMESTAMP NULL", "extra = \"'2026-01-02 03:04:05'\""),
    ("mariadb", "DATE", "extra = \"'2026-01-02'\""),
    ("mariadb", "TIME", "extra = \"'30:11:00'\""),
    ("mariadb", "ENUM('red', 'blue')", "extra = \"'blue'\""),
    ("mariadb", "BIT(8)", "extra = '5'"),
    ("mariadb", "JSON", "extra = \"'[1, null]'\""),
    ("mariadb", "VARBINARY(9)", "extra = \"x'00ff'\""),
    ("mariadb", "YEAR", "extra = '2026'"),
]


@pytest.mark.parametrize(("kind", "column", "what"), SAME)
async def test_what_is_the_same_value_in_other_words_is_done(make: Make, kind: str, column: str, what: str) -> None:
    shop = make(kind)
    shop.run(f"ALTER TABLE payments ADD COLUMN extra {column}")
    shop.file.write_text(setting(what + ", attempts = 'attempts + 1'"))
    call = await asked(shop)
    effect = await set_tool(shop.domain(), "change_payment").apply(call)
    assert effect.status is OutcomeStatus.APPLIED, effect


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mariadb"])
async def test_arguments_alone_or_within_an_expression_are_compared_too_and_the_time_is_not(
    make: Make, kind: str
) -> None:
    shop = make(kind)
    args = 'args.reason = { sentence = 200, default = "as agreed" }\nargs.many = { between = [1, 9] }\n'
    what = "note = 'coalesce(:reason, note)', attempts = 'attempts + :many', amount = ':many', "
    shop.file.write_text(setting(what + "failed_at = 'CURRENT_TIMESTAMP'", more=args))
    call = await asked(shop, reason="it's agreed: %s", many=3)
    assert (await set_tool(shop.domain(), "change_payment").apply(call)).status is OutcomeStatus.APPLIED
    row = shop.row(7)
    assert (row["note"], row["attempts"], row["amount"]) == ("it's agreed: %s", 4, 3)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
async def test_an_expression_with_an_argument_that_a_column_rounds_is_refused(make: Make, kind: str) -> None:
    shop = make(kind)
    args = "args.many = { between = [1, 9] }\n"
    shop.file.write_text(setting("amount = 'amount + :many * 0.001'", more=args))
    call, before = await asked(shop, many=3), shop.row(7)
    with pytest.raises(ActionFailed, match=r"amount of payments would keep 12.50 where the plan has 12.503"):
        await set_tool(shop.domain(), "change_payment").apply(call)
    assert shop.row(7) == before
