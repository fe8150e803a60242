"""An action of a plan in words, and the heads of its plan: the fields in their order, each with its text. Pure.

Every door shows these and makes no sentence of its own about an action; it escapes, indents and sets them, each by its
kind. Nothing here is escaped or cut: what comes from records and models stands in pieces that say so.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, Protocol

from pydantic import JsonValue

from daper.core.digests import canonical
from daper.core.models import RULES, BlockedProposal, Change, Fallback, ForPerson, SuppressedFinding
from daper.core.text import counted
from daper.core.views import UNKNOWN_AMOUNT, ActionView, PlanView

TO: Final = " → "
LINE_END: Final = "↵"
MAY_BE: Final = " (may be "
CHANGED_TO: Final = ", changed to "
SILENCE: Final = "If nobody does, nothing is done: silence is no yes, and the repair ends."
"""What follows where nobody decides until the deadline."""
FALLBACKS: Final = {
    Fallback.UNDO: "it is undone",
    Fallback.HAND_OVER: "it is handed to a person (it cannot be undone)",
}


class LineKind(StrEnum):
    """What a line is about: up to ALTERNATIVE a field of an action, after it something of the whole plan."""

    TOOL = "tool"
    RISK = "risk"
    CONFIDENCE = "confidence"
    PROPOSER = "proposer"
    PROBLEM = "problem"
    REASON = "reason"
    DONE_BEFORE = "done-before"
    ARGUMENT = "argument"
    CHANGE = "change"
    SPENDS = "spends"
    FALLBACK = "fallback"
    DOUBT = "doubt"
    ALTERNATIVE = "alternative"
    ACTIONS = "actions"
    DEADLINE = "deadline"
    NOTES = "notes"
    PARTITION = "partition"
    LEFT_OUT = "left-out"
    NOT_ACTED_ON = "not-acted-on"
    FOR_PERSON = "for-person"
    BLOCKED = "blocked"
    SUPPRESSED = "suppressed"


# What fits beside the id of an action; each of the others is worth a line.
HEADING: Final = (LineKind.TOOL, LineKind.RISK, LineKind.CONFIDENCE, LineKind.PROPOSER)
PLAN_HEADING: Final = (LineKind.ACTIONS, LineKind.SPENDS, LineKind.CONFIDENCE, LineKind.DEADLINE)
# What the lines of a kind are called; an argument has its own name, and a change that of what changes.
LABELS: Final[Mapping[LineKind, str]] = {
    LineKind.TOOL: "tool",
    LineKind.RISK: "risk",
    LineKind.CONFIDENCE: "confidence score",
    LineKind.PROPOSER: "proposed by",
    LineKind.PROBLEM: "problem",
    LineKind.REASON: "why",
    LineKind.DONE_BEFORE: "done before",
    LineKind.ARGUMENT: "arguments",
    LineKind.CHANGE: "before → after",
    LineKind.SPENDS: "spends",
    LineKind.FALLBACK: "if it does not help",
    LineKind.DOUBT: "doubt",
    LineKind.ALTERNATIVE: "instead of",
    LineKind.ACTIONS: "actions",
    LineKind.DEADLINE: "decide until",
    LineKind.NOTES: "notes",
    LineKind.PARTITION: "partition",
    LineKind.LEFT_OUT: "left out",
    LineKind.NOT_ACTED_ON: "not acted on",
    LineKind.FOR_PERSON: "for a person",
    LineKind.BLOCKED: "blocked",
    LineKind.SUPPRESSED: "left alone",
}


class Voice(StrEnum):
    """Whose words a piece is, and so what a door may do with it."""

    OURS = "ours"  # no text of a record or a model
    VALUE = "value"  # an id, an amount, a status, an argument: exact
    TEXT = "text"  # a name or a sentence, of a record, a rule or a model


@dataclass(frozen=True)
class Piece:
    """A part of a line."""

    value: JsonValue
    voice: Voice = Voice.OURS

    @property
    def text(self) -> str:
        """As text: what is none is JSON."""
        return self.value if isinstance(self.value, str) else canonical(self.value)


@dataclass(frozen=True)
class FieldLine:
    """One field in words: what it is called, and what it says. `below`: the lines of a text that a person may copy."""

    kind: LineKind
    label: str
    pieces: tuple[Piece, ...]
    below: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What it says, raw."""
        return self.styled(lambda piece: piece.text)

    def styled(self, style: Callable[[Piece], str]) -> str:
        """What it says, each piece as `style` sets it."""
        return "".join(map(style, self.pieces))


def action_lines(action: ActionView, *, edits: Mapping[str, JsonValue] | None = None) -> tuple[FieldLine, ...]:
    """The fields of an action, in order; those of which there is nothing to say are left out.

    `edits`: arguments that a person changes. What the change leads to was not worked out, so no old preview is told.
    """
    return tuple(line for make in ACTION_FIELDS.values() for line in make(action, edits or {}))


def change_line(change: Change) -> FieldLine:
    """One field of one record, before and after; what was nothing before, or stays as it is, is told once."""
    before = () if change.before in ("", change.after) else (_value(change.before), Piece(TO))
    pieces = (*before, *in_lines(change.after))
    return FieldLine(LineKind.CHANGE, f"{change.record} {change.field}", pieces)


def confidence_line(score: float) -> FieldLine:
    """How sure somebody is."""
    return _line(LineKind.CONFIDENCE, Piece(f"{score:g}"))


@dataclass(frozen=True, kw_only=True)
class PlanHead:
    """What is to be known of a whole plan, whatever part of it is shown. What is None, empty or none is not told.

    `spends`: what all of it spends, without the actions that stand instead of others; or that nobody can say.
    `changed`: a person changes arguments, and what that leads to was not worked out.
    """

    actions: int = 0
    spends: str = ""
    confidence_score: float | None = None
    decide_by: datetime | None = None
    notes: str = ""
    partition: str = ""
    left_out: int = 0
    left_alone: int = 0
    changed: bool = False

    @classmethod
    def of(cls, plan: PlanView, *, decide_by: datetime | None = None, changed: bool = False) -> "PlanHead":
        """The head of a plan, of which one page is enough; `decide_by` while it waits."""
        return cls(
            actions=plan.total_actions,
            spends=plan.spends,
            confidence_score=plan.overall_confidence_score,
            decide_by=decide_by,
            notes=plan.additional_notes,
            partition=plan.partition,
            left_out=plan.left_out,
            left_alone=plan.left_alone,
            changed=changed,
        )

    def lines(self) -> tuple[FieldLine, ...]:
        """The fields, in order."""
        return tuple(self._lines())

    def _lines(self) -> Iterator[FieldLine]:
        if self.actions:
            yield _line(LineKind.ACTIONS, Piece(f"{self.actions:,}"))
        if self.actions and self.spends:
            yield FieldLine(LineKind.SPENDS, "spends in all", (_amount(self.spends, changed=self.changed),))
        if self.actions and self.confidence_score is not None:
            yield FieldLine(LineKind.CONFIDENCE, "overall confidence", confidence_line(self.confidence_score).pieces)
        if self.decide_by is not None:
            at = f"{self.decide_by:%Y-%m-%d %H:%M:%S} {self.decide_by.tzname() or ''}".rstrip()
            yield _line(LineKind.DEADLINE, Piece(at))
        if self.notes:
            yield _line(LineKind.NOTES, _text(self.notes))
        if self.partition:
            yield _line(LineKind.PARTITION, Piece(partition_words(self.partition)))
        yield from self._beside()

    def _beside(self) -> Iterator[FieldLine]:
        """What there is that the plan does not act on."""
        if self.left_out:
            yield left_out_line(self.left_out)
        if self.left_alone:
            said = f"{counted(self.left_alone, 'problem')}, left alone or for a person"
            yield _line(LineKind.NOT_ACTED_ON, Piece(said))


def partition_words(partition: str) -> str:
    """Which records a repair looks at that shares them with others, `partition` being as `1/4`."""
    return f"only part {partition} of the records"


def left_out_line(number: int) -> FieldLine:
    """How many problems are over the cap."""
    many = number != 1
    said = f"{counted(number, 'more problem')} {'are' if many else 'is'} over the cap of one repair"
    return _line(LineKind.LEFT_OUT, Piece(f"{said}; another one takes {'them' if many else 'it'} on"))


class LeavesAlone(Protocol):
    """What a plan does not act on; a page of a plan has a page of it."""

    @property
    def for_person(self) -> Sequence[ForPerson]:
        """What no tool repairs."""
        ...

    @property
    def blocked(self) -> Sequence[BlockedProposal]:
        """What the guard refused."""
        ...

    @property
    def suppressed(self) -> Sequence[SuppressedFinding]:
        """What is not planned for again."""
        ...


def left_alone_lines(plan: LeavesAlone) -> Iterator[FieldLine]:
    """What the plan does not act on, each with the record, what it is, and the reason."""
    for handed in plan.for_person:
        line = _left(LineKind.FOR_PERSON, handed.record_id, handed.kind, handed.reason)
        yield replace(line, below=tuple(handed.message.split("\n")) if handed.message else ())
    for refused in plan.blocked:
        line = _left(LineKind.BLOCKED, refused.record_id, refused.tool, refused.reason)
        by = () if refused.proposed_by == RULES else (Piece(" (proposed by "), _text(refused.proposed_by), Piece(")"))
        yield FieldLine(line.kind, line.label, (*line.pieces, *by))
    for item in plan.suppressed:
        yield _left(LineKind.SUPPRESSED, item.finding.record_id, item.finding.kind, item.reason)


def _left(kind: LineKind, record_id: str, what: str, why: str) -> FieldLine:
    said = (_value(record_id), Piece(": "), _value(what), Piece(f": {LABELS[kind]}: "), _text(why))
    return FieldLine(kind, LABELS[kind], said)


_Edits = Mapping[str, JsonValue]


def _tool(action: ActionView, _: _Edits) -> Iterable[FieldLine]:
    yield _line(LineKind.TOOL, _value(action.tool))


def _risk(action: ActionView, _: _Edits) -> Iterable[FieldLine]:
    yield _line(LineKind.RISK, Piece(str(action.risk)))


def _confidence(action: ActionView, _: _Edits) -> Iterable[FieldLine]:
    yield confidence_line(action.confidence_score)


def _proposer(action: ActionView, _: _Edits) -> Iterable[FieldLine]:
    others = (piece for name in action.seconded_by for piece in (Piece(", and by "), _text(name)))
    apart = () if action.proposed_by == RULES else (Piece(", not by the rules"),)
    yield _line(LineKind.PROPOSER, _text(action.proposed_by), *apart, *others)


def _problems(action: ActionView, _: _Edits) -> Iterable[FieldLine]:
    return (_line(LineKind.PROBLEM, _text(issue)) for issue in action.problems)


def _reason(action: ActionView, _: _Edits) -> Iterable[FieldLine]:
    if action.rationale:
        yield _line(LineKind.REASON, _text(action.rationale))


def _done_before(action: ActionView, _: _Edits) -> Iterable[FieldLine]:
    return (_line(LineKind.DONE_BEFORE, _text(each)) for each in action.done_before)


def _arguments(action: ActionView, edits: _Edits) -> Iterable[FieldLine]:
    for name, value in action.arguments.items():
        changed = (Piece(CHANGED_TO), _value(edits[name])) if name in edits else ()
        limit = (Piece(MAY_BE), _text(action.editable[name]), Piece(")")) if name in action.editable else ()
        yield FieldLine(LineKind.ARGUMENT, name, (*in_lines(value), *changed, *limit))


def in_lines(value: JsonValue) -> Iterator[Piece]:
    """A value; of a text of some lines each by itself, with a sign of ours for where one ends."""
    if not isinstance(value, str) or "\n" not in value.strip("\n"):
        yield _value(value)
        return
    for part in re.split("(\n+)", value):
        if part.startswith("\n"):
            yield Piece(f" {LINE_END * len(part)} ")
        elif part:
            yield _value(part)


def _changes(action: ActionView, edits: _Edits) -> Iterable[FieldLine]:
    return () if edits else map(change_line, action.preview)


def _spends(action: ActionView, edits: _Edits) -> Iterable[FieldLine]:
    yield _line(LineKind.SPENDS, _amount(action.spends, changed=bool(edits)))


def _fallback(action: ActionView, _: _Edits) -> Iterable[FieldLine]:
    sort = "of those alike" if action.alike else "of this tool"
    tried = f"; {sort} {action.canary} first, the others once that helped" if action.canary else ""
    yield _line(LineKind.FALLBACK, Piece(FALLBACKS[action.if_it_does_not_help] + tried))


def _doubts(action: ActionView, _: _Edits) -> Iterable[FieldLine]:
    return (_line(LineKind.DOUBT, _text(doubt)) for doubt in action.doubts)


def _alternative(action: ActionView, _: _Edits) -> Iterable[FieldLine]:
    if action.instead_of:
        yield _line(LineKind.ALTERNATIVE, _value(action.instead_of), Piece("; at most one of the two can be approved"))


ACTION_FIELDS: Final[dict[LineKind, Callable[[ActionView, _Edits], Iterable[FieldLine]]]] = {
    LineKind.TOOL: _tool,
    LineKind.RISK: _risk,
    LineKind.CONFIDENCE: _confidence,
    LineKind.PROPOSER: _proposer,
    LineKind.PROBLEM: _problems,
    LineKind.REASON: _reason,
    LineKind.DONE_BEFORE: _done_before,
    LineKind.ARGUMENT: _arguments,
    LineKind.CHANGE: _changes,
    LineKind.SPENDS: _spends,
    LineKind.FALLBACK: _fallback,
    LineKind.DOUBT: _doubts,
    LineKind.ALTERNATIVE: _alternative,
}
ACTION_KINDS: Final = tuple(ACTION_FIELDS)


def _line(kind: LineKind, *pieces: Piece) -> FieldLine:
    return FieldLine(kind, LABELS[kind], pieces)


def _value(value: JsonValue) -> Piece:
    return Piece(value, Voice.VALUE)


def _text(words: str) -> Piece:
    return Piece(words, Voice.TEXT)


def amount_words(spends: str) -> str:
    """An amount as a plan says it, with thousands apart; or that nobody can say."""
    return "unknown, nobody can say" if spends == UNKNOWN_AMOUNT else f"{Decimal(spends):,f}"


def _amount(spends: str, *, changed: bool) -> Piece:
    """An amount as it was planned; or that nobody can say."""
    known = amount_words(spends)
    return Piece(f"not worked out for the change ({known} before)" if changed else known)
