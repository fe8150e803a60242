"""Which actions of a plan may run beside each other: those that share no record. Pure."""

from collections.abc import Sequence

from daper.core.models import ProposedAction


def independent_groups(actions: Sequence[ProposedAction]) -> tuple[tuple[ProposedAction, ...], ...]:
    """The actions in groups that touch no common record; inside a group the plan's order is kept."""
    groups: list[tuple[set[str], list[ProposedAction]]] = []
    for action in actions:
        touched = {f"record {action.bound.record_id}", *action.bound.reads}
        joined: list[ProposedAction] = []
        apart: list[tuple[set[str], list[ProposedAction]]] = []
        for group_touched, members in groups:
            if group_touched & touched:
                touched |= group_touched
                joined += members
            else:
                apart.append((group_touched, members))
        groups = [*apart, (touched, [*joined, action])]
    order = {action.id: place for place, action in enumerate(actions)}
    return tuple(tuple(sorted(members, key=lambda action: order[action.id])) for _, members in groups)
