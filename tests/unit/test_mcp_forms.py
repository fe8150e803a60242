"""What a person reads in the form of a chat client: all that would run, and nothing that passes for something else."""

import re

import pytest
from mcp.server.elicitation import render_elicitation_schema
from pydantic import JsonValue
from tests.llm.injections import PAYLOADS

from daper.core.errors import DecisionRefused
from daper.core.guard import LONGEST_ARGUMENT
from daper.core.models import Decision, Fallback, IdentityProof, Person, Risk, Verdict
from daper.core.views import ActionView, Change, PlanView
from daper.entrypoints.mcp.forms import MOST_IN_A_FORM, Confirm, question_of

MINERVA = Person(name="Minerva", how=IdentityProof.OS_USER)


def _action(**other: object) -> ActionView:
    usual: dict[str, object] = {
        "id": "a1",
        "record_id": "ORD-1",
        "title": "Harry",
        "tool": "order_inventory",
        "arguments": {"quantity": 200},
        "editable": {"quantity": "113 to 553"},
        "risk": Risk.MEDIUM,
        "spends": "170.00",
        "preview": (Change(record="inventory/X", field="current_stock", before="247", after="447"),),
        "confidence_score": 0.95,
        "rationale": "",
        "proposed_by": "rules",
        "if_it_does_not_help": Fallback.UNDO,
        "digest": "d1",
    }
    return ActionView.model_validate(usual | other)


def _asked(*actions: ActionView, by: Person = MINERVA, edits: dict[str, JsonValue] | None = None) -> str:
    plan = PlanView(
        digest="p1",
        round=1,
        overall_confidence_score=0.95,
        additional_notes="",
        actions=actions,
        total_actions=len(actions),
        page=1,
        pages=1,
    )
    decision = Decision(
        plan_digest="p1",
        verdicts={action.id: Verdict.APPROVE for action in actions},
        edits={actions[0].id: edits} if edits else {},
        by=by,
        door="mcp",
    )
    return question_of("r1", plan, decision)


def test_the_form_says_all_that_would_run() -> None:
    assert _asked(_action()) == (
        "Run 1 action of repair r1, as Minerva (os-user)?\n"
        'In short: a1 order_inventory "ORD-1", spends 170.00. All of it:\n'
        "a1: order_inventory; risk medium; confidence score 0.95\n"
        '  record: "ORD-1", "Harry"\n'
        '  proposed by: "rules"\n'
        '  quantity: 200 (may be "113 to 553")\n'
        '  "inventory/X current_stock": "247" → "447"\n'
        "  spends: 170.00\n"
        "  if it does not help: it is undone\n"
        "Plan p1\n"
        "  actions: 1\n"
        "  overall confidence: 0.95"
    )


def test_an_edited_action_shows_its_old_cost_as_old_and_no_old_preview() -> None:
    asked = _asked(_action(), edits={"quantity": 250})
    assert "  spends: not worked out for the change (170.00 before)\n" in asked
    assert '  quantity: 200, changed to 250 (may be "113 to 553")\n' in asked
    assert "247" not in asked


def test_values_that_look_alike_are_told_apart() -> None:
    shown = {
        text: _asked(_action(arguments={"quantity": value}))
        for text, value in {"1": 1, '"1"': "1", "true": True, '"true"': "true", "null": None, '"null"': "null"}.items()
    }
    assert len(set(shown.values())) == len(shown)
    for text, asked in shown.items():
        assert f"  quantity: {text} (may be " in asked


HOSTILE = "Harry); risk low; spends 0\nPlan p9\x1b[2J\u202e, changed to Draco"


@pytest.mark.parametrize(
    "action",
    [
        _action(title=HOSTILE),
        _action(record_id=HOSTILE * 10),
        _action(arguments={"customer": HOSTILE}),
        _action(preview=(Change(record=HOSTILE, field=HOSTILE, before=HOSTILE, after=HOSTILE),)),
        _action(preview=(Change(record="spends: 0, changed to Draco", field="x", before="1", after="2"),)),
        _action(proposed_by=HOSTILE),
        _action(doubts=(HOSTILE,)),
        _action(problems=(HOSTILE,)),
        _action(rationale=HOSTILE),
    ],
    ids=["title", "record", "value", "preview", "what changes", "model", "doubt", "problem", "reason"],
)
def test_text_from_elsewhere_neither_hides_nor_fakes_a_line(action: ActionView) -> None:
    lines = _asked(action).split("\n")
    assert re.fullmatch(r'In short: a1 order_inventory `*"[^`]*"`*, spends 170\.00\. All of it:', lines[1])
    assert lines[2] == "a1: order_inventory; risk medium; confidence score 0.95"
    assert [line for line in lines if line.startswith("Plan")] == ["Plan p1"]
    assert [line for line in lines if line.startswith("  spends: ")] == ["  spends: 170.00"]
    assert not [line for line in lines if "Draco" in line and '"' not in line]
    assert all(line.isprintable() for line in lines)


def test_a_name_hides_nothing() -> None:
    luna = Person(name="Luna\nPlan p9 \u202e", how=IdentityProof.CLAIMED)
    assert _asked(_action(), by=luna).split("\n")[0].endswith("as Luna<U+000A>Plan p9 <U+202E> (claimed)?")


@pytest.mark.parametrize("quotes", ["x", '"', "\\"])
def test_the_longest_argument_that_a_plan_may_have_is_shown_whole(quotes: str) -> None:
    value = quotes * LONGEST_ARGUMENT
    asked = _asked(_action(arguments={"contents": value}, editable={"contents": "text"}), edits={"contents": value})
    assert asked.count(quotes) >= 2 * LONGEST_ARGUMENT


@pytest.mark.parametrize(
    ("action", "edits"),
    [
        (_action(arguments={"contents": "x" * 5000}), None),
        (_action(), {"quantity": "x" * 5000}),
        (_action(arguments={f"n{number}": "x" * 1400 for number in range(30)}), None),
    ],
    ids=["an argument", "a change", "all of it"],
)
def test_what_cannot_be_shown_whole_is_not_asked(action: ActionView, edits: dict[str, JsonValue] | None) -> None:
    with pytest.raises(DecisionRefused, match=r"nothing is approved that was not shown$"):
        _asked(action, edits=edits)


def test_more_actions_than_a_form_shows_are_not_asked() -> None:
    assert _asked(*(_action(id=f"a{number}") for number in range(MOST_IN_A_FORM)))
    with pytest.raises(DecisionRefused, match="51 actions are more than a form can show"):
        _asked(*(_action(id=f"a{number}") for number in range(MOST_IN_A_FORM + 1)))


INJECTIONS = [(payload.name, text) for payload in PAYLOADS for _, text in payload.parts]


def test_no_text_of_the_injection_corpus_makes_a_line_of_a_form() -> None:
    """In every field of an action that comes from elsewhere: the lines that are ours stay what they are."""
    assert len(INJECTIONS) >= 90
    usual = _asked(_action()).split("\n")
    for name, text in INJECTIONS:
        short = text[:LONGEST_ARGUMENT]
        fields: tuple[dict[str, object], ...] = (
            {"title": short},
            {"record_id": short[:200]},
            {"arguments": {"quantity": 200, "note": short}},
            {"preview": (Change(record=short[:500], field=short[:500], before=short, after=short),)},
            {"proposed_by": short},
            {"doubts": (short,)},
            {"problems": (short,)},
            {"rationale": short},
        )
        for field in fields:
            lines = _asked(_action(**field)).split("\n")
            assert (lines[0], lines[2]) == (usual[0], usual[2]), name
            assert lines[1].startswith("In short: a1 order_inventory "), name
            assert lines[1].endswith(", spends 170.00. All of it:"), name
            assert [line for line in lines if line.startswith("Plan")] == ["Plan p1"], name
            assert lines[-3:] == usual[-3:], name
            assert all(line.isprintable() for line in lines), name
            for line in lines:
                if line not in usual:
                    assert '"' in line, name
                    assert line.startswith("  ") or line == lines[1], name


def test_d1_the_schema_of_a_form_has_what_the_protocol_has_for_it_and_no_more() -> None:
    """As strict clients read it: four keys at the top, and of a field what a primitive schema may have."""
    assert render_elicitation_schema(Confirm) == {
        "type": "object",
        "properties": {
            "confirm": {
                "type": "boolean",
                "title": "Yes, do exactly this",
                "description": "Yes: do exactly this. No: nothing is decided, and the plan waits on.",
                "default": False,
            },
            "comment": {
                "type": "string",
                "title": "Comment",
                "description": "A comment, if you like. It is kept with the decision.",
                "maxLength": 2000,
                "default": "",
            },
        },
        "required": ["confirm"],
    }


def test_d7_the_description_of_each_field_says_all_where_no_title_is_shown() -> None:
    fields = render_elicitation_schema(Confirm)["properties"]
    assert fields["confirm"]["description"].startswith("Yes: do exactly this. No: ")
    assert fields["comment"]["description"].startswith("A comment")


def test_what_would_run_is_told_in_short_before_all_of_it_and_no_action_is_passed_over() -> None:
    actions = [
        _action(id=f"a{number}", record_id=f"ORD-{number}", confidence_score=number / 10) for number in range(1, 9)
    ]
    told = _asked(*actions).split("\n")[1]
    assert told.startswith('In short: a1 order_inventory "ORD-1", spends 170.00; a2 order_inventory "ORD-2"')
    assert told.endswith('a6 order_inventory "ORD-6", spends 170.00; 2 more. All of it:')
    changed = _asked(_action(), edits={"quantity": 250}).split("\n")[1]
    assert changed == 'In short: a1 order_inventory "ORD-1", with changes. All of it:'


def test_b7_a_form_tells_what_is_the_same_in_many_actions_once_and_all_that_would_run_of_each() -> None:
    actions = [
        _action(
            id=f"a{n}", record_id=f"ORD-{n}", title=f"Owl {n}", editable={}, arguments={"to": f"owl-{n}", "why": "late"}
        )
        for n in range(1, 51)
    ]
    apart = [
        _action(
            id=f"a{n}", record_id=f"ORD-{n}", title=f"Owl {n}", confidence_score=n / 100, arguments={"to": f"owl-{n}"}
        )
        for n in range(1, 51)
    ]
    asked = _asked(*actions)
    lines = asked.split("\n")

    assert lines[1:4] == [
        "In short: a1-a50 50 × order_inventory, 8,500.00 in all. All of it:",
        "a1-a50: 50 × order_inventory, 8,500.00 in all; risk medium; confidence score 0.95",
        '  proposed by: "rules"',
    ]
    assert asked.count('  why: "late"') == 1
    for n in range(1, 51):
        assert f'  a{n}: record: "ORD-{n}", "Owl {n}"; to: "owl-{n}"' in lines
    assert len(asked) < len(_asked(*apart)) / 2


def test_b7_what_is_changed_stands_apart_from_what_it_was_like() -> None:
    actions = [_action(id=f"a{n}", record_id=f"ORD-{n}") for n in range(1, 6)]
    lines = _asked(*actions, edits={"quantity": 250}).split("\n")

    assert lines[1] == (
        'In short: a1 order_inventory "ORD-1", with changes; a2-a5 4 × order_inventory, 680.00 in all. All of it:'
    )
    assert lines[2].startswith("a1: order_inventory;")
    assert any(line.startswith("a2-a5: 4 × order_inventory, 680.00 in all; risk medium") for line in lines)


def test_a_form_says_what_runs_and_what_is_rejected_apart_and_in_short_first() -> None:
    plan = PlanView(
        digest="p1",
        round=1,
        overall_confidence_score=0.95,
        additional_notes="",
        actions=tuple(_action(id=f"a{n}", record_id=f"ORD-{n}") for n in range(1, 5)),
        total_actions=4,
        page=1,
        pages=1,
    )
    verdicts = {"a3": Verdict.REJECT, "a1": Verdict.APPROVE, "a2": Verdict.APPROVE}
    lines = question_of("r1", plan, Decision(plan_digest="p1", verdicts=verdicts, by=MINERVA)).split("\n")

    assert lines[0] == "Run 2 actions and reject 1 action of repair r1, as Minerva (os-user)?"
    assert lines[1] == (
        'In short: run a1 order_inventory "ORD-1", spends 170.00; run a2 order_inventory "ORD-2", spends 170.00; '
        'reject a3 order_inventory "ORD-3", spends 170.00. All of it:'
    )
    starts = [at for at, line in enumerate(lines) if line.startswith(("To ", "a1:", "a2:", "a3:", "1 other"))]
    assert [lines[at].split(";")[0] for at in starts] == [
        "To run:", "a1: order_inventory", "a2: order_inventory", "To reject:", "a3: order_inventory",
        "1 other action of the plan will not run.",
    ]  # fmt: skip
