"""The story of a repair in lines, from looks that come early, late, or not at all."""

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from planned import proposed, shown_plan
from rich.console import Console

from daper.core.models import (
    Change,
    Decision,
    Fallback,
    Finding,
    ForPerson,
    Person,
    Plan,
    ProposedAction,
    RecordedDecision,
    Risk,
    SuppressedFinding,
    Verdict,
)
from daper.core.outcomes import ActionOutcome, OutcomeStatus, RepairResult
from daper.core.phases import Phase
from daper.core.views import ActionView, PlanView, RepairView, view_plan
from daper.entrypoints.cli.output import say
from daper.entrypoints.cli.plan_lines import hidden_at_a_glance, plan_lines
from daper.entrypoints.cli.session import how_to_decide
from daper.entrypoints.cli.story import Story, decided, result_lines

AT = datetime(2025, 6, 28, 9, 30, 5, tzinfo=UTC)
MINERVA = Person(name="Minerva")
UP_TO_PLAN = (Phase.INITIALIZING, Phase.DETECTING_PROBLEMS, Phase.ANALYZING_PROBLEMS, Phase.PLANNING_REPAIR)
UP_TO_REPAIR = (*UP_TO_PLAN, Phase.PENDING_APPROVAL, Phase.APPROVED, Phase.PENDING_REPAIR)
WHOLE = (*UP_TO_REPAIR, Phase.VERIFYING_REPAIR, Phase.PENDING_REPORT, Phase.REPORT_COMPLETED)
DECIDED = "Decided by Minerva (claimed) at 09:30:05 UTC: a1 approved"


def an_action(action_id: str = "a1") -> ActionView:
    return ActionView(
        id=action_id,
        record_id="ORD-1",
        title="Hermione",
        tool="order_inventory",
        arguments={"quantity": 200},
        editable={"quantity": "113 to 553"},
        risk=Risk.MEDIUM,
        spends="0",
        preview=(),
        confidence_score=0.95,
        rationale="",
        proposed_by="rules",
        if_it_does_not_help=Fallback.UNDO,
        digest="d",
    )


def a_plan(digest: str = "abc", **more: object) -> PlanView:
    given = {"actions": (an_action(),), "total_actions": 1, **more}
    return PlanView.model_validate(
        {
            "digest": digest,
            "round": 1,
            "overall_confidence_score": 0.9,
            "additional_notes": "",
            "page": 1,
            "pages": 1,
            **given,
        }
    )


def a_decision(digest: str = "abc") -> RecordedDecision:
    decision = Decision(plan_digest=digest, verdicts={"a1": Verdict.APPROVE}, by=MINERVA)
    return RecordedDecision(decision=decision, decided_at=AT, will_run={"a1": "d"})


def a_look(*phases: Phase, plan: PlanView | None = None, decision: RecordedDecision | None = None) -> RepairView:
    return RepairView(
        repair_id="repair-Minerva-1",
        phase=phases[-1],
        requested_by=MINERVA,
        domain="orders",
        store_id="s",
        started_at=AT,
        phase_since=AT,
        plan=plan,
        decision=decision,
        phases_seen=phases,
    )


def a_result(*phases: Phase, decision: RecordedDecision | None = None, plans: tuple[Plan, ...] = ()) -> RepairResult:
    return RepairResult(
        repair_id="repair-Minerva-1",
        cycle_id="c",
        user="Minerva",
        domain="orders",
        phase=phases[-1],
        started_at=AT,
        ended_at=AT,
        durations={str(phase): timedelta(seconds=1) for phase in phases},
        decisions=(decision,) if decision else (),
        plans=plans,
    )


def phases_in(lines: list[str]) -> list[str]:
    return [line.rpartition(": ")[2] for line in lines if line.startswith("Current repair status: ")]


def test_each_thing_is_told_once_however_often_one_looks() -> None:
    story, waiting = Story(), a_look(*UP_TO_PLAN, Phase.PENDING_APPROVAL, plan=a_plan())

    first = [*story.go_on(a_look(*UP_TO_PLAN[:2])), *story.go_on(waiting)]
    again = [*story.go_on(waiting), *story.go_on(waiting)]

    assert phases_in(first) == [*UP_TO_PLAN, Phase.PENDING_APPROVAL]
    assert first.count("Repair planning is complete. Plan abc") == 1
    assert again == []


def test_the_decision_comes_right_after_the_plan_also_when_one_look_shows_what_followed() -> None:
    lines = list(Story().go_on(a_look(*UP_TO_REPAIR, plan=a_plan(), decision=a_decision())))

    plan = lines.index("Current repair status: PENDING-APPROVAL")
    assert lines[plan + 1].startswith("Repair planning is complete.")
    assert lines[lines.index(DECIDED) + 1] == "Current repair status: APPROVED"
    assert lines.count(DECIDED) == 1


def test_a_decision_is_told_before_its_phases_when_the_plan_was_told_before() -> None:
    story = Story()
    list(story.go_on(a_look(*UP_TO_PLAN, Phase.PENDING_APPROVAL, plan=a_plan())))

    lines = list(story.go_on(a_look(*UP_TO_REPAIR, plan=a_plan(), decision=a_decision())))

    expected = ["APPROVED", "PENDING-REPAIR"]
    assert lines == [DECIDED, *(f"Current repair status: {phase}" for phase in expected)]


def test_the_end_tells_what_no_look_has_shown() -> None:
    """D21: the follower shows the last phase, whatever it missed before."""
    story = Story()
    told = list(story.go_on(a_look(*UP_TO_PLAN)))

    told += story.end(a_result(*WHOLE, decision=a_decision()))

    assert phases_in(told) == list(WHOLE)
    assert told.index(DECIDED) + 1 == told.index("Current repair status: APPROVED")
    assert told[-1] == "Workflow completed with result: REPORT-COMPLETED"


def test_the_end_is_told_also_when_a_round_was_repeated() -> None:
    story = Story()
    repeated = (*UP_TO_REPAIR, Phase.ANALYZING_PROBLEMS, Phase.PLANNING_REPAIR, Phase.PENDING_APPROVAL)
    list(story.go_on(a_look(*repeated, plan=a_plan("second"), decision=None)))

    lines = list(story.end(a_result(*WHOLE, decision=a_decision("second"))))

    assert phases_in(lines)[-1] == Phase.REPORT_COMPLETED
    assert lines.count(DECIDED) == 1


def test_the_end_tells_also_what_an_earlier_round_left_alone() -> None:
    """A round that asks anew for what lapsed looks at nothing else."""
    finding = Finding(record_id="ORD-2", kind="never-paid", issue="unpaid", fingerprint="f")
    first = Plan(digest="first", suppressed=(SuppressedFinding(finding=finding, reason="Minerva rejected it"),))

    lines = list(Story().end(a_result(*WHOLE, plans=(first, Plan(round=2, digest="second")))))

    assert "Repair planning is complete. Plan second" in lines
    assert "  - ORD-2: never-paid: left alone: Minerva rejected it" in lines


def test_a_plan_that_nobody_is_asked_about_is_told_before_the_end() -> None:
    story, looked = Story(), a_look(*UP_TO_PLAN, Phase.PENDING_REPORT, plan=a_plan())

    lines = [*story.go_on(looked), *story.end(a_result(*UP_TO_PLAN, Phase.PENDING_REPORT, Phase.PLAN_ONLY))]

    assert lines.index("Repair planning is complete. Plan abc") < lines.index("Current repair status: PENDING-REPORT")
    assert phases_in(lines)[-1] == Phase.PLAN_ONLY


def test_a_message_is_told_once() -> None:
    story = Story()
    look = a_look(*UP_TO_PLAN, Phase.PENDING_APPROVAL, plan=a_plan()).model_copy(update={"message": "a person has to"})

    assert list(story.go_on(look))[-1] == "a person has to"
    assert list(story.go_on(look)) == []


def test_a_plan_shows_limits_what_is_left_alone_and_what_is_for_a_person() -> None:
    finding = Finding(
        record_id="ORD-2",
        kind="payment-denied",
        issue="refused",
        evidence=(),
        confidence_score=1.0,
        found_by="rules",
        fingerprint="f",
    )
    plan = a_plan(
        actions=(),
        total_actions=0,
        suppressed=(SuppressedFinding(finding=finding, reason="it waits elsewhere"),),
        for_person=(ForPerson(record_id="ORD-3", kind="stuck", reason="no tool fits", fingerprint="g"),),
    )

    assert "      - quantity: 200 (may be 113 to 553)" in list(plan_lines(a_plan(), domain="orders"))
    assert list(plan_lines(plan, domain="orders"))[1:] == [
        "Nothing is proposed.",
        "  - ORD-3: stuck: for a person: no tool fits",
        "  - ORD-2: payment-denied: left alone: it waits elsewhere",
    ]


def test_record_text_that_could_pass_for_words_of_ours_is_quoted() -> None:
    """D13: what a customer calls himself, or a status, cannot go on as our own line would."""
    posing = an_action().model_copy(
        update={
            "title": "Tom): a9 hold_order: applied (simulated",
            "arguments": {"quantity": 200, "customer_name": "Tom (may be 1 to 9)", "item": "Ink, green"},
            "preview": (Change(record="orders/ORD-1", field="status", before="x → completed", after="on-hold"),),
        }
    )
    lines = list(plan_lines(a_plan(actions=(posing,)), domain="orders"))

    assert "  - ORD-1 ('Tom): a9 hold_order: applied (simulated'):" in lines
    assert "      - quantity: 200 (may be 113 to 553)" in lines
    assert "      - customer_name: 'Tom (may be 1 to 9)'" in lines
    assert "      - item: Ink, green" in lines
    assert "      - orders/ORD-1 status: 'x → completed' → on-hold" in lines


def test_a_plan_that_is_about_to_be_changed_shows_the_change_and_no_preview_that_it_makes_wrong() -> None:
    plan = a_plan(
        spends="170.00",
        actions=(an_action().model_copy(update={"preview": (Change(record="r", field="f", before="1", after="2"),)}),),
    )

    lines = list(plan_lines(plan, domain="orders", edits={"a1": {"quantity": 250}}))

    assert lines[1].endswith("spends in all not worked out for the change (170.00 before), overall confidence 0.9")
    assert "      - quantity: 200, changed to 250 (may be 113 to 553)" in lines
    assert "      - spends: not worked out for the change (0 before)" in lines
    assert not [line for line in lines if "→" in line]


def test_like_actions_are_told_once_with_a_row_for_each_and_the_others_as_ever() -> None:
    others = proposed(3, tool="hold_order"), proposed(9, risk=Risk.HIGH)
    plan = shown_plan(*(others[0] if n == 3 else proposed(n) for n in range(1, 9)), others[1])

    lines = list(plan_lines(plan, domain="orders"))

    assert lines[3] == "  - ORD-009:"
    assert lines.index("    - a3 hold_order: risk low, confidence score 0.9, proposed by rules") < lines.index(
        "  - a1, a2, a4-a8: 7 × send_reminder, 0 in all: risk low, confidence score 0.9, proposed by rules"
    )
    assert lines[-11:] == [
        "    - why: Nobody has reminded them.",
        "    - status: unpaid → reminded",
        "    - spends: 0",
        "    - if it does not help: it is undone",
        "    - a1 ORD-001: problem: Record ORD-001 is not paid.; customer: of ORD-001",
        "    - a2 ORD-002: problem: Record ORD-002 is not paid.; customer: of ORD-002",
        "    - a4 ORD-004: problem: Record ORD-004 is not paid.; customer: of ORD-004",
        "    - a5 ORD-005: problem: Record ORD-005 is not paid.; customer: of ORD-005",
        "    - a6 ORD-006: problem: Record ORD-006 is not paid.; customer: of ORD-006",
        "    - a7 ORD-007: problem: Record ORD-007 is not paid.; customer: of ORD-007",
        "    - a8 ORD-008: problem: Record ORD-008 is not paid.; customer: of ORD-008",
    ]
    assert "      - orders/ORD-009 status: unpaid → reminded" in lines


def test_fifty_like_actions_take_a_line_each_and_a_glance_at_them_a_screen() -> None:
    plan = shown_plan(*map(proposed, range(1, 51)))

    assert len(list(plan_lines(plan, domain="orders"))) == 58
    glance = list(plan_lines(plan, domain="orders", more="--all"))
    assert len(glance) == 14
    assert glance[3] == "  - a1-a50: 50 × send_reminder, 0 in all: risk low, confidence score 0.9, proposed by rules"
    assert glance[-1].startswith("    - … and a6-a50 for ORD-006, ORD-007, ")
    assert glance[-1].endswith(" and 33 more; each has its own problem, customer: --all")
    assert hidden_at_a_glance(plan) == {f"a{n}" for n in range(6, 51)}


def test_b7_fifty_actions_that_each_choose_otherwise_are_a_row_each_and_the_dearest_is_no_exception() -> None:
    """A restock of each item in its own quantity is like no other, and still no page of its own."""
    dear = proposed(7, tool="order_inventory", quantity=900, spends=Decimal(70_000), risk=Risk.HIGH)
    others = (proposed(n, tool="order_inventory", quantity=n, spends=Decimal(n)) for n in range(1, 51) if n != 7)
    plan = shown_plan(*others, dear)

    glance = list(plan_lines(plan, domain="orders", more="--all"))

    assert len(glance) < 45
    assert glance[3] == "  - ORD-007:"
    assert "      - spends: 70,000" in glance
    head = glance.index(
        "  - a1-a6, a8-a50: 49 × order_inventory, 1,268 in all: risk low, confidence score 0.9, proposed by rules"
    )
    assert glance[head + 4].startswith("    - a1 ORD-001: problem: ")
    assert "quantity: 1 (may be 1 to 900); spends: 1" in glance[head + 4]
    assert hidden_at_a_glance(plan) == {f"a{n}" for n in range(22, 51)}


def test_a_glance_hides_nothing_of_a_short_plan_nor_of_what_is_edited() -> None:
    short = shown_plan(*map(proposed, range(1, 8)))
    assert list(plan_lines(short, domain="orders", more="--all")) == list(plan_lines(short, domain="orders"))
    plan = shown_plan(*(proposed(n, quantity=5) for n in range(1, 51)))
    edits = {"a40": {"quantity": 7}}
    lines = list(plan_lines(plan, domain="orders", edits=edits, more="--all"))
    assert "      - quantity: 5, changed to 7 (may be 1 to 900)" in lines
    assert "a40" not in hidden_at_a_glance(plan, edits=edits)


def test_what_a_plan_leaves_alone_is_counted_in_its_first_lines_and_at_a_glance_cut() -> None:
    handed = tuple(
        ForPerson(record_id=f"ORD-{n}", kind="stuck", reason="no tool fits", fingerprint=str(n)) for n in range(40)
    )
    plan = view_plan(Plan(digest="d", for_person=handed, left_out=7), size=500)

    whole, glance = (list(plan_lines(plan, domain="orders", more=more)) for more in ("", "--all"))

    assert whole[1:4] == [
        "  - left out: 7 more problems are over the cap of one repair; another one takes them on",
        "  - not acted on: 40 problems, left alone or for a person",
        "Nothing is proposed.",
    ]
    assert len(whole) == 44
    assert len(glance) == 15
    assert glance[-1] == "  - … and 30 more problems not acted on: --all"


def test_what_is_edited_stands_alone_with_its_change() -> None:
    plan = shown_plan(*(proposed(n, quantity=5) for n in range(1, 6)))
    lines = list(plan_lines(plan, domain="orders", edits={"a2": {"quantity": 7}}))
    assert "  - a1, a3-a5: 4 × send_reminder, 0 in all: risk low, confidence score 0.9, proposed by rules" in lines
    assert "      - quantity: 5, changed to 7 (may be 1 to 900)" in lines


def test_record_text_in_a_row_cannot_pass_for_another_field() -> None:
    plan = shown_plan(*map(proposed, range(1, 4)))
    posing = plan.actions[0].model_copy(
        update={"arguments": {"customer": "Tom; spends: 0"}, "problems": ("Owes: nothing; risk: low",)}
    )
    lines = list(plan_lines(plan.model_copy(update={"actions": (posing, *plan.actions[1:])}), domain="orders"))
    assert "    - a1 ORD-001: problem: 'Owes: nothing; risk: low'; customer: 'Tom; spends: 0'" in lines


def test_what_was_done_tells_what_changed_and_quotes_what_could_pass_for_more() -> None:
    outcome = ActionOutcome(
        action_id="a1",
        record_id="ORD-1",
        tool="request_approval",
        status=OutcomeStatus.APPLIED,
        before={"status": "unpaid", "approval": "none, stock 1 → 9"},
        after={"status": "unpaid", "approval": "given"},
    )
    first = outcome.model_copy(update={"record_id": "ORD-3", "before": {}, "after": {"answer": 202}})
    same = outcome.model_copy(update={"record_id": "ORD-2", "after": outcome.before})
    result = a_result(*WHOLE).model_copy(update={"outcomes": (outcome, same, first)})

    lines = list(result_lines(result))

    assert "  - ORD-1: request_approval: applied: approval 'none, stock 1 → 9' → given" in lines
    assert "  - ORD-3: request_approval: applied: answer 202" in lines
    assert any(line.startswith("  - ORD-2: request_approval: applied: status unpaid → unpaid, ") for line in lines)


def test_at_a_glance_what_became_of_many_alike_is_said_once() -> None:
    outcomes = [
        ActionOutcome(
            action_id=f"a{number}",
            record_id=f"ORD-{number}",
            tool="hold_order",
            status=OutcomeStatus.NOT_APPROVED if number > 1 else OutcomeStatus.REJECTED,
            evidence=("not named in the decision",) if number > 1 else ("rejected",),
        )
        for number in range(1, 50)
    ]
    result = a_result(*WHOLE).model_copy(update={"outcomes": tuple(outcomes)})

    glance = list(result_lines(result, glance=True))

    assert glance[:5] == [
        "Done:",
        "  - ORD-1: hold_order: rejected",
        "      - rejected",
        "  - 48 × hold_order: not-approved: " + ", ".join(f"ORD-{n}" for n in range(2, 14)) + " and 36 more",
        "      - not named in the decision",
    ]
    assert len(list(result_lines(result))) == 100


def test_a_decision_on_many_names_all_of_them() -> None:
    verdicts = {f"a{n}": Verdict.APPROVE if n != 7 else Verdict.REJECT for n in range(1, 51)}
    decision = Decision(plan_digest="d", verdicts=verdicts, by=MINERVA)
    run = {name: "d" for name, verdict in verdicts.items() if verdict is Verdict.APPROVE}
    told = decided(RecordedDecision(decision=decision, decided_at=AT, will_run=run))
    assert told.endswith(": a1-a6, a8-a50 approved; a7 rejected")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("    - why: the supplier has to bring it", ["    - why: the supplier", "      has to bring it"]),
        ("  - 赫敏 赫敏 赫敏 赫敏 赫敏", ["  - 赫敏 赫敏 赫敏 赫敏", "    赫敏"]),
        ("  - id: 0123456789-0123456789-0123456789", ["  - id:", "    0123456789-0123456789-0123456789"]),
        ("  daper repair approve repair-1 --plan 0123", ["  daper repair approve repair-1 --plan 0123"]),
        ("See it again: daper repair show 1 --all", ["See it again: daper repair show 1 --all"]),
        ("Report Summary: 50 problems found", ["Report Summary: 50", "   problems found"]),
        ("Note: said - a1 pay: applied (b)", ["Note: said - a1 pay:", "   applied (b)"]),
        ("  (for some of it --action 'a1')", ["  (for some of it", "     --action 'a1')"]),
    ],
    ids=[
        "words",
        "wide letters",
        "one long word",
        "a command",
        "a command in a line",
        "a sentence",
        "no line of ours",
        "a note",
    ],
)
def test_b7_on_a_terminal_an_item_goes_on_below_its_words_and_no_word_is_broken(line: str, shown: list[str]) -> None:
    assert told(line, width=24, terminal=True) == shown
    assert told(line, width=24, terminal=False) == [line]


def told(line: str, *, width: int, terminal: bool) -> list[str]:
    to = io.StringIO()
    say(Console(file=to, width=width, force_terminal=terminal, color_system=None), line)
    return to.getvalue().splitlines()


@pytest.mark.parametrize(
    ("actions", "hint"),
    [
        ([proposed(1)], []),
        (
            [proposed(1), proposed(2, tool="hold_order")],
            ["  (for some of it --action 'a1' or --action 'all but a2', and --reject a2 beside that, or --where"
             " 'tool = send_reminder')"],
        ),
        (
            [proposed(n, spends=Decimal(n), quantity=n) for n in range(1, 9)],
            ["  (for some of it --action 'a1-a4' or --action 'all but a8', and --reject a8 beside that, or --where"
             " 'spends < 8')",
             "  (to change it within its limits: --edit a1.quantity=VALUE)"],
        ),
    ],
    ids=["one action", "two tools", "amounts"],
)  # fmt: skip
def test_b7_hints_fit_the_plan(actions: list[ProposedAction], hint: list[str]) -> None:
    look = a_look(*UP_TO_PLAN, Phase.PENDING_APPROVAL, plan=shown_plan(*actions))
    assert list(how_to_decide(look))[3:] == hint


@pytest.mark.parametrize(
    ("domain", "told"),
    [("orders", "Proposed Orders to repair:"), ("temporal", "Proposed records of temporal to repair:")],
)
def test_the_records_of_a_plan_are_called_by_their_domain(domain: str, told: str) -> None:
    assert told in plan_lines(shown_plan(proposed(1)), domain=domain)
