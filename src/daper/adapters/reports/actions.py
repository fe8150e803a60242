"""What was proposed, refused and done, as tables; none where there is nothing to show. Pure."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC

from pydantic import JsonValue

from daper.adapters.reports.alike import ACTION_IDS, EACH, EVERY_RECORD, together
from daper.core.lines import ACTION_KINDS, LABELS, FieldLine, LineKind, change_line, confidence_line
from daper.core.models import BlockedProposal, Change, ProposedAction
from daper.core.outcomes import ActionOutcome, RepairResult
from daper.documents.blocks import Cell, Column, Line, Part, Table
from daper.documents.cells import (
    EMPTY,
    cell,
    code,
    in_full,
    listed,
    prose,
    score,
    settings,
    text,
    uncut,
    worded,
)

_PROPOSED_PARTS = (
    Part("action", 28),
    Part("what is wrong, and what would be done", 48),
    Part("what it spends, and what then", 24),
)
_PART_OF = {
    LineKind.TOOL: 0,
    LineKind.RISK: 0,
    LineKind.CONFIDENCE: 0,
    LineKind.PROPOSER: 0,
    LineKind.PROBLEM: 1,
    LineKind.REASON: 1,
    LineKind.DONE_BEFORE: 1,
    LineKind.ARGUMENT: 1,
    LineKind.CHANGE: 1,
    LineKind.SPENDS: 2,
    LineKind.FALLBACK: 2,
    LineKind.DOUBT: 2,
    LineKind.ALTERNATIVE: 2,
}
_NAMED = frozenset({LineKind.ARGUMENT, LineKind.CHANGE})  # each line of theirs has a name of its own
_NOTHING_BEFORE = frozenset({"", "none"})
_RARE = frozenset({LineKind.DONE_BEFORE, LineKind.DOUBT, LineKind.ALTERNATIVE})
_ACTION_PARTS = (Part("action", 30), Part("what was to be done", 40), Part("what became of it", 30))
_ACTION_COLUMNS = (
    Column("action", 0),
    Column("record", 0),
    Column("tool", 0),
    Column("arguments", 1),
    Column("confidence", 0, "confidence"),
    Column("risk", 0, "risk"),
    Column("status", 2),
    Column("before → after", 1, "before → after"),
    Column("evidence", 2),
)
_ACTION_OWN = {0: ACTION_IDS, 1: EVERY_RECORD, 3: EACH, 7: EACH}
_BLOCKED_PARTS = (Part("record", 30), Part("what was proposed", 35), Part("why it may not run", 35))
_BLOCKED_COLUMNS = (
    Column("record", 0),
    Column("tool", 1),
    Column("arguments", 1),
    Column("proposed by", 0, "by"),
    Column("why it may not run", 2),
)
_PLAN_PARTS = (Part("plan", 30), Part("what is in it", 30), Part("notes", 40))
_PLAN_COLUMNS = (
    Column("round", 0, "round"),
    Column("plan", 0),
    Column("actions", 1, "actions"),
    Column("confidence", 1, "confidence"),
    Column("notes", 2),
)


@dataclass(frozen=True, kw_only=True)
class Proposed:
    """One action of a plan, with its fields in order; `untold`: how many more it has."""

    action_id: str
    record: str = ""
    about: str = ""
    lines: Sequence[FieldLine]
    untold: int = 0


def proposed_table(actions: Sequence[Proposed]) -> Table | None:
    """The actions of a plan, a column for each kind of field; for what no action has and few ever have, none."""
    there = {line.kind for action in actions for line in action.lines}
    kinds = [kind for kind in ACTION_KINDS if kind in there or kind not in _RARE]
    columns = (
        Column("action", 0),
        Column("record", 0),
        Column("about", 0),
        *(Column(LABELS[kind], _PART_OF[kind], "" if kind is LineKind.ARGUMENT else LABELS[kind]) for kind in kinds),
    )
    return rows_table(columns, _PROPOSED_PARTS, (_proposed(action, kinds) for action in actions))


def _proposed(action: Proposed, kinds: Sequence[LineKind]) -> tuple[Cell, ...]:
    more = text(f"({action.untold} more fields are not shown here)" if action.untold else "")
    return (
        uncut((code(action.action_id), more)),
        cell(code(action.record)),
        cell(text(action.about)),
        *(_fields(kind, [line for line in action.lines if line.kind is kind]) for kind in kinds),
    )


def _fields(kind: LineKind, lines: Sequence[FieldLine]) -> Cell:
    worded_lines = (worded(line, named=kind in _NAMED) for line in lines)
    # Uncut, and none left out: this is what a person approves.
    return uncut(worded_lines) if kind is LineKind.ARGUMENT else listed(worded_lines)


def actions_table(result: RepairResult, *, whole: bool = False) -> Table | None:
    """Every proposed action of every round, and what became of it; those alike together, if not `whole`."""
    outcomes = {outcome.action_id: outcome for outcome in result.outcomes}
    actions = [action for plan in result.plans for action in plan.actions]
    rows = (_action(action, outcomes.get(action.id)) for action in actions)
    return rows_table(_ACTION_COLUMNS, _ACTION_PARTS, together(rows, _ACTION_OWN, whole=whole))


def rows_table(columns: tuple[Column, ...], parts: tuple[Part, ...], rows: Iterable[tuple[Cell, ...]]) -> Table | None:
    """A table, or None if it has no rows."""
    every = tuple(rows)
    return Table(columns, parts, every) if every else None


def _action(action: ProposedAction, outcome: ActionOutcome | None) -> tuple[Cell, ...]:
    bound = action.bound
    edited = bool(outcome and outcome.digest and outcome.digest != action.digest)
    arguments = outcome.arguments if edited and outcome else bound.arguments
    return (
        cell(code(action.id)),
        cell(code(bound.record_id)),
        cell(code(bound.tool)),
        settings(arguments, after="(edited)" if edited else ""),
        cell(worded(confidence_line(action.confidence_score))),
        cell(text(bound.risk)),
        _status(outcome),
        _changes(action, outcome),
        listed(text(item) for item in _seen(outcome)) if outcome else EMPTY,
    )


def _seen(outcome: ActionOutcome) -> tuple[str, ...]:
    when = () if outcome.at is None else (f"done at {outcome.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",)
    return (*outcome.evidence, *when)


def _status(outcome: ActionOutcome | None) -> Cell:
    if outcome is None:
        return cell(text("did not run"))
    return cell((*code(outcome.status), *(text(" (simulated)") if outcome.simulated else ())))


def _changes(action: ProposedAction, outcome: ActionOutcome | None) -> Cell:
    if outcome and (outcome.before or outcome.after):
        names = dict.fromkeys((*outcome.before, *outcome.after))
        changed = [
            (*text(name), *text(": "), *_at(outcome.before, name), *text(" → "), *_at(outcome.after, name))
            for name in names
        ]
        return listed([*changed, *_written(action, outcome, names)])
    return planned(action.preview, before="planned:")


def _written(action: ProposedAction, outcome: ActionOutcome, names: Container[str]) -> Iterator[Line]:
    """What was written to somebody, as the plan showed it: in the arguments are the words before they are filled in."""
    as_planned = not outcome.digest or outcome.digest == action.digest
    for change in action.preview if as_planned and outcome.status.took_effect else ():
        if change.field not in names and change.before in _NOTHING_BEFORE:
            yield (*text(f"{change.field}: "), *in_full(change.after))


def planned(changes: Iterable[Change], *, before: str = "") -> Cell:
    """What a plan says that would change."""
    return listed((worded(change_line(change), named=True) for change in changes), before=before)


def _at(fields: Mapping[str, JsonValue], name: str) -> Line:
    if name not in fields:
        return text("-")
    return text("(nothing)") if fields[name] is None else in_full(fields[name])


def blocked_table(blocked: Iterable[BlockedProposal]) -> Table | None:
    """What the guard refused, with the reason."""
    return rows_table(
        _BLOCKED_COLUMNS,
        _BLOCKED_PARTS,
        (
            (
                cell(code(item.record_id)),
                cell(code(item.tool)),
                settings(item.arguments),
                cell(text(item.proposed_by)),
                cell(text(item.reason)),
            )
            for item in blocked
        ),
    )


def plans_table(result: RepairResult) -> Table | None:
    """The plan of each round."""
    return rows_table(
        _PLAN_COLUMNS,
        _PLAN_PARTS,
        (
            (
                cell(text(plan.round)),
                cell(code(plan.digest[:12])),
                cell(text(len(plan.actions))),
                cell(text(score(plan.overall_confidence_score))),
                cell(prose(plan.additional_notes)),
            )
            for plan in result.plans
        ),
    )
