"""The page on own data names every field that is read, every status that is known, and every limit."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import BaseModel

from daper.domains.orders.importing import draft as importing
from daper.domains.orders.importing import inspection, intake, remarks
from daper.domains.orders.models import Approval, Line, Order, Restock, StatusChange, StockRow
from daper.domains.orders.statuses import KNOWN, OrderStatus, normal

PAGE = (Path(__file__).parents[2] / "docs" / "own-data.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return re.split(r"^#+ ", PAGE.partition(f"# {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def rows(title: str) -> dict[str, list[str]]:
    """The rows of the table in a section: each code in the first column → the other cells."""
    found: dict[str, list[str]] = {}
    for line in section(title).splitlines():
        first, *cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        found |= dict.fromkeys(re.findall(r"`([^`]+)`", first), cells)
    return found


@pytest.mark.parametrize(
    ("title", "model"), [("An order", Order), ("A line of an order", Line), ("An inventory row", StockRow)]
)
def test_every_field_has_a_row_that_says_whether_it_is_needed(title: str, model: type[BaseModel]) -> None:
    found = rows(title)

    assert found.keys() - {"currency"} == model.model_fields.keys() - {"currency"}
    needed = {name for name, cells in found.items() if "yes" in cells[1]}
    assert needed == {name for name, field in model.model_fields.items() if field.is_required()}


@pytest.mark.parametrize(
    ("name", "model"),
    [("status_history", StatusChange), ("restocks", Restock), ("approval", Approval), ("approval_request", Approval)],
)
def test_what_is_inside_a_field_is_named_in_its_row(name: str, model: type[BaseModel]) -> None:
    assert set(model.model_fields) == set(re.findall(r"`([^`]+)`", rows("An order")[name][0]))


def test_every_known_status_is_in_the_table_and_no_other() -> None:
    told = re.findall(r"`([^`]+)`", section("Statuses that the rules know"))

    assert sorted(told) == sorted(KNOWN)
    assert {normal(status) for status in OrderStatus} <= set(told)


def test_the_limits_are_those_that_hold() -> None:
    told = [
        int(number.replace(",", "")) for number in re.findall(r"\| ([\d,]+)(?: bytes)? \|$", section("Limits"), re.M)
    ]

    assert told == [intake.LARGEST_STREAM, inspection.MOST_RECORDS, inspection.MOST_ENTRIES, remarks.MOST_REMARKS]


def test_the_example_is_imported_without_a_word(tmp_path: Path) -> None:
    files = [tmp_path / "o.json", tmp_path / "i.json"]
    examples = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for path, text in zip(files, examples, strict=True):
        assert json.loads(text)
        path.write_text(text, encoding="utf-8")

    draft = importing.draft_of(files, now=datetime(2025, 7, 1, tzinfo=UTC))

    assert (draft.faults, draft.warnings) == ((), ())
    assert [finding.kind for finding in draft.findings] == ["inventory-short"]
