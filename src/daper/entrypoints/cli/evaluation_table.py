"""The table of an evaluation: figures that fit a terminal of 100 columns, and what they cannot tell, in words."""

import textwrap
from collections.abc import Iterable, Iterator
from math import floor

from daper.core.cases import CaseSort
from daper.core.models import RULES
from daper.core.text import counted
from daper.core.usage import Spent
from daper.evaluation.scoring import Evaluation, Score, Scores, Share

WIDTH = 100
_NAME = 32
_FIGURE = len("100 %")
_HEADINGS = ("cases", "precision", "recall", "plan", "end state", "person", "false", "passed")
_ALONE = ("cases", "precision", "recall", "plan", "wrong", "blocked", "passed")


def table_of(evaluation: Evaluation) -> list[str]:
    """The lines of the table."""
    blocks = [
        _heading(evaluation),
        _parts("the product", evaluation.product),
        _kinds(evaluation),
        *(_alone(model, scores) for model, scores in evaluation.alone.items()),
        _unknowable(evaluation),
        _meaning(bool(evaluation.alone)),
    ]
    lines = [line for block in map(list, blocks) if block for line in ("", *block)]
    return lines[1:]


def _heading(evaluation: Evaluation) -> Iterator[str]:
    cases, runs = evaluation.case_set, len(evaluation.runs)
    roles = [f"{role} {name}" for role, name in evaluation.thinkers.items()]
    thinkers = ", ".join(roles) if set(evaluation.thinkers.values()) - {RULES} else f"{RULES} in every role"
    kinds = len(evaluation.product.by_kind)
    yield f"{counted(len(cases.cases), 'case')} of {counted(kinds, 'kind')}, seed {cases.seed}, {counted(runs, 'run')}"
    yield from _wrapped(f"agents: {thinkers}")
    yield from _wrapped(f"time: {evaluation.seconds:.1f} s; {_spent(evaluation.spent)}")
    for number, end in enumerate(evaluation.runs, start=1):
        if end.reason:
            yield from _wrapped(f"run {number} ended as {end.phase}: {end.reason}")
        for told in (*end.troubles, *end.notices):
            yield from _wrapped(f"run {number}: {told}")


def _spent(spent: Spent) -> str:
    if not spent.calls:
        return "no call of a language model"
    price = f"{spent.cost:.4f} US dollars"
    unpriced = f", without {counted(spent.unpriced, 'call')} that no price is known for" if spent.unpriced else ""
    return f"{counted(spent.calls, 'model call')}, {counted(spent.tokens, 'token')}, {price}{unpriced}"


def _parts(title: str, scores: Scores) -> Iterator[str]:
    yield _row(title, _HEADINGS, _HEADINGS)
    overall = scores.overall
    for name, score in _wholes(scores).items():
        yield _score(name, score)
    yield (
        f"proposed actions that should not have been: {overall.wrong_actions}; "
        f"proposals that the guard blocked: {overall.blocked}"
    )
    if overall.doubted_wrong.count or overall.doubted_right.count:
        wrong, right = overall.doubted_wrong, overall.doubted_right
        yield f"doubted actions: {wrong.count} of {wrong.of} wrong ones, {right.count} of {right.of} right ones"
    for k, share in enumerate(scores.knowable.pass_k, start=1):
        every = "passed in one run" if k == 1 else f"passed in each of {k} runs"
        yield f"pass^{k}, {every}: {_percent(share)} of what rules can know, {_percent_of(overall, k)} of all"


def _kinds(evaluation: Evaluation) -> Iterator[str]:
    """A line for each kind, below one for its sort."""
    sorts: dict[str, CaseSort] = {}
    for case in evaluation.case_set.cases:
        sorts.setdefault(case.kind, case.sort)
    for sort, score in evaluation.product.by_sort.items():
        yield _score(sort, score)
        for kind, its in evaluation.product.by_kind.items():
            if sorts[kind] == sort:
                yield _score(f"  {kind}", its)


def _alone(model: str, scores: Scores) -> Iterator[str]:
    yield from _wrapped(f"{model} alone: what it found and proposed itself, or agreed to")
    yield _row("", _ALONE, _ALONE)
    for name, score in (_wholes(scores) | {f"  {sort}": score for sort, score in scores.by_sort.items()}).items():
        figures = (score.cases, score.precision, score.recall, score.plan, score.wrong_actions, score.blocked)
        yield _row(name, (*map(_cell, figures), _cell(score.passed)), _ALONE)


def _unknowable(evaluation: Evaluation) -> Iterator[str]:
    told: dict[str, str] = {}
    for case in evaluation.case_set.cases:
        if not case.knowable:
            told.setdefault(case.kind, case.why)
    if not told:
        return
    yield "What rules cannot know, and what became of it here:"
    for kind, why in sorted(told.items()):
        score = evaluation.product.by_kind[kind]
        harm = f" {counted(score.false_repairs, 'false repair')}." if score.false_repairs else ""
        yield from _wrapped(f"- {kind}: found {score.recall.count} of {score.recall.of}.{harm} {why}")


def _meaning(models: bool) -> Iterator[str]:
    yield from _wrapped(
        "precision: of what was found, how much is there; recall: of what is there, how much was found; plan: exactly "
        "the right actions proposed; end state: the record as it should be; person: one was called if needed, and not "
        "otherwise; false: effects that should not have been, over all runs; passed: all of it right."
    )
    if models:
        yield from _wrapped(
            "wrong: proposed actions that should not have been; blocked: proposals that the guard refused."
        )


def _wholes(scores: Scores) -> dict[str, Score]:
    wholes = {
        "what rules can know": scores.knowable,
        "what rules cannot know": scores.not_knowable,
        "all": scores.overall,
    }
    return {name: score for name, score in wholes.items() if score.cases}


def _score(name: str, score: Score) -> str:
    shares = (score.precision, score.recall, score.plan, score.end_state, score.person)
    return _row(name, map(_cell, (score.cases, *shares, score.false_repairs, score.passed)), _HEADINGS)


def _row(name: str, cells: Iterable[str], headings: tuple[str, ...]) -> str:
    columns = (f"  {cell:>{max(len(head), _FIGURE)}}" for cell, head in zip(cells, headings, strict=True))
    return f"{name[:_NAME]:<{_NAME}}" + "".join(columns)


def _cell(figure: int | Share) -> str:
    return str(figure) if isinstance(figure, int) else _percent(figure.share)


def _percent_of(score: Score, k: int) -> str:
    return _percent(score.pass_k[k - 1] if k <= len(score.pass_k) else None)


def _percent(share: float | None) -> str:
    """In whole numbers, rounded down: nothing but all is 100."""
    return "-" if share is None else f"{floor(share * 100 + 1e-9)} %"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
