"""Reports as rows, for every machine that has the same database: what they are made of, whole and compressed."""

import asyncio
import logging
import zlib
from collections.abc import Callable
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy import func, select

from daper.adapters.reports import answer_rows
from daper.adapters.reports.archive import answer_of
from daper.clock import agreed_now
from daper.core.errors import StoreDamaged
from daper.core.outcomes import RepairResult, ReportPaths
from daper.core.short_ids import meant
from daper.ports import KeptAnswer
from daper.stores.sql.engine import Database
from daper.stores.sql.state_schema import REPORTS, time_text
from daper.stores.sql.upserts import put

log = logging.getLogger(__name__)


class ReportRows:
    """`daper.ports.Reports` in a database: one row for each ended cycle, from which every form of a report is made.

    A row is as large as its result, compressed, and no result is larger than Temporal lets one be. Every call may raise
    StoreBusy and StoreUnavailable (retryable), StoreDamaged or StoreError.
    """

    def __init__(self, database: Database, *, now: Callable[[], datetime] = agreed_now) -> None:
        self._database = database
        self._now = now

    async def write(self, result: RepairResult) -> ReportPaths:
        """Keep it, together with what it answers. Writing it twice leaves one."""
        return await asyncio.to_thread(self._write, result)

    async def read(self, repair_id: str) -> RepairResult | None:
        """The result as it was written, or None."""
        return await asyncio.to_thread(self._read, repair_id)

    async def newest(self, limit: int) -> tuple[RepairResult, ...]:
        """The results that were written last, the newest first; what cannot be read is left out, and logged."""
        return await asyncio.to_thread(self._newest, limit)

    async def ids(self, said: str) -> tuple[str, ...]:
        """The ids of the repairs with a report that a text may mean: whole, or in short."""
        return meant(said, sorted(await asyncio.to_thread(self.stamps)))

    async def keep(self, answer: KeptAnswer) -> None:
        """Remember it, also when its report is deleted. What has begun stays as it was."""
        await asyncio.to_thread(answer_rows.keep, self._database, answer)

    async def answer(self, asked_id: str) -> KeptAnswer | None:
        """What was kept for an id, or what its report says; None where neither is there."""
        kept = await asyncio.to_thread(answer_rows.find, self._database, asked_id)
        if kept is not None and kept.begun:
            return kept
        written = await self.read(asked_id)
        return answer_of(written) if written is not None else kept

    def count(self) -> tuple[int, tuple[str, ...]]:
        """How many reports there are, and of which repairs they cannot be read."""
        broken: list[str] = []
        with self._database.reading() as db:
            number = db.execute(select(func.count()).select_from(REPORTS)).scalar_one()
            for row in db.execute(select(REPORTS.c.repair_id, REPORTS.c.result).execution_options(yield_per=20)):
                try:
                    self._result(row.repair_id, row.result)
                except StoreDamaged:
                    broken.append(row.repair_id)
        return number, tuple(sorted(broken))

    def stamps(self) -> dict[str, str]:
        """Of each repair with a report, when that was written."""
        with self._database.reading() as db:
            found = db.execute(select(REPORTS.c.repair_id, REPORTS.c.written)).all()
        return {row.repair_id: row.written for row in found}

    def result_at(self, place: str) -> RepairResult:
        """The report of a repair. Raises StoreDamaged where it cannot be read."""
        if (result := self._read(place)) is None:
            raise StoreDamaged(f"the report of {place!r} is gone")
        return result

    def _write(self, result: RepairResult) -> ReportPaths:
        paths = ReportPaths(json_path="", markdown_path="", kept_in=self._database.named)
        text = result.model_copy(update={"paths": paths}).model_dump_json()
        row = {
            "repair_id": result.repair_id,
            "written": time_text(self._now()),
            "result": zlib.compress(text.encode()),
        }
        with self._database.transaction() as db:
            put(db, REPORTS, [row], replacing=("written", "result"))
            answer_rows.keep_in(db, answer_of(result))
        log.info("report written", extra={"repair_id": result.repair_id, "kept_in": paths.kept_in})
        return paths

    def _read(self, repair_id: str) -> RepairResult | None:
        with self._database.reading() as db:
            data = db.execute(select(REPORTS.c.result).where(REPORTS.c.repair_id == repair_id)).scalar_one_or_none()
        return None if data is None else self._result(repair_id, data)

    def _newest(self, limit: int) -> tuple[RepairResult, ...]:
        found: list[RepairResult] = []
        wanted = select(REPORTS.c.repair_id, REPORTS.c.result).order_by(REPORTS.c.written.desc(), REPORTS.c.repair_id)
        with self._database.reading() as db:
            for row in db.execute(wanted.execution_options(yield_per=min(max(limit, 1), 50))):
                if len(found) >= limit:
                    break
                try:
                    found.append(self._result(row.repair_id, row.result))
                except StoreDamaged as error:
                    log.warning("a report is left out", extra={"reason": str(error)})
        return tuple(found)

    def _result(self, repair_id: str, data: bytes) -> RepairResult:
        """Raises StoreDamaged for what is no report, or that of another repair."""
        try:
            result = RepairResult.model_validate_json(zlib.decompress(data))
        except (zlib.error, ValidationError) as error:
            raise StoreDamaged(
                f"the report of {repair_id!r} in {self._database.named} cannot be read; bring it back from a copy"
            ) from error
        if result.repair_id != repair_id or result.started_at.tzinfo is None or result.ended_at.tzinfo is None:
            raise StoreDamaged(f"{self._database.named} has another report as that of {repair_id!r}; bring it back")
        return result
