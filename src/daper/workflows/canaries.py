"""Of the tools that want it, some actions are tried before those like them: what does not help harms no more."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from daper.core.models import ProposedAction
    from daper.core.outcomes import OutcomeStatus
    from daper.core.text import counted, shown
    from daper.workflows.execution import Execution
    from daper.workflows.state import CycleState

_SIDE_BY_SIDE: Final = "those-tried-first-side-by-side"
_MOST_NAMED: Final = 10
_NOTHING_HAPPENED = {OutcomeStatus.STALE, OutcomeStatus.BLOCKED, OutcomeStatus.LAPSED, OutcomeStatus.SKIPPED}

_STANDS = {OutcomeStatus.APPLIED, OutcomeStatus.ALREADY_APPLIED}


class Canaries:
    """Which actions of an execution are tried next, before those like them, and what follows from how that went."""

    def __init__(self, execution: Execution, state: CycleState) -> None:
        self._execution = execution
        self._state = state
        approved = execution.left()
        number = Counter(action.bound.peers for action in approved)
        self._wanted = {each.bound.peers: each.bound.canary for each in approved if number[each.bound.peers] > 1}

    def next(self) -> tuple[ProposedAction, ...]:
        """Of each sort that is still to be tried the first in the plan's order; none at the end.

        They are tried side by side, but for what has to run after another one: for that it waits.
        """
        left = self._execution.left()
        first: dict[tuple[str, str], ProposedAction] = {}
        for each in left:
            if self._is_wanted(each):
                first.setdefault(each.bound.peers, each)
        # What is before it runs with it, and must not be another one of a sort that is still to be tried.
        found = tuple(each for each in first.values() if not any(map(self._is_wanted, self._execution.before(each))))
        if len(found) > 1 and not workflow.patched(_SIDE_BY_SIDE):
            found = found[:1]
        if found:
            self._state.message = first_ones_told(found, left)
        return found

    def _is_wanted(self, action: ProposedAction) -> bool:
        return self._wanted.get(action.bound.peers, 0) > 0

    def note(self, action: ProposedAction) -> None:
        """Go by what was seen of an action that was tried. Nothing was seen where nothing happened."""
        peers, status = action.bound.peers, self._state.outcomes[action.id].status
        if status in _NOTHING_HAPPENED:
            return
        if status.took_effect and self._state.helped(action.id):
            self._wanted[peers] -= 1
            return
        told = "did not help" if self._state.did_not_help(action.id) else "is not seen to have helped"
        seen = sorted(set(self._state.seen(action.id))) if status.took_effect else []
        why = ", ".join([*seen, *([] if seen and status in _STANDS else [status])])
        self._give_up(peers, f"{action.id}, tried first, {told} ({why})")

    def give_up(self, why: str) -> None:
        """Do nothing more with any tool: whether it helps, nobody would see."""
        for peers in dict.fromkeys(action.bound.peers for action in self._execution.left()):
            self._give_up(peers, why)

    def _give_up(self, peers: tuple[str, str], why: str) -> None:
        left = sum(each.bound.peers == peers for each in self._execution.left())
        if left:
            self._state.troubles.append(f"{counted(left, 'action')} of {_named(peers)} not done: {why}")
        self._execution.hold(peers, why)
        self._wanted[peers] = 0


def first_ones_told(tried: Sequence[ProposedAction], left: Sequence[ProposedAction]) -> str:
    """Who is tried first, and who waits for it."""
    sorts = {action.bound.peers for action in tried}
    others = sum(each.bound.peers in sorts for each in left) - len(tried)
    wait = "waits" if others == 1 else "wait"
    if len(tried) == 1:
        [action] = tried
        more = counted(others, "more action")
        return f"{action.id} is tried first; {more} of {_named(action.bound.peers)} {wait} until it has helped"
    named = ", ".join(action.id for action in tried[:_MOST_NAMED])
    more = f" and {len(tried) - _MOST_NAMED:,} more" if len(tried) > _MOST_NAMED else ""
    return f"{named}{more} are tried first; {counted(others, 'action')} {wait}, each until the one like it has helped"


def _named(peers: tuple[str, str]) -> str:
    tool, alike = peers
    return f"{tool} ({shown(alike)})" if alike else tool
