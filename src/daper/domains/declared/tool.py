"""What every kind of `[[tool]]` has: arguments with their limits, for which records it is, what it spends, and help."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, JsonValue, StrictInt, StrictStr, create_model

from daper.core.limits import Between, Limit, OneOf, Sentence
from daper.core.models import Change, Risk
from daper.core.outcomes import Holding, Postcondition
from daper.core.text import shown
from daper.domains.declared.document import ArgumentSection, ToolSection
from daper.domains.declared.expressions import CannotJudge, Expression
from daper.domains.declared.record import Asked, DeclaredRecord
from daper.ports.domain import PlanCaps, Record, RepairTool, Settleable, Terms
from daper.stores.rows.store import FILE, RowsView
from daper.stores.rows.values import ColumnType, typed

Condition = Callable[[str, frozenset[str], str], Expression]
"""A condition over records with these columns, and what it belongs to. Raises SettingError."""


class DeclaredTool(RepairTool, Settleable, Protocol):
    """One `[[tool]]` of a file, ready for use."""

    @property
    def section(self) -> ToolSection:
        """What the file says of it."""
        ...

    @property
    def defaults(self) -> dict[str, JsonValue]:
        """Its arguments, where nobody chooses."""
        ...

    @property
    def caps(self) -> PlanCaps:
        """The most of it in one plan."""
        ...

    def ahead(self, view: RowsView, keys: Sequence[object]) -> Mapping[object, Asked]:
        """What it asks of the database beside the rows with these keys, with the records and in the same moment."""
        ...

    def terms(self, record_id: str, arguments: Mapping[str, JsonValue], records: Sequence[Record]) -> Terms:
        """On what terms it may run; an obstacle where it does not fit."""
        ...

    def try_out(self, records: RowsView, record_id: str) -> str:
        """Do it, and take it back, within a transaction that whoever asks rolls back; outside, nothing is tried.

        What of it could not be proved; empty where all was.

        Raises ActionFailed, StoreDamaged where it could not.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class ToolFrame:
    """A section with what it needs of the rest of its file. `kinds`: the problems that it is the fix of.

    `text`: names the file's very content.
    """

    section: ToolSection
    kinds: frozenset[str]
    text: str
    condition: Condition
    args: type[BaseModel] = field(init=False)
    defaults: dict[str, JsonValue] = field(init=False)
    limits: dict[str, Limit] = field(init=False)

    def __post_init__(self) -> None:
        arguments = self.section.args
        model: type[BaseModel] = create_model(  # pyright: ignore[reportCallIssue, reportUnknownVariableType] - names that a file gives
            "Arguments",
            __config__=ConfigDict(extra="forbid"),
            **{name: (_type(each), ...) for name, each in arguments.items()},  # pyright: ignore[reportArgumentType] - as create_model has it
        )
        object.__setattr__(self, "args", model)
        object.__setattr__(self, "defaults", {name: _default(each) for name, each in arguments.items()})
        object.__setattr__(self, "limits", {name: _limit(each) for name, each in arguments.items()})

    def no(self, obstacle: str) -> Terms:
        """The terms of what does not fit."""
        return Terms(answers=self.kinds, limits={}, obstacle=obstacle)

    def terms(self, record: DeclaredRecord, preview: Sequence[Change]) -> Terms:
        """The terms of what fits: as this record and the file are now."""
        return Terms(
            answers=self.kinds,
            limits=dict(self.limits),
            reads={record.ref: record.version, f"{record.ref.partition('/')[0]}/{FILE}": self.text},
            preview=tuple(preview),
            spends=self._spends(record),
        )

    def unfit(self, record: DeclaredRecord, now: datetime) -> str:
        """Why it is not for a record, by an `only` in CEL; nothing where it is."""
        if not self.section.only:
            return ""
        try:
            holds = self._judged(self.section.only, record, now)
        except CannotJudge as error:
            return str(error)
        return "" if holds else f"this does not hold for it: {self.section.only}"

    def helped(self, record: DeclaredRecord, now: datetime) -> Postcondition:
        """Whether it helped, by a `helped` in CEL."""
        try:
            holds = self._judged(self.section.helped, record, now)
        except CannotJudge as error:
            return self.or_waits(Postcondition(holding=Holding.NO, evidence=str(error)), record, now)
        return self.or_waits(said_of(self.section.helped, holds=holds), record, now)

    def or_waits(self, word: Postcondition, record: DeclaredRecord, now: datetime) -> Postcondition:
        """The same; but where it has not helped and its `waits` holds, that it waits for somebody else."""
        if word.holding is not Holding.NO or not self.section.waits:
            return word
        try:
            holds = self._judged(self.section.waits, record, now)
        except CannotJudge as error:
            return Postcondition(holding=Holding.NO, evidence=f"{word.evidence}; {error}")
        if not holds:
            return Postcondition(holding=Holding.NO, evidence=f"{word.evidence}; nor does {shown(self.section.waits)}")
        return Postcondition(
            holding=Holding.WAITING, evidence=f"{word.evidence} yet: it waits, for {shown(self.section.waits)} holds"
        )

    def _judged(self, text: str, record: DeclaredRecord, now: datetime) -> bool:
        condition = self.condition(text, frozenset(record.columns), f"tool {self.section.name!r}")
        return condition.holds(record.columns, now)

    def _spends(self, record: DeclaredRecord) -> Decimal | None:
        if not self.section.spends:
            return Decimal(0)
        try:
            found = typed(record.columns.get(self.section.spends), ColumnType.MONEY)
        except ValueError:
            return None
        return found if isinstance(found, Decimal) else None


class FramedTool:
    """What the tools of a file have of their frame, whatever they do."""

    name: str
    risk: Risk
    settling: timedelta
    args: type[BaseModel]
    caps: PlanCaps
    defaults: dict[str, JsonValue]

    def fit_into(self, frame: ToolFrame) -> None:
        """Be called, and have the risk, arguments and caps, as the file says."""
        section = frame.section
        self.name, self.risk, self.caps = section.name, section.risk, section.limit.caps
        self.settling = section.settles or timedelta(0)
        self.args, self.defaults = frame.args, frame.defaults
        self._frame = frame


def said_of(condition: str, *, holds: bool) -> Postcondition:
    """What a condition came to."""
    told = f"{shown(condition)} {'holds' if holds else 'does not hold'}"
    return Postcondition(holding=Holding.YES if holds else Holding.NO, evidence=told)


def record_of(record_id: str, records: Sequence[Record]) -> DeclaredRecord | None:
    """The record with this id, among others."""
    return next((each for each in records if isinstance(each, DeclaredRecord) and each.record_id == record_id), None)


def _limit(argument: ArgumentSection) -> Limit:
    if argument.sentence is not None:
        return Sentence(max_length=argument.sentence)
    if argument.one_of is not None:
        return OneOf(values=argument.one_of)
    low, high = argument.between or (0, 0)
    return Between(minimum=low, maximum=high)


def _type(argument: ArgumentSection) -> Any:  # Any: an annotation made at run time
    if argument.sentence is not None:
        return StrictStr
    return StrictInt if argument.between is not None else JsonValue


def _default(argument: ArgumentSection) -> JsonValue:
    if argument.default is not None:
        return argument.default
    if argument.one_of is not None:
        return argument.one_of[0]
    return argument.between[0] if argument.between is not None else ""
