"""The walk-throughs in the docs show the code that the tests run, whole and in order."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
STRANGERS = ROOT / "tests" / "strangers"
DESK, ALERTS = STRANGERS / "daper_desk" / "__init__.py", STRANGERS / "daper_alerts" / "__init__.py"
INSTALLED = STRANGERS / "daper_desk-0.1.dist-info" / "entry_points.txt"
MOST_LINES = 90


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def lines_of_code(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def test_the_code_of_the_domain_page_is_the_desk_whole_and_in_order() -> None:
    shown = "\n".join(blocks(DOCS / "add-a-domain.md", "python"))

    assert lines_of_code(shown) == lines_of_code(DESK.read_text(encoding="utf-8"))


def test_the_desk_is_as_short_as_its_page_says() -> None:
    assert len(DESK.read_text(encoding="utf-8").splitlines()) <= MOST_LINES
    assert f"in {MOST_LINES} lines" in (DOCS / "add-a-domain.md").read_text(encoding="utf-8")


def test_the_domain_page_names_the_desks_files_and_no_others() -> None:
    rows = re.findall(r"^\| `(tests/strangers/[^`]+)` \|", (DOCS / "add-a-domain.md").read_text("utf-8"), re.MULTILINE)
    there = [
        path
        for folder in STRANGERS.glob("daper_desk*")
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]

    assert sorted(rows) == sorted(path.relative_to(ROOT).as_posix() for path in there)


def test_the_entry_point_of_the_domain_page_is_the_desks() -> None:
    [text] = blocks(DOCS / "add-a-domain.md", "toml")
    group = tomllib.loads(text)["project"]["entry-points"]["daper.domains"]

    assert [f"{name} = {target}" for name, target in group.items()] == INSTALLED.read_text("utf-8").splitlines()[1:]


def test_the_code_of_the_tool_page_is_the_alerts_own() -> None:
    whole = "\n".join(lines_of_code(ALERTS.read_text(encoding="utf-8")))
    shown = blocks(DOCS / "add-a-tool.md", "python")

    assert shown
    assert all("\n".join(lines_of_code(block)) in whole for block in shown)
