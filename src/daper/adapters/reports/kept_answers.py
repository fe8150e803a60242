"""Which repair answers what was asked under an id, in one SQLite file: for good, where Temporal and reports go."""

import asyncio
from pathlib import Path
from typing import Final

from daper.ports import KeptAnswer
from daper.stores.sql.sqlite_file import SqliteFile

_SCHEMA: Final = (
    "CREATE TABLE answers (asked_id TEXT PRIMARY KEY NOT NULL, asked TEXT NOT NULL, repair_id TEXT NOT NULL,"
    " begun INTEGER NOT NULL) WITHOUT ROWID",
)


class SqliteAnswers:
    """A row for each id, never deleted. The file is made by the first row.

    Every call may raise StoreBusy (retryable), StoreDamaged or StoreError.
    """

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path=path, what="answers", schema=_SCHEMA)

    async def keep(self, answer: KeptAnswer) -> None:
        """Remember it. The first that had begun stands; one that had not is written over."""
        await asyncio.to_thread(self._keep, answer)

    async def find(self, asked_id: str) -> KeptAnswer | None:
        """What was kept, or None."""
        return await asyncio.to_thread(self._find, asked_id)

    async def look_over(self) -> bool:
        """Whether the file is there; and it is sound then. Raises StoreBusy, StoreDamaged or StoreError."""
        return await asyncio.to_thread(self._file.look_over)

    def _keep(self, answer: KeptAnswer) -> None:
        row = (answer.asked_id, answer.asked, answer.repair_id, answer.begun)
        with self._file.transaction() as db:
            db.execute(
                "INSERT INTO answers VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET asked = excluded.asked,"
                " repair_id = excluded.repair_id, begun = excluded.begun WHERE NOT begun",
                row,
            )

    def _find(self, asked_id: str) -> KeptAnswer | None:
        if not self._file.is_there():
            return None
        with self._file.transaction() as db:
            row = db.execute("SELECT asked, repair_id, begun FROM answers WHERE asked_id = ?", (asked_id,)).fetchone()
        return KeptAnswer(asked_id=asked_id, asked=row[0], repair_id=row[1], begun=bool(row[2])) if row else None
