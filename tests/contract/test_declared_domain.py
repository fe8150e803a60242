"""A domain that a file declares, on real databases: found, done once on the state that was seen, and taken back."""

import asyncio
import dataclasses
import hashlib
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue
from sqlalchemy import Engine, create_engine

from daper.core.errors import ActionFailed, StoreBusy, StoreError, StoreUnavailable
from daper.core.models import Finding, Proposal, Scope
from daper.core.outcomes import Effect, Holding, OutcomeStatus
from daper.domains.declared.checking import Check
from daper.domains.declared.domain import DeclaredDomain
from daper.domains.declared.reading import read_file
from daper.ports.domain import Terms, ToolCall
from daper.stores.rows.engine import disconnect
from tests.declared_shop import FILE, KINDS, Payments, payments_in, set_tool

TODAY = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.fixture(params=KINDS)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Payments]:
    """Payments in each kind of database."""
    made = payments_in(request.param, tmp_path, request)
    yield made
    made.engine.dispose()
    disconnect()


async def findings(domain: DeclaredDomain) -> tuple[Finding, ...]:
    page = await domain.scan(Scope())
    return domain.detect(page.records, TODAY)


async def proposed(domain: DeclaredDomain, record_id: str, **arguments: JsonValue) -> tuple[ToolCall, Terms]:
    """The call of what the rules propose for a record, as approved now."""
    records = await domain.context([record_id])
    proposal = next(
        each for each in domain.propose(await findings(domain), records).proposals if each.record_id == record_id
    )
    changed = proposal.model_copy(update={"arguments": {**proposal.arguments, **arguments}})
    terms = domain.terms(changed, records)
    call = ToolCall(
        key=f"key of {record_id}", record_id=record_id, arguments=changed.arguments, expected=terms.reads, today=TODAY
    )
    return call, terms


async def test_what_is_wrong_is_found_with_its_fix_or_left_to_a_person(shop: Payments) -> None:
    domain = shop.domain()
    found = await findings(domain)
    assert [(each.record_id, each.kind) for each in found] == [
        ("7", "passing-failure"),
        ("8", "order-gone"),
        ("9", "hanging"),
    ]
    assert found[0].issue == "The payment failed for a passing reason: timeout."
    page = await domain.scan(Scope())
    made = domain.propose(found, page.records)
    assert [(each.record_id, each.tool) for each in made.proposals] == [("7", "retry_payment"), ("8", "close_payment")]
    assert made.for_person == {found[2].fingerprint: "its rule has no fix: a person looks at it"}
    head = domain.head(page.records[0])
    assert head is not None
    assert (head.title, head.status) == ("O1, 12.5 EUR" if "sqlite" in shop.url else "O1, 12.50 EUR", "failed")
    assert all("email" not in brief for brief in domain.brief(page.records).values())
    assert await domain.count_open(Scope()) == 3


async def test_a_time_reads_as_people_say_one_in_a_sentence_and_to_the_digit_in_a_plan(shop: Payments) -> None:
    shop.run("UPDATE payments SET failed_at = '2026-11-20 10:00:00.250000' WHERE id IN (8, 9)")
    file = shop.file.read_text(encoding="utf-8")
    file = file.replace(
        '"In processing for more than a day."', '"In processing since {failed_at}, {amount} {currency}."'
    )
    file = file.replace("status = \"'closed: done'\"", "failed_at = \"'2037-12-31 00:00:00.5'\"")
    shop.file.write_text(file, encoding="utf-8")
    hanging = next(each for each in await findings(shop.domain()) if each.kind == "hanging")
    amount = "3" if "sqlite" in shop.url else "3.00"
    seen = "04:30:00" if "mariadb" in shop.url else "10:00:00"  # that server's clock is of another zone
    assert hanging.issue == f"In processing since 2026-11-20 {seen} UTC, {amount} EUR."
    _, terms = await proposed(shop.domain(), "8")
    assert terms.preview[0].before.startswith(f"2026-11-20 {seen}{'' if 'mariadb' in shop.url else '.25'}")


async def test_what_would_change_is_shown_and_is_what_changes_once(shop: Payments) -> None:
    domain = shop.domain()
    domain.now().store.init()
    call, terms = await proposed(domain, "7")
    assert [(each.field, each.before, each.after) for each in terms.preview] == [
        ("status", "failed", "queued"),
        ("attempts", "1", "2"),
        ("failure_code", "timeout", "(nothing)"),
    ]
    assert terms.spends == Decimal("12.5")
    tool = set_tool(domain, "retry_payment")
    effect = await tool.apply(call)
    assert effect.status is OutcomeStatus.APPLIED
    assert (await tool.apply(call)).status is OutcomeStatus.ALREADY_APPLIED
    row = shop.row(7)
    assert (row["status"], row["attempts"], row["failure_code"]) == ("queued", 2, None)
    assert (await tool.holds(call, effect)).holding is Holding.YES
    undone = await tool.undo(call, effect, key="undo")
    assert undone.status is OutcomeStatus.UNDONE
    row = shop.row(7)
    assert (row["status"], row["attempts"], row["failure_code"]) == ("failed", 1, "timeout")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE payments SET note = 'somebody called' WHERE id = 8",
        "UPDATE orders SET status = 'open again' WHERE id = 'O2'",
        "UPDATE customers SET email = 'neville@hogwarts.example' WHERE id = 1",
        "DELETE FROM payments WHERE id = 8",
    ],
    ids=["what it sets, which no query has", "a joined row", "one joined to that", "gone"],
)
async def test_what_a_stranger_changed_since_is_stale(shop: Payments, change: str) -> None:
    domain = shop.domain()
    domain.now().store.init()
    call, _ = await proposed(domain, "8")
    shop.run(change)
    effect = await domain.tools["close_payment"].apply(call)
    assert effect.status is OutcomeStatus.STALE
    assert "payments/8" in effect.evidence[0]


async def test_a_plan_of_another_text_of_the_file_is_stale_and_says_so(shop: Payments) -> None:
    domain = shop.domain()
    domain.now().store.init()
    call, _ = await proposed(domain, "8")
    shop.file.write_text(FILE.replace("closed: done", "closed"), encoding="utf-8")
    effect = await domain.tools["close_payment"].apply(call)
    assert effect.status is OutcomeStatus.STALE
    assert "payments/@file was changed since the plan read it" in effect.evidence
    assert shop.row(8)["status"] == "failed"


async def test_what_somebody_wrote_since_is_not_taken_back(shop: Payments) -> None:
    domain = shop.domain()
    domain.now().store.init()
    call, _ = await proposed(domain, "7")
    tool = set_tool(domain, "retry_payment")
    effect = await tool.apply(call)
    shop.run("UPDATE payments SET attempts = 9 WHERE id = 7")
    assert (await tool.undo(call, effect, key="undo")).status is OutcomeStatus.UNDO_BLOCKED
    assert shop.row(7)["attempts"] == 9

    call, _ = await proposed(domain, "8")
    closing = set_tool(domain, "close_payment")
    effect = await closing.apply(call)
    shop.run("UPDATE payments SET note = 'a word of somebody else' WHERE id = 8")  # which no query has
    assert (await closing.undo(call, effect, key="undo 8")).status is OutcomeStatus.UNDO_BLOCKED
    assert (shop.row(8)["note"], shop.row(8)["status"]) == ("a word of somebody else", "closed: done")


async def test_what_was_settled_as_never_is_never_done(shop: Payments) -> None:
    domain = shop.domain()
    domain.now().store.init()
    call, _ = await proposed(domain, "7")
    tool = set_tool(domain, "retry_payment")
    assert await tool.settle(call.key) is None
    late = await tool.apply(call)
    assert late.status is OutcomeStatus.FAILED
    assert shop.row(7)["status"] == "failed"


async def test_of_24_attempts_at_once_one_has_an_effect(shop: Payments) -> None:
    domain = shop.domain()
    domain.now().store.init()
    call, _ = await proposed(domain, "7")
    tool = set_tool(domain, "retry_payment")

    async def attempt() -> Effect:
        while True:
            try:
                return await tool.apply(call)
            except StoreBusy:  # as Temporal would try again
                continue

    effects = await asyncio.gather(*(attempt() for _ in range(24)))
    assert sorted(each.status for each in effects) == [OutcomeStatus.ALREADY_APPLIED] * 23 + [OutcomeStatus.APPLIED]
    assert shop.row(7)["attempts"] == 2


async def test_an_argument_is_text_whatever_is_in_it(shop: Payments) -> None:
    domain = shop.domain()
    domain.now().store.init()
    hostile = "x'); DROP TABLE payments; -- :daper_ids %s {id} \" \\"
    call, terms = await proposed(domain, "8", reason=hostile)
    assert terms.preview[1].after == hostile
    assert (await domain.tools["close_payment"].apply(call)).status is OutcomeStatus.APPLIED
    assert (shop.row(8)["note"], shop.row(8)["status"]) == (hostile, "closed: done")


async def test_an_argument_outside_its_limit_is_blocked(shop: Payments) -> None:
    domain = shop.domain()
    domain.now().store.init()
    call, _ = await proposed(domain, "8", reason="x" * 201)
    assert (await domain.tools["close_payment"].apply(call)).status is OutcomeStatus.BLOCKED


async def test_what_a_tool_is_not_for_is_left_to_a_person_with_the_condition(shop: Payments) -> None:
    shop.run("UPDATE payments SET attempts = 4 WHERE id = 7")
    domain = shop.domain()
    found = [each for each in await findings(domain) if each.record_id == "7"]
    page = await domain.scan(Scope())
    [why] = domain.propose(found, page.records).for_person.values()
    assert why == "retry_payment does not fit: this does not hold for it: status = 'failed' AND attempts < 4"


async def test_what_a_rule_cannot_judge_is_told_and_never_false(shop: Payments) -> None:
    shop.run("UPDATE payments SET failed_at = NULL WHERE id = 9")
    found = [each for each in await findings(shop.domain()) if each.record_id == "9"]
    assert [each.kind for each in found] == ["cannot-be-judged"]
    assert "failed_at is empty" in found[0].issue


async def test_what_was_shown_is_what_runs_or_nothing_does(shop: Payments) -> None:
    """What an expression comes to counts as the record's, whatever it depends on; the time is shown as what it is."""
    told = '"NULL", note = "{}" }}'.format
    random, text = ("rand", "CHAR(40)") if "mariadb" in shop.url else ("random", "VARCHAR(40)")
    shop.file.write_text(FILE.replace('"NULL" }', told("CURRENT_TIMESTAMP")), encoding="utf-8")
    domain = shop.domain()
    domain.now().store.init()
    call, terms = await proposed(domain, "7")
    assert terms.preview[3].after.startswith("CURRENT_TIMESTAMP")
    assert (await domain.tools["retry_payment"].apply(call)).status is OutcomeStatus.APPLIED

    shop.file.write_text(FILE.replace('"NULL" }', told(f"CAST({random}() AS {text})")), encoding="utf-8")
    domain = shop.domain()
    call, _ = await proposed(domain, "8")
    assert (await domain.tools["close_payment"].apply(call)).status is OutcomeStatus.STALE


async def test_what_was_shown_is_what_runs_also_where_a_column_counts_and_somebody_does_not_count_it(
    shop: Payments,
) -> None:
    shop.run("ALTER TABLE payments ADD COLUMN version INTEGER DEFAULT 1 NOT NULL")
    text = FILE.replace('key     = "id"', 'key     = "id"\nversion = "version"').replace(
        "p.attempts,", "p.attempts, p.version,"
    )
    text = text.replace('attempts = "attempts + 1",', 'attempts = "attempts + 1", version = "version + 1",')
    shop.file.write_text(text, encoding="utf-8")
    domain = shop.domain()
    domain.now().store.init()
    tool = set_tool(domain, "retry_payment")
    call, terms = await proposed(domain, "7")
    assert ("attempts", "1", "2") in [(each.field, each.before, each.after) for each in terms.preview]
    shop.run("UPDATE payments SET attempts = 2 WHERE id = 7")
    assert (await tool.apply(call)).status is OutcomeStatus.STALE
    shop.run("UPDATE payments SET attempts = 1, note = 'of no account' WHERE id = 7")
    again, _ = await proposed(domain, "7")
    again = dataclasses.replace(again, key="again")
    effect = await tool.apply(again)
    assert effect.status is OutcomeStatus.APPLIED
    shop.run("UPDATE payments SET failure_code = 'of a stranger' WHERE id = 7")
    assert (await tool.undo(again, effect, key="undo")).status is OutcomeStatus.UNDO_BLOCKED


@pytest.mark.parametrize("counts", [True, False])
async def test_a_column_that_is_to_count_up_and_does_not_lets_nothing_through(shop: Payments, counts: bool) -> None:
    text = FILE.replace('key     = "id"', 'key     = "id"\nversion = "attempts"')
    shop.file.write_text(text if counts else text.replace('attempts = "attempts + 1", ', ""), encoding="utf-8")
    domain = shop.domain()
    domain.now().store.init()
    call, _ = await proposed(domain, "7")
    tool = set_tool(domain, "retry_payment")
    if counts:
        assert (await tool.apply(call)).status is OutcomeStatus.APPLIED
        return
    with pytest.raises(ActionFailed, match="the same after a change"):
        await tool.apply(call)
    assert shop.row(7)["status"] == "failed"


async def test_without_a_ledger_nothing_is_done(shop: Payments) -> None:
    domain = shop.domain()
    call, _ = await proposed(domain, "7")
    with pytest.raises(StoreError, match="daper domain init payments"):
        await domain.tools["retry_payment"].apply(call)
    assert shop.row(7)["status"] == "failed"


async def test_a_lapsed_approval_does_nothing(shop: Payments) -> None:
    domain = shop.domain()
    domain.now().store.init()
    call, _ = await proposed(domain, "7")
    late = ToolCall(
        key=call.key,
        record_id="7",
        arguments={},
        expected=call.expected,
        today=TODAY,
        valid_until=datetime.now(UTC) - timedelta(seconds=1),
    )
    assert (await domain.tools["retry_payment"].apply(late)).status is OutcomeStatus.LAPSED


async def test_a_file_that_is_wrong_for_a_while_is_waited_for(shop: Payments) -> None:
    domain = shop.domain()
    await domain.scan(Scope())
    shop.file.write_text(FILE.replace("[records]", "[record]"), encoding="utf-8")
    assert domain.tools == {}
    with pytest.raises(StoreUnavailable, match=r"payments\.toml:6:2: 'record' is no key here; did you mean 'records'"):
        await domain.scan(Scope())
    shop.file.write_text(FILE, encoding="utf-8")
    assert len((await domain.scan(Scope())).records) == 3


async def test_a_query_can_write_nothing(shop: Payments) -> None:
    with pytest.raises(StoreError), shop.domain().now().store.reading() as view:
        view.db.exec_driver_sql("UPDATE payments SET note = 'written by a query'")
    assert shop.row(7)["note"] is None


async def test_pages_by_key_show_each_record_once(shop: Payments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daper.domains.declared.domain.PAGE", 2)
    domain, page, seen = shop.domain(), None, list[str]()
    while True:
        found = await domain.scan(Scope(), page)
        seen += [record.record_id for record in found.records]
        page = found.next_page
        if page is None:
            break
    assert seen == ["7", "8", "9"]


def test_a_proposal_of_a_tool_that_is_not_there_has_no_terms(shop: Payments) -> None:
    proposal = Proposal(record_id="7", tool="no_such_tool", arguments={}, answers=())
    assert shop.domain().terms(proposal, ()).limits == {}


def test_of_many_threads_that_come_first_at_once_one_opens_the_database(
    shop: Payments, monkeypatch: pytest.MonkeyPatch
) -> None:
    disconnect()
    database, made, meeting = shop.domain().now().store.reader, list[int](), threading.Barrier(2)

    def counted(*arguments: Any, **options: Any) -> Engine:  # Any: what SQLAlchemy takes
        made.append(1)
        with suppress(threading.BrokenBarrierError):
            meeting.wait(timeout=0.3)  # for another one that makes it as well
        return create_engine(*arguments, **options)

    monkeypatch.setattr("daper.stores.rows.engine.create_engine", counted)
    monkeypatch.setattr("daper.stores.rows.mysql.create_engine", counted)

    def look(_: int) -> None:
        with database.reading() as db:
            db.exec_driver_sql("SELECT 1")

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(look, range(12)))
    assert made == [1]


async def test_what_was_set_is_there_whatever_its_type(shop: Payments) -> None:
    new = '{ failed_at = "\'2037-12-31 00:00:00\'", amount = "amount + 1.10", status = "\'queued\'" }'
    text = re.sub(r"\{ status = \"'queued'\".*\}", lambda _: new, FILE)
    shop.file.write_text(text, encoding="utf-8")
    domain = shop.domain()
    domain.now().store.init()
    call, terms = await proposed(domain, "7")
    tool = set_tool(domain, "retry_payment")
    effect = await tool.apply(call)
    assert (effect.status, [each.field for each in terms.preview]) == (
        OutcomeStatus.APPLIED,
        ["failed_at", "amount", "status"],
    )
    held = await tool.holds(call, effect)
    assert held.holding is Holding.YES, held.evidence
    shop.run("UPDATE payments SET amount = 1 WHERE id = 7")
    assert (await tool.holds(call, effect)).holding is Holding.NO


@pytest.mark.parametrize("record_id", ["no such payment", "7.0", "07", "9" * 30, "x'; --", ""])
async def test_an_id_that_nobody_has_finds_nothing_beside_one_that_is_there(shop: Payments, record_id: str) -> None:
    domain = shop.domain()
    assert await domain.context([record_id]) == ()
    assert [each.record_id for each in await domain.context([record_id, "8"])] == ["8"]
    assert (await domain.scan(Scope(record_ids=(record_id,) if record_id else ("x",)))).records == ()


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
@pytest.mark.parametrize("missing", ["INSERT", "UPDATE", ""])
def test_the_check_says_where_the_writing_role_may_not_write_the_ledger(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, missing: str
) -> None:
    shop = payments_in(kind, tmp_path, request)
    shop.domain().now().store.init()
    role = f"w{hashlib.sha256(shop.url.encode()).hexdigest()[:8]}{missing}".lower()
    user = f"{role}@'127.0.0.1'" if kind == "mariadb" else role
    shop.run(f"CREATE USER {user} {'IDENTIFIED BY' if kind == 'mariadb' else 'PASSWORD'} 'alohomora'")
    for table in ("payments", "orders", "customers"):
        shop.run(f"GRANT SELECT, UPDATE ON {table} TO {user}")
    rights = ", ".join(sorted({"SELECT", "INSERT", "UPDATE"} - {missing}))
    shop.run(f"GRANT {rights} ON daper_ledger TO {user}")
    shop.file.write_text(FILE.replace('"env:PAYMENTS_URL"', '"env:PAYMENTS_URL"\nwriter = "env:WRITER"'))
    scheme, _, place = shop.url.partition("://")
    variables = {"PAYMENTS_URL": shop.url, "WRITER": f"{scheme}://{role}:alohomora@{place.partition('@')[2]}"}
    faults = Check(read_file(shop.file), variables=variables.get, now=TODAY).run().faults
    assert [each.said.startswith("the ledger cannot be written") for each in faults] == [True] * bool(missing)
    assert shop.number("(SELECT count(*) FROM daper_ledger) = 0") == 4
    shop.engine.dispose()
    disconnect()


async def test_the_table_of_a_tool_may_call_the_key_otherwise_than_the_query_does(shop: Payments) -> None:
    shop.run("CREATE TABLE queue (uid INTEGER PRIMARY KEY, status VARCHAR(40))")
    shop.run("INSERT INTO queue VALUES (7, 'stuck'), (8, 'stuck')")
    text = FILE.replace(
        'table  = "payments"\nset    = { status = "\'queued\'", attempts = "attempts + 1", failure_code = "NULL" }\n'
        "only   = \"status = 'failed' AND attempts < 4\"",
        'table  = "queue"\nset    = { status = "\'queued\'" }\nonly   = "status = \'stuck\'"',
    )
    shop.file.write_text(text, encoding="utf-8")
    look = Check(read_file(shop.file), variables={"PAYMENTS_URL": shop.url}.get, now=TODAY).run()
    assert [each.said for each in look.faults] == [
        "'queue' has no column 'id', the records' key; say which one has it: key = \"...\""
    ]
    shop.file.write_text(text.replace('table  = "queue"', 'table  = "queue"\nkey    = "uid"'), encoding="utf-8")
    domain = shop.domain()
    domain.now().store.init()
    look = Check(read_file(shop.file), variables={"PAYMENTS_URL": shop.url}.get, now=TODAY).run()
    assert not look.faults
    call, terms = await proposed(domain, "7")
    assert [(each.field, each.before, each.after) for each in terms.preview] == [("status", "stuck", "queued")]
    tool = set_tool(domain, "retry_payment")
    effect = await tool.apply(call)
    assert effect.status is OutcomeStatus.APPLIED
    with shop.engine.begin() as db:
        assert [tuple(row) for row in db.exec_driver_sql("SELECT uid, status FROM queue ORDER BY uid")] == [
            (7, "queued"),
            (8, "stuck"),
        ]
    assert (await tool.undo(call, effect, key="undo")).status is OutcomeStatus.UNDONE
    for column, said in {
        "nothing": "'queue' has no column 'nothing', its key",
        "status": "the key of a record stays",
    }.items():
        shop.file.write_text(
            text.replace('table  = "queue"', f'table  = "queue"\nkey    = "{column}"'), encoding="utf-8"
        )
        look = Check(read_file(shop.file), variables={"PAYMENTS_URL": shop.url}.get, now=TODAY).run()
        assert [each.said for each in look.faults if said in each.said], look.faults


async def test_what_is_up_to_somebody_else_waits_and_is_no_repair_yet(shop: Payments) -> None:
    """Nor is it in vain: it stands until the others came to it, and is judged by `helped` then."""
    waits = 'spends = "amount"\nhelped = "r.status == \'paid\'"\nwaits = "r.status == \'queued\'"\n'
    shop.file.write_text(FILE.replace('spends = "amount"\n', waits), encoding="utf-8")
    domain = shop.domain()
    domain.now().store.init()
    call, _ = await proposed(domain, "7")
    tool = set_tool(domain, "retry_payment")
    effect = await tool.apply(call)
    word = await tool.holds(call, effect)
    assert word.holding is Holding.WAITING
    assert "it waits, for r.status == 'queued' holds" in word.evidence
    for status, holding in (("paid", Holding.YES), ("failed", Holding.NO), ("queued", Holding.WAITING)):
        shop.run(f"UPDATE payments SET status = '{status}' WHERE id = 7")  # noqa: S608 - a text of ours
        assert (await tool.holds(call, effect)).holding is holding
