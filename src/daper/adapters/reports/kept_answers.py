"""Which repair answers what was asked under an id: for good, where Temporal and reports go."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from daper.ports import KeptAnswer

if TYPE_CHECKING:
    from daper.stores.sql.engine import Database


class KeptAnswers:
    """A row for each id, never deleted. The database is opened when the first is looked for.

    Every call may raise StoreBusy and StoreUnavailable (retryable), StoreDamaged or StoreError.
    """

    def __init__(self, database: Callable[[], "Database"]) -> None:
        self._database = database

    async def keep(self, answer: KeptAnswer) -> None:
        """Remember it. The first that had begun stands; one that had not is written over."""
        await asyncio.to_thread(self._keep, answer)

    async def find(self, asked_id: str) -> KeptAnswer | None:
        """What was kept, or None."""
        return await asyncio.to_thread(self._find, asked_id)

    def _keep(self, answer: KeptAnswer) -> None:
        from daper.adapters.reports import answer_rows  # only whoever looks for one needs SQL

        answer_rows.keep(self._database(), answer)

    def _find(self, asked_id: str) -> KeptAnswer | None:
        from daper.adapters.reports import answer_rows

        database = self._database()
        return answer_rows.find(database, asked_id) if database.is_there() else None  # the first row makes the file
