"""Judges one case in one run: what was found, proposed and done, against what is right."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from pydantic import computed_field

from daper.core.base import Wire
from daper.core.cases import Case, ExpectedAction
from daper.core.usage import Spent
from daper.evaluation.observation import Done, Run, blocked, effects, found, persons_called, proposed


class Judged(Wire):
    """What came out for one case in one run.

    `right`, `missed` and `wrong` are kinds of problem; tolerated ones are in none of them. `wrong_actions` were
    proposed and `false_repairs` took effect, and neither should have. `doubted_right` and `doubted_wrong`: right and
    wrong actions that somebody speaks against. What a view cannot tell is None.
    """

    record_id: str
    kind: str
    run: int
    right: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    plan_right: bool
    right_actions: int = 0
    wrong_actions: tuple[str, ...] = ()
    doubted_right: int = 0
    doubted_wrong: int = 0
    end_right: bool | None = None
    false_repairs: tuple[str, ...] = ()
    person_right: bool | None = None
    blocked: int = 0
    tokens: int = 0
    cost: Decimal = Decimal(0)

    @computed_field
    @property
    def passed(self) -> bool:
        """Whether everything is right that the view can tell."""
        wrong = self.missed or self.wrong or self.false_repairs
        return not wrong and self.plan_right and self.end_right is not False and self.person_right is not False


def judge_case(case: Case, run: Run, *, number: int) -> Judged:
    """The product: all that ran, whoever thought of it."""
    result = run.result
    spent = result.usage.by_record.get(case.record_id, Spent())
    called = case.record_id in persons_called(result)
    judged = _judge(case, run, number=number)
    return judged.model_copy(
        update={
            "end_right": _ended_right(case, run),
            "false_repairs": _texts(_apart(case.actions, effects(result, case.record_id))[1]),
            "person_right": None if case.calls_person is None else case.calls_person == called,
            "tokens": spent.tokens,
            "cost": spent.cost,
        }
    )


def judge_alone(case: Case, run: Run, *, number: int, model: str) -> Judged:
    """A model alone: what it found and proposed itself, or agreed to. What would have come of that, nobody can tell."""
    return _judge(case, run, number=number, by=model)


def _judge(case: Case, run: Run, *, number: int, by: str = "") -> Judged:
    expected = Counter(case.problems)
    tolerated = set(case.tolerated) - set(case.problems)
    seen = Counter(kind for kind in found(run.result, case.record_id, by=by) if kind not in tolerated)
    actions = proposed(run.result, case.record_id, by=by)
    right_actions, wrong_actions = _apart(case.actions, actions)
    return Judged(
        record_id=case.record_id,
        kind=case.kind,
        run=number,
        right=tuple((seen & expected).elements()),
        missed=tuple((expected - seen).elements()),
        wrong=tuple((seen - expected).elements()),
        plan_right=not wrong_actions and len(actions) == len(case.actions),
        right_actions=len(right_actions),
        wrong_actions=_texts(wrong_actions),
        doubted_right=sum(each.doubted for each in right_actions),
        doubted_wrong=sum(each.doubted for each in wrong_actions),
        blocked=blocked(run.result, case.record_id, by=by),
    )


def _apart(expected: Sequence[ExpectedAction], actions: Sequence[Done]) -> tuple[list[Done], list[Done]]:
    """The actions that answer one of the expected ones, each of which is answered once; and all others."""
    open_ones, right, wrong = list(expected), list[Done](), list[Done]()
    for action in actions:
        fitting = next((each for each in open_ones if _fits(each, action)), None)
        if fitting is None:
            wrong.append(action)
        else:
            open_ones.remove(fitting)
            right.append(action)
    return right, wrong


def _texts(actions: Sequence[Done]) -> tuple[str, ...]:
    return tuple(action.text for action in actions)


def _fits(expected: ExpectedAction, action: Done) -> bool:
    if action.tool != expected.tool:
        return False
    if any(action.arguments.get(name) != value for name, value in expected.arguments.items()):
        return False
    return all(_within(action.arguments.get(name), *span) for name, span in expected.between.items())


def _within(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _ended_right(case: Case, run: Run) -> bool:
    """Whether the status is the right one, and the record is otherwise untouched if nothing was to be done to it."""
    before, after = run.before.get(case.record_id), run.after.get(case.record_id)
    if before is None or after is None or after.status != case.end_status:
        return False
    return bool(case.actions) or after.version == before.version
