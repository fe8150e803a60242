"""What a message says: enough to decide, bounded, and nothing of it hidden or markup."""

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from planned import findings_of, plan_of, proposed
from sized_repairs import HOSTILE, ended_repair, waiting_repair

from daper.adapters.notify.letter import LONGEST_SUBJECT, commands, letter_document, plain_letter, subject
from daper.core.models import Risk
from daper.core.notices import (
    MOST_ACTIONS_TOLD,
    MOST_PROBLEMS_TOLD,
    Notice,
    Occasion,
    end_message,
    event_id,
    event_of,
    plan_message,
    trial_message,
)
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.views import view_plan
from daper.documents.html import to_html

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def asked(orders: int) -> Notice:
    return plan_message(Occasion.PLAN_WAITS, waiting_repair(orders), at=NOW)


@pytest.mark.parametrize("orders", [1, 500])
def test_a_plan_is_told_with_what_a_decision_needs_and_never_grows_past_a_bound(orders: int) -> None:
    message = asked(orders)
    text = plain_letter(message, "https://ui.example/x")
    first = message.action_lines[0]

    for part in (first.id, first.record, first.tool, f"risk {first.risk}", f"spends: {first.spends}", "decide until: "):
        assert part in text
    assert "see: https://ui.example/x" in text
    assert f"daper repair approve {message.subject_id}" in text
    assert 0 < len(message.action_lines) <= MOST_ACTIONS_TOLD
    assert len(message.problem_lines) <= MOST_PROBLEMS_TOLD
    if message.actions > MOST_ACTIONS_TOLD:
        alone = sum(not each.alike for each in message.action_lines)
        assert f"and {message.actions - alone - sum(each.actions for each in message.groups):,} more" in text
    assert len(message.model_dump_json().encode()) < 40_000
    assert len(text.encode()) < 30_000
    assert len(to_html(letter_document(message, None)).encode()) < 60_000


def test_b7_a_plan_of_many_equal_actions_is_told_once_with_the_exceptions_first() -> None:
    actions = [proposed(number, spends=Decimal(65)) for number in range(1, 51)]
    plan = plan_of(*actions[:48], proposed(49, spends=Decimal(65), risk=Risk.HIGH), proposed(50, spends=Decimal(9)))
    look = waiting_repair(1).model_copy(update={"plan": view_plan(plan, size=100, findings=findings_of(plan))})
    message = plan_message(Occasion.PLAN_WAITS, look, at=NOW)
    text = plain_letter(message, None)
    [group] = message.groups

    assert (group.ids, group.actions, len(group.rows), group.more) == ("a1-a48", 48, 5, 43)
    assert [each.id for each in message.action_lines if not each.alike] == ["a49", "a50"]
    assert text.index("  - a49 ") < text.index("  - a50 ") < text.index("  - a1-a48: 48 × send_reminder, 3,120 in all")
    assert text.count("Nobody has reminded them.") == 3
    assert "      and 43 more, each for a record of its own" in text
    assert "  - and " not in text  # every action is told, or counted with its group
    assert len(text.splitlines()) < 70
    assert message == Notice.model_validate_json(message.model_dump_json())


def test_no_command_decides_anything_that_was_not_seen() -> None:
    assert not [command for command in commands(asked(3)) if "--plan" in command.line]


def test_nothing_is_hidden_and_nothing_is_markup_in_any_form() -> None:
    hostile = [
        *HOSTILE,
        "a\r\nBcc: x@example.org",
        "=?utf-8?q?x?=",
        "\x1b[2J",
        "\u202eevil",
        "</td><script>alert(1)</script>",
    ]
    view = waiting_repair(2)
    assert view.plan is not None
    for name in hostile:
        actions = tuple(action.model_copy(update={"title": name, "problems": (name,)}) for action in view.plan.actions)
        changed = view.model_copy(update={"domain": name, "plan": view.plan.model_copy(update={"actions": actions})})
        message = plan_message(Occasion.PLAN_WAITS, changed, at=NOW)
        for line in (subject(message), *plain_letter(message, None).splitlines()):
            assert line.isprintable()
        assert len(subject(message)) < LONGEST_SUBJECT + 50
        html = to_html(letter_document(message, None))
        assert "<script" not in html
        assert "<img" not in html
        assert set(html) & set("\x1b\u202e\r") == set()


def test_an_ended_repair_is_told_with_what_is_left() -> None:
    result = ended_repair(40)
    event = event_of(result)
    assert event is Occasion.REPAIR_NEEDS_HAND
    message = end_message(event, result, at=NOW)
    text = plain_letter(message, None)
    assert "the repair ended, and needs a hand" in text
    assert "Left for a person" in text
    assert f"daper repair report {result.repair_id}" in text
    assert re.search(
        r"^problems: \d+ found, \d+ of \d+ actions done, \d+ repaired(, \d+ left alone)?$", text, re.MULTILINE
    )


@pytest.mark.parametrize(
    ("phase", "event"),
    [
        (Phase.APPROVAL_EXPIRED, Occasion.PLAN_EXPIRED),
        (Phase.REPAIR_FAILED, Occasion.REPAIR_FAILED),
        (Phase.CANCELLED, Occasion.REPAIR_STOPPED),
        (Phase.REJECTED, Occasion.PLAN_REJECTED),
        (Phase.REPORT_COMPLETED, Occasion.REPAIR_DONE),
        (Phase.PLAN_ONLY, Occasion.REPAIR_DONE),
        (Phase.NO_REPAIR_NEEDED, None),
    ],
)
def test_each_end_is_one_event_and_nothing_to_do_is_none(phase: Phase, event: Occasion | None) -> None:
    result = RepairResult(
        repair_id="r", cycle_id="c", user="Harry", domain="orders", phase=phase, started_at=NOW, ended_at=NOW
    )
    assert event_of(result) is event


def test_an_event_has_one_id_for_each_target_and_round() -> None:
    ids = {
        event_id("c1", 1, Occasion.PLAN_WAITS, "harry"),
        event_id("c1", 2, Occasion.PLAN_WAITS, "harry"),
        event_id("c1", 1, Occasion.PLAN_STILL_WAITS, "harry"),
        event_id("c1", 1, Occasion.PLAN_WAITS, "owl"),
        event_id("c2", 1, Occasion.PLAN_WAITS, "harry"),
    }
    assert len(ids) == 5
    assert event_id("c1", 1, Occasion.PLAN_WAITS, "harry") in ids


def test_a_trial_says_who_asked_for_it() -> None:
    assert "Harry asked for this with: daper people test" in plain_letter(trial_message("Harry", at=NOW), None)
