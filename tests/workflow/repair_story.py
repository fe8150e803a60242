"""What a repair did and when, by its history: which effects it asked for, which it verified, and how many at once."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from temporalio.client import Client

from daper.core.messages import ActionRef, VerifyInput
from daper.core.views import ActionView

_GIVEN: Final = {"apply_action": ActionRef, "verify_repair": VerifyInput}


@dataclass(frozen=True, kw_only=True)
class Done:
    """An activity of a repair: for which actions, where in the history it was asked for and ended, and when."""

    actions: tuple[str, ...]
    asked: int
    ended: int
    asked_at: datetime
    ended_at: datetime


@dataclass(frozen=True, kw_only=True)
class Story:
    """The effects of a repair by their action, and its verifications, in the order in which they were asked for."""

    effects: Mapping[str, Done]
    verifications: Sequence[Done]

    def verified(self, action_id: str) -> Done | None:
        """The verification of an action; None where it had no effect to look at."""
        return next((each for each in self.verifications if action_id in each.actions), None)

    def tried_first(self, group: Sequence[str]) -> str | None:
        """Of actions that are alike the first that had an effect; None where none had."""
        return next((each for each in self._in_turn(group) if self.verified(each)), None)

    def others(self, group: Sequence[str]) -> list[Done]:
        """The effects of a group that were asked for after those of the one that was tried first."""
        in_turn = self._in_turn(group)
        first = self.tried_first(group)
        return [self.effects[each] for each in in_turn[in_turn.index(first) + 1 :]] if first else []

    def _in_turn(self, group: Sequence[str]) -> list[str]:
        return sorted((each for each in group if each in self.effects), key=lambda each: self.effects[each].asked)

    @property
    def at_once(self) -> int:
        """How many effects were under way together at most."""
        marks = sorted(mark for each in self.effects.values() for mark in ((each.asked, 1), (each.ended, -1)))
        most = under_way = 0
        for _, change in marks:
            under_way += change
            most = max(most, under_way)
        return most


def groups_of(actions: Sequence[ActionView]) -> dict[tuple[str, str], list[str]]:
    """The ids of those for which one speaks, in the order of their plan."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for action in actions:
        found[action.tool, action.alike].append(action.id)
    return found


def went_first(story: Story, groups: Mapping[tuple[str, str], Sequence[str]]) -> bool:
    """Whether of each group the first that had an effect was verified before another of it was asked for."""
    for group in groups.values():
        first = story.tried_first(group)
        verified = story.verified(first) if first else None
        if first is None or verified is None:
            continue
        if story.effects[first].ended > verified.asked:
            return False
        if any(verified.ended > each.asked for each in story.others(group)):
            return False
    return True


async def story_of(client: Client, repair_id: str) -> Story:
    """As the history of an ended repair tells it."""
    asked: dict[int, tuple[ActionRef | VerifyInput, datetime]] = {}
    effects: dict[str, Done] = {}
    verifications: list[Done] = []
    async for event in client.get_workflow_handle(repair_id).fetch_history_events():
        at = event.event_time.ToDatetime()
        if event.HasField("activity_task_scheduled_event_attributes"):
            scheduled = event.activity_task_scheduled_event_attributes
            if given := _GIVEN.get(scheduled.activity_type.name):
                [what] = await client.data_converter.decode(scheduled.input.payloads, [given])
                asked[event.event_id] = what, at
            continue
        number = event.activity_task_completed_event_attributes.scheduled_event_id
        if number not in asked:
            continue
        what, asked_at = asked[number]
        ended = Done(actions=_actions(what), asked=number, ended=event.event_id, asked_at=asked_at, ended_at=at)
        if isinstance(what, VerifyInput):
            verifications.append(ended)
        else:
            effects[what.action.id] = ended
    return Story(effects=effects, verifications=sorted(verifications, key=lambda each: each.asked))


def _actions(what: ActionRef | VerifyInput) -> tuple[str, ...]:
    if isinstance(what, ActionRef):
        return (what.action.id,)
    return tuple(each.ref.action.id for each in what.applied)
