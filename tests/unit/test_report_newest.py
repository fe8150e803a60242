"""Which kept reports are listed: each repair once, from its own folder, whatever else lies there."""

import os
import re
import threading
from pathlib import Path

import pytest
from sized_repairs import ended_repair

from daper.adapters.reports.archive import newest_reports, write_report
from daper.core.outcomes import RepairResult


def written(folder: Path, repair_id: str, *, age: int) -> Path:
    """A report that was written so many seconds before the newest."""
    result = ended_repair(1)
    paths = write_report(result.model_copy(update={"repair_id": repair_id}), folder)
    path = Path(paths.json_path)
    os.utime(path, ns=(0, 10**18 - age * 10**9))
    return path


def listed(folder: Path, *, limit: int = 10) -> list[str]:
    found: list[tuple[RepairResult, ...]] = []
    looking = threading.Thread(target=lambda: found.append(newest_reports(folder, limit)), daemon=True)
    looking.start()
    looking.join(20)
    assert found, "it waits for something"
    return [result.repair_id for result in found[0]]


def test_the_newest_come_first_and_no_more_than_asked_for(tmp_path: Path) -> None:
    for age, repair_id in ((3, "oldest"), (1, "newest"), (2, "middle")):
        written(tmp_path, repair_id, age=age)

    assert listed(tmp_path, limit=2) == ["newest", "middle"]


def test_a_report_in_another_ones_folder_is_left_out(tmp_path: Path) -> None:
    """A copy, or a planted one: by its name it would stand for a repair that it is not."""
    own = written(tmp_path, "repair-1", age=2)
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "report.json").write_bytes(own.read_bytes().replace(b"REPORT-COMPLETED", b"REJECTED"))

    assert listed(tmp_path) == ["repair-1"]


@pytest.mark.parametrize("name", ["started_at", "ended_at"])
def test_a_report_whose_time_has_no_zone_is_left_out(tmp_path: Path, name: str) -> None:
    """Between others it could not be put in order."""
    path = written(tmp_path, "repair-2", age=1)
    text, changed = re.subn(rf'("{name}": "[^"]*)Z"', r'\1"', path.read_text())
    assert changed == 1
    path.write_text(text)
    written(tmp_path, "repair-1", age=2)

    assert listed(tmp_path) == ["repair-1"]


def test_a_pipe_or_a_device_in_the_place_of_a_report_is_not_read(tmp_path: Path) -> None:
    written(tmp_path, "repair-1", age=2)
    for name in ("pipe", "device", "folder"):
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / "pipe" / "report.json")
    (tmp_path / "device" / "report.json").symlink_to("/dev/zero")
    (tmp_path / "folder" / "report.json").mkdir()

    assert listed(tmp_path) == ["repair-1"]
