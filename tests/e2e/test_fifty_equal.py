"""Fifty equal problems on a terminal of 80 columns: read at a glance, and decided at once with two exceptions."""

import re
from typing import Final

import pytest
from rich.cells import cell_len
from tools.pictures import lines_that_stay

from daper.core.phases import Phase
from tests.e2e.conftest import Shop
from tests.e2e.shell import until
from tests.workflow.wide_shop import install

FIFTY: Final = 50
COLUMNS: Final = 80
LEFT: Final = ("a7", "a9")
RICH: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


@pytest.fixture
def fifty(shop: Shop) -> Shop:
    """A shop in which fifty customers have not paid."""
    install(shop.home / "data" / "orders", orders=FIFTY, lines=1, name_length=20, mixed=False)
    return shop


def shown(text: str) -> list[str]:
    """The lines that are on the terminal in the end, without colours."""
    return [RICH.sub("", line).rstrip() for line in lines_that_stay(text)]


def too_long(lines: list[str]) -> list[str]:
    """Those that do not fit; what has a command or a path in it is left to the terminal, so that it is copied whole."""
    return [line for line in lines if cell_len(line) > COLUMNS and not re.search("daper |/|leaves it open", line)]


def ended(shop: Shop, repair_id: str) -> dict[str, int]:
    """What came of the actions, once the repair has ended: how many of each outcome."""

    def document() -> dict[str, object] | None:
        found: dict[str, object] = shop.run("repair", "show", repair_id, "--json").document()
        return found if found.get("ended") else None

    result = until(document, what="the end of the repair")
    assert result["phase"] == Phase.REPORT_COMPLETED
    outcomes: list[dict[str, str]] = result["outcomes"]  # pyright: ignore[reportAssignmentType]
    assert {each["action_id"] for each in outcomes if each["status"] == "not-approved"} == set(LEFT)
    return {status: sum(each["status"] == status for each in outcomes) for status in ("applied", "not-approved")}


def test_b7_fifty_equal_actions_are_read_on_one_screen_and_decided_with_two_exceptions_in_one_command(
    fifty: Shop,
) -> None:
    with fifty.worker():
        plan = fifty.waiting_plan(repair_id := fifty.begin())
        assert len(plan.actions) == FIFTY
        with fifty.terminal("repair", "show", repair_id, columns=COLUMNS) as terminal:
            assert terminal.end() == 0
        lines = shown(terminal.shown)
        command = ("repair", "approve", repair_id, "--plan", plan.digest, "--action", "all but a7, a9")
        with fifty.terminal(*command, columns=COLUMNS) as terminal:
            assert terminal.end() == 0
        assert "a1-a6, a8, a10-a50 approved" in " ".join(" ".join(shown(terminal.shown)).split())

        assert ended(fifty, repair_id) == {"applied": FIFTY - len(LEFT), "not-approved": len(LEFT)}

    assert any(f"{FIFTY} × request_payment_update" in line for line in lines)
    assert len(lines) <= 45, "\n".join(lines)
    assert too_long(lines) == []


def test_b7_fifty_equal_actions_are_decided_with_two_exceptions_in_one_answer(fifty: Shop) -> None:
    with fifty.worker(), fifty.terminal("repair", "start", columns=COLUMNS) as terminal:
        terminal.expect("leaves it open")
        asked = shown(terminal.shown)
        terminal.type("all but a7, a9\n")
        terminal.expect("Do exactly this?")
        terminal.type("y\n")
        assert terminal.end() == 0
        result = ended(fifty, re.findall(r"repair-Minerva-[0-9a-f-]+", terminal.shown)[0])

    told = " ".join(" ".join(shown(terminal.shown)).split())
    assert result == {"applied": FIFTY - len(LEFT), "not-approved": len(LEFT)}
    assert "That is: " in told
    assert "a1-a6, a8, a10-a50 approved" in told
    assert too_long(shown(terminal.shown)) == []
    assert len(asked) <= 60, "\n".join(asked)
