"""Repairs in a list: narrowed, with what waits; on narrow and wide terminals no id and no word is broken."""

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from daper.adapters.reports.archive import FileReports
from daper.adapters.reports.kept_answers import KeptAnswers
from daper.adapters.state import StatePlace
from daper.core.access import Access
from daper.core.errors import Unreachable, UserError
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.waiting import Decider, WaitingRepair
from daper.entrypoints.cli.repair_list import draw_repairs
from daper.service.kept_repairs import KeptRepairs
from daper.service.repair_list import is_wanted, phase_named, waiting_words, with_waiting
from daper.service.requests import RepairLine

AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
ID = "repair-Minerva-{:08x}-9779-4008-859a-08135468bf09"
WAITS = RepairLine(
    repair_id=ID.format(1),
    phase="PENDING-APPROVAL",
    user="Minerva",
    started_at=AT,
    domain="orders",
    actions=48,
    spends="72500.00",
    decide_by=AT + timedelta(hours=12),
)
ENDED = RepairLine(
    repair_id=ID.format(2),
    phase="REPORT-COMPLETED",
    user="Harry",
    started_at=AT,
    ended_at=AT,
    domain="payments",
    problems=57,
    actions=50,
    done=3,
)


@pytest.mark.parametrize(
    ("narrowed", "found"),
    [
        ({}, [WAITS, ENDED]),
        ({"phase": "open"}, [WAITS]),
        ({"phase": "ended"}, [ENDED]),
        ({"phase": "PENDING-APPROVAL"}, [WAITS]),
        ({"domain": "payments"}, [ENDED]),
        ({"domain": "pay"}, []),
        ({"who": "minERVA"}, [WAITS]),
        ({"who": "harry", "phase": "open"}, []),
    ],
)
def test_b7_a_list_is_narrowed_by_phase_domain_and_who_asked(narrowed: dict[str, str], found: list[RepairLine]) -> None:
    assert [line for line in (WAITS, ENDED) if is_wanted(line, **narrowed)] == found


def test_a_phase_is_named_as_people_write_it() -> None:
    assert [phase_named(each) for each in ("", " pending_approval", "Open", "report completed")] == [
        "",
        "PENDING-APPROVAL",
        "open",
        "REPORT-COMPLETED",
    ]
    with pytest.raises(UserError, match="there is no phase 'waits'; there are: open, ended, INITIALIZING"):
        phase_named("waits")


def drawn(width: int) -> list[str]:
    to = io.StringIO()
    draw_repairs(Console(file=to, width=width, force_terminal=True, color_system=None), [WAITS, ENDED])
    return [line.rstrip() for line in to.getvalue().splitlines()]


def test_b7_a_list_shows_counts_money_and_deadline_on_a_narrow_terminal() -> None:
    lines = drawn(80)
    assert lines == [
        "repair-Minerva-00000001  PENDING-APPROVAL",
        "  - orders for Minerva; started 2026-03-01 09:00:00 UTC; 48 actions; spends",
        "    72,500.00 in all; decide until 2026-03-01 21:00:00 UTC",
        "repair-Minerva-00000002  REPORT-COMPLETED",
        "  - payments for Harry; started 2026-03-01 09:00:00 UTC; 57 problems; 3 of 50",
        "    actions",
    ]


def test_b7_a_list_has_a_row_for_each_on_a_wide_one() -> None:
    [_, waits, ended] = drawn(200)
    assert " ".join(waits.split()) == (
        "repair-Minerva-00000001 PENDING-APPROVAL Minerva 2026-03-01 09:00:00 orders 48 72,500.00 2026-03-01 21:00:00"
    )
    assert ended.endswith("payments  57        3 of 50")


def waits_for(name: str, *, actions: int = 2, signed: int = 0, trouble: str = "") -> WaitingRepair:
    """A repair that waits, with actions of which some are approved by a passkey alone."""
    ids = tuple(f"a{number}" for number in range(1, actions + 1))
    digest = "" if trouble else "d" * 64
    return WaitingRepair(
        repair_id=name,
        user="Minerva",
        waits_since=AT,
        decide_by=AT,
        digest=digest,
        action_ids=ids,
        signed=signed,
        spends=Decimal(9),
        problems=3,
        trouble=trouble,
    )


@pytest.mark.parametrize(
    ("access", "signs", "signed", "kept_from"),
    [
        (frozenset(Access), False, 0, ""),
        (frozenset(Access), False, 1, ""),  # the other action is theirs to decide
        (frozenset(Access), False, 2, "all of it is approved by a passkey alone: decide at the console"),
        (frozenset(Access), True, 2, ""),
        (frozenset({Access.READ, Access.START}), True, 0, "Harry may not decide here: that needs approve"),
    ],
)
def test_b7_what_waits_for_somebody_is_what_they_may_decide_there(
    access: frozenset[Access], signs: bool, signed: int, kept_from: str
) -> None:
    decider = Decider(name="Harry", access=access, signs=signs)
    [line] = with_waiting([WAITS], [waits_for(WAITS.repair_id, signed=signed)], decider=decider)
    assert (line.kept_from, line.problems, line.actions, line.spends) == (kept_from, 3, 2, "9")


def test_b7_a_plan_that_cannot_be_read_waits_still_and_says_why() -> None:
    [line] = with_waiting([WAITS], [waits_for(WAITS.repair_id, trouble="no worker")], decider=Decider(name="Harry"))
    assert (line.kept_from, line.trouble) == ("", "no worker")


def test_b7_what_waits_is_told_in_all() -> None:
    later = WAITS.model_copy(update={"actions": 2, "spends": "0.50", "decide_by": AT + timedelta(hours=20)})
    assert waiting_words([later, WAITS], "Harry") == (
        "2 plans wait for Harry: 50 actions; spends 72,500.50 in all; the first has to be decided by "
        "2026-03-01 21:00:00 UTC."
    )
    unread = WAITS.model_copy(update={"actions": None, "spends": "", "decide_by": None})
    assert waiting_words([unread], "Harry") == (
        "1 plan waits for Harry: 0 actions; spends unknown, nobody can say in all."
    )
    assert waiting_words([], "Harry") == "No plan waits for Harry."


async def test_b7_ended_repairs_are_listed_shown_and_found_in_short_without_a_server(tmp_path: Path) -> None:
    reports = FileReports(tmp_path / "reports", answers=KeptAnswers(StatePlace(home=tmp_path).database))
    for number in (1, 2, 3):
        await reports.write(
            RepairResult(
                repair_id=ID.format(number),
                cycle_id="c",
                user="Minerva",
                domain="orders",
                phase=Phase.REPORT_COMPLETED if number < 3 else Phase.REJECTED,
                started_at=AT + timedelta(hours=number),
                ended_at=AT + timedelta(hours=number),
            )
        )
    kept = KeptRepairs(reports, away=Unreachable("nobody is there"))

    assert [line.repair_id for line in await kept.list()] == [ID.format(3), ID.format(2), ID.format(1)]
    assert [line.repair_id for line in await kept.list(wanted=lambda line: line.phase == "REJECTED")] == [ID.format(3)]
    assert await kept.whole_id("00000002") == ID.format(2)
    look = await kept.look(ID.format(2))
    assert isinstance(look, RepairResult)
    with pytest.raises(UserError, match="could mean 3 repairs"):
        await kept.whole_id("repair-Min")
    with pytest.raises(Unreachable, match="nobody is there"):
        await kept.look(ID.format(9))
