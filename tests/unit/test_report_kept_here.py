"""A path is shown only where the report is: another machine may have nothing there, or something else."""

from pathlib import Path

import pytest
from sized_repairs import ended_repair

from daper.adapters.reports.archive import kept_here, write_report
from daper.adapters.reports.repair_document import repair_document
from daper.adapters.whole_file import replace_file
from daper.core.outcomes import RepairResult, ReportPaths
from daper.entrypoints.cli.story import Story, result_lines

ELSEWHERE = "on the machine of the worker that wrote it"


@pytest.fixture
def written(tmp_path: Path) -> RepairResult:
    """A result whose report is here."""
    result = ended_repair(2)
    return result.model_copy(update={"paths": write_report(result, tmp_path)})


def paths_of(result: RepairResult) -> tuple[Path, Path]:
    assert result.paths is not None
    return Path(result.paths.json_path), Path(result.paths.markdown_path)


def test_a_report_that_is_here_is_found(written: RepairResult) -> None:
    assert kept_here(written) == paths_of(written)[1]


def test_nothing_was_written() -> None:
    assert kept_here(ended_repair(2)) is None


@pytest.mark.parametrize("place", [0, 1], ids=["json", "markdown"])
@pytest.mark.parametrize("there", [None, b"", b"{}", b"# Repair report `another`\n", b"\xff\xfe", "a folder"])
def test_another_file_or_none_under_the_name_is_not_the_report(
    written: RepairResult, place: int, there: bytes | str | None
) -> None:
    path = paths_of(written)[place]
    path.unlink()
    if isinstance(there, bytes):
        path.write_bytes(there)
    elif there:
        path.mkdir()

    assert kept_here(written) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"repair_id": "repair-of-another-machine"},
        {"cycle_id": "of-an-earlier-repair-with-the-same-id"},
        {"paths": ReportPaths(json_path="report.json", markdown_path="report.md")},
        {"paths": ReportPaths(json_path="/dev/zero", markdown_path="/dev/zero")},
        {"paths": ReportPaths(json_path="/\0", markdown_path="/\0")},
    ],
    ids=str,
)
def test_the_report_of_another_repair_is_not_this_one_s(written: RepairResult, changed: dict[str, object]) -> None:
    assert kept_here(written.model_copy(update=changed)) is None


def test_the_story_ends_with_the_path_or_with_how_to_get_the_report(written: RepairResult) -> None:
    here = list(Story().end(written, kept=kept_here(written)))[-1]
    paths_of(written)[0].unlink()
    elsewhere = list(Story().end(written, kept=kept_here(written)))[-1]

    assert here == f"Report: {paths_of(written)[1]}"
    assert ELSEWHERE in elsewhere
    assert elsewhere.endswith(f"daper repair report {written.repair_id} --output report.md")
    assert str(paths_of(written)[1]) not in "\n".join(result_lines(written))
    assert not [line for line in result_lines(ended_repair(2)) if line.startswith("Report:")]


def test_the_json_document_names_only_files_that_are_here(written: RepairResult) -> None:
    here = repair_document(written).model_dump(mode="json")["report"]
    paths_of(written)[1].unlink()
    elsewhere = repair_document(written).model_dump(mode="json")["report"]

    assert isinstance(here, dict)
    assert isinstance(elsewhere, dict)
    assert (here["json_path"], here["markdown_path"]) == tuple(map(str, paths_of(written)))
    assert (elsewhere["json_path"], elsewhere["markdown_path"]) == (None, None)
    assert elsewhere["summary"] == here["summary"]


def test_a_replaced_file_may_be_read_by_whom_it_was_before(tmp_path: Path) -> None:
    path = tmp_path / "private.pdf"
    path.write_bytes(b"old")
    path.chmod(0o600)

    replace_file(path, b"new")

    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
