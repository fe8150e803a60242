"""The walk-throughs in the docs do what they say: their code runs, and is the code that the tests run."""

import re
import sys
import tomllib
import types
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from daper.clock import utc_now
from daper.core.outcomes import Holding, OutcomeStatus
from daper.ports import RepairTool, Settleable, ToolCall, Undoable

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
STRANGER = ROOT / "tests" / "strangers"
KEY, TICKET = "k1", "T-1"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def lines_of_code(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def test_the_code_of_the_domain_page_is_the_strangers_whole_and_in_order() -> None:
    shown = "\n".join(blocks(DOCS / "add-a-domain.md", "python"))
    whole = (STRANGER / "daper_alerts" / "__init__.py").read_text(encoding="utf-8")

    assert lines_of_code(shown) == lines_of_code(whole)


def test_the_domain_page_names_the_strangers_files_and_no_others() -> None:
    rows = re.findall(r"^\| `(tests/strangers/[^`]+)` \|", (DOCS / "add-a-domain.md").read_text("utf-8"), re.MULTILINE)
    there = [path for path in STRANGER.rglob("*") if path.is_file() and "__pycache__" not in path.parts]

    assert sorted(rows) == sorted(path.relative_to(ROOT).as_posix() for path in there)


def test_the_entry_point_of_the_domain_page_is_the_strangers() -> None:
    [text] = blocks(DOCS / "add-a-domain.md", "toml")
    group = tomllib.loads(text)["project"]["entry-points"]["daper.domains"]

    installed = (STRANGER / "daper_alerts-0.1.dist-info" / "entry_points.txt").read_text(encoding="utf-8")
    assert [f"{name} = {target}" for name, target in group.items()] == installed.splitlines()[1:]


@pytest.fixture
def page() -> Iterator[types.ModuleType]:
    """The code of the tool page, as a module."""
    module = types.ModuleType("add_a_tool_page")
    sys.modules[module.__name__] = module
    exec("\n".join(blocks(DOCS / "add-a-tool.md", "python")), module.__dict__)  # noqa: S102 - our own page
    yield module
    del sys.modules[module.__name__]


class Desk:
    """A desk with one closed ticket, and the page's tool on it."""

    def __init__(self, page: types.ModuleType, path: Path) -> None:
        self.page, self.path = page, path
        self.write("INSERT INTO tickets VALUES (?, 'closed', 7)")
        # What a module made at run time holds has no type; the assertions below are about it.
        self.tool = cast(RepairTool, page.ReopenTicket(path))
        self.call = ToolCall(
            key=KEY,
            record_id=TICKET,
            arguments={"ticket": TICKET},
            expected={f"tickets/{TICKET}": "7"},
            today=utc_now(),
        )

    def write(self, statement: str) -> None:
        with self.page.transaction(self.path) as db:
            db.execute(statement, (TICKET,))

    def ticket(self) -> tuple[str, int]:
        with self.page.transaction(self.path) as db:
            return db.execute("SELECT status, version FROM tickets").fetchone()


@pytest.fixture
def desk(page: types.ModuleType, tmp_path: Path) -> Desk:
    return Desk(page, tmp_path / "desk.db")


async def test_the_pages_tool_applies_once_for_its_key(desk: Desk) -> None:
    """D1."""
    first = await desk.tool.apply(desk.call)
    again = await desk.tool.apply(desk.call)

    assert first.status is OutcomeStatus.APPLIED
    assert again == first
    assert desk.ticket() == ("open", 8)
    assert first.wrote == {f"tickets/{TICKET}": "8"}
    assert (await desk.tool.holds(desk.call, first)).holding is Holding.YES


async def test_the_pages_tool_can_be_settled_and_a_late_attempt_obeys(desk: Desk) -> None:
    """D1."""
    assert isinstance(desk.tool, Settleable)

    assert await desk.tool.settle(KEY) is None
    assert (await desk.tool.apply(desk.call)).status is OutcomeStatus.FAILED
    assert await desk.tool.settle(KEY) is None
    assert desk.ticket() == ("closed", 7)


async def test_settling_tells_what_the_pages_tool_did(desk: Desk) -> None:
    assert isinstance(desk.tool, Settleable)
    done = await desk.tool.apply(desk.call)

    assert await desk.tool.settle(KEY) == done


@pytest.mark.parametrize(
    ("statement", "late", "status"),
    [
        ("UPDATE tickets SET version = 8 WHERE id = ?", False, OutcomeStatus.STALE),
        ("UPDATE tickets SET status = 'merged' WHERE id = ?", False, OutcomeStatus.BLOCKED),
        ("DELETE FROM tickets WHERE id = ?", False, OutcomeStatus.STALE),
        ("UPDATE tickets SET status = 'closed' WHERE id = ?", True, OutcomeStatus.LAPSED),
    ],
)
async def test_the_pages_tool_says_no_for_good(desk: Desk, statement: str, late: bool, status: OutcomeStatus) -> None:
    """D5."""
    desk.write(statement)
    before = utc_now() - timedelta(seconds=1) if late else None

    first = await desk.tool.apply(replace(desk.call, valid_until=before))

    assert first.status is status
    desk.write("INSERT OR REPLACE INTO tickets VALUES (?, 'closed', 7)")
    assert await desk.tool.apply(desk.call) == first
    assert desk.ticket() == ("closed", 7)


async def test_the_pages_tool_undoes_what_nobody_touched(desk: Desk) -> None:
    assert isinstance(desk.tool, Undoable)
    done = await desk.tool.apply(desk.call)

    undone = await desk.tool.undo(desk.call, done, key="u1")

    assert undone.status is OutcomeStatus.UNDONE
    assert await desk.tool.undo(desk.call, done, key="u1") == undone
    assert desk.ticket() == ("closed", 9)


async def test_the_pages_tool_does_not_undo_what_somebody_changed(desk: Desk) -> None:
    assert isinstance(desk.tool, Undoable)
    done = await desk.tool.apply(desk.call)
    desk.write("UPDATE tickets SET version = 20 WHERE id = ?")

    assert (await desk.tool.undo(desk.call, done, key="u1")).status is OutcomeStatus.UNDO_BLOCKED
    assert desk.ticket() == ("open", 20)
