"""`daper schedule create` and `upsert`."""

from dataclasses import dataclass
from datetime import timedelta

from cyclopts import Parameter

from daper.bootstrap import open_schedules
from daper.core.errors import UserError
from daper.core.ids import fits_schedule_id
from daper.core.models import DEFAULT_PROBLEMS
from daper.core.schedules import DAY, UTC_NAME, When, at_intervals, by_cron
from daper.entrypoints.cli.exits import Exit, UsageError
from daper.entrypoints.cli.output import console, print_json, say
from daper.entrypoints.cli.parameters import NONE, Flag, Json, Names, said_right, scope_of
from daper.entrypoints.cli.questions import who_asks, who_is_told
from daper.entrypoints.cli.runner import run_to_end
from daper.entrypoints.cli.schedule_lines import view_lines
from daper.service.schedule_orders import CATCH_UP, PutSchedule, ScheduleView, unfit_name
from daper.settings import STARTING, Settings, load_settings


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WantedSchedule:
    """What a schedule is to be.

    Parameters
    ----------
    every
        How long from one run to the next, for example 1d (the default) or 90m; counted from midnight UTC.
    offset
        How long after that, for example 7h for 07:00 UTC every day.
    cron
        When, in place of --every: minute, hour, day of month, month, day of week, for example "0 7 * * 1-5".
    time_zone
        Of --cron, for example Europe/London; UTC if none is given.
    record
        Only this record, without detection. May be given several times.
    dry_run
        Plan, and stop there.
    status
        Only records with this status.
    partition
        Only one part of the records, like 1/4 for the first of four: so several schedules share what there is to do.
    limit
        How many problems one repair takes on, at most 500.
    domain
        Which records; see DAPER_DOMAIN.
    approval_timeout
        How long each plan waits for a decision, for example 12h; see DAPER_APPROVAL_TIMEOUT.
    catch_up
        How late a run may begin that was due while Temporal was away, from 10s to 366d.
    note
        Kept with the schedule, until pause or resume say something else.
    paused
        No run begins before daper schedule resume.
    tell
        Tell this person or webhook of each run; a name of people.toml, see DAPER_TELL. May be given several times.
    as_json
        Print one JSON document.
    """

    every: timedelta | None = None
    offset: timedelta | None = None
    cron: str | None = None
    time_zone: str | None = None
    record: Names = NONE
    dry_run: Flag = False
    status: str | None = None
    partition: str | None = None
    limit: int = DEFAULT_PROBLEMS
    domain: str | None = None
    approval_timeout: timedelta | None = None
    catch_up: timedelta = CATCH_UP
    note: str | None = None
    paused: Flag = False
    tell: Names = NONE
    as_json: Json = False


NOTHING_ELSE = WantedSchedule()


def create(name: str | None = None, *, wanted: WantedSchedule = NOTHING_ELSE) -> int:
    """Have a repair started at its times: every day at 00:00 UTC, if nothing else is said.

    Each run is a repair of its own, and its plan waits for a person: nothing is approved by policy. What nobody
    decides in time ends as APPROVAL-EXPIRED. While a run is open, the next ones are skipped.

    Parameters
    ----------
    name
        The id; without one it is repair-schedule-USER.
    """
    settings = load_settings(needs=STARTING)
    order = _order(settings, name, wanted)

    async def run() -> int:
        view = await (await open_schedules(settings)).create(order)
        _tell(settings, view, "Schedule created with ID", as_json=wanted.as_json, document={"created": True})
        return Exit.OK

    return run_to_end(run())


def upsert(name: str | None = None, *, wanted: WantedSchedule = NOTHING_ELSE) -> int:
    """Have a repair started at its times as `create` does; a schedule that is there becomes all that is said here.

    What is not said becomes what it is by default, not what it was. Only its note, and whether it is paused, stay as
    they were unless something is said of them. A run that is open goes on as it began.

    Parameters
    ----------
    name
        The id; without one it is repair-schedule-USER.
    """
    settings = load_settings(needs=STARTING)
    order = _order(settings, name, wanted)

    async def run() -> int:
        view, created = await (await open_schedules(settings)).upsert(order)
        heading = "Schedule created with ID" if created else "Schedule changed, with ID"
        _tell(settings, view, heading, as_json=wanted.as_json, document={"created": created})
        return Exit.OK

    return run_to_end(run())


def _order(settings: Settings, name: str | None, wanted: WantedSchedule) -> PutSchedule:
    with said_right():
        order = PutSchedule(
            requested_by=who_asks(settings),
            domain=settings.domain_or(wanted.domain),
            name=given_name(name),
            when=_when(wanted),
            scope=scope_of(record=wanted.record, status=wanted.status, partition=wanted.partition, limit=wanted.limit),
            dry_run=wanted.dry_run,
            approval_timeout=wanted.approval_timeout or None,
            catch_up=wanted.catch_up,
            note=wanted.note,
            paused=wanted.paused,
            tell=who_is_told(settings, wanted.tell),
        )
    if wanted.approval_timeout is not None and wanted.approval_timeout <= timedelta():
        raise UsageError(f"--approval-timeout {wanted.approval_timeout} must be longer than nothing, such as 12h")
    return order


def given_name(name: str | None) -> str:
    """The name as it was typed; "" for none. Raises UsageError for one that cannot be."""
    if name is None:
        return ""
    if not name:  # an unset variable in a script: not all of a sudden the person's own
        raise UsageError("the name of a schedule is empty; leave it out for your own")
    if not fits_schedule_id(name):
        raise UsageError(unfit_name(name))
    return name


def _when(wanted: WantedSchedule) -> When:
    if wanted.cron is not None and (wanted.every, wanted.offset) != (None, None):
        raise UsageError("--cron says when; --every and --offset do not go with it")
    if wanted.cron is None and wanted.time_zone is not None:
        raise UsageError(
            "--time-zone goes with --cron; intervals are counted from midnight UTC, and --offset moves them"
        )
    try:
        if wanted.cron is not None:
            return by_cron(wanted.cron, UTC_NAME if wanted.time_zone is None else wanted.time_zone)
        return at_intervals(DAY if wanted.every is None else wanted.every, wanted.offset or timedelta())
    except UserError as error:
        raise UsageError(str(error)) from error


def _tell(settings: Settings, view: ScheduleView, heading: str, *, as_json: bool, document: dict[str, object]) -> None:
    if as_json:
        print_json({**document, **view.model_dump(mode="json")})
        return
    screen = console()
    where = f"[{settings.address}], Namespace: [{settings.namespace}], Task Queue: [{view.queue}]"
    for line in (
        f"Client connection: {where} ({settings.address_source})",
        f"{heading}: {view.schedule_id}",
        *view_lines(view),
    ):
        say(screen, line)
