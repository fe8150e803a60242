"""What became of a message stands in the outbox of every kind of store, and of two that say so at once one counts."""

import asyncio
import json
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import text

from daper.core.errors import NotFound
from daper.core.outbox import MessageState
from daper.ports import Message, MessageNote, MessageStore
from daper.stores.sql.documents import DocumentStore
from daper.stores.sql.engine import Database
from daper.stores.sql.postgresql_database import PostgresqlDatabase
from daper.stores.sql.records_schema import RECORDS
from daper.stores.sql.sqlite_database import SqliteDatabase
from daper.stores.sql.upgrading import upgrade
from tests.contract.boxes import KINDS, NOON, AnyShelf, shelf

WRITTEN, SENT, UNKNOWN = MessageState.WRITTEN, MessageState.SENT, MessageState.UNKNOWN


@pytest.fixture(params=KINDS)
def boxes(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[AnyShelf]:
    def server() -> object:
        return request.getfixturevalue("postgresql")

    with shelf(request.param, tmp_path / "boxes", {"A": 0, "B": 0}, server=server) as found:  # pyright: ignore[reportArgumentType]  # a fixture has no type
        yield found


def store_of(boxes: AnyShelf) -> MessageStore:
    assert isinstance(boxes.store, MessageStore)
    return boxes.store


def note(state: MessageState, *expected: MessageState, key: str = "k1", number: int = 1, why: str = "") -> MessageNote:
    return MessageNote(key=key, number=number, expected=frozenset(expected), state=state, note=why, at=NOON)


async def test_a_message_is_written_until_something_else_is_noted_and_the_rest_of_it_stays(boxes: AnyShelf) -> None:
    effect = await boxes.tool.apply(boxes.call())
    store = store_of(boxes)
    [written] = store.outbox()
    assert (effect.messages, written.state, written.number, written.id) == (1, WRITTEN, 1, "k1-1")

    done = store.note_message(note(UNKNOWN, WRITTEN, why="being sent"))
    [found] = store.messages_of("k1")

    assert done.changed
    assert found == done.message == store.outbox()[0]
    assert (found.state, found.note, found.noted_at, found.tries) == (UNKNOWN, "being sent", NOON, 0)
    assert found.model_copy(update={"state": WRITTEN, "note": "", "noted_at": None}) == written


async def test_a_note_counts_only_in_an_expected_state(boxes: AnyShelf) -> None:
    await boxes.tool.apply(boxes.call())
    store = store_of(boxes)
    store.note_message(note(SENT, WRITTEN))

    late = store.note_message(note(UNKNOWN, WRITTEN))

    assert (late.changed, late.message.state) == (False, SENT)
    assert [message.state for message in store.outbox()] == [SENT]


async def test_a_note_on_a_message_as_it_was_seen_counts_only_while_nothing_else_was_noted(boxes: AnyShelf) -> None:
    await boxes.tool.apply(boxes.call())
    store = store_of(boxes)
    [written] = store.outbox()
    begun = store.note_message(replace(note(UNKNOWN, WRITTEN, why="being sent"), seen=written))
    store.note_message(note(WRITTEN, UNKNOWN, why="it has not gone, says Ron"))
    again = store.note_message(note(UNKNOWN, WRITTEN, why="being sent again"))

    late = store.note_message(replace(note(WRITTEN, UNKNOWN), seen=begun.message))
    done = store.note_message(replace(note(SENT, UNKNOWN), seen=again.message))

    assert (begun.changed, late.changed, done.changed) == (True, False, True)
    assert late.message == again.message
    assert [message.state for message in store.outbox()] == [SENT]


async def test_of_many_that_begin_to_send_at_once_one_does(boxes: AnyShelf) -> None:
    await boxes.tool.apply(boxes.call())
    store = store_of(boxes)

    done = await asyncio.gather(*(asyncio.to_thread(store.note_message, note(UNKNOWN, WRITTEN)) for _ in range(8)))

    assert sorted(each.changed for each in done) == [False] * 7 + [True]


async def test_a_message_that_is_none_is_not_found(boxes: AnyShelf) -> None:
    await boxes.tool.apply(boxes.call())
    for key, number in (("k1", 2), ("k2", 1)):
        with pytest.raises(NotFound, match=f"{key}-{number}"):
            store_of(boxes).note_message(note(SENT, WRITTEN, key=key, number=number))
    assert store_of(boxes).messages_of("k2") == ()


async def test_keys_that_begin_alike_do_not_answer_for_one_another(boxes: AnyShelf) -> None:
    one, other = "0123456789abcdef-1", "0123456789abcdef-2"
    await boxes.tool.apply(boxes.call(one))
    await boxes.tool.apply(boxes.call(other))
    store = store_of(boxes)

    store.note_message(note(SENT, WRITTEN, key=other))

    assert [message.state for message in store.messages_of(one)] == [WRITTEN]
    assert [message.state for message in store.messages_of(other)] == [SENT]


async def test_tries_in_vain_are_counted(boxes: AnyShelf) -> None:
    await boxes.tool.apply(boxes.call())
    store = store_of(boxes)
    for _ in range(2):
        store.note_message(
            MessageNote(key="k1", number=1, expected=frozenset({WRITTEN}), state=WRITTEN, note="", at=NOON, tried=True)
        )
    assert store.messages_of("k1")[0].tries == 2


def old(key: str, *, simulated: bool = False) -> str:
    """A message as releases wrote it that knew no states; its text looks like a field of it."""
    message = Message(
        key=key, to="x@y.example", subject="s", body='"simulated":true', record_id="A", at=NOON, simulated=simulated
    )
    return message.model_dump_json(exclude={"state", "note", "noted_at", "tries"})


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_messages_of_before_there_were_states_are_written_or_simulated(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    database: Database = SqliteDatabase(tmp_path / "old.db", (RECORDS,), what="the records")
    if kind == "postgresql":
        database = PostgresqlDatabase(request.getfixturevalue("postgresql").empty(), (RECORDS,))
    as_it_was(database)
    with database.migrating() as db:
        for key, simulated in (("k1", False), ("k2", True)):
            row = {"key": key, "message": old(key, simulated=simulated)}
            db.execute(text("INSERT INTO daper_outbox (store, key, message) VALUES ('boxes', :key, :message)"), row)

    assert upgrade(database).ran == ("records_0002",)

    found = DocumentStore(database, name="boxes", collections=()).outbox()
    assert [(each.sequence, each.key, each.state, each.tries) for each in found] == [
        (1, "k1", WRITTEN, 0),
        (2, "k2", MessageState.SIMULATED, 0),
    ]


def as_it_was(database: Database) -> None:
    """The tables at their first revision."""
    upgrade(database)
    back = (
        "DROP TABLE daper_outbox",
        "CREATE TABLE daper_outbox (sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, store VARCHAR(64) NOT NULL,"
        ' "key" TEXT NOT NULL, message TEXT NOT NULL)'
        if database.dialect == "sqlite"
        else "CREATE TABLE daper_outbox (sequence BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, store"
        ' VARCHAR(64) NOT NULL, "key" TEXT NOT NULL, message TEXT NOT NULL)',
        "CREATE INDEX daper_outbox_by_store ON daper_outbox (store, sequence)",
        "UPDATE daper_schema SET version_num = 'records_0001'",
    )
    with database.migrating() as db:
        for statement in back:
            db.execute(text(statement))


def test_files_of_before_there_were_states_are_written_or_simulated(tmp_path: Path) -> None:
    with shelf("json", tmp_path, {"A": 0}, server=lambda: pytest.fail("no server")) as boxes:
        for key, simulated in (("k1", False), ("k2", True)):
            row = cast("dict[str, object]", json.loads(old(key, simulated=simulated)))
            (tmp_path / "outbox" / f"{key}-1.json").write_text(json.dumps(row), encoding="utf-8")
        store = store_of(boxes)

        assert [each.state for each in store.outbox()] == [WRITTEN, MessageState.SIMULATED]
        assert store.note_message(note(SENT, WRITTEN)).changed
        assert store.messages_of("k1")[0].noted_at == NOON


async def test_what_became_of_a_message_can_be_noted_while_its_records_are_broken(tmp_path: Path) -> None:
    with shelf("json", tmp_path, {"A": 0}, server=lambda: pytest.fail("no server")) as boxes:
        await boxes.tool.apply(boxes.call())
        (tmp_path / "boxes.json").write_text("not json", encoding="utf-8")

        assert store_of(boxes).note_message(note(SENT, WRITTEN)).changed

        assert [each.state for each in store_of(boxes).outbox()] == [SENT]
