"""A tool by statements of the operator's own, on real databases: what was shown runs once, or nothing does."""

import asyncio
import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from daper.core.errors import ActionFailed, StoreBusy
from daper.core.models import Proposal
from daper.core.outcomes import Effect, Holding, OutcomeStatus
from daper.domains.declared.checking import Check
from daper.domains.declared.reading import read_file
from daper.domains.declared.sql_tool import SqlTool, UndoableSqlTool
from daper.ports.domain import Terms, ToolCall, Undoable
from daper.stores.rows.engine import disconnect
from tests.declared_shop import ONE_SOON, Payments, payments_in
from tests.declared_tools import CLOSE_TOOL, with_tool

TODAY = datetime(2026, 11, 28, tzinfo=UTC)
NOTE_TOOL = """
[[tool]]
name = "note_payment"
does = "Writes down why nothing is done."
risk = "low"
args.reason = { sentence = 200, default = "order cancelled" }
helped = "SELECT payment_id AS id FROM notes"

[tool.sql]
run = "INSERT INTO notes (payment_id, note) SELECT id, :reason FROM payments WHERE id = :id"
preview = "SELECT id, 'a note is written' AS what FROM payments WHERE status = 'failed'"
"""
BOTH_TOOL = '''
[[tool]]
name = "charge_stock"
does = "Takes one of each item of the order from the shelf."
risk = "low"
helped = "r.status == 'failed'"

[tool.sql]
run = "UPDATE items SET free = free - 1 WHERE order_id = (SELECT order_id FROM payments WHERE id = :id)"
preview = """
  SELECT p.id, i.name AS what, i.free AS before, i.free - 1 AS after
  FROM payments p JOIN items i ON i.order_id = p.order_id"""
expects = 2
undo = "UPDATE items SET free = free + 1 WHERE order_id = (SELECT order_id FROM payments WHERE id = :id)"
'''
MORE = (
    "CREATE TABLE notes (payment_id INTEGER, note VARCHAR(400))",
    "CREATE TABLE items (order_id VARCHAR(40), name VARCHAR(40), free INTEGER)",
    "INSERT INTO items VALUES ('O1', 'quill', 5), ('O1', 'wand', 3), ('O2', 'owl', 1)",
)


@pytest.fixture(params=ONE_SOON)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Payments]:
    """Payments in each kind of database, with a tool that closes one."""
    made = payments_in(request.param, tmp_path, request)
    for statement in MORE:
        made.run(statement)
    made.file.write_text(with_tool(CLOSE_TOOL), encoding="utf-8")
    made.domain().now().store.init()
    yield made
    made.engine.dispose()
    disconnect()


async def proposed(shop: Payments, record_id: str, **arguments: Any) -> tuple[SqlTool, ToolCall, Terms]:
    domain = shop.domain()
    [tool] = domain.now().tools.values()
    assert isinstance(tool, SqlTool)
    whole = {**tool.defaults, **arguments}
    records = await domain.context([record_id])
    terms = domain.terms(Proposal(record_id=record_id, tool=tool.name, arguments=whole, answers=()), records)
    call = ToolCall(key=f"key {record_id}", record_id=record_id, arguments=whole, expected=terms.reads, today=TODAY)
    return tool, call, terms


def rows(shop: Payments, sql: str) -> list[tuple[Any, ...]]:
    with shop.engine.begin() as db:
        return [tuple(row) for row in db.exec_driver_sql(sql)]


async def test_what_is_shown_is_done_once_judged_and_taken_back(shop: Payments) -> None:
    before = shop.row(8)
    tool, call, terms = await proposed(shop, "8")
    assert [(each.field, each.before, each.after) for each in terms.preview] == [("status", "failed", "closed: done")]
    effect = await tool.apply(call)
    assert (effect.status, effect.before, effect.after) == (
        OutcomeStatus.APPLIED,
        {"status": "failed"},
        {"status": "closed: done"},
    )
    assert (await tool.apply(call)).status is OutcomeStatus.ALREADY_APPLIED
    assert (shop.row(8)["status"], shop.row(8)["note"]) == ("closed: done", "order cancelled")
    assert shop.row(7)["status"] == "failed"
    assert (await tool.holds(call, effect)).holding is Holding.YES
    assert isinstance(tool, UndoableSqlTool)
    undone = await tool.undo(call, effect, key="undo")
    assert undone.status is OutcomeStatus.UNDONE, undone
    assert shop.row(8) == before


async def test_an_argument_and_a_record_are_values_and_never_a_statement(shop: Payments) -> None:
    hostile = "x', status = 'paid' WHERE 1=1; DROP TABLE payments; -- :id {id} %s"
    tool, call, _ = await proposed(shop, "8", reason=hostile)
    assert (await tool.apply(call)).status is OutcomeStatus.APPLIED
    assert (shop.row(8)["status"], shop.row(8)["note"]) == ("closed: done", hostile)
    blocked = dataclasses.replace(call, key="2", arguments={"reason": {"$ne": 1}})
    assert (await tool.apply(dataclasses.replace(blocked, expected={}))).status is OutcomeStatus.BLOCKED


async def test_several_rows_are_shown_changed_and_taken_back_or_none_is(shop: Payments) -> None:
    shop.file.write_text(with_tool(BOTH_TOOL, fix="charge_stock"))
    tool, call, terms = await proposed(shop, "7")
    assert [(each.field, each.before, each.after) for each in terms.preview] == [
        ("quill", "5", "4"),
        ("wand", "3", "2"),
    ]
    effect = await tool.apply(call)
    assert (effect.before, effect.after) == ({"quill": 5, "wand": 3}, {"quill": 4, "wand": 2})
    assert isinstance(tool, UndoableSqlTool)
    shop.run("UPDATE items SET free = 9 WHERE name = 'wand'")
    assert (await tool.undo(call, effect, key="undo")).status is OutcomeStatus.UNDO_BLOCKED
    other, again, terms = await proposed(shop, "8")
    assert len(terms.preview) == 1
    with pytest.raises(ActionFailed, match="would have changed 1 rows, and not 2; nothing was changed"):
        await other.apply(again)
    assert rows(shop, "SELECT free FROM items ORDER BY name") == [(1,), (4,), (9,)]


@pytest.mark.parametrize(
    "change", ["UPDATE items SET free = 4 WHERE name = 'wand'", "DELETE FROM items WHERE name = 'wand'"]
)
async def test_what_the_preview_showed_is_what_it_still_shows_or_nothing_runs(shop: Payments, change: str) -> None:
    for version in ("", '\nversion = "attempts"'):
        text = with_tool(BOTH_TOOL, fix="charge_stock").replace('hide    = ["email"]', f'hide    = ["email"]{version}')
        shop.file.write_text(text)
        tool, call, _ = await proposed(shop, "7")
        before = rows(shop, "SELECT name, free FROM items ORDER BY name")
        shop.run(change)
        assert (await tool.apply(dataclasses.replace(call, key=f"k{version}"))).status is OutcomeStatus.STALE
        after = rows(shop, "SELECT name, free FROM items ORDER BY name")
        shop.run("DELETE FROM items")
        shop.run("INSERT INTO items VALUES ('O1', 'quill', 5), ('O1', 'wand', 3), ('O2', 'owl', 1)")
        assert after != before


async def test_what_is_only_written_down_has_no_undo_and_is_judged_by_a_query(shop: Payments) -> None:
    shop.file.write_text(with_tool(NOTE_TOOL, fix="note_payment"))
    tool, call, terms = await proposed(shop, "7")
    assert not isinstance(tool, Undoable)
    assert [(each.field, each.after) for each in terms.preview] == [("does", "a note is written")]
    effect = Effect(status=OutcomeStatus.APPLIED)
    assert (await tool.holds(call, effect)).holding is Holding.NO
    effect = await tool.apply(call)
    assert effect.evidence == ("a note is written",)
    assert (await tool.holds(call, effect)).holding is Holding.YES
    assert rows(shop, "SELECT payment_id, note FROM notes") == [(7, "order cancelled")]


async def test_what_its_preview_shows_nothing_of_does_not_fit(shop: Payments) -> None:
    _, _, terms = await proposed(shop, "9")
    assert "r.status == 'failed'" in terms.obstacle
    shop.file.write_text(with_tool(CLOSE_TOOL.replace("only  = \"r.status == 'failed'\"", "")))
    tool, call, terms = await proposed(shop, "9")
    assert terms.obstacle == "its preview shows nothing that it would change"
    assert (await tool.apply(call)).status is OutcomeStatus.BLOCKED


async def test_an_undo_that_does_not_bring_it_back_brings_nothing(shop: Payments) -> None:
    shop.file.write_text(with_tool(CLOSE_TOOL.replace("SET status = 'failed', note", "SET status = 'lost', note")))
    tool, call, _ = await proposed(shop, "8")
    effect = await tool.apply(call)
    assert isinstance(tool, UndoableSqlTool)
    with pytest.raises(ActionFailed, match="does not bring back what its preview showed"):
        await tool.undo(call, effect, key="undo")
    assert shop.row(8)["status"] == "closed: done"


async def test_what_nobody_could_see_somebody_write_since_is_not_done_with_an_undo(shop: Payments) -> None:
    text = CLOSE_TOOL.replace("SET status = 'closed: done', note = :reason", "SET note = :reason").replace(
        "SET status = 'failed', note = NULL WHERE id = :id AND status = 'closed: done'",
        "SET note = NULL WHERE id = :id",
    )
    shop.file.write_text(with_tool(text))
    tool, call, _ = await proposed(shop, "8")
    with pytest.raises(ActionFailed, match="the same after a change"):
        await tool.apply(call)
    assert shop.row(8)["note"] is None


async def test_a_trigger_that_undoes_it_or_does_more_is_seen_by_what_the_preview_shows(shop: Payments) -> None:
    if "postgresql" in shop.url:
        shop.run(
            "CREATE FUNCTION reset() RETURNS trigger AS "
            "$$ BEGIN NEW.status = 'failed'; RETURN NEW; END $$ LANGUAGE plpgsql"
        )
        shop.run("CREATE TRIGGER t BEFORE UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION reset()")
    elif "mariadb" in shop.url:
        shop.run("CREATE TRIGGER t BEFORE UPDATE ON payments FOR EACH ROW SET NEW.status = 'failed'")
    else:
        shop.run(
            "CREATE TRIGGER t AFTER UPDATE OF status ON payments WHEN NEW.status <> 'failed' "
            "BEGIN UPDATE payments SET status = 'failed', note = NULL WHERE id = NEW.id; END"
        )
    tool, call, _ = await proposed(shop, "8")
    with pytest.raises(ActionFailed, match="the same after a change"):
        await tool.apply(call)
    assert (shop.row(8)["status"], shop.row(8)["note"]) == ("failed", None)


PRICE_TOOL = """
[[tool]]
name = "change_price"
does = "Raises what is to be paid."
risk = "low"
helped = "r.status == 'failed'"

[tool.sql]
run = "UPDATE payments SET amount = amount + BY WHERE id = :id"
preview = "SELECT id, 'amount' AS what, amount AS before, amount + BY AS after FROM payments"
"""


@pytest.mark.parametrize(("by", "kept"), [("0.005", "12.51"), ("1.25", "")])
async def test_what_a_column_keeps_otherwise_than_its_preview_showed_is_refused(
    shop: Payments, by: str, kept: str
) -> None:
    shop.file.write_text(with_tool(PRICE_TOOL.replace("BY", by), fix="change_price"))
    tool, call, _ = await proposed(shop, "7")
    before = shop.row(7)
    if not kept or "sqlite" in shop.url:
        assert (await tool.apply(call)).status is OutcomeStatus.APPLIED
        return
    with pytest.raises(ActionFailed, match=rf"amount would be {kept} where the plan has 12.505; nothing was changed"):
        await tool.apply(call)
    assert shop.row(7) == before


async def test_what_a_statement_does_beside_what_its_preview_showed_is_refused(shop: Payments) -> None:
    run = "UPDATE payments SET amount = amount + 1, status = 'paid' WHERE id = :id"
    text = PRICE_TOOL.replace('run = "UPDATE payments SET amount = amount + BY WHERE id = :id"', f'run = "{run}"')
    shown = "SELECT id, 'amount' AS what, amount AS before, amount + 2 AS after FROM payments"
    for preview in (shown, f"{shown} UNION ALL SELECT id, 'amount', 1, 1 FROM payments"):  # noqa: S608 - of the test
        tool_text = text.replace(
            "SELECT id, 'amount' AS what, amount AS before, amount + BY AS after FROM payments", preview
        )
        shop.file.write_text(with_tool(tool_text, fix="change_price"))
        tool, call, _ = await proposed(shop, "7")
        with pytest.raises(ActionFailed, match=r"amount would be 13\.50? where the plan has"):
            await tool.apply(call)
    assert shop.row(7)["status"] == "failed"


async def test_the_check_says_where_nobody_compares_what_was_kept(shop: Payments) -> None:
    look = Check(read_file(shop.file), variables={"PAYMENTS_URL": shop.url}.get, now=TODAY).run()
    assert not look.faults
    doubt = (
        "tool 'close_payment': once it has run, its preview shows no 'status' any more, so that what is kept is not "
        "compared with what was shown; leave what it changes out of its WHERE"
    )
    assert doubt in look.doubts


async def test_of_24_attempts_at_once_one_has_an_effect(shop: Payments) -> None:
    shop.file.write_text(with_tool(BOTH_TOOL, fix="charge_stock"))
    tool, call, _ = await proposed(shop, "7")

    def attempt(_: int) -> OutcomeStatus | None:
        try:
            return asyncio.run(tool.apply(call)).status
        except StoreBusy:
            return None

    with ThreadPoolExecutor(24) as pool:
        came = list(pool.map(attempt, range(24)))
    assert came.count(OutcomeStatus.APPLIED) == 1
    assert set(came) <= {OutcomeStatus.APPLIED, OutcomeStatus.ALREADY_APPLIED, None}
    assert rows(shop, "SELECT free FROM items ORDER BY name") == [(1,), (4,), (2,)]
