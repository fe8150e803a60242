"""The key of forms as a row, for the servers of every home that has the same database."""

from typing import Final

from sqlalchemy import Connection, select

from daper.adapters.form_key import FormKey, key_of, new_key
from daper.core.errors import StoreDamaged
from daper.stores.sql.engine import Database
from daper.stores.sql.state_schema import FACTS
from daper.stores.sql.upserts import add_missing

_NAME: Final = "form-key"


class FormKeyRow(FormKey):
    """The key of one database: a form that one server sealed is opened by each other one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> bytes | None:
        """As of a key."""
        with self._database.reading() as db:
            return self._in(db)

    def read_or_make(self) -> bytes:
        """As of a key; the first row stands."""
        if (known := self.read()) is not None:
            return known
        with self._database.transaction() as db:
            add_missing(db, FACTS, [{"name": _NAME, "value": new_key().hex()}])
        made = self.read()
        if made is None:
            raise StoreDamaged(f"{self._database.named} has lost the key of forms; look who deletes it")
        return made

    def _in(self, db: Connection) -> bytes | None:
        text = db.execute(select(FACTS.c.value).where(FACTS.c.name == _NAME)).scalar_one_or_none()
        if text is None:
            return None
        key = key_of(text)
        if key is None:
            raise StoreDamaged(
                f"{self._database.named} does not hold the key of forms as daper writes it; delete row {_NAME!r} of "
                f"{FACTS.name}, and a new one is made: forms that are open then have to be asked for again"
            )
        return key
