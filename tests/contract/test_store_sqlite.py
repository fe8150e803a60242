"""What is the SQLite store's own: tables of one's own, other people's tools, a file that is no database."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daper.core.errors import ActionFailed, StoreBusy, StoreDamaged, StoreError, StoreUnavailable
from daper.stores.sql.sqlite import SqliteStore, records_of

TABLE = "CREATE TABLE IF NOT EXISTS things (name TEXT PRIMARY KEY, value)"


def store_of(path: Path) -> SqliteStore:
    return SqliteStore(path, tables={"things": "name"}, schema=[TABLE], lock_wait=timedelta(milliseconds=50))


def version(store: SqliteStore, ref: str) -> str | None:
    with store.change() as change:
        return change.version(ref)


def put(path: Path, value: object) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT OR REPLACE INTO things VALUES ('t', ?)", (value,))


def test_a_version_follows_the_content_of_any_kind_whoever_changed_it(tmp_path: Path) -> None:
    store = store_of(tmp_path / "s.db")
    store.info()
    seen: set[str | None] = set()
    values: list[object] = [None, 1, 1.5, "1", "1.5", b"1", b"\xff", float("inf"), float("-inf"), "", "inf", "b'1'"]
    for value in values:
        put(tmp_path / "s.db", value)
        seen.add(version(store, "things/t"))
    assert len(seen) == len(values)
    put(tmp_path / "s.db", 1)
    assert version(store, "things/t") in seen


@pytest.mark.parametrize("ref", ["things/u", "others/t", "daper_ledger/k", 'things"; DROP TABLE things; --/t', "t", ""])
def test_what_is_no_record_of_ours_has_no_version(tmp_path: Path, ref: str) -> None:
    store = store_of(tmp_path / "s.db")
    store.info()
    put(tmp_path / "s.db", 1)
    assert version(store, ref) is None
    assert version(store, "things/t") is not None


def test_a_record_id_of_any_text_is_data(tmp_path: Path) -> None:
    store = store_of(tmp_path / "s.db")
    with store.change() as change:
        for name in ("x'); DROP TABLE things; --", "a/b", "", "\n", "t"):
            change.records.execute("INSERT INTO things VALUES (?, 1)", (name,))
    with store.reading() as db:
        found = records_of(db, "things", "name", ["x'); DROP TABLE things; --", "a/b", "", "no"])
        assert [one.record_id for one in found] == ["x'); DROP TABLE things; --", "a/b", ""]
        assert len(records_of(db, "things", "name")) == 5
    assert version(store, "things/a/b") is not None


def change(store: SqliteStore, *statements: str) -> None:
    """A change of these statements."""
    with store.change() as change:
        for statement in statements:
            change.records.execute(statement)


@pytest.mark.parametrize("words", ["COMMIT", "ROLLBACK", "END"])
def test_d1_a_tool_cannot_part_its_effect_from_the_ledger(tmp_path: Path, words: str) -> None:
    store = store_of(tmp_path / "s.db")
    with pytest.raises(ActionFailed):
        change(store, "INSERT INTO things VALUES ('t', 1)", words)
    assert version(store, "things/t") is None


def _commit(store: SqliteStore) -> None:
    with store.change() as change:
        change.records.execute("INSERT INTO things VALUES ('t', 1)")
        change.records.commit()


def _script(store: SqliteStore) -> None:
    with store.change() as change:
        change.records.execute("INSERT INTO things VALUES ('t', 1)")
        change.records.executescript("INSERT INTO things VALUES ('u', 1);")


@pytest.mark.parametrize("parting", [_commit, _script])
def test_d1_neither_by_the_methods_of_the_connection(tmp_path: Path, parting: Callable[[SqliteStore], None]) -> None:
    store = store_of(tmp_path / "s.db")
    with pytest.raises(ActionFailed):
        parting(store)
    assert (version(store, "things/t"), version(store, "things/u")) == (None, None)


@pytest.mark.parametrize("refused", ["UPDATE nowhere SET a = 1", "INSERT INTO things VALUES ('t', 1), ('t', 2)"])
def test_a_statement_that_sqlite_refuses_is_the_tools_fault_and_changes_nothing(tmp_path: Path, refused: str) -> None:
    store = store_of(tmp_path / "s.db")
    with pytest.raises(ActionFailed, match=r"s\.db.*nothing was changed"):
        change(store, "INSERT INTO things VALUES ('a', 1)", refused)
    assert version(store, "things/a") is None


def _write(store: SqliteStore) -> None:
    with store.reading() as db:
        db.execute("INSERT INTO things VALUES ('t', 1)")


def _write_and_commit(store: SqliteStore) -> None:
    with store.reading() as db, db:
        db.execute("SELECT 1")


@pytest.mark.parametrize("writing", [_write, _write_and_commit])
def test_nothing_can_be_written_while_reading(tmp_path: Path, writing: Callable[[SqliteStore], None]) -> None:
    store = store_of(tmp_path / "s.db")
    with pytest.raises((StoreError, ActionFailed)):
        writing(store)
    assert version(store, "things/t") is None


def test_d1_a_change_that_sqlite_rolls_back_by_itself_has_no_row_and_no_second_half(tmp_path: Path) -> None:
    """ON CONFLICT ROLLBACK ends the transaction; from then on each statement would be one of its own."""
    store = SqliteStore(
        tmp_path / "s.db", tables={"tags": "id"}, schema=["CREATE TABLE IF NOT EXISTS tags (id TEXT, tag UNIQUE)"]
    )

    def changes(*, goes_on: bool) -> None:
        with store.change() as change:
            change.records.execute("INSERT INTO tags VALUES ('a', 1)")
            with suppress(sqlite3.IntegrityError):
                change.records.execute("INSERT OR ROLLBACK INTO tags VALUES ('b', 1)")
            if goes_on:
                change.records.execute("INSERT INTO tags VALUES ('a', 1)")

    for goes_on in (False, True):
        with pytest.raises(ActionFailed):
            changes(goes_on=goes_on)
        assert version(store, "tags/a") is None


def test_a_file_that_went_away_does_not_come_back_empty_nor_as_another(tmp_path: Path) -> None:
    path, other = tmp_path / "s.db", tmp_path / "other.db"
    store = store_of(path)
    store.info()
    store_of(other).info()
    path.unlink()
    with pytest.raises(StoreError):
        version(store, "things/t")
    assert not path.exists()
    other.rename(path)
    with pytest.raises(StoreDamaged, match="another store"):
        version(store, "things/t")
    with pytest.raises(StoreDamaged, match="another store"):
        store.info()


@pytest.mark.parametrize("name", ["a b?mode=ro#x%20.db", "ü.db", "'; --.db"])
def test_a_path_of_any_name_is_a_path(tmp_path: Path, name: str) -> None:
    store_of(tmp_path / name).info()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_d19_two_rows_of_one_id_are_not_changed_as_one(tmp_path: Path) -> None:
    store = SqliteStore(
        tmp_path / "s.db", tables={"things": "id"}, schema=["CREATE TABLE IF NOT EXISTS things (id, value)"]
    )
    change(store, "INSERT INTO things VALUES ('A', 1)", "INSERT INTO things VALUES (7, 1)")
    assert version(store, "things/7") is not None
    change(store, "INSERT INTO things VALUES ('A', 2)")
    with pytest.raises(StoreDamaged, match="several rows are 'things/A'"):
        version(store, "things/A")
    with pytest.raises(StoreDamaged), store.reading() as db:
        records_of(db, "things", "id")


def test_a_reference_to_nothing_is_refused(tmp_path: Path) -> None:
    child = "CREATE TABLE IF NOT EXISTS parts (name TEXT PRIMARY KEY, of TEXT REFERENCES things (name))"
    store = SqliteStore(tmp_path / "s.db", tables={"parts": "name"}, schema=[TABLE, child])
    with pytest.raises(ActionFailed, match="FOREIGN KEY"):
        change(store, "INSERT INTO parts VALUES ('p', 'nothing')")


def test_somebody_who_holds_the_file_is_told_as_busy(tmp_path: Path) -> None:
    store = store_of(tmp_path / "s.db")
    store.info()
    with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy), store.change():
            pass
        other.execute("ROLLBACK")
    with store.change():
        pass


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "s.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreDamaged, match=r"s\.db"), store_of(tmp_path / "s.db").change():
        pass
    assert (tmp_path / "s.db").read_bytes() == b"no database" * 1000


def test_a_folder_that_cannot_be_made_is_an_error_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError), store_of(tmp_path / "file" / "s.db").change():
        pass


def test_a_copy_is_another_store_and_each_keeps_its_id(tmp_path: Path) -> None:
    one = store_of(tmp_path / "s.db")
    assert one.info() == store_of(tmp_path / "s.db").info()
    shutil.copy(tmp_path / "s.db", tmp_path / "copy.db")
    assert store_of(tmp_path / "copy.db").info().store_id != one.info().store_id


def test_a3_a_full_disk_keeps_nothing_of_a_change_and_says_that_it_may_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, connect = store_of(tmp_path / "things.db"), sqlite3.connect

    # Any: handed on as they are.
    def connect_to_a_full_disk(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        db = connect(*args, **kwargs)
        db.execute("PRAGMA max_page_count = 1")  # no more than there are
        return db

    def fill(name: str) -> None:
        with store.change() as change:
            change.records.execute("INSERT INTO things VALUES (?, 1)", (name * 20_000,))

    store.info()
    monkeypatch.setattr(sqlite3, "connect", connect_to_a_full_disk)
    with pytest.raises(StoreUnavailable, match=r"things\.db': the disk is full .* make room there") as caught:
        fill("a")
    assert caught.value.retryable
    monkeypatch.undo()
    fill("b")
    with store.reading() as db:
        assert [row[0][0] for row in db.execute("SELECT name FROM things")] == ["b"]


def test_a2_a_store_whose_file_goes_under_a_change_keeps_nothing_in_vain(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    store = store_of(path)
    store.info()

    def write() -> None:
        with store.change() as change:
            change.records.execute("INSERT INTO things VALUES ('a', 1)")
            path.rename(tmp_path / "aside.db")

    with pytest.raises(StoreError, match=r"removed or replaced|read-only"):
        write()
    (tmp_path / "aside.db").rename(path)
    with store.reading() as db:
        assert db.execute("SELECT name FROM things").fetchall() == []
