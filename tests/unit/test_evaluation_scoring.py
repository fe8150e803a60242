"""The score of an evaluation: each thing that goes wrong lowers the figure that is about it, and no other."""

from decimal import Decimal
from io import StringIO

import pytest
from judged_runs import CASES, MODEL, RIGHT_END, Story, action, finding, outcome
from rich.console import Console

from daper.core.models import BlockedProposal, ProposedAction
from daper.core.outcomes import OutcomeStatus
from daper.core.usage import Role, Spent
from daper.entrypoints.cli.evaluation_table import WIDTH, table_of
from daper.evaluation.observation import Run
from daper.evaluation.score import Evaluation, Score, evaluate, pass_hat_k

THOUGHT = {Role.ANALYZE: MODEL, Role.PLAN: MODEL}
SHARES = ("precision", "recall", "plan", "end_state", "person", "passed")


def score(story: Story) -> Evaluation:
    return evaluate(CASES, [story.run()])


def shares(of: Score) -> dict[str, float | None]:
    return {name: getattr(of, name).share for name in SHARES}


def lowered(story: Story) -> set[str]:
    """The shares of what rules can know that are no longer whole."""
    return {name for name, share in shares(score(story).product.knowable).items() if share != 1}


def test_all_that_is_right_is_100_percent_and_what_nobody_found_is_counted_apart() -> None:
    scores = score(Story()).product

    assert shares(scores.knowable) == dict.fromkeys(SHARES, 1.0)
    assert shares(scores.not_knowable) == {
        "precision": None,
        "recall": 0.0,
        "plan": 1.0,
        "end_state": 1.0,
        "person": 0.0,
        "passed": 0.0,
    }
    assert (scores.overall.recall.count, scores.overall.recall.of) == (1, 2)
    assert scores.overall.false_repairs == scores.overall.wrong_actions == 0


def test_a_problem_that_is_not_found_lowers_recall_and_nothing_found_is_no_precision() -> None:
    missed = Story(findings=())

    assert lowered(missed) == {"precision", "recall", "passed"}
    assert score(missed).product.knowable.precision.share is None
    assert score(missed).product.knowable.recall.share == 0


def test_a_problem_that_is_not_there_lowers_precision() -> None:
    assert lowered(Story(findings=[finding("SHORT", "short"), finding("FINE", "short")])) == {"precision", "passed"}
    assert lowered(Story(findings=[finding("SHORT", "short"), finding("SHORT", "stuck")])) == {"precision", "passed"}


def test_the_right_kind_on_the_wrong_record_is_both_missed_and_wrong() -> None:
    assert lowered(Story(findings=[finding("FINE", "short")])) == {"precision", "recall", "passed"}


def test_the_same_problem_found_twice_is_once_too_often() -> None:
    twice = [finding("SHORT", "short"), finding("SHORT", "short")]
    assert score(Story(findings=twice)).product.knowable.precision.share == 0.5


def test_what_is_tolerated_is_neither_right_nor_wrong() -> None:
    found = score(Story(findings=[finding("SHORT", "short"), finding("ODD", "unpaid")]))

    assert found.product.not_knowable.precision.share is None
    assert found.product.overall.precision.share == 1


@pytest.mark.parametrize(
    "actions",
    [
        [action(arguments={"item": "I-1", "quantity": 0})],
        [action(arguments={"item": "I-1", "quantity": 10})],
        [action(arguments={"item": "I-2", "quantity": 7})],
        [action(arguments={"item": "I-1", "quantity": True})],
        [action(arguments={"item": "I-1"})],
        [action(tool="hold")],
        [action(), action(arguments={"item": "I-1", "quantity": 8}, action_id="a2")],
    ],
    ids=["too few", "too many", "another item", "no number", "nothing", "another tool", "twice"],
)
def test_any_other_action_is_a_wrong_plan_and_a_false_repair_once_it_is_done(actions: list[ProposedAction]) -> None:
    story = Story(actions=actions)

    assert lowered(story) == {"plan", "passed"}
    assert score(story).product.knowable.wrong_actions == 1
    assert score(story).product.knowable.false_repairs == 1


def test_no_action_is_a_wrong_plan_and_no_false_repair() -> None:
    story = Story(actions=[])

    assert lowered(story) == {"plan", "passed"}
    assert score(story).product.knowable.false_repairs == 0


def test_the_same_action_asked_for_again_in_a_later_round_counts_once() -> None:
    run = Story().run()
    again = run.result.model_copy(update={"plans": run.result.plans * 2})

    assert evaluate(CASES, [Run(result=again, before=run.before, after=run.after)]).product.knowable.plan.share == 1


def test_an_effect_on_a_record_that_was_to_be_left_alone_is_a_false_repair_also_when_it_was_undone() -> None:
    wrong = action("FINE", "hold", {}, action_id="a2")
    for status in (OutcomeStatus.APPLIED, OutcomeStatus.UNDONE):
        done = score(Story(actions=[action(), wrong], outcomes=[outcome(action()), outcome(wrong, status)]))
        assert done.product.by_kind["in-progress"].false_repairs == 1
        assert done.product.by_kind["in-progress"].passed.share == 0


def test_what_was_proposed_and_did_not_run_is_no_false_repair() -> None:
    wrong = action("FINE", "hold", {}, action_id="a2")
    refused = Story(actions=[action(), wrong], outcomes=[outcome(action()), outcome(wrong, OutcomeStatus.STALE)])

    assert score(refused).product.knowable.false_repairs == 0
    assert score(refused).product.knowable.wrong_actions == 1


def test_another_status_at_the_end_or_a_record_that_is_gone_lowers_the_end_state() -> None:
    assert lowered(Story(ended=RIGHT_END | {"SHORT": "waiting"})) == {"end_state", "passed"}
    assert lowered(Story(ended={name: each for name, each in RIGHT_END.items() if name != "FINE"})) == {
        "end_state",
        "passed",
    }


def test_a_record_that_was_to_be_left_alone_may_not_change_in_any_way() -> None:
    assert lowered(Story(touched=["SHORT", "FINE"])) == {"end_state", "passed"}


def test_a_person_called_for_nothing_and_one_not_called_are_both_wrong() -> None:
    assert lowered(Story(for_person=["FINE"])) == {"person", "passed"}
    assert score(Story()).product.not_knowable.person.share == 0
    assert score(Story(for_person=["ODD"])).product.not_knowable.person.share == 1


def test_a_refused_proposal_is_counted_as_blocked() -> None:
    blocked = BlockedProposal(record_id="FINE", tool="hold", arguments={}, reason="no", proposed_by=MODEL)
    found = score(Story(blocked=[blocked], thinkers=THOUGHT))

    assert found.product.by_kind["in-progress"].blocked == 1
    assert found.alone[MODEL].overall.blocked == 1


def test_tokens_and_money_are_added_up_by_record_and_in_all() -> None:
    spent = {"SHORT": Spent(calls=1, input_tokens=90, output_tokens=10, cost=Decimal("0.02"))}
    found = evaluate(CASES, [Story(spent=spent).run(), Story(spent=spent).run()])

    assert (found.product.by_kind["stock-short"].tokens, found.product.by_kind["stock-short"].cost) == (
        200,
        Decimal("0.04"),
    )
    assert (found.spent.calls, found.spent.tokens, found.seconds) == (2, 200, 5.0)


def test_rules_have_no_view_of_their_own() -> None:
    assert score(Story(thinkers=dict.fromkeys(Role, "rules"))).alone == {}
    assert score(Story(thinkers={Role.REPORT: MODEL, Role.DETECT: "rules"})).alone == {}


def test_a_model_alone_has_what_it_found_and_proposed_or_agreed_to() -> None:
    silent = score(Story(thinkers=THOUGHT)).alone[MODEL].knowable
    seconded = Story(
        findings=[finding("SHORT", "short", seconded_by=(MODEL,)), finding("ODD", "other", found_by=MODEL)],
        actions=[action(seconded_by=(MODEL,))],
        thinkers=THOUGHT,
    )
    alone = score(seconded).alone[MODEL]

    assert (silent.recall.share, silent.plan.share) == (0, 0.5)
    assert (alone.knowable.recall.share, alone.knowable.plan.share, alone.not_knowable.recall.share) == (1, 1, 1)
    assert alone.knowable.passed.share == 1
    assert alone.knowable.end_state.share is None


def test_an_alternative_is_no_main_action_but_it_is_the_model_s_own() -> None:
    more = action(arguments={"item": "I-1", "quantity": 9_000}, action_id="a2", by=MODEL, instead_of="a1")
    story = Story(actions=[action(), more], outcomes=[outcome(action())], thinkers=THOUGHT)

    assert lowered(story) == set()
    assert score(story).alone[MODEL].knowable.plan.share == 0.5
    assert score(story).alone[MODEL].knowable.wrong_actions == 1


def test_doubts_are_counted_apart_for_right_and_for_wrong_actions() -> None:
    doubted, wrong = ("model: why?",), action("FINE", "hold", {}, action_id="a2")
    actions = [each.model_copy(update={"doubts": doubted}) for each in (action(), wrong)]
    found = score(Story(actions=actions)).product.overall

    assert (found.doubted_right.count, found.doubted_right.of) == (1, 1)
    assert (found.doubted_wrong.count, found.doubted_wrong.of) == (1, 1)
    assert score(Story()).product.overall.doubted_right.count == 0


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ([], ()),
        ([[True]], (1.0,)),
        ([[True, True, False, False]], (1 / 2, 1 / 6, 0.0, 0.0)),
        ([[True, True, True], [True, False, True]], (5 / 6, 2 / 3, 1 / 2)),
    ],
)
def test_pass_k_is_the_share_of_all_choices_of_k_runs_that_passed(
    trials: list[list[bool]], expected: tuple[float, ...]
) -> None:
    assert pass_hat_k(trials) == pytest.approx(expected)


def test_what_passes_in_one_of_two_runs_passes_half_the_time_and_never_in_both() -> None:
    found = evaluate(CASES, [Story().run(), Story(ended=RIGHT_END | {"SHORT": "waiting"}).run()])

    assert found.product.by_kind["stock-short"].pass_k == (0.5, 0.0)
    assert found.product.knowable.pass_k == (0.75, 0.5)
    assert found.product.knowable.cases == 2
    assert found.product.knowable.passed.of == 4


def printed(evaluation: Evaluation, *, width: int = WIDTH) -> list[str]:
    """The lines of the table, on a screen that is no wider."""
    screen = Console(file=StringIO(), width=width)
    with screen.capture() as shown:
        screen.print(table_of(evaluation, width=width))
    return shown.get().splitlines()


def test_the_table_rounds_nothing_up_to_100_percent() -> None:
    runs = [Story().run()] * 19 + [Story(findings=()).run()]
    row = next(line for line in printed(evaluate(CASES, runs)) if line.startswith("what rules can know"))

    assert row.split()[4:] == ["2", "100", "%", "95", "%", "100", "%", "100", "%", "100", "%", "0", "97", "%"]


def test_the_table_is_narrow_and_says_in_words_what_rules_cannot_know() -> None:
    story = Story(thinkers=THOUGHT, spent={"SHORT": Spent(calls=3, input_tokens=1_000, unpriced=1)})
    lines = printed(evaluate(CASES, [story.run()]))

    assert max(map(len, lines)) <= WIDTH
    assert "- cancelled-by-word: found 0 of 1. Only a note tells." in lines
    assert any(line.startswith(f"{MODEL} alone") for line in lines)
    assert any("3 model calls, 1,000 tokens, 0.0000 US dollars, without 1 call that" in line for line in lines)


def test_on_a_narrow_screen_a_name_is_folded_and_no_figure_is_cut_or_leaves_its_column() -> None:
    def figures(lines: list[str], *, after: int) -> list[str]:
        return [line[after:] for line in lines if line.endswith((" %", " -", "  passed"))]

    evaluation = evaluate(CASES, [Story().run()])

    wide, narrow = printed(evaluation), printed(evaluation, width=80)

    assert max(map(len, narrow)) == 80
    assert figures(narrow, after=80 - 67) == figures(wide, after=32)
    assert len(figures(wide, after=32)) == 10
    assert {"what rules", "can know"} <= {line[: 80 - 67].strip() for line in narrow}


def test_what_a_case_or_a_model_is_called_is_no_markup_and_hides_nothing() -> None:
    thinkers = dict.fromkeys(THOUGHT, "[bold]a\x1b[31m")

    shown = "\n".join(printed(evaluate(CASES, [Story(thinkers=thinkers).run()])))

    assert "[bold]a<U+001B>[31m" in shown
