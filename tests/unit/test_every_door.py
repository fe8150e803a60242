"""One plan through every door: the same fields of each action, in the same order, and the same heads."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import pytest
from every_door import AT, DOORS, LOOK, MESSAGE, MINERVA, UNTIL, VIEW, from_markdown, rendered
from planned import findings_of, plan_of, proposed

from daper.adapters.notify import letter
from daper.adapters.reports.plan_report import plan_report
from daper.adapters.reports.repair_document import repair_document
from daper.core import lines
from daper.core.action_groups import grouped
from daper.core.lines import ACTION_KINDS, FieldLine, LineKind, PlanHead, action_lines, left_alone_lines
from daper.core.models import Change, Decision, Verdict
from daper.core.notices import Notice, Occasion, plan_message
from daper.core.phases import Phase
from daper.core.views import view_plan
from daper.documents.html import to_html
from daper.documents.markdown import to_markdown
from daper.entrypoints.cli.repair_view import look_lines
from daper.entrypoints.cli.story import Story
from daper.entrypoints.mcp.forms import question_of
from daper.entrypoints.mcp.presentation import details_of
from daper.entrypoints.web.plan_cards import plan_part
from daper.workflows.details import details

HEAD: Final = PlanHead.of(VIEW, decide_by=UNTIL).lines()
# The keys of the documents for programs, in the order of the fields.
KEYS: Final = {
    LineKind.TOOL: ("tool",),
    LineKind.RISK: ("risk",),
    LineKind.CONFIDENCE: ("confidence_score",),
    LineKind.PROPOSER: ("proposed_by",),
    LineKind.PROBLEM: ("problems",),
    LineKind.REASON: ("rationale",),
    LineKind.DONE_BEFORE: ("done_before",),
    LineKind.ARGUMENT: ("arguments", "editable"),
    LineKind.CHANGE: ("preview", "changes"),
    LineKind.SPENDS: ("spends",),
    LineKind.FALLBACK: ("if_it_does_not_help",),
    LineKind.DOUBT: ("doubts",),
    LineKind.ALTERNATIVE: ("instead_of",),
}


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def parts(shown: str) -> list[str]:
    """What is said of each action: from its id beside its tool on, to the next one."""
    starts = [re.search(rf"\b{action.id}\b.{{1,60}}\b{action.tool}\b", shown) for action in VIEW.actions]
    places = [start.start() for start in starts if start]
    assert len(places) == len(VIEW.actions), shown
    return [shown[start:end] for start, end in zip(places, [*places[1:], len(shown)], strict=True)]


def unsaid(shown: str, fields: Iterable[FieldLine]) -> list[LineKind]:
    """The fields whose text does not stand there, after that of the one before."""
    missing: list[LineKind] = []
    at = 0
    for field in fields:
        found = shown.find(plain(field.text), at)
        if found < 0:
            missing.append(field.kind)
        else:
            at = found + len(plain(field.text))
    return missing


def all_unsaid(shown: str, fields: Sequence[Sequence[FieldLine]]) -> list[LineKind]:
    whole = plain(shown)
    return [kind for part, each in zip(parts(whole), fields, strict=True) for kind in unsaid(part, each)]


def test_the_plan_has_something_to_say_in_every_field() -> None:
    assert {line.kind for action in VIEW.actions for line in action_lines(action)} == set(ACTION_KINDS)
    assert {line.kind for line in (*HEAD, *left_alone_lines(VIEW))} == set(LineKind) - set(ACTION_KINDS) | {
        LineKind.SPENDS,
        LineKind.CONFIDENCE,
    }


@pytest.mark.parametrize("door", DOORS)
def test_every_door_says_every_field_in_the_same_order(door: str) -> None:
    shown = DOORS[door]()
    fields = [action_lines(action) for action in VIEW.actions]

    assert all_unsaid(shown, fields) == []
    labels = {plain(line.label) for each in fields for line in each if line.kind is not LineKind.TOOL}
    assert not [label for label in labels if label not in plain(shown)]


@pytest.mark.parametrize("door", DOORS)
def test_every_door_says_the_heads_of_the_plan_and_what_is_left_alone(door: str) -> None:
    shown = plain(DOORS[door]())

    assert not [line.kind for line in HEAD if plain(line.text) not in shown]
    # A form asks about what would run; what is left alone is beside the plan that it is about.
    for item in () if door == "form" else (*VIEW.for_person, *VIEW.blocked, *VIEW.suppressed):
        assert item.reason in shown


@pytest.mark.parametrize(
    "door", ["show, 80 columns", "show, 200 columns", "prompt", "plan report, Markdown", "plan report, HTML"]
)
def test_c2_a_message_that_a_person_may_send_stands_there_line_by_line(door: str) -> None:
    shown = [line.strip() for line in DOORS[door]().splitlines()]
    wanted = MESSAGE.split("\n")
    at = shown.index(wanted[0])
    assert shown[at : at + len(wanted)] == wanted


def test_c2_programs_and_pages_have_the_message_that_a_person_may_send() -> None:
    assert repair_document(LOOK).model_dump(mode="json")["plan"]["for_person"][0]["message"] == MESSAGE
    [handed] = json.loads(details_of(LOOK, page=1).model_dump_json())["plan"]["for_person"]
    assert handed["message"] == MESSAGE.split("\n")
    assert plan_part(VIEW, rounds=1).left_alone[0].below == tuple(MESSAGE.split("\n"))


@pytest.mark.parametrize("kind", ACTION_KINDS[1:])
@pytest.mark.parametrize("door", DOORS)
def test_a_door_that_drops_a_field_is_found_out(door: str, kind: LineKind, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no door has words of its own for a field: without ours it says nothing of it."""
    fields = [action_lines(action) for action in VIEW.actions]
    monkeypatch.delitem(lines.ACTION_FIELDS, kind)

    assert kind in all_unsaid(DOORS[door](), fields)


# Any: whatever JSON there is.
def documents() -> dict[str, dict[str, Any]]:
    return {
        "--json": repair_document(LOOK).model_dump(mode="json"),
        "get_repair": json.loads(details_of(LOOK, page=1).model_dump_json()),
    }


@pytest.mark.parametrize("door", documents())
def test_every_document_has_every_field_in_the_same_order(door: str) -> None:
    document = documents()[door]
    plan = document["plan"]
    keys = [key for each in KEYS.values() for key in each]

    for shown, action in zip(plan["actions"], VIEW.actions, strict=True):
        there = [key for key in shown if key in keys]
        assert there == sorted(there, key=keys.index)
        assert [kind for kind, names in KEYS.items() if not any(name in there for name in names)] == []
        assert (shown["tool"], shown["risk"], shown["confidence_score"]) == (
            action.tool,
            action.risk,
            action.confidence_score,
        )
        assert (shown["arguments"], shown["editable"]) == (action.arguments, action.editable)
        assert (tuple(shown["problems"]), shown["rationale"]) == (action.problems, action.rationale)
        assert tuple(shown["doubts"]) == action.doubts
        assert tuple(shown["done_before"]) == action.done_before
        assert action.proposed_by in shown["proposed_by"]
        assert shown["instead_of"].startswith(action.instead_of)
    assert (plan["spends"], plan["left_out"]) == (VIEW.spends, VIEW.left_out) == ("170.00", 7)
    assert plan["overall_confidence_score"] == VIEW.overall_confidence_score
    assert document["decide_by"].replace("+00:00", "Z") == f"{UNTIL:%Y-%m-%dT%H:%M:%SZ}"


ALIKE: Final = plan_of(*(proposed(number, spends=Decimal("65.00")) for number in range(1, 49)))
ALIKE_VIEW: Final = view_plan(ALIKE, size=100, findings=findings_of(ALIKE))
ALIKE_LOOK: Final = LOOK.model_copy(update={"plan": ALIKE_VIEW})


def _form() -> str:
    verdicts = {action.id: Verdict.APPROVE for action in ALIKE_VIEW.actions}
    decision = Decision(plan_digest=ALIKE_VIEW.digest, verdicts=verdicts, by=MINERVA)
    first, short, *lines = question_of("r1", ALIKE_VIEW, decision).split("\n")
    assert short == "In short: a1-a48 48 × send_reminder, 3,120.00 in all. All of it:"
    return "\n".join((first, *lines)).replace('"', "")


def _notice() -> Notice:
    return plan_message(Occasion.PLAN_WAITS, ALIKE_LOOK, at=AT)


# The doors that tell what is alike once, as what stands there.
GROUPING: Final[dict[str, Callable[[], str]]] = {
    "show": lambda: "\n".join(look_lines(ALIKE_LOOK)),
    "show, at a glance": lambda: "\n".join(look_lines(ALIKE_LOOK, more="--all")),
    "prompt": lambda: "\n".join(Story(more="more").go_on(ALIKE_LOOK)),
    "Temporal UI": lambda: details(Phase.PENDING_APPROVAL, ALIKE, "", findings=findings_of(ALIKE)).replace("`", ""),
    "console": lambda: "\n".join(
        f"{group.ids}: {group.heading}\n" + "\n".join(line.text for line in group.common)
        for group in plan_part(ALIKE_VIEW, rounds=1).groups
    ),
    "form": _form,
    "mail": lambda: letter.plain_letter(_notice(), None),
    "mail, HTML": lambda: rendered(to_html(letter.letter_document(_notice(), None))),
    "plan report, Markdown": lambda: from_markdown(to_markdown(plan_report(ALIKE_LOOK, [ALIKE_VIEW]))),
}


@pytest.mark.parametrize("door", GROUPING)
def test_b7_every_door_that_tells_what_is_alike_once_has_the_same_words_for_it(door: str) -> None:
    shown = GROUPING[door]()
    [group] = grouped(ALIKE_VIEW)
    assert group.heading.text == "48 × send_reminder, 3,120.00 in all"
    assert shown.count(group.heading.text) == 1
    assert re.search(rf"a1-a48\b[^×]{{0,60}}{re.escape(group.heading.text)}", shown)
    for line in group.common:
        if line.kind not in {LineKind.TOOL, LineKind.SPENDS}:
            assert shown.count(line.text) >= 1
    assert shown.count("Nobody has reminded them.") == 1


@pytest.mark.parametrize(("before", "told"), [("a", "a → b"), ("", "b"), ("b", "b")])
def test_what_was_nothing_before_or_stays_as_it_is_is_told_once(before: str, told: str) -> None:
    assert lines.change_line(Change(record="workflows/w", field="input", before=before, after="b")).text == told
