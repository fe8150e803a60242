"""Picks records for a list: which ones are wanted, which of them are on the page, and what is wrong with them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from daper.core.base import Wire
from daper.core.models import Finding, RecordHead
from daper.core.text import folded
from daper.ports import Domain, Record


class RecordFilter(Wire):
    """Which records a list shows: those with this problem, with any, or with this text in their id or title."""

    problem: str | None = None
    with_problems: bool = False
    search: str | None = None

    @property
    def looks_at_problems(self) -> bool:
        """Whether every record has to be judged."""
        return self.with_problems or self.problem is not None

    @property
    def shows_all(self) -> bool:
        """Whether nothing is left out."""
        return not self.looks_at_problems and self.search is None

    def finds(self, head: RecordHead) -> bool:
        """Whether a record has the text that is searched for."""
        return self.search is None or any(folded(self.search) in folded(text) for text in (head.record_id, head.title))

    def wants(self, problems: Sequence[Finding]) -> bool:
        """Whether a record with these problems is shown."""
        if self.problem is not None:
            return any(_kind(problem.kind) == _kind(self.problem) for problem in problems)
        return bool(problems) or not self.with_problems


class RecordLine(Wire):
    """One record in a list, with what the rules find wrong with it."""

    head: RecordHead
    problems: tuple[Finding, ...] = ()


ALL: Final = RecordFilter()


def lines_of(domain: Domain, records: Sequence[Record], today: datetime) -> tuple[RecordLine, ...]:
    """The records with what the rules find wrong with each. Raises StoreDamaged for one that cannot be read."""
    heads = [head for record in records if (head := domain.head(record))]
    problems = problems_of(domain, records, today)
    return tuple(RecordLine(head=head, problems=tuple(problems.get(head.record_id, ()))) for head in heads)


def problems_of(domain: Domain, records: Sequence[Record], today: datetime) -> Mapping[str, list[Finding]]:
    """What the rules find wrong with these records, by record."""
    found: dict[str, list[Finding]] = {}
    for problem in domain.detect(records, today):
        found.setdefault(problem.record_id, []).append(problem)
    return found


class Picker:
    """Goes through the records of a domain, page by page, and keeps `most` of those wanted from number `first` on."""

    def __init__(self, domain: Domain, wanted: RecordFilter, *, today: datetime, first: int, most: int) -> None:
        self.lines: list[RecordLine] = []
        self.count = 0
        self.kinds: Counter[str] = Counter()
        self._domain = domain
        self._wanted = wanted
        self._today = today
        self._first = first
        self._end = first + most

    @property
    def done(self) -> bool:
        """Whether the page is full; more records only add to the count."""
        return self.count >= self._end

    def take(self, records: Sequence[Record]) -> None:
        """Look at some more records. Raises StoreDamaged for one that cannot be read."""
        heads = [head for record in records if (head := self._domain.head(record)) and self._wanted.finds(head)]
        problems = problems_of(self._domain, records if self._must_judge(len(heads)) else (), self._today)
        for head in heads:
            mine = problems.get(head.record_id, ())
            self.kinds.update({problem.kind for problem in mine})
            if not self._wanted.wants(mine):
                continue
            if self._first <= self.count < self._end:
                self.lines.append(RecordLine(head=head, problems=tuple(mine)))
            self.count += 1

    def _must_judge(self, more: int) -> bool:
        on_page = self.count < self._end and self.count + more > self._first
        return more > 0 and (on_page or self._wanted.looks_at_problems)


def _kind(name: str) -> str:
    return name.strip().lower().replace("_", "-")
