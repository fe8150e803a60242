"""Where reports live: one folder per repair, two files in it, each replaced as a whole."""

import asyncio
import contextlib
import logging
import os
import stat
from pathlib import Path

from pydantic import ValidationError

from daper.adapters.reports.kept_answers import KeptAnswers
from daper.adapters.reports.repair_report import repair_report
from daper.adapters.whole_file import replace_file
from daper.core.errors import StoreDamaged, StoreError
from daper.core.ids import file_stem, safe_name
from daper.core.outcomes import RepairResult, ReportPaths
from daper.core.short_ids import meant
from daper.core.system_errors import store_error
from daper.core.text import markdown_code
from daper.documents.markdown import to_markdown
from daper.ports import KeptAnswer

log = logging.getLogger(__name__)

_JSON = "report.json"
_MARKDOWN = "report.md"


def write_report(result: RepairResult, folder: Path) -> ReportPaths:
    """Write `report.md` and `report.json` into the repair's own folder below `folder`; the JSON names both.

    Each file is there whole or not at all; `report.json` comes last, so that it stands for both. The same result again
    gives the same files. Raises StoreError when the disk does not take them, StoreUnavailable when it does not for now.
    """
    home = _home(result.repair_id, folder)
    paths = ReportPaths(json_path=str(home / _JSON), markdown_path=str(home / _MARKDOWN))
    named = result.model_copy(update={"paths": paths})
    try:
        home.mkdir(parents=True, exist_ok=True)
        replace_file(home / _MARKDOWN, to_markdown(repair_report(named)).encode())
        replace_file(home / _JSON, (named.model_dump_json(indent=2) + "\n").encode())
    except OSError as error:
        raise store_error(error, f"the report in {str(home)!r}") from error
    log.info("report written", extra={"repair_id": result.repair_id, "json_path": paths.json_path})
    return paths


def read_report(repair_id: str, folder: Path) -> RepairResult | None:
    """The result that was written for a repair, or None if there is none.

    Raises StoreDamaged when the file is there and is no report, StoreError when it cannot be read.
    """
    result = _read(_home(repair_id, folder) / _JSON)
    return result if result is not None and result.repair_id == repair_id else None


def newest_reports(folder: Path, limit: int) -> tuple[RepairResult, ...]:
    """The results that were written last, the newest first.

    What cannot be read, or cannot have been written by `write_report` there, is left out, and logged.
    """
    found: list[RepairResult] = []
    for path in _by_age(folder):
        if len(found) == limit:
            break
        try:
            result = _read(path)
            if result is not None:
                _check_place(result, path)
        except (StoreDamaged, StoreError) as error:
            log.warning("a report is left out", extra={"reason": str(error)})
            continue
        if result is not None:
            found.append(result)
    return tuple(found)


def _ids_in(folder: Path, said: str) -> tuple[str, ...]:
    """Those that a text may mean; the name of each folder has its id, as far as that can be in one."""
    named, found = safe_name(said), list[str]()
    for path in sorted(folder.glob(f"*/{_JSON}")):
        if named in path.parent.name:
            with contextlib.suppress(StoreDamaged, StoreError):
                if (result := _read(path)) is not None:
                    found.append(result.repair_id)
    return meant(said, found)


def broken_reports(folder: Path) -> tuple[int, tuple[str, ...]]:
    """How many reports there are, and which of them cannot be read, or cannot have been written there."""
    broken: list[str] = []
    paths = sorted(folder.glob(f"*/{_JSON}"))
    for path in paths:
        try:
            if not path.is_file():
                raise StoreDamaged(f"{str(path)!r} is no file")
            if (result := _read(path)) is not None:
                _check_place(result, path)
        except (StoreError, OSError):
            broken.append(str(path))
    return len(paths), tuple(broken)


def _by_age(folder: Path) -> list[Path]:
    """The report files, the newest first; a pipe or a device is none."""
    ages: list[tuple[int, Path]] = []
    for path in folder.glob(f"*/{_JSON}"):
        with contextlib.suppress(OSError):
            found = path.stat()
            if stat.S_ISREG(found.st_mode):
                ages.append((found.st_mtime_ns, path))
    return [path for _, path in sorted(ages, reverse=True)]


def _check_place(result: RepairResult, path: Path) -> None:
    """Raises StoreDamaged for a copy of another folder's report, and for times that fit into no order."""
    if path.parent.name != file_stem(result.repair_id):
        raise StoreDamaged(f"{str(path)!r} is the report of {result.repair_id!r}, in a folder that is not its own")
    if result.started_at.tzinfo is None or result.ended_at.tzinfo is None:
        raise StoreDamaged(f"{str(path)!r} gives a time without its zone; restore it")


def _read(path: Path) -> RepairResult | None:
    try:
        return RepairResult.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise store_error(error, f"report {str(path)!r}") from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]["msg"]
        raise StoreDamaged(f"{str(path)!r} is no report ({first}); move it away or restore it") from error


def kept_here(result: RepairResult) -> Path | None:
    """Where this machine keeps the Markdown report of a repair; None if only the worker's machine does.

    A result names the files as the worker's machine knew them. They are read, since another machine may have others
    under the same names.
    """
    if result.paths is None:
        return None
    json_path, markdown_path = Path(result.paths.json_path), Path(result.paths.markdown_path)
    try:
        if not (json_path.is_file() and markdown_path.is_file()):
            return None
        written = RepairResult.model_validate_json(json_path.read_bytes())
        with open(markdown_path, encoding="utf-8") as file:
            title = file.readline()
    except (OSError, ValueError):
        return None
    named = (written.repair_id, written.cycle_id, written.paths) == (result.repair_id, result.cycle_id, result.paths)
    return markdown_path if named and markdown_code(result.repair_id) in title else None


class ReportFolders:
    """The reports of a folder, for whoever counts them: the place of each is the name of its repair's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def stamps(self) -> dict[str, str]:
        """Of each report, when it was written."""
        found: dict[str, str] = {}
        with contextlib.suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    about = os.stat(os.path.join(entry.path, _JSON))
                    if stat.S_ISREG(about.st_mode):
                        found[entry.name] = f"{about.st_mtime_ns}-{about.st_size}"
        return found

    def result_at(self, place: str) -> RepairResult:
        """The report in that folder. Raises StoreDamaged where it is none, or that of another folder."""
        path = self._folder / place / _JSON
        if (result := _read(path)) is None:
            raise StoreDamaged(f"{str(path)!r} is gone")
        _check_place(result, path)
        return result


def _home(repair_id: str, folder: Path) -> Path:
    return folder.absolute() / file_stem(repair_id)


class FileReports:
    """Writes `report.json` and `report.md` of each ended cycle, and reads them back.

    `answers` keeps what a report answers, also when it is deleted.
    """

    def __init__(self, folder: Path, *, answers: KeptAnswers) -> None:
        self._folder = folder
        self._answers = answers

    async def write(self, result: RepairResult) -> ReportPaths:
        """Write both files. Writing them twice leaves one of each."""
        paths = await asyncio.to_thread(write_report, result, self._folder)
        try:
            await self._answers.keep(answer_of(result))
        except StoreError as error:
            if error.retryable:
                raise
            # The report is there, and says the same as long as nobody deletes it.
            log.warning("an answer is not kept", extra={"repair_id": result.repair_id, "reason": str(error)})
        return paths

    async def read(self, repair_id: str) -> RepairResult | None:
        """The result as it was written, or None."""
        return await asyncio.to_thread(read_report, repair_id, self._folder)

    async def newest(self, limit: int) -> tuple[RepairResult, ...]:
        """The results that were written last, the newest first; what cannot be read is left out."""
        return await asyncio.to_thread(newest_reports, self._folder, limit)

    async def ids(self, said: str) -> tuple[str, ...]:
        """The ids of the repairs with a report that a text may mean: whole, or in short."""
        return await asyncio.to_thread(_ids_in, self._folder, said)

    async def keep(self, answer: KeptAnswer) -> None:
        """Remember it, also when its report is deleted. What has begun stays as it was."""
        await self._answers.keep(answer)

    async def answer(self, asked_id: str) -> KeptAnswer | None:
        """What was kept for an id, or what its report says; None where neither is there."""
        kept = await self._answers.find(asked_id)
        if kept is not None and kept.begun:
            return kept
        written = await self.read(asked_id)
        return answer_of(written) if written is not None else kept


def answer_of(result: RepairResult) -> KeptAnswer:
    """What the report of a result says of the id that it was asked under."""
    return KeptAnswer(asked_id=result.repair_id, asked=result.asked, repair_id=result.repair_id, begun=True)
