"""The page about one's own database: its terminal is a real one, and its steps lead where it says."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from daper.domains.declared.examples import example_seed
from tests.e2e.shell import Shell

PAGE = Path(__file__).parents[2] / "docs" / "own-database.md"
TYPED = (
    ("Which variable has the address of the database? [PAYMENTS_URL]: ", ""),
    ("Which table has the records? Its name or number: ", "payments"),
    ("Which column says how a row stands? Its name or number, - for none [status]: ", ""),
    ("Which of its values are wrong? Values or numbers, with commas: ", "failed"),
    ("To which status may a tool set them? - for no tool yet [-]: ", "queued"),
    ("take it all the same\r\nTo which status may a tool set them? - for no tool yet [-]: ", "queued"),
)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as db:
        for statement in example_seed("payments"):
            db.execute(statement)
        db.commit()
    return Shell(root=tmp_path, env={"PAYMENTS_URL": f"sqlite:///{tmp_path / 'shop.db'}"})


def recorded(shell: Shell) -> str:
    """What somebody sees at a terminal who makes a file for the payments."""
    with shell.terminal("domain", "new", "payments", extra={"COLUMNS": "250"}) as terminal:
        for question, answer in TYPED:
            terminal.expect(question)
            terminal.type(f"{answer}\n")
        assert terminal.end() == 0, terminal.shown
        plain = re.sub(r"\x1b\[[0-9;]*m", "", terminal.shown).replace("\r\n", "\n")
    lines = [line.rstrip() for line in plain.replace(str(shell.home), "~/.daper").splitlines()]
    return "\n".join(["$ daper domain new payments", *lines]) + "\n"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_terminal_of_the_page_is_a_real_one(shell: Shell) -> None:
    [shown] = blocks("text")
    assert recorded(shell) == shown


def test_the_steps_of_the_page_lead_to_a_plan(shell: Shell) -> None:
    options = "--database-env PAYMENTS_URL --table payments --status status --wrong failed --to queued"
    new = shell.run("domain", "new", "payments", *options.split())
    assert new.code == 0, new.err
    for step in (["domain", "check"], ["domain", "show"], ["domain", "init"], ["domain", "test"]):
        ran = shell.run(*step, "payments")
        assert ran.code == 0, ran.err + ran.out
    listed = shell.run("records", "list", "--domain", "payments")
    assert listed.out.count("failed") >= 5
    page = PAGE.read_text(encoding="utf-8")
    for command in ("domain new", "domain check", "domain show", "domain init", "domain test", "repair start"):
        assert f"daper {command}" in page, command
