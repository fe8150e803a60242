"""A schedule in lines."""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from daper.core.models import Scope
from daper.core.schedules import span_in_words
from daper.core.text import counted
from daper.service.schedule_orders import ScheduledRun, ScheduleView


def view_lines(view: ScheduleView) -> Iterator[str]:
    """What there is to say of a schedule, but for its id."""
    yield f"Starts a repair of {view.domain} for {view.user}: {view.words}"
    yield f"Records: {_scope(view.scope)} of store {view.store_id}{'; it only plans' if view.dry_run else ''}"
    yield (
        f"A plan waits {span_in_words(view.approval_timeout)} for a decision; while a run is open, the next ones are "
        f"{_overlap(view.overlap)}; a missed one may begin {span_in_words(view.catch_up)} late"
    )
    if view.trouble:
        yield f"Careful: {view.trouble}"
    if view.finds_nothing:
        yield f"Careful: {view.finds_nothing}; until one has it, a run finds nothing"
    if view.lacking:
        yield f"Now {view.lacking}"
    if view.paused:
        yield f"Paused; no run begins before: daper schedule resume {view.schedule_id}"
    if view.note:
        yield f"Note: {view.note}"
    if view.next_runs:
        yield "Next runs:"
        yield from (f"  - {_time(view, at)}" for at in view.next_runs)
    yield (
        f"{counted(view.started, 'run')} since {view.created_at:%Y-%m-%d %H:%M} UTC; {view.skipped} skipped while "
        f"another was open, {view.missed} missed while Temporal was away"
    )
    if view.runs:
        yield "Last runs:"
        yield from map(_run, view.runs)


def _run(run: ScheduledRun) -> str:
    look = f": daper repair show {run.repair_id}" if run.open else ""
    return f"  - {run.started_at:%Y-%m-%d %H:%M:%S} UTC {run.repair_id}: {run.phase}{look}"


def _scope(scope: Scope) -> str:
    named = ", ".join(scope.record_ids)
    status = f"those with status {scope.status}" if scope.status else "all"
    part = f" in part {scope.partition}" if scope.partition else ""
    return f"{named or status}{part}, at most {counted(scope.limit, 'problem')} at once,"


def _overlap(policy: str) -> str:
    return "skipped" if policy == "skip" else f"not skipped (set outside daper: {policy})"


def _time(view: ScheduleView, at: datetime) -> str:
    told = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    zone = view.when.time_zone if view.when else ""
    if zone in {"", "UTC"}:
        return told
    try:
        return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S} {zone} ({told})"
    except (KeyError, ValueError, OSError):  # Temporal knows more zones than this machine
        return told
