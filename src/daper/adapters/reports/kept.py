"""Reports as files under one folder, behind the port."""

import asyncio
from pathlib import Path

from daper.adapters.reports.archive import newest_reports, read_report, write_report
from daper.core.outcomes import RepairResult, ReportPaths


class FileReports:
    """Writes `report.json` and `report.md` of each ended cycle, and reads them back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def write(self, result: RepairResult) -> ReportPaths:
        """Write both files. Writing them twice leaves one of each."""
        return await asyncio.to_thread(write_report, result, self._folder)

    async def read(self, repair_id: str) -> RepairResult | None:
        """The result as it was written, or None."""
        return await asyncio.to_thread(read_report, repair_id, self._folder)

    async def newest(self, limit: int) -> tuple[RepairResult, ...]:
        """The results that were written last, the newest first; what cannot be read is left out."""
        return await asyncio.to_thread(newest_reports, self._folder, limit)
