"""Ended repairs as their reports tell them, where there is no Temporal to ask."""

from collections.abc import Callable
from typing import Final

from daper.core.errors import Unreachable
from daper.core.messages import PageArgs
from daper.core.outcomes import RepairResult
from daper.core.short_ids import is_whole, the_one
from daper.core.views import RepairView
from daper.ports import Reports
from daper.service.listing import reported_lines
from daper.service.requests import RepairLine

_LOOKED_THROUGH: Final = 200


class KeptRepairs:
    """What can be told without Temporal: of what has not ended, or left no report, only why nothing can."""

    def __init__(self, reports: Reports, *, away: Unreachable) -> None:
        """`away`: why Temporal cannot be asked."""
        self._reports = reports
        self.away = away

    async def list(
        self, *, limit: int = 20, wanted: Callable[[RepairLine], bool] | None = None
    ) -> tuple[RepairLine, ...]:
        """The newest repairs that left a report. Raises StoreError."""
        lines = (await reported_lines(self._reports, limit=max(limit, _LOOKED_THROUGH) if wanted else limit)).values()
        newest = sorted(lines, key=lambda line: line.started_at, reverse=True)
        return tuple([line for line in newest if wanted is None or wanted(line)][:limit])

    async def whole_id(self, said: str) -> str:
        """As of `RepairService`, of those that left a report. Raises UserError, StoreError."""
        return said if is_whole(said) else the_one(said, await self._reports.ids(said))

    async def look(self, repair_id: str, page: PageArgs | None = None) -> RepairView | RepairResult:
        """The result that was kept. Raises Unreachable where there is none."""
        return await self.ended(repair_id)

    async def ended(self, repair_id: str) -> RepairResult:
        """The result that was kept. Raises Unreachable where there is none."""
        if (kept := await self._reports.read(repair_id)) is None:
            raise self.away
        return kept
