"""`daper schedule describe`, `list`, `trigger`, `pause`, `resume` and `delete`."""

from daper.bootstrap import open_schedules
from daper.entrypoints.cli.exits import Exit, UsageError
from daper.entrypoints.cli.output import console, print_json, say, table
from daper.entrypoints.cli.parameters import Comment, Json
from daper.entrypoints.cli.questions import who_asks
from daper.entrypoints.cli.runner import run_to_end
from daper.entrypoints.cli.schedule import given_name
from daper.entrypoints.cli.schedule_lines import view_lines
from daper.entrypoints.documents import SchedulesDocument
from daper.service.schedule_orders import ScheduleRef, Triggered
from daper.settings import Part, Settings, load_settings


def describe(name: str | None = None, *, domain: str | None = None, as_json: Json = False) -> int:
    """A schedule: when it runs, what it asks for, its next runs, and what became of the last ones.

    Parameters
    ----------
    name
        Which one; without a name, yours.
    domain
        Which of yours; see DAPER_DOMAIN.
    as_json
        Print one JSON document.
    """
    settings = load_settings(needs={Part.TEMPORAL, Part.USER})
    ref = _ref(settings, name, domain)

    async def run() -> int:
        view = await (await open_schedules(settings)).describe(ref)
        if as_json:
            print_json(view)
        else:
            _say(f"{view.schedule_id}{': paused' if view.paused else ''}", *view_lines(view))
        return Exit.OK

    return run_to_end(run())


def list_schedules(*, limit: int = 100, as_json: Json = False) -> int:
    """The schedules of repairs, whoever made them.

    Parameters
    ----------
    limit
        How many.
    as_json
        Print one JSON document.
    """
    if limit < 1:
        raise UsageError(f"--limit {limit} must be at least 1")
    settings = load_settings(needs={Part.TEMPORAL})

    async def run() -> int:
        lines = await (await open_schedules(settings)).list(limit=limit)
        if as_json:
            print_json(SchedulesDocument(schedules=lines))
            return Exit.OK
        rows = [
            (
                line.schedule_id,
                line.user,
                line.domain,
                line.words,
                f"{line.next_run:%Y-%m-%d %H:%M:%S}" if line.next_run else "",
                "yes" if line.paused else "no",
            )
            for line in lines
        ]
        table(console(), ("schedule", "user", "domain", "when", "next run (UTC)", "paused"), rows)
        return Exit.OK

    return run_to_end(run())


def trigger(name: str | None = None, *, domain: str | None = None, as_json: Json = False) -> int:
    """Start a run now, also of a paused schedule. While another run of it is open, it is skipped.

    Parameters
    ----------
    name
        Which one; without a name, yours.
    domain
        Which of yours; see DAPER_DOMAIN.
    as_json
        Print one JSON document.
    """
    settings = load_settings(needs={Part.TEMPORAL, Part.USER})
    ref = _ref(settings, name, domain)

    async def run() -> int:
        triggered = await (await open_schedules(settings)).trigger(ref)
        if as_json:
            print_json(triggered)
        else:
            _say(_became(triggered))
        return Exit.OK

    return run_to_end(run())


def pause(name: str | None = None, *, reason: Comment = "", domain: str | None = None) -> int:
    """Let no run begin until it is resumed. A run that is open goes on.

    Parameters
    ----------
    name
        Which one; without a name, yours.
    reason
        Kept with the schedule, and who paused it; it takes the place of the note.
    domain
        Which of yours; see DAPER_DOMAIN.
    """
    settings = load_settings(needs={Part.TEMPORAL, Part.USER})
    ref = _ref(settings, name, domain)

    async def run() -> int:
        service = await open_schedules(settings)
        paused = await service.pause(ref, by=who_asks(settings).name, reason=reason)
        _say(f"paused: {paused}; a run that is open goes on; to go on: daper schedule resume {paused}")
        return Exit.OK

    return run_to_end(run())


def resume(name: str | None = None, *, reason: Comment = "", domain: str | None = None) -> int:
    """Let runs begin again, at their times. Those that the pause left out are not made up for.

    Parameters
    ----------
    name
        Which one; without a name, yours.
    reason
        Kept with the schedule, and who resumed it; it takes the place of the note.
    domain
        Which of yours; see DAPER_DOMAIN.
    """
    settings = load_settings(needs={Part.TEMPORAL, Part.USER})
    ref = _ref(settings, name, domain)

    async def run() -> int:
        service = await open_schedules(settings)
        resumed = await service.resume(ref, by=who_asks(settings).name, reason=reason)
        _say(f"resumed: {resumed}; see its next runs: daper schedule describe {resumed}")
        return Exit.OK

    return run_to_end(run())


def delete(name: str | None = None, *, domain: str | None = None, as_json: Json = False) -> int:
    """Delete a schedule, without asking. Repairs that it started go on, and their reports stay.

    Parameters
    ----------
    name
        Which one; without a name, yours.
    domain
        Which of yours; see DAPER_DOMAIN.
    as_json
        Print one JSON document.
    """
    settings = load_settings(needs={Part.TEMPORAL, Part.USER})
    ref = _ref(settings, name, domain)

    async def run() -> int:
        gone = await (await open_schedules(settings)).delete(ref)
        if as_json:
            print_json(gone)
        else:
            open_ones = (f"still open, and goes on: daper repair show {each}" for each in gone.open_repairs)
            _say(f"deleted: {gone.schedule_id} ({gone.words})", *open_ones)
        return Exit.OK

    return run_to_end(run())


def _ref(settings: Settings, name: str | None, domain: str | None) -> ScheduleRef:
    return ScheduleRef(user=who_asks(settings).name, domain=settings.domain_or(domain), name=given_name(name))


def _became(triggered: Triggered) -> str:
    if triggered.repair_id:
        return f"started: {triggered.repair_id}; see: daper repair show {triggered.repair_id} --follow"
    if triggered.skipped:
        still = ", ".join(triggered.open_repairs) or "one that has just ended"
        return f"skipped, because a run of {triggered.schedule_id} is open: {still}; decide or stop it first"
    see = f"see: daper schedule describe {triggered.schedule_id}"
    return f"asked for a run, and Temporal did not say in time what became of it; {see}"


def _say(*lines: str) -> None:
    screen = console()
    for line in lines:
        say(screen, line)
