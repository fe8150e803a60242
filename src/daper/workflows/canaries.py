"""Of the tools that want it, some actions are tried before those like them: what does not help harms no more."""

from collections import Counter

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from daper.core.models import ProposedAction
    from daper.core.outcomes import OutcomeStatus
    from daper.core.text import counted, shown
    from daper.workflows.execution import Execution
    from daper.workflows.state import CycleState

_NOTHING_HAPPENED = {OutcomeStatus.STALE, OutcomeStatus.BLOCKED, OutcomeStatus.LAPSED, OutcomeStatus.SKIPPED}

_STANDS = {OutcomeStatus.APPLIED, OutcomeStatus.ALREADY_APPLIED}


class Canaries:
    """Which action of an execution is to be tried next, alone, and what follows from how that went."""

    def __init__(self, execution: Execution, state: CycleState) -> None:
        self._execution = execution
        self._state = state
        approved = execution.left()
        number = Counter(action.bound.peers for action in approved)
        self._wanted = {each.bound.peers: each.bound.canary for each in approved if number[each.bound.peers] > 1}

    def next(self) -> ProposedAction | None:
        """The first in the plan's order whose like is still to be tried; None where none is."""
        left = self._execution.left()
        action = next((each for each in left if self._wanted.get(each.bound.peers, 0) > 0), None)
        if action is not None:
            others = sum(each.bound.peers == action.bound.peers for each in left) - 1
            self._state.message = (
                f"{action.id} is tried first; {counted(others, 'more action')} of {_named(action.bound.peers)} "
                f"{'waits' if others == 1 else 'wait'} until it has helped"
            )
        return action

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


def _named(peers: tuple[str, str]) -> str:
    tool, alike = peers
    return f"{tool} ({shown(alike)})" if alike else tool
