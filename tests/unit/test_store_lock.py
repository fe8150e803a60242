"""The lock of a store is really held: whoever removes its file, or replaces its folder, lets nobody else in."""

import errno
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select
from test_json_store import ABOUT, TEXTS, WRITER, add_stock, change_with, files, open_store, row, start, stock

from daper.adapters.tokens import files as token_files
from daper.adapters.tokens.files import TokenFile
from daper.clock import utc_now
from daper.core.access import Access
from daper.core.errors import StoreBusy, StoreChanged, StoreError, StoreUnavailable
from daper.stores import locks
from daper.stores.jsonfiles import lock as store_lock
from daper.stores.jsonfiles.store import JsonChange, JsonStore
from daper.stores.sql.engine import Branch
from daper.stores.sql.sqlite_database import SqliteDatabase

WRITERS, CHANGES = 4, 5  # of each
METADATA: Final = MetaData()
NUMBERS: Final = Table("numbers", METADATA, Column("n", Integer))


@pytest.fixture
def store(tmp_path: Path) -> JsonStore:
    store = open_store(tmp_path / "records")
    assert store.install(TEXTS, about=ABOUT)
    return store


def left_half_done(folder: Path) -> list[Path]:
    return [*folder.glob("journal.json"), *(folder / "txn").iterdir()]


def test_a2_a_removed_lock_lets_nobody_in_while_its_holder_lives(
    store: JsonStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.change() as change:
        add_stock(change)
        (store.folder / "lock").unlink()
        monkeypatch.setattr(store_lock, "_in_process", {})  # as another process, which knows nothing of our threads
        with pytest.raises(StoreBusy), open_store(store.folder, wait=0.05).change():
            raise AssertionError
    assert stock(store) == 1


@pytest.mark.long
def test_a2_writers_lose_nothing_while_somebody_removes_their_lock_again_and_again(store: JsonStore) -> None:
    removed, over = 0, threading.Event()

    def remove() -> None:
        nonlocal removed
        while not over.is_set():
            try:
                (store.folder / "lock").unlink()
                removed += 1
            except FileNotFoundError:
                continue

    remover = threading.Thread(target=remove)
    remover.start()
    try:
        writers = [start(WRITER, store.folder) for _ in range(WRITERS)]
        said = [writer.communicate(timeout=120)[1] for writer in writers]
    finally:
        over.set()
        remover.join()
    assert [writer.returncode for writer in writers] == [0] * WRITERS, said
    assert stock(store) == WRITERS * CHANGES
    assert removed >= CHANGES, "it was removed while they wrote"
    assert left_half_done(store.folder) == []


@pytest.mark.parametrize("how", ["copy", "empty"])
def test_a2_a_folder_that_was_replaced_under_a_change_is_left_alone(store: JsonStore, tmp_path: Path, how: str) -> None:
    aside, before = tmp_path / "aside", files(store.folder)

    def replace(_: JsonChange) -> None:
        store.folder.rename(aside)
        if how == "copy":
            shutil.copytree(aside, store.folder)
        else:
            (store.folder / "txn").mkdir(parents=True)

    with pytest.raises(StoreError):
        change_with(store, lambda change: change.write_row(row("k1")), replace)
    assert files(aside) == before
    assert files(store.folder) == (before if how == "copy" else {})


def test_a2_where_folders_cannot_be_locked_a_holder_notices_that_its_file_is_gone(
    store: JsonStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def files_only(descriptor: int, deadline: float) -> bool:
        if Path(f"/proc/self/fd/{descriptor}").readlink().is_dir():
            raise OSError(errno.EBADF, "Bad file descriptor")
        return locks.locked_by(descriptor, deadline)

    monkeypatch.setattr(store_lock, "locked_by", files_only)
    before = files(store.folder)
    with pytest.raises(StoreUnavailable, match="removed or replaced"):
        change_with(store, lambda _: (store.folder / "lock").unlink())
    assert files(store.folder) == before
    with store.change() as change:
        add_stock(change)
    assert stock(store) == 1


def test_a2_whoever_waited_for_a_lock_that_was_removed_takes_the_new_one(tmp_path: Path) -> None:
    path, order = tmp_path / "lock", list[str]()
    with locks.alone(path):
        path.unlink()
        with locks.alone(path) as held:
            assert held()
            path.unlink()
            assert not held()
            order.append("told")
    assert order == ["told"]


def test_a2_a_busy_store_is_busy_for_threads_too_when_its_lock_is_gone(store: JsonStore) -> None:
    with store.change():
        (store.folder / "lock").unlink()
        with pytest.raises(StoreBusy), open_store(store.folder, wait=0.05).change():
            raise AssertionError


def numbers_in(folder: Path) -> SqliteDatabase:
    table = Branch(name="t", head="t_0001", scripts=folder, create=METADATA.create_all)
    return SqliteDatabase(folder / "daper.db", [table], what="state")


def add(database: SqliteDatabase, number: int, meanwhile: Callable[[], object] = lambda: None) -> None:
    with database.transaction() as db:
        db.execute(insert(NUMBERS).values(n=number))
        meanwhile()


def test_a2_a_database_that_is_replaced_under_a_transaction_keeps_nothing_in_vain(tmp_path: Path) -> None:
    database = numbers_in(tmp_path)
    add(database, 1)

    def remove() -> None:
        for path in tmp_path.glob("daper.db*"):
            path.unlink()

    with pytest.raises(StoreChanged, match=r"state '.*daper\.db' was removed or replaced meanwhile"):
        add(database, 2, remove)
    with database.reading() as db:
        assert db.execute(select(NUMBERS.c.n)).all() == []


def test_a2_a_database_that_is_replaced_while_it_is_opened_is_not_written_to_in_vain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(numbers_in(tmp_path), 1)
    make_ready = SqliteDatabase._make_ready  # pyright: ignore[reportPrivateUsage] - as soon as it is open

    def replaced(self: SqliteDatabase, known: tuple[int, int] | None) -> None:
        make_ready(self, known)
        for path in tmp_path.glob("daper.db*"):
            path.rename(tmp_path / f"away.{path.name}")
        (tmp_path / "daper.db").touch()

    monkeypatch.setattr(SqliteDatabase, "_make_ready", replaced)
    with pytest.raises(StoreChanged):
        add(numbers_in(tmp_path), 2)


def test_a2_two_tokens_made_at_once_are_both_kept_whatever_becomes_of_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mcp-tokens.json"
    TokenFile(path, now=utc_now).add("Luna", {Access.READ})
    replace = token_files.replace_file
    second = threading.Thread(target=lambda: TokenFile(path, now=utc_now).add("Neville", {Access.READ}))

    def another_comes_first(*args: object, **kwargs: object) -> None:
        monkeypatch.setattr(token_files, "replace_file", replace)
        path.with_name("mcp-tokens.json.lock").unlink()
        second.start()
        second.join(timeout=0.2)  # the old code let it through, and lost it
        replace(*args, **kwargs)  # pyright: ignore[reportArgumentType] - handed on

    monkeypatch.setattr(token_files, "replace_file", another_comes_first)
    TokenFile(path, now=utc_now).add("Ginny", {Access.READ})
    second.join(timeout=60)
    assert {grant.name for grant in TokenFile(path, now=utc_now).grants()} == {"Luna", "Ginny", "Neville"}
