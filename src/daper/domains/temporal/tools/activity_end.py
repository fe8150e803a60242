"""What the last events of a run tell of its activities: how they ended, and which began since. Pure."""

from collections.abc import AsyncIterable, Collection
from datetime import datetime

from temporalio.api.failure.v1 import Failure as WireFailure
from temporalio.api.history.v1 import ActivityTaskStartedEventAttributes, HistoryEvent

from daper.domains.temporal.answers import failures_of, moment
from daper.domains.temporal.tools.activity_group import LastAttempt
from daper.domains.temporal.workflow import causes


async def failed_for_good(events: AsyncIterable[HistoryEvent], ids: Collection[str], *, up_to: int) -> dict[str, str]:
    """Those of the named that ended by a failure, and by which; of each the last that was scheduled up to an event.

    The newest event comes first.
    """
    ended: dict[int, WireFailure] = {}
    found: dict[str, str] = {}
    async for event in events:
        if event.HasField("activity_task_failed_event_attributes"):
            failed = event.activity_task_failed_event_attributes
            ended[failed.scheduled_event_id] = failed.failure
        elif event.HasField("activity_task_timed_out_event_attributes"):
            late = event.activity_task_timed_out_event_attributes
            ended[late.scheduled_event_id] = late.failure
        elif event.HasField("activity_task_scheduled_event_attributes"):
            activity_id = event.activity_task_scheduled_event_attributes.activity_id
            if activity_id in ids and activity_id not in found and event.event_id <= up_to:
                failure = ended.get(event.event_id)
                found[activity_id] = causes(failures_of(failure)) if failure is not None else ""
        if len(found) == len(ids):
            break
    return {activity_id: cause for activity_id, cause in found.items() if cause}


async def last_attempts(
    events: AsyncIterable[HistoryEvent], ids: Collection[str], *, up_to: int
) -> dict[str, LastAttempt]:
    """The last attempts of activities that are over and were scheduled up to an event; those that the history has."""
    started: dict[int, tuple[ActivityTaskStartedEventAttributes, datetime | None]] = {}
    found: dict[str, LastAttempt | None] = {}
    async for event in events:
        if event.HasField("activity_task_started_event_attributes"):
            attributes = event.activity_task_started_event_attributes
            started[attributes.scheduled_event_id] = attributes, moment(event.event_time)
        elif event.HasField("activity_task_scheduled_event_attributes"):
            activity_id = event.activity_task_scheduled_event_attributes.activity_id
            if activity_id in ids and activity_id not in found and event.event_id <= up_to:
                attempt = started.get(event.event_id)
                last = LastAttempt(number=attempt[0].attempt, began=attempt[1]) if attempt else None
                found[activity_id] = last
                if len(found) == len(ids):
                    break
    return {activity_id: last for activity_id, last in found.items() if last is not None}


async def scheduled_since(events: AsyncIterable[HistoryEvent], seen: int) -> frozenset[str]:
    """The ids of the activities that were scheduled behind an event: others than those that were pending then."""
    found = set[str]()
    async for event in events:
        if event.event_id <= seen:
            break
        if event.HasField("activity_task_scheduled_event_attributes"):
            found.add(event.activity_task_scheduled_event_attributes.activity_id)
    return frozenset(found)
