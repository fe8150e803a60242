"""Where reports live: one folder per repair, two files in it, each replaced as a whole."""

import contextlib
import logging
import os
from pathlib import Path

from pydantic import ValidationError

from daper.adapters.reports.render import markdown_report
from daper.clock import new_id
from daper.core.errors import StoreDamaged, StoreError
from daper.core.ids import file_stem
from daper.core.outcomes import RepairResult, ReportPaths

log = logging.getLogger(__name__)

_JSON = "report.json"
_MARKDOWN = "report.md"


def write_report(result: RepairResult, folder: Path) -> ReportPaths:
    """Write `report.md` and `report.json` into the repair's own folder below `folder`; the JSON names both.

    Each file is there whole or not at all; `report.json` comes last, so that it stands for both. The same result again
    gives the same files. Raises StoreError when the disk does not take them.
    """
    home = _home(result.repair_id, folder)
    paths = ReportPaths(json_path=str(home / _JSON), markdown_path=str(home / _MARKDOWN))
    named = result.model_copy(update={"paths": paths})
    try:
        home.mkdir(parents=True, exist_ok=True)
        _replace(home / _MARKDOWN, markdown_report(named))
        _replace(home / _JSON, named.model_dump_json(indent=2) + "\n")
    except OSError as error:
        raise StoreError(f"the report cannot be written to {str(home)!r}: {error}; check rights and space") from error
    log.info("report written", extra={"repair_id": result.repair_id, "json_path": paths.json_path})
    return paths


def read_report(repair_id: str, folder: Path) -> RepairResult | None:
    """The result that was written for a repair, or None if there is none.

    Raises StoreDamaged when the file is there and is no report, StoreError when it cannot be read.
    """
    path = _home(repair_id, folder) / _JSON
    try:
        result = RepairResult.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"report {str(path)!r} cannot be read: {error}; check its rights") from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]["msg"]
        raise StoreDamaged(f"{str(path)!r} is no report ({first}); move it away or restore it") from error
    return result if result.repair_id == repair_id else None


def _home(repair_id: str, folder: Path) -> Path:
    return folder.absolute() / file_stem(repair_id)


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{new_id()}")
    try:
        with open(draft, "x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
