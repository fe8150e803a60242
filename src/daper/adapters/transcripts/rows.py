"""Each call of a language model as one row, for every machine that has the same database."""

import asyncio
import logging
import zlib
from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, select

from daper.adapters.transcripts.documents import MORE, MOST_CALLS, MOST_REPAIRS, SAID_OF_MORE, name_of, written
from daper.adapters.transcripts.redaction import Redactor
from daper.clock import agreed_now
from daper.core.errors import DaperError, StoreDamaged
from daper.ports import Transcript
from daper.stores.sql.engine import Database
from daper.stores.sql.state_schema import TRANSCRIPTS, time_text
from daper.stores.sql.upserts import put

log = logging.getLogger(__name__)


class TranscriptRows:
    """`daper.ports.Transcripts` in a database. Nothing of `secrets`, and nothing that looks like a key, is written.

    A call that is written twice leaves one row. Several that write at once may pass the limit on calls by one each.
    """

    def __init__(self, database: Database, *, secrets: Sequence[str]) -> None:
        self._database = database
        self._redactor = Redactor(secrets)

    async def write(self, entry: Transcript) -> None:
        """Keep one call. A database that does not take it is logged, and nothing is raised."""
        await asyncio.to_thread(self._write, entry)

    async def names(self, repair_id: str) -> tuple[str, ...]:
        """What is kept of a repair, in the order of the calls. Raises a StoreError."""
        return await asyncio.to_thread(self._names, repair_id)

    async def read(self, repair_id: str, name: str) -> bytes | None:
        """One of these. Raises a StoreError."""
        return await asyncio.to_thread(self._read, repair_id, name)

    def _write(self, entry: Transcript) -> None:
        data = written(entry, self._redactor)
        try:
            with self._database.transaction() as db:
                self._keep(db, entry, data)
        except DaperError as error:
            log.warning(
                "a call of a language model is not written down",
                extra={"call_id": entry.call_id, "reason": str(error)},
            )

    def _keep(self, db: Connection, entry: Transcript, data: bytes) -> None:
        of_repair = TRANSCRIPTS.c.repair_id == entry.repair_id
        there = db.execute(select(func.count()).where(of_repair)).scalar_one()
        if not there:
            self._make_room(db, entry.repair_id)
        name = name_of(entry)
        if (
            there >= MOST_CALLS
            and not db.execute(select(TRANSCRIPTS.c.call).where(of_repair, TRANSCRIPTS.c.call == name)).first()
        ):
            name, data = MORE, SAID_OF_MORE
        row = {
            "repair_id": entry.repair_id,
            "call": name,
            "written": time_text(agreed_now()),
            "document": zlib.compress(data),
        }
        put(db, TRANSCRIPTS, [row], replacing=("written", "document"))

    def _make_room(self, db: Connection, repair_id: str) -> None:
        """Leave room for one more repair."""
        self._database.alone(db, "room for transcripts")
        last = func.max(TRANSCRIPTS.c.written)
        kept = (
            select(TRANSCRIPTS.c.repair_id)
            .where(TRANSCRIPTS.c.repair_id != repair_id)
            .group_by(TRANSCRIPTS.c.repair_id)
            .order_by(last.desc(), TRANSCRIPTS.c.repair_id)
        )
        gone = db.execute(kept.offset(MOST_REPAIRS - 1).limit(MOST_REPAIRS)).scalars().all()
        if gone:
            db.execute(delete(TRANSCRIPTS).where(TRANSCRIPTS.c.repair_id.in_(gone)))

    def _names(self, repair_id: str) -> tuple[str, ...]:
        with self._database.reading() as db:
            return tuple(
                db.execute(
                    select(TRANSCRIPTS.c.call)
                    .where(TRANSCRIPTS.c.repair_id == repair_id)
                    .order_by(TRANSCRIPTS.c.call == MORE, TRANSCRIPTS.c.call)
                ).scalars()
            )

    def _read(self, repair_id: str, name: str) -> bytes | None:
        wanted = select(TRANSCRIPTS.c.document)
        with self._database.reading() as db:
            data = db.execute(
                wanted.where(TRANSCRIPTS.c.repair_id == repair_id, TRANSCRIPTS.c.call == name)
            ).scalar_one_or_none()
        try:
            return None if data is None else zlib.decompress(data)
        except zlib.error as error:
            raise StoreDamaged(
                f"{name!r} of {repair_id!r} in {self._database.named} cannot be read; bring it back from a copy"
            ) from error
