"""What strangers, servers and networks do to records in a database: nothing is lost or done twice."""

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, insert, text, update
from sqlalchemy.exc import DBAPIError

from daper.core.errors import ActionFailed, StoreBusy, StoreChanged, StoreDamaged, StoreError, StoreUnavailable
from daper.core.outcomes import Effect, OutcomeStatus
from daper.ports.store import LedgerRow, StoreAbout, StoreChange
from daper.stores.sql.document_rows import DocumentRows
from daper.stores.sql.documents import DocumentStore
from daper.stores.sql.documents_whole import DocumentsWhole
from daper.stores.sql.engine import Database
from daper.stores.sql.postgresql_database import PostgresqlDatabase, disconnect
from daper.stores.sql.records_schema import STORES
from tests.contract.boxes import BRANCHES, COLLECTION, NOON, Shelf, ledger_of, shelf, upgrade_at_once
from tests.postgresql import PostgresqlServer

HALF = "\ud800"
DOCUMENTS = ("documents in sqlite", "documents in postgresql")


@pytest.fixture(params=DOCUMENTS)
def boxes(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Shelf[DocumentRows]]:
    yield from _shelf(request, tmp_path, request.param)


@pytest.fixture
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Shelf[DocumentRows]]:
    """On a server."""
    yield from _shelf(request, tmp_path, DOCUMENTS[1])


def _shelf(request: pytest.FixtureRequest, folder: Path, kind: str) -> Generator[Shelf[DocumentRows]]:
    server = partial(request.getfixturevalue, "postgresql")
    with shelf(kind, folder / "shelf", {"A": 10, "B": 20}, server=server) as made:
        yield made  # type: ignore[misc]  # pyright: ignore[reportReturnType] - these kinds are of documents


def database_of(boxes: Shelf[DocumentRows]) -> Database:
    assert isinstance(boxes.store, DocumentStore)
    return boxes.store.database


def administrator(boxes: Shelf[DocumentRows]) -> psycopg.Connection[Any]:
    """Somebody with tools of their own."""
    return psycopg.connect((boxes.folder / "address").read_text(encoding="utf-8"), autocommit=True)


def boxes_in(boxes: Shelf[DocumentRows]) -> int:
    """How many there are, each looked at."""
    with boxes.store.reading() as records:
        return len(records.page("boxes", limit=100))


def put(boxes: Shelf[DocumentRows], data: str) -> None:
    """A row, by hand."""
    with database_of(boxes).transaction() as db:
        db.execute(insert(COLLECTION.table).values(data=data))


ODD = ("A/B", "a", "%s", "%(x)s", ":box", "$1", "'; DROP TABLE daper_boxes; --", "", "x" * 500)


async def test_an_id_of_any_text_finds_its_own_record_or_none(boxes: Shelf[DocumentRows]) -> None:
    for number, box in enumerate(("A\0", "A\0'; --", "x" * 10_000, *ODD)):
        with boxes.store.reading() as records:
            assert records.find("boxes", [box, HALF, "A"]).keys() == {"A"}
        assert boxes.version(box) == boxes.version(HALF) == ""
        call = replace(boxes.call(f"k{number}"), record_id=box, expected={})
        known = await boxes.tool.apply(call)
        unread = await boxes.tool.apply(replace(call, key=f"u{number}", expected={f"boxes/{box}": "1-1"}))
        assert (known.status, unread.status) == (OutcomeStatus.FAILED, OutcomeStatus.STALE)
        assert await boxes.tool.settle(call.key) == known
    assert (boxes.held(), boxes.outbox()) == (10, ())


async def test_a_failure_for_an_id_as_long_as_a_book_is_recorded_too(boxes: Shelf[DocumentRows]) -> None:
    """Longer than a page of an index, and it cannot be pressed."""
    long = "".join(chr(0x4E00 + (number * 7919) % 20_000) for number in range(20_000))
    effect = await boxes.tool.apply(replace(boxes.call(), record_id=long, expected={}))
    assert effect.status is OutcomeStatus.FAILED
    assert isinstance(boxes.store, DocumentStore)
    assert [row.record_id for row in ledger_of(boxes.store)] == [long]


async def test_a_record_with_such_an_id_is_repaired_as_any(boxes: Shelf[DocumentRows]) -> None:
    boxes.tool.word = "%s :name $1 {x}"
    for box in ODD:
        boxes.edit(box, 1)
        effect = await boxes.tool.apply(boxes.call(f"key of {box}", box))
        assert (effect.status, effect.evidence) == (OutcomeStatus.APPLIED, ("%s :name $1 {x}",))
        assert boxes.held(box) == 6
    assert boxes.held("A") == 10


BROKEN = (
    ('{"held":3}', "its id is no text"),
    ('{"id":5,"held":3}', "its id is no text"),
    ('{"id":null}', "its id is no text"),
    ('{"id":["A"]}', "its id is no text"),
    ('{"id":"Z","held":1E400}', "too large"),
    ('{"id":"Z","held":1,"held":2}', "twice"),
    ('{"id":"Z","held":' + "[" * 150 + "]" * 150 + "}", "too deep"),
    (r'{"id":"Z","x":"\ud800"}', "half a character"),
    (r'{"id":"\ud800","held":1}', "half a character"),
    ("[]", "no JSON object"),
    ("5", "no JSON object"),
)


def test_a_row_that_is_no_record_is_named(boxes: Shelf[DocumentRows]) -> None:
    for data, why in BROKEN:
        with suppress(ActionFailed):  # a server looks at some of them
            put(boxes, data)
            with pytest.raises(StoreDamaged, match=rf"row \d+ of daper_boxes: .*{why}"):
                boxes_in(boxes)
        assert boxes.held() == 10
        with database_of(boxes).transaction() as db:
            db.execute(text("DELETE FROM daper_boxes WHERE position > 2"))
    assert boxes_in(boxes) == 2


def _untriggered(boxes: Shelf[DocumentRows]) -> None:
    with database_of(boxes).transaction() as db:
        if database_of(boxes).dialect == "postgresql":
            db.execute(text("ALTER TABLE daper_boxes DISABLE TRIGGER ALL"))
        else:
            db.execute(text("DROP TRIGGER daper_boxes_update"))


@pytest.mark.parametrize("as_of", ["version", "find"])
def test_d5_an_edit_between_reading_and_writing_is_not_lost_without_triggers(
    served: Shelf[DocumentRows], as_of: str
) -> None:
    _untriggered(served)

    def change_it() -> None:
        with served.store.change() as change:
            row = change.records.find("boxes", ["A"])["A"]
            served.edit("A", 12)
            if as_of == "version":
                change.version("boxes/A")
            row.raw["held"] = 15

    with pytest.raises(StoreChanged):
        change_it()
    assert served.held() == 12


async def test_d5_without_triggers_a_changed_record_is_stale(boxes: Shelf[DocumentRows]) -> None:
    _untriggered(boxes)
    call = boxes.call()
    boxes.edit("A", 12)
    assert (await boxes.tool.apply(call)).status is OutcomeStatus.STALE


async def test_d5_a_record_that_was_deleted_and_put_back_is_stale(boxes: Shelf[DocumentRows]) -> None:
    call = boxes.call()
    boxes.edit("A", None)
    boxes.edit("A", 10)
    assert (await boxes.tool.apply(call)).status is OutcomeStatus.STALE


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
async def test_d1_a_key_twice_at_once_is_one_effect_whatever_the_server_prefers(
    served: Shelf[DocumentRows], level: str
) -> None:
    """On such a level, who waited for the key would not see the row of whoever had it."""
    call = served.call()
    with administrator(served) as db:
        db.execute(f"ALTER DATABASE {db.info.dbname} SET default_transaction_isolation = '{level}'".encode())
    disconnect()
    found = await asyncio.gather(*(served.tool.apply(call) for _ in range(6)))
    assert sorted(effect.status for effect in found) == ["already-applied"] * 5 + ["applied"]
    assert (served.held(), len(served.outbox())) == (15, 1)


def test_two_that_bring_the_records_of_a_new_store_at_once_bring_them_once(postgresql: PostgresqlServer) -> None:
    database = PostgresqlDatabase(postgresql.empty(), BRANCHES)
    upgrade_at_once(database)
    start, came = threading.Barrier(4), list[object]()

    def bring() -> None:
        store = DocumentStore(database, name="boxes", collections=[COLLECTION])
        start.wait()
        try:
            rows = [{"id": str(number), "held": 1} for number in range(300)]
            came.append(store.install({"boxes": rows}, about=StoreAbout(dataset="boxes")))
        except StoreError as error:
            came.append(error)
        except ActionFailed as error:
            came.append(error)

    threads = [threading.Thread(target=bring) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    disconnect()
    assert sorted(map(str, came)) == ["False", "False", "False", "True"]


def test_of_many_threads_that_come_first_at_once_one_opens_the_server(
    served: Shelf[DocumentRows], monkeypatch: pytest.MonkeyPatch
) -> None:
    disconnect()
    database, made, meeting = database_of(served), list[int](), threading.Barrier(2)

    def counted(*arguments: Any, **options: Any) -> Engine:  # Any: what SQLAlchemy takes
        made.append(1)
        with suppress(threading.BrokenBarrierError):
            meeting.wait(timeout=0.3)  # for another one that makes it as well
        return create_engine(*arguments, **options)

    monkeypatch.setattr("daper.stores.sql.postgresql_database.create_engine", counted)

    def look() -> None:
        with database.reading() as db:
            db.execute(text("SELECT 1"))

    threads = [threading.Thread(target=look) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def _cut_by(statement: str) -> Callable[[Database], None]:
    def cut(database: Database) -> None:
        with database.transaction() as db:
            db.execute(text(statement))
            db.execute(text("SELECT pg_sleep(20)"))

    return cut


def _cut_while_idle(database: Database) -> None:
    with database.transaction() as db:
        db.execute(text("SET LOCAL idle_in_transaction_session_timeout = 1"))
        here = db.execute(text("SELECT pg_backend_pid()")).scalar_one()
        _until_gone(database, here)
        db.execute(text("SELECT 1"))


def _until_gone(database: Database, backend: int) -> None:
    gone, end = False, time.monotonic() + 10
    while not gone and time.monotonic() < end:
        with database.reading() as db:
            gone = db.execute(text("SELECT 1 FROM pg_stat_activity WHERE pid = :pid"), {"pid": backend}).first() is None
    assert gone


@pytest.mark.parametrize(
    "cut",
    [
        _cut_by("SET LOCAL statement_timeout = 10"),
        _cut_by("SET LOCAL transaction_timeout = 10"),
        _cut_while_idle,
    ],
)
def test_what_a_limit_of_time_cuts_off_is_tried_again(
    served: Shelf[DocumentRows], cut: Callable[[Database], None]
) -> None:
    # Of a connection that the server closed meanwhile, the system may have dropped what it said why.
    expected = (StoreBusy, StoreUnavailable) if cut is _cut_while_idle else StoreBusy
    with pytest.raises(expected) as caught:
        cut(database_of(served))
    assert caught.value.retryable
    assert served.held() == 10


def test_a_refused_statement_that_nobody_minds_is_no_commit(served: Shelf[DocumentRows]) -> None:
    """PostgreSQL answers the COMMIT of a transaction that failed by a rollback, and calls it no error."""

    def change_it() -> None:
        with database_of(served).transaction() as db:
            db.execute(text("DELETE FROM daper_boxes"))
            with suppress(DBAPIError):
                db.execute(text("SELECT 1/0"))

    with pytest.raises(StoreError, match="nothing was changed"):
        change_it()
    assert served.held() == 10


async def test_d1_an_effect_whose_commit_is_never_answered_is_found_again(served: Shelf[DocumentRows]) -> None:
    """The server has it, and the answer is lost with the connection."""
    call = served.call()
    with administrator(served) as db:
        # At the commit, when all is decided: what was written is there, and then the connection ends.
        db.execute(
            b"CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS"
            b" 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';"
            b"CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON daper_ledger DEFERRABLE INITIALLY DEFERRED"
            b" FOR EACH ROW EXECUTE FUNCTION cut()"
        )
    with pytest.raises(StoreError) as caught:
        await served.tool.apply(call)
    assert caught.value.retryable
    with administrator(served) as db:
        db.execute(b"DROP TRIGGER cut ON daper_ledger")
    await served.tool.apply(call)
    assert (served.held(), len(served.outbox())) == (15, 1)


def test_a_server_that_fell_silent_is_given_up(served: Shelf[DocumentRows]) -> None:
    with database_of(served).reading() as db:
        driver = db.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        told = driver.info.get_parameters()
    assert int(told["keepalives_idle"]) + int(told["keepalives_interval"]) * int(told["keepalives_count"]) <= 60
    assert 0 < int(told["tcp_user_timeout"]) <= 60_000


async def test_a_server_without_a_free_connection_is_waited_for(served: Shelf[DocumentRows]) -> None:
    call = served.call()
    with administrator(served) as db:
        db.execute(f"CREATE ROLE guest_{db.info.dbname} SUPERUSER LOGIN PASSWORD 'x' CONNECTION LIMIT 0".encode())
        db.execute(f"ALTER ROLE guest_{db.info.dbname} NOSUPERUSER".encode())
        guest = f"postgresql://guest_{db.info.dbname}:x@127.0.0.1:{db.info.port}/{db.info.dbname}"
    with pytest.raises(StoreError) as caught:
        PostgresqlDatabase(guest, BRANCHES).is_there()
    assert caught.value.retryable
    assert (await served.tool.apply(call)).status is OutcomeStatus.APPLIED


async def test_a_server_that_only_reads_after_a_failover_is_waited_for(served: Shelf[DocumentRows]) -> None:
    call = served.call()
    with administrator(served) as db:
        db.execute(f"ALTER DATABASE {db.info.dbname} SET default_transaction_read_only = on".encode())
    disconnect()
    with pytest.raises(StoreError) as caught:
        await served.tool.apply(call)
    assert caught.value.retryable
    with psycopg.connect((served.folder / "address").read_text(encoding="utf-8"), autocommit=True) as db:
        db.execute(b"SET default_transaction_read_only = off")
        db.execute(f"ALTER DATABASE {db.info.dbname} RESET default_transaction_read_only".encode())
    assert (await served.tool.apply(call)).status is OutcomeStatus.APPLIED


def test_two_effects_that_wait_for_each_other_are_both_tried_again_or_done(served: Shelf[DocumentRows]) -> None:
    """The server ends one of them; what it had done is undone, and its next attempt does it."""
    both, said = threading.Barrier(2), list[StoreError]()

    def work(first: str, then: str, *, meets: bool) -> None:
        with served.store.change() as change:
            _add_one(change, first)
            if meets:
                both.wait(10)
            _add_one(change, then)

    def try_again(first: str, then: str) -> None:
        meets = True
        while True:
            try:
                return work(first, then, meets=meets)
            except StoreError as error:  # as Temporal would try again
                said.append(error)
                meets = False

    threads = [threading.Thread(target=try_again, args=order) for order in (("A", "B"), ("B", "A"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(error.retryable for error in said)
    assert "deadlock" in str(said[0])
    assert (served.held("A"), served.held("B")) == (12, 22)


def _add_one(change: StoreChange[DocumentRows], box: str) -> None:
    raw = change.records.find("boxes", [box])[box].raw
    raw["held"] = cast("int", raw["held"]) + 1
    change.version(f"boxes/{box}")


async def test_a_copied_database_is_refused_and_once_adopted_is_another_store(
    served: Shelf[DocumentRows], postgresql: PostgresqlServer
) -> None:
    """As a dump that was restored beside the original: what was approved there must not run here."""
    await served.tool.apply(served.call())
    disconnect()
    url = postgresql.copy_of((served.folder / "address").read_text(encoding="utf-8"))
    copy = DocumentStore(PostgresqlDatabase(url, BRANCHES), name="boxes", collections=[COLLECTION])
    with pytest.raises(StoreDamaged, match="is a copy"):
        copy.info()
    copy.adopt()
    assert copy.info().store_id != served.store.info().store_id
    assert len(copy.outbox()) == 1
    assert [row.key for row in ledger_of(copy)] == ["k1"]


async def test_records_of_a_copy_are_not_replaced_under_the_id_of_the_original(boxes: Shelf[DocumentRows]) -> None:
    """Else both would answer to one id, and a plan for one could run in the other."""
    assert isinstance(boxes.store, DocumentStore)
    with database_of(boxes).transaction() as db:
        about = boxes.store.known(db)
        assert about is not None
        elsewhere = copied_from(database_of(boxes), boxes.folder)
        told = about.model_copy(update={"folder": elsewhere}).model_dump_json()
        db.execute(update(STORES).values(about=told))

    with pytest.raises(StoreDamaged, match="is a copy"):
        boxes.store.replace({"boxes": [{"id": "C", "held": 1}]}, about=StoreAbout(dataset="other"))
    assert boxes_in(boxes) == 2


async def test_whoever_may_not_look_where_a_database_is_takes_it_for_no_copy(
    boxes: Shelf[DocumentRows], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(boxes.store, DocumentStore)
    known = boxes.store.info().store_id
    monkeypatch.setattr(database_of(boxes), "whereabouts", nowhere)

    assert boxes.store.info().store_id == known


async def test_a_row_at_a_place_that_nobody_looks_at_is_refused(boxes: Shelf[DocumentRows]) -> None:
    data = "CAST(:data AS JSON)" if database_of(boxes).dialect == "postgresql" else ":data"
    for place in (0, -1):
        with pytest.raises(ActionFailed, match="refuses it"), database_of(boxes).transaction() as db:
            db.execute(
                text(f"INSERT INTO daper_boxes (position, data) VALUES (:place, {data})"),  # noqa: S608
                {"place": place, "data": '{"id": "C", "held": 1}'},
            )


async def test_a_ledger_row_of_an_id_as_long_as_a_book_can_be_copied(boxes: Shelf[DocumentRows]) -> None:
    assert isinstance(boxes.store, DocumentStore)
    row = LedgerRow(
        key="k9", kind="tombstone", record_id="x\0" * 5_000, at=NOON, effect=Effect(status=OutcomeStatus.FAILED)
    )
    with DocumentsWhole(boxes.store).intake() as intake:
        intake.put_documents(StoreAbout(dataset="boxes"), {})
        intake.put_ledger_row(row)

    assert ledger_of(boxes.store) == [row]


def nowhere(db: object) -> str:
    return ""


def copied_from(database: Database, folder: Path) -> str:
    """Where the original of a copy would be, which is still there."""
    if database.dialect == "postgresql":
        return "postgresql 1/1"
    there = folder / "original.db"
    there.write_bytes(b"not to be asked")
    return str(there)
