"""Adds up what was judged: over all cases, over those that rules can know or cannot, and for each sort and kind."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from math import comb

from pydantic import Field, computed_field

from daper.core.base import Wire
from daper.core.cases import Case, CaseSet, CaseSort
from daper.core.phases import Phase
from daper.core.usage import Role, Spent
from daper.evaluation.judgement import Judged, judge_alone, judge_case
from daper.evaluation.observation import Run, models_of


class Share(Wire):
    """So many of so many."""

    count: int = 0
    of: int = 0

    @computed_field
    @property
    def share(self) -> float | None:
        """From 0 to 1, or None of nothing."""
        return self.count / self.of if self.of else None


class Score(Wire):
    """The figures over some cases in all runs.

    `precision`: of the problems that were found, those that are there; `recall`: of those that are there, those that
    were found. Of the cases: `plan` with exactly the right actions proposed, `end_state` with the record as it should
    be at the end, `person` with one called if needed and not otherwise, `passed` with all of it right. `false_repairs`
    and `wrong_actions` are counted one by one, done and only proposed; `blocked` proposals were refused by the guard.
    `doubted_wrong` and `doubted_right`: of the wrong and of the right actions, those that somebody speaks against.
    """

    cases: int = 0
    precision: Share = Share()
    recall: Share = Share()
    plan: Share = Share()
    end_state: Share = Share()
    person: Share = Share()
    passed: Share = Share()
    pass_k: tuple[float, ...] = ()
    false_repairs: int = 0
    wrong_actions: int = 0
    doubted_wrong: Share = Share()
    doubted_right: Share = Share()
    blocked: int = 0
    tokens: int = 0
    cost: Decimal = Decimal(0)


class Scores(Wire):
    """The figures over all cases and over parts of them."""

    overall: Score
    knowable: Score
    not_knowable: Score
    by_sort: dict[str, Score] = Field(default_factory=dict)
    by_kind: dict[str, Score] = Field(default_factory=dict)


class RunEnd(Wire):
    """How one run ended, and what it took."""

    phase: Phase
    reason: str = ""
    troubles: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    seconds: float
    spent: Spent = Spent()


class Evaluation(Wire):
    """An evaluation: what ran, the figures of the product and of each model alone, and every case in every run."""

    case_set: CaseSet
    thinkers: dict[Role, str] = Field(default_factory=dict[Role, str])
    runs: tuple[RunEnd, ...] = ()
    spent: Spent = Spent()
    seconds: float = 0.0
    product: Scores
    alone: dict[str, Scores] = Field(default_factory=dict)
    judged: tuple[Judged, ...] = ()


def evaluate(case_set: CaseSet, runs: Sequence[Run]) -> Evaluation:
    """The evaluation of some runs over the same cases."""
    numbered = list(enumerate(runs, start=1))
    judged = [judge_case(case, run, number=number) for number, run in numbered for case in case_set.cases]
    models = dict.fromkeys(model for run in runs for model in models_of(run.result))
    alone = {
        model: [
            judge_alone(case, run, number=number, model=model) for number, run in numbered for case in case_set.cases
        ]
        for model in models
    }
    ends = tuple(_end(run) for run in runs)
    spent = Spent()
    for end in ends:
        spent = spent.plus(end.spent)
    return Evaluation(
        case_set=case_set,
        thinkers=runs[-1].result.thinkers if runs else {},
        runs=ends,
        spent=spent,
        seconds=round(sum(end.seconds for end in ends), 3),
        product=_scores(case_set.cases, judged),
        alone={model: _scores(case_set.cases, each) for model, each in alone.items()},
        judged=tuple(judged),
    )


def _end(run: Run) -> RunEnd:
    result = run.result
    return RunEnd(
        phase=result.phase,
        reason=result.reason,
        troubles=result.troubles,
        notices=result.notices,
        seconds=round((result.ended_at - result.started_at).total_seconds(), 3),
        spent=result.usage.total,
    )


def _scores(cases: Sequence[Case], judged: Sequence[Judged]) -> Scores:
    def of(wanted: Callable[[Case], bool]) -> Score:
        chosen = {case.record_id for case in cases if wanted(case)}
        return _score([each for each in judged if each.record_id in chosen])

    sorts = {case.sort for case in cases}
    order = list(CaseSort)
    kinds = dict.fromkeys(case.kind for case in sorted(cases, key=lambda case: (order.index(case.sort), case.kind)))
    return Scores(
        overall=of(lambda _: True),
        knowable=of(lambda case: case.knowable),
        not_knowable=of(lambda case: not case.knowable),
        by_sort={sort: of(lambda case, sort=sort: case.sort is sort) for sort in CaseSort if sort in sorts},
        by_kind={kind: of(lambda case, kind=kind: case.kind == kind) for kind in kinds},
    )


def _score(judged: Sequence[Judged]) -> Score:
    by_case: dict[str, list[bool]] = {}
    for each in judged:
        by_case.setdefault(each.record_id, []).append(each.passed)
    right, trials = sum(len(each.right) for each in judged), len(judged)
    return Score(
        cases=len(by_case),
        precision=Share(count=right, of=right + sum(len(each.wrong) for each in judged)),
        recall=Share(count=right, of=right + sum(len(each.missed) for each in judged)),
        plan=Share(count=sum(each.plan_right for each in judged), of=trials),
        end_state=_share(each.end_right for each in judged),
        person=_share(each.person_right for each in judged),
        passed=Share(count=sum(each.passed for each in judged), of=trials),
        pass_k=pass_hat_k(list(by_case.values())),
        false_repairs=sum(len(each.false_repairs) for each in judged),
        wrong_actions=sum(len(each.wrong_actions) for each in judged),
        doubted_wrong=Share(
            count=sum(each.doubted_wrong for each in judged), of=sum(len(each.wrong_actions) for each in judged)
        ),
        doubted_right=Share(
            count=sum(each.doubted_right for each in judged), of=sum(each.right_actions for each in judged)
        ),
        blocked=sum(each.blocked for each in judged),
        tokens=sum(each.tokens for each in judged),
        cost=sum((each.cost for each in judged), Decimal(0)),
    )


def _share(answers: Iterable[bool | None]) -> Share:
    known = [answer for answer in answers if answer is not None]
    return Share(count=sum(known), of=len(known))


def pass_hat_k(trials: Sequence[Sequence[bool]]) -> tuple[float, ...]:
    """For k from 1 on, the share of cases that pass in all of k runs, estimated without bias from those that were run.

    Of n runs of a case c passed: so many of its subsets of k runs passed as a whole, C(c, k) of C(n, k); the mean over
    all cases. After tau-bench (Yao and others, 2024, arXiv:2406.12045). `trials` has the runs of each case, equally
    many for all.
    """
    runs = min((len(case) for case in trials), default=0)
    return tuple(
        sum(comb(sum(case), k) / comb(len(case), k) for case in trials) / len(trials) for k in range(1, runs + 1)
    )
