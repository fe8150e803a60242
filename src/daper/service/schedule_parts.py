"""Turns what we say of schedules into what Temporal says of them, and back."""

from collections.abc import Sequence
from dataclasses import replace

from temporalio.client import (
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionResult,
    ScheduleActionStartWorkflow,
    ScheduleCalendarSpec,
    ScheduleDescription,
    ScheduleIntervalSpec,
    ScheduleListActionStartWorkflow,
    ScheduleListDescription,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
)
from temporalio.common import TypedSearchAttributes

from daper.core.ids import scheduled_repair_prefix
from daper.core.schedules import UTC_NAME, When
from daper.service.launch import Launch
from daper.service.schedule_orders import PutSchedule, ScheduleLine
from daper.workflows.labels import DOMAIN_MEMO, USER_MEMO, WORKFLOW_NAME
from daper.workflows.repair import RepairAgentWorkflow

_ONCE = 0  # the seconds of a cron expression


def schedule_of(order: PutSchedule, launch: Launch, *, queue: str, before: ScheduleState | None = None) -> Schedule:
    """The whole schedule. `before`: what is kept of one that is there, as far as the order says nothing else."""
    kept = before or ScheduleState()
    state = replace(kept, note=kept.note if order.note is None else order.note, paused=kept.paused or order.paused)
    return Schedule(
        action=ScheduleActionStartWorkflow(
            RepairAgentWorkflow.run,
            launch.request,
            id=scheduled_repair_prefix(order.ref.schedule_id),
            task_queue=queue,
            memo=launch.memo,
            typed_search_attributes=launch.search_attributes or TypedSearchAttributes.empty,
            static_summary=launch.summary,
        ),
        spec=_spec_of(order.when),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=order.catch_up),
        state=state,
    )


def _spec_of(when: When) -> ScheduleSpec:
    if when.every is None:
        return ScheduleSpec(cron_expressions=[when.cron], time_zone_name=when.time_zone)
    return ScheduleSpec(intervals=[ScheduleIntervalSpec(every=when.every, offset=when.offset or None)])


def when_of(spec: ScheduleSpec) -> When | None:
    """What a spec says, or None where it was made elsewhere and says more than ours can."""
    if spec.skip or spec.jitter or spec.start_at or spec.end_at or len(spec.calendars) + len(spec.intervals) != 1:
        return None
    if spec.intervals:
        (interval,) = spec.intervals
        return When(every=interval.every, offset=interval.offset or When().offset)
    (calendar,) = spec.calendars
    cron = _cron_of(calendar)
    return When(cron=cron, time_zone=spec.time_zone_name or UTC_NAME) if cron else None


def words_of_spec(spec: ScheduleSpec) -> str:
    """What a spec says, in words."""
    when = when_of(spec)
    return when.words if when else "as somebody set it outside daper; see it in the Temporal UI"


def _cron_of(calendar: ScheduleCalendarSpec) -> str:
    """A calendar as a cron expression, which Temporal does not give back; empty where it says more."""
    if calendar.year or [(each.start, each.end) for each in calendar.second] != [(_ONCE, _ONCE)]:
        return ""
    return " ".join(
        (
            _ranges(calendar.minute, 0, 59),
            _ranges(calendar.hour, 0, 23),
            _ranges(calendar.day_of_month, 1, 31),
            _ranges(calendar.month, 1, 12),
            _ranges(calendar.day_of_week, 0, 6),
        )
    )


def _ranges(ranges: Sequence[ScheduleRange], least: int, most: int) -> str:
    return ",".join(_range(each, least, most) for each in ranges)


def _range(given: ScheduleRange, least: int, most: int) -> str:
    step = f"/{given.step}" if given.step > 1 else ""
    if (given.start, given.end) == (least, most):
        return f"*{step}"
    if given.end <= given.start:
        return str(given.start)
    return f"{given.start}-{given.end}{step}"


def open_repairs(described: ScheduleDescription) -> tuple[str, ...]:
    """The repairs of a schedule that are not over, as far as it knows."""
    return tuple(
        each.workflow_id
        for each in described.info.running_actions
        if isinstance(each, ScheduleActionExecutionStartWorkflow)
    )


def repair_id_of(result: ScheduleActionResult) -> str:
    """The repair that a run of a schedule is."""
    return result.action.workflow_id if isinstance(result.action, ScheduleActionExecutionStartWorkflow) else ""


def starts_repairs(action: object) -> bool:
    """Whether it is a schedule of ours, or one of the many others that a namespace may have."""
    ours = isinstance(action, (ScheduleActionStartWorkflow, ScheduleListActionStartWorkflow))
    return ours and action.workflow == WORKFLOW_NAME


async def schedule_line(listed: ScheduleListDescription) -> ScheduleLine | None:
    """A schedule as a list has it; None for one that starts something else."""
    schedule, info = listed.schedule, listed.info
    if schedule is None or not starts_repairs(schedule.action):
        return None
    memo = await listed.memo()
    upcoming = info.next_action_times if info and not schedule.state.paused else ()
    return ScheduleLine(
        schedule_id=listed.id,
        user=str(memo.get(USER_MEMO, "")),
        domain=str(memo.get(DOMAIN_MEMO, "")),
        words=words_of_spec(schedule.spec),
        paused=schedule.state.paused,
        next_run=upcoming[0] if upcoming else None,
    )
