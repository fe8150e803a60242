"""How activities that are over came to their end, from the last events of a run. Pure."""

from collections.abc import AsyncIterable, Collection

from temporalio.api.failure.v1 import Failure as WireFailure
from temporalio.api.history.v1 import HistoryEvent

from daper.domains.temporal.answers import failures_of
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
