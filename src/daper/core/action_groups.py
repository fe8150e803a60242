"""Actions of a plan that are the same but for their record: one group, which is read once and decided as one. Pure.

Nothing is lost in a group: what reads the same in all of its actions is told once, and the rest with each of them.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Final

from daper.core.asked_amounts import in_all
from daper.core.digests import canonical
from daper.core.lines import LABELS, FieldLine, LineKind, Piece, Voice, action_lines, amount_words
from daper.core.models import Change, Risk
from daper.core.views import UNKNOWN_AMOUNT, ActionView, PlanView


@dataclass(frozen=True)
class ActionGroup:
    """Actions that are the same but for their record, in the order of the plan; often it is one alone."""

    actions: tuple[ActionView, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of its actions."""
        return tuple(action.id for action in self.actions)

    @property
    def tool(self) -> str:
        """What all of them do."""
        return self.actions[0].tool

    @property
    def risk(self) -> Risk:
        """How much harm each of them can do."""
        return self.actions[0].risk

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of problem that each of them answers."""
        return self.actions[0].kinds

    @cached_property
    def spends(self) -> str:
        """What all of them spend together, as a plan says it: an amount, or `unknown`."""
        amounts = [action.spends for action in self.actions]
        return UNKNOWN_AMOUNT if UNKNOWN_AMOUNT in amounts else str(sum(map(Decimal, amounts), Decimal(0)))

    @property
    def heading(self) -> FieldLine:
        """How many, of what, and what they spend together: `42 × send_reminder, 3,120.00 in all`.

        Of what spends nothing and is about an amount, those amounts.
        """
        unknown = self.spends == UNKNOWN_AMOUNT
        money = "nobody can say what they spend" if unknown else f"{amount_words(self.spends)} in all"
        if not unknown and not Decimal(self.spends):
            money = in_all(self.actions) or money
        tool = Piece(self.tool, Voice.VALUE)
        pieces = (Piece(f"{len(self.actions)} × "), tool, Piece(f", {money}"))
        return FieldLine(LineKind.TOOL, LABELS[LineKind.TOOL], pieces)

    @cached_property
    def common(self) -> tuple[FieldLine, ...]:
        """The fields that read the same in every action, in their order.

        A change of the action's own record counts as the same for all where only the record differs; it is told without
        the record.
        """
        first, *others = self._lines.values()
        return tuple(line for line in first if all(line in each for each in others))

    def own(self, action: ActionView) -> tuple[FieldLine, ...]:
        """The fields of one of its actions that `common` does not tell."""
        return tuple(line for line in self._lines[action.id] if line not in self.common)

    @cached_property
    def evidence(self) -> tuple[str, ...]:
        """What was seen of every record alike."""
        first, *others = (action.evidence for action in self.actions)
        return tuple(each for each in first if all(each in other for other in others))

    def own_evidence(self, action: ActionView) -> tuple[str, ...]:
        """What was seen of the record of one action that `evidence` does not tell."""
        return tuple(each for each in action.evidence if each not in self.evidence)

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """The changes that are the same in every action; where they are of its own record, without that one's name."""
        first, *others = map(nameless_changes, self.actions)
        return tuple(each for each in first if all(each in other for other in others))

    def own_changes(self, action: ActionView) -> tuple[Change, ...]:
        """The changes of one action that `changes` does not tell; likewise."""
        return tuple(each for each in nameless_changes(action) if each not in self.changes)

    @cached_property
    def _lines(self) -> dict[str, tuple[FieldLine, ...]]:
        return {action.id: _lines(action) for action in self.actions}


WORTH_A_GROUP: Final = 3
"""Fewer that are the same are told one by one."""


def alike(actions: Iterable[ActionView]) -> tuple[ActionGroup, ...]:
    """The groups of so many actions that they are worth telling as one, what may harm most first."""
    return tuple(group for group in _grouped(actions) if len(group.actions) >= WORTH_A_GROUP)


def grouped(plan: PlanView) -> tuple[ActionGroup, ...]:
    """The actions of a plan in groups, what may harm most first; else in the order of the plan."""
    return _grouped(plan.actions)


def _grouped(actions: Iterable[ActionView]) -> tuple[ActionGroup, ...]:
    groups: dict[tuple[Hashable, ...], list[ActionView]] = {}
    for action in actions:
        groups.setdefault(_sameness(action), []).append(action)
    made = [ActionGroup(tuple(each)) for each in groups.values()]
    return tuple(sorted(made, key=lambda group: -group.risk.rank))


def by_tool(actions: Iterable[ActionView]) -> tuple[ActionGroup, ...]:
    """Actions that do the same at the same risk, each in its own way; what stands instead of another is alone."""
    groups: dict[tuple[Hashable, ...], list[ActionView]] = {}
    for action in actions:
        groups.setdefault((action.tool, action.risk, action.id if action.instead_of else ""), []).append(action)
    return tuple(ActionGroup(tuple(each)) for each in groups.values())


def exceptions(groups: Iterable[ActionGroup]) -> tuple[ActionView, ...]:
    """The actions that are like no other of their plan."""
    return tuple(group.actions[0] for group in groups if len(group.actions) == 1)


def _sameness(action: ActionView) -> tuple[Hashable, ...]:
    """What two actions have in common that are the same but for their record.

    An argument that nobody may choose is a fact of the record; one that somebody chose, within limits, is not.
    """
    chosen = {name: action.arguments.get(name) for name in action.editable}
    return (
        action.tool,
        action.risk,
        action.confidence_score,
        action.proposed_by,
        action.seconded_by,
        action.doubts,
        action.done_before,
        action.kinds,
        action.spends,
        action.if_it_does_not_help,
        action.alike,
        tuple(sorted(action.arguments)),
        canonical(chosen) if chosen else "",
        # What stands instead of another is like nothing else: at most one of the two can be approved.
        action.id if action.instead_of else "",
    )


def _lines(action: ActionView) -> tuple[FieldLine, ...]:
    """The fields of an action; changes of its own record without that record's name."""
    refs = {
        f"{change.record} {change.field}": change.field for change in action.preview if is_of(action, change.record)
    }
    return tuple(
        replace(line, label=refs.get(line.label, line.label)) if line.kind is LineKind.CHANGE else line
        for line in action_lines(action)
    )


def nameless_changes(action: ActionView) -> tuple[Change, ...]:
    return tuple(
        change.model_copy(update={"record": ""}) if is_of(action, change.record) else change
        for change in action.preview
    )


def is_of(action: ActionView, record: str) -> bool:
    """Whether a record, as `orders/ORD-1`, is the action's own; ids may have slashes in them."""
    return action.record_id in (record, record.partition("/")[2])
