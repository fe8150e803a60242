"""The table of an evaluation: figures that fit a terminal, best one of 100 columns, and in words what they cannot tell.

Nothing in it is markup, and nothing is hidden.
"""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import floor

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from daper.core.cases import CaseSort
from daper.core.models import RULES
from daper.core.text import counted, visible
from daper.core.usage import Spent
from daper.evaluation.score import Evaluation, Score, Scores, Share

WIDTH = 100
_NAME = 32
_NARROWEST_NAME = 10
_GAP = 2
_LONGEST = 2000
_FIGURE = len("100 %")
_HEADINGS = ("cases", "precision", "recall", "plan", "end state", "person", "false", "passed")
_ALONE = ("cases", "precision", "recall", "plan", "wrong", "blocked", "passed")


@dataclass(frozen=True)
class _Row:
    """A name and its figures."""

    name: str
    figures: tuple[str, ...]
    style: str = ""


def table_of(evaluation: Evaluation, *, width: int = WIDTH) -> Group:
    """The figures and the words, for a screen of that width."""
    product, alone = evaluation.product, evaluation.alone
    blocks = [
        _wrapped(_heading(evaluation), width),
        [_drawn(_wholes(product), _HEADINGS, width, title="the product"), *_wrapped(_sums(product), width)],
        [_drawn(_kinds(evaluation), _HEADINGS, width)],
        *(
            [*_wrapped([_of(model)], width), _drawn(_alone(its), _ALONE, width, title="")]
            for model, its in alone.items()
        ),
        _wrapped(_unknowable(evaluation), width),
        _wrapped(_meaning(bool(alone)), width),
    ]
    lines = [line for block in blocks if block for line in ("", *block)]
    return Group(*lines[1:])


def _wrapped(sentences: Iterable[str], width: int) -> list[RenderableType]:
    """Sentences in lines; what does not fit into the first is set in."""
    return [
        Text(line)
        for told in sentences
        for line in textwrap.wrap(
            visible(told, longest=_LONGEST), width, subsequent_indent="  ", break_on_hyphens=False
        )
    ]


def _drawn(rows: Iterable[_Row], headings: Sequence[str], width: int, *, title: str | None = None) -> Table:
    """Rows of figures, with headings if there is a title; the columns of all such tables stand below one another."""
    widths = [max(len(heading), _FIGURE) for heading in headings]
    name = max(_NARROWEST_NAME, min(_NAME, width - sum(_GAP + each for each in widths)))
    table = Table(box=None, padding=(0, 0, 0, _GAP), pad_edge=False, show_header=title is not None, header_style="bold")
    table.add_column(title or "", min_width=name, max_width=name, overflow="fold")
    for heading, each in zip(headings, widths, strict=True):
        table.add_column(heading, min_width=each, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(Text(visible(row.name)), *row.figures, style=row.style)
    return table


def _heading(evaluation: Evaluation) -> Iterator[str]:
    cases, runs = evaluation.case_set, len(evaluation.runs)
    roles = [f"{role} {name}" for role, name in evaluation.thinkers.items()]
    thinkers = ", ".join(roles) if set(evaluation.thinkers.values()) - {RULES} else f"{RULES} in every role"
    kinds = len(evaluation.product.by_kind)
    yield f"{counted(len(cases.cases), 'case')} of {counted(kinds, 'kind')}, seed {cases.seed}, {counted(runs, 'run')}"
    yield (f"agents: {thinkers}")
    yield (f"time: {evaluation.seconds:.1f} s; {_spent(evaluation.spent)}")
    for number, end in enumerate(evaluation.runs, start=1):
        if end.reason:
            yield (f"run {number} ended as {end.phase}: {end.reason}")
        for told in (*end.troubles, *end.notices):
            yield (f"run {number}: {told}")


def _spent(spent: Spent) -> str:
    if not spent.calls:
        return "no call of a language model"
    price = f"{spent.cost:.4f} US dollars"
    unpriced = f", without {counted(spent.unpriced, 'call')} that no price is known for" if spent.unpriced else ""
    return f"{counted(spent.calls, 'model call')}, {counted(spent.tokens, 'token')}, {price}{unpriced}"


def _wholes(scores: Scores) -> Iterator[_Row]:
    return (_score(name, score) for name, score in _parts(scores).items())


def _sums(scores: Scores) -> Iterator[str]:
    overall = scores.overall
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


def _kinds(evaluation: Evaluation) -> Iterator[_Row]:
    """A line for each kind, below one for its sort."""
    sorts: dict[str, CaseSort] = {}
    for case in evaluation.case_set.cases:
        sorts.setdefault(case.kind, case.sort)
    for sort, score in evaluation.product.by_sort.items():
        yield _score(sort, score, style="bold")
        for kind, its in evaluation.product.by_kind.items():
            if sorts[kind] == sort:
                yield _score(f"  {kind}", its)


def _of(model: str) -> str:
    return f"{model} alone: what it found and proposed itself, or agreed to"


def _alone(scores: Scores) -> Iterator[_Row]:
    for name, score in (_parts(scores) | {f"  {sort}": score for sort, score in scores.by_sort.items()}).items():
        figures = (score.cases, score.precision, score.recall, score.plan, score.wrong_actions, score.blocked)
        yield _Row(name, (*map(_cell, figures), _cell(score.passed)))


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
        yield (f"- {kind}: found {score.recall.count} of {score.recall.of}.{harm} {why}")


def _meaning(models: bool) -> Iterator[str]:
    yield (
        "precision: of what was found, how much is there; recall: of what is there, how much was found; plan: exactly "
        "the right actions proposed; end state: the record as it should be; person: one was called if needed, and not "
        "otherwise; false: effects that should not have been, over all runs; passed: all of it right."
    )
    if models:
        yield ("wrong: proposed actions that should not have been; blocked: proposals that the guard refused.")


def _parts(scores: Scores) -> dict[str, Score]:
    wholes = {
        "what rules can know": scores.knowable,
        "what rules cannot know": scores.not_knowable,
        "all": scores.overall,
    }
    return {name: score for name, score in wholes.items() if score.cases}


def _score(name: str, score: Score, *, style: str = "") -> _Row:
    shares = (score.precision, score.recall, score.plan, score.end_state, score.person)
    return _Row(name, tuple(map(_cell, (score.cases, *shares, score.false_repairs, score.passed))), style)


def _cell(figure: int | Share) -> str:
    return str(figure) if isinstance(figure, int) else _percent(figure.share)


def _percent_of(score: Score, k: int) -> str:
    return _percent(score.pass_k[k - 1] if k <= len(score.pass_k) else None)


def _percent(share: float | None) -> str:
    """In whole numbers, rounded down: nothing but all is 100."""
    return "-" if share is None else f"{floor(share * 100 + 1e-9)} %"
