"""Schedules: repairs that Temporal starts at their times, each of which asks a person."""

from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field

from daper.core.access import Access
from daper.core.base import Reply
from daper.core.errors import UserError
from daper.core.models import Line, Span
from daper.core.schedules import UTC_NAME, When, at_intervals, by_cron
from daper.entrypoints.documents import SchedulesDocument
from daper.entrypoints.web.api.operations import Answer, AnyOperation, Call, Nothing, Operation, Replied
from daper.entrypoints.web.api.problems import Kind
from daper.entrypoints.web.api.repairs import Asked, Looked, StopBody
from daper.service.schedule_orders import (
    CATCH_UP,
    EVERY_DAY,
    CatchUp,
    PutSchedule,
    ScheduleDeleted,
    ScheduleRef,
    ScheduleView,
    Triggered,
)
from daper.settings import STARTING

_KNOWN: Final = frozenset({Kind.NOT_FOUND, Kind.OCCUPIED, Kind.REFUSED})
_ONE: Final = "/schedules/{schedule_id}"


class SchedulesQuery(Reply):
    """How many."""

    limit: Annotated[int, Field(ge=1, le=1000, description="How many, at most.")] = 100


class Times(Reply):
    """When a schedule starts a repair: `every` so long, shifted by `offset` from midnight UTC; or by `cron`."""

    every: timedelta | None = None
    offset: timedelta = timedelta()
    cron: Line = ""
    time_zone: Line = UTC_NAME

    @property
    def when(self) -> When:
        """The same, checked. Raises UserError."""
        if self.cron and self.every is None and not self.offset:
            return by_cron(self.cron, self.time_zone)
        if self.cron or self.every is None or self.time_zone != UTC_NAME:
            raise UserError("when has to have either every, perhaps with offset, or cron, perhaps with time_zone")
        return at_intervals(self.every, self.offset)


class ScheduleBody(Looked):
    """All that a schedule is to be. What is left out is as for a new one."""

    domain: Line = Field(default="", description="Which records; empty: those that are configured.")
    when: Times | None = Field(default=None, description="Left out: every day at midnight UTC.")
    dry_run: bool = False
    approval_timeout: Span | None = Field(default=None, description="How long each plan waits for a decision.")
    catch_up: CatchUp = Field(default=CATCH_UP, description="How late a run may begin that was missed.")
    note: Line | None = None
    paused: bool = False


def _ref(call: Call[Nothing, Nothing] | Call[Nothing, StopBody] | Call[Nothing, ScheduleBody]) -> ScheduleRef:
    settings = call.console.settings
    return ScheduleRef(user=call.person.name, domain=settings.domain, name=call.path["schedule_id"])


async def _list(call: Call[SchedulesQuery, Nothing]) -> Replied:
    lines = await call.console.services.schedules.list(limit=call.query.limit)
    return Replied(document=SchedulesDocument(schedules=lines))


async def _show(call: Call[Nothing, Nothing]) -> Replied:
    return Replied(document=await call.console.services.schedules.describe(_ref(call)))


async def _put(call: Call[Nothing, ScheduleBody]) -> Replied:
    settings, asked = call.console.settings, call.body
    settings.need(*STARTING)
    order = PutSchedule(
        requested_by=call.person,
        domain=settings.domain_or(asked.domain),
        name=_ref(call).schedule_id,
        when=asked.when.when if asked.when else EVERY_DAY,
        scope=asked.scope,
        dry_run=asked.dry_run,
        approval_timeout=asked.approval_timeout,
        catch_up=asked.catch_up,
        note=asked.note,
        paused=asked.paused,
        tell=settings.tell,
    )
    view, made = await call.console.services.schedules.upsert(order)
    return Replied(document=view, status=201 if made else 200)


async def _trigger(call: Call[Nothing, Nothing]) -> Replied:
    return Replied(document=await call.console.services.schedules.trigger(_ref(call)))


async def _pause(call: Call[Nothing, StopBody]) -> Replied:
    service, by = call.console.services.schedules, call.person.name
    return Replied(document=Asked(asked="pause", id=await service.pause(_ref(call), by=by, reason=call.body.reason)))


async def _resume(call: Call[Nothing, StopBody]) -> Replied:
    service, by = call.console.services.schedules, call.person.name
    return Replied(document=Asked(asked="resume", id=await service.resume(_ref(call), by=by, reason=call.body.reason)))


async def _delete(call: Call[Nothing, Nothing]) -> Replied:
    return Replied(document=await call.console.services.schedules.delete(_ref(call)))


OPERATIONS: Final[tuple[AnyOperation, ...]] = (
    Operation(
        method="GET",
        path="/schedules",
        name="list_schedules",
        tag="schedules",
        said="The schedules of repairs, by id, whoever made them.",
        does=_list,
        answers={200: Answer(said="The schedules.", model=SchedulesDocument)},
        query=SchedulesQuery,
        body=Nothing,
    ),
    Operation(
        method="GET",
        path=_ONE,
        name="get_schedule",
        tag="schedules",
        said="A schedule: when it runs, what it asks for, its next runs, and what became of the last ones.",
        does=_show,
        answers={200: Answer(said="The schedule.", model=ScheduleView)},
        query=Nothing,
        body=Nothing,
        problems=_KNOWN,
    ),
    Operation(
        method="PUT",
        path=_ONE,
        name="put_schedule",
        tag="schedules",
        said="Make a schedule, or change all of one of yours. Its repairs approve nothing by themselves.",
        does=_put,
        answers={
            200: Answer(said="It was changed.", model=ScheduleView),
            201: Answer(said="It was made.", model=ScheduleView),
        },
        query=Nothing,
        body=ScheduleBody,
        access=Access.START,
        problems=_KNOWN,
    ),
    Operation(
        method="DELETE",
        path=_ONE,
        name="delete_schedule",
        tag="schedules",
        said="Delete a schedule. Repairs that it started go on, and their reports stay.",
        does=_delete,
        answers={200: Answer(said="It is gone.", model=ScheduleDeleted)},
        query=Nothing,
        body=Nothing,
        access=Access.START,
        problems=_KNOWN,
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/trigger",
        name="trigger_schedule",
        tag="schedules",
        said="Start a run now, also of a paused schedule, unless another run is open.",
        does=_trigger,
        answers={200: Answer(said="What became of it.", model=Triggered)},
        query=Nothing,
        body=Nothing,
        access=Access.START,
        problems=_KNOWN,
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/pause",
        name="pause_schedule",
        tag="schedules",
        said="Let no run begin until it is resumed. A run that is open goes on.",
        does=_pause,
        answers={200: Answer(said="It is paused.", model=Asked)},
        query=Nothing,
        body=StopBody,
        access=Access.START,
        problems=_KNOWN,
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/resume",
        name="resume_schedule",
        tag="schedules",
        said="Let runs begin again, at their times. Those that the pause left out are not made up for.",
        does=_resume,
        answers={200: Answer(said="It goes on.", model=Asked)},
        query=Nothing,
        body=StopBody,
        access=Access.START,
        problems=_KNOWN,
    ),
)
