"""The outbox in a database: each message as it was written, and beside it what became of it."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, bindparam, insert, select, update

from daper.core.errors import NotFound
from daper.ports.store import FATE, Message, MessageNote, Noted
from daper.stores.numbering import numbered
from daper.stores.sql.records_schema import OUTBOX

FATES: Final = (OUTBOX.c.state, OUTBOX.c.note, OUTBOX.c.noted_at, OUTBOX.c.tries)
_Query = Select[Any, Any, Any, Any, Any, Any]
_Row = Row[Any, Any, Any, Any, Any, Any]
_MESSAGES: Final = select(OUTBOX.c.sequence, OUTBOX.c.message, *FATES).order_by(OUTBOX.c.sequence)
# Made once: for each effect that is dear.
_NEW: Final = insert(OUTBOX)
_OF_KEY: Final = _MESSAGES.where(OUTBOX.c.store == bindparam("store"), OUTBOX.c.key == bindparam("key"))


def messages_in(store: str, *, keys: Collection[str] | None = None, after: int = 0) -> _Query:
    """The messages of a store in the order of sending; `after`: behind that number."""
    query = _MESSAGES.where(OUTBOX.c.store == store)
    if keys is not None:
        query = query.where(OUTBOX.c.key.in_(sorted(keys)))
    return query.where(OUTBOX.c.sequence > after) if after else query


def message_of(row: _Row) -> Message:
    """A message as it lies in the outbox, with its place in the order of sending."""
    at = None if row.noted_at is None else datetime.fromisoformat(str(row.noted_at))
    fate = {"state": row.state, "note": row.note, "noted_at": at, "tries": int(row.tries)}
    written = Message.model_validate_json(str(row.message))
    return Message.model_validate({**written.model_dump(), **fate, "sequence": int(row.sequence)})


def put(db: Connection, store: str, message: Message) -> None:
    """Under the next number."""
    written = message.model_dump_json(exclude=set(FATE))
    db.execute(_NEW, {"store": store, "key": message.key, "message": written, **_fate(message)})


def of_key(db: Connection, store: str, key: str) -> list[Message]:
    """The messages of one key, in the order of sending."""
    return numbered(message_of(row) for row in db.execute(_OF_KEY, {"store": store, "key": key}))


def note(db: Connection, store: str, note: MessageNote) -> Noted:
    """Note what became of a message, if it is still in an expected state. Raises NotFound for one that is none."""
    found = next((each for each in of_key(db, store, note.key) if each.number == note.number), None)
    if found is None:
        raise NotFound(f"the outbox has no message {note.key}-{note.number}")
    if not note.fits(found):
        return Noted(message=found, changed=False)
    noted = note.on(found)
    # In one statement: of two that note at once, one finds what the other left.
    as_found = [OUTBOX.c[name].is_not_distinct_from(value) for name, value in _fate(found).items()]
    done = db.execute(update(OUTBOX).where(OUTBOX.c.sequence == found.sequence, *as_found).values(_fate(noted)))
    if done.rowcount == 1:
        return Noted(message=noted, changed=True)
    now = next(each for each in of_key(db, store, note.key) if each.number == note.number)
    return Noted(message=now, changed=False)


def _fate(message: Message) -> dict[str, object]:
    at = None if message.noted_at is None else message.noted_at.isoformat()
    return {"state": str(message.state), "note": message.note, "noted_at": at, "tries": message.tries}
