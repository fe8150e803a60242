"""A record as its query gave it, with what was asked of its database beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from daper.core.text import shown
from daper.ports.domain import Record
from daper.stores.rows.values import shown_value


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """What a tool would do to a row of its table. `now`: the columns that it sets or reads, as they are.

    `then`: those that it sets as they would be, but for what depends on an argument or the time. `allowed`: whether its
    `only` holds.
    """

    now: Mapping[str, object]
    then: Mapping[str, object]
    allowed: bool

    @property
    def counts(self) -> dict[str, object]:
        """What a version counts. What was shown counts too: it is what runs, or nothing, whatever it depends on."""
        return {
            f"{column} {when}": value
            for when, columns in (("now", self.now), ("then", self.then))
            for column, value in columns.items()
        }


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What the preview of a statement gives for a record, row by row, and whether its `helped` names the record."""

    rows: tuple[Mapping[str, object], ...]
    helped: bool = False

    @property
    def allowed(self) -> bool:
        """Whether there is anything for it to do."""
        return bool(self.rows)

    @property
    def counts(self) -> dict[str, object]:
        """What a version counts: all that was shown."""
        return {f"{at} {name}": value for at, row in enumerate(self.rows) for name, value in row.items()}


Asked = Ahead | Shown


@dataclass(frozen=True, kw_only=True)
class DeclaredRecord(Record):
    """`columns`: all that the query gave, as its types say; `data` as JSON, without what is hidden.

    `raw_key`: its key as the database has it; `ahead`: by tool; `wrong`: the kinds of the rules in SQL that name it.
    """

    columns: Mapping[str, object] = field(default_factory=dict[str, object])
    raw_key: object = None
    ahead: Mapping[str, Asked] = field(default_factory=dict[str, Asked])
    wrong: frozenset[str] = frozenset()


def words(value: object) -> str:
    """A value as people read it beside another one: nothing of it is left out."""
    if isinstance(value, datetime):
        return _moment(value)
    told = shown_value(value)
    return "(nothing)" if told is None else str(told)


def in_sentence(value: object) -> str:
    """A value as people say it: a moment to the second."""
    return words(value.replace(microsecond=0) if isinstance(value, datetime | time) else value)


def _moment(value: datetime) -> str:
    bare = value.replace(tzinfo=None).isoformat(sep=" ")
    off = value.utcoffset()
    if off is None:
        return bare
    return f"{bare} UTC" if off == timedelta() else value.isoformat(sep=" ")


def otherwise(kept: object, promised: object) -> str:
    """What is kept, and what a plan has in its place; in quotes where only blanks tell them apart."""
    told = [shown(words(each)) for each in (kept, promised)]
    if any(isinstance(each, str) and each != each.strip() for each in (kept, promised)):
        told = [
            repr(each) if isinstance(each, str) else said for each, said in zip((kept, promised), told, strict=True)
        ]
    return f"{told[0]} where the plan has {told[1]}"
