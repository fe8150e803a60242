"""`daper repair list` and `show`."""

from daper.adapters.reports.archive import kept_here
from daper.adapters.reports.repair_document import repair_document
from daper.bootstrap import open_service
from daper.core.errors import Unreachable
from daper.core.lines import partition_words
from daper.core.messages import PageArgs
from daper.core.outcomes import RepairResult
from daper.core.views import RepairView, whole_plans
from daper.entrypoints.cli.exits import Exit, UsageError
from daper.entrypoints.cli.output import console, print_json, say, table
from daper.entrypoints.cli.parameters import Flag, Json, said_right
from daper.entrypoints.cli.plan_lines import plan_lines
from daper.entrypoints.cli.questions import who_asks
from daper.entrypoints.cli.runner import run_to_end
from daper.entrypoints.cli.session import Following, exit_code, how_to_decide
from daper.entrypoints.cli.story import decided, result_lines, usage_lines
from daper.entrypoints.documents import RepairsDocument
from daper.service.repairs import RepairService
from daper.service.requests import Collected
from daper.settings import Part, load_settings

_NAMED = 10


def list_repairs(*, limit: int = 20, as_json: Json = False) -> int:
    """The newest repairs, whoever started them, and what was reported and has not begun.

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
        service = await open_service(settings)
        lines = await service.list(limit=limit)
        collected, trouble = await _collected(service)
        if as_json:
            print_json(RepairsDocument(repairs=lines, collected=collected, collected_trouble=trouble))
            return Exit.OK
        rows = [(line.repair_id, line.phase, line.user, f"{line.started_at:%Y-%m-%d %H:%M:%S}") for line in lines]
        table(console(), ("repair", "phase", "user", "started (UTC)"), rows)
        for line in _collected_lines(collected, trouble):
            say(console(), line)
        return Exit.OK

    return run_to_end(run())


async def _collected(service: RepairService) -> tuple[tuple[Collected, ...], str]:
    """What was collected; or why nobody can say, which leaves the list what it is."""
    try:
        return await service.collected()
    except Unreachable as error:
        return (), str(error)


def _collected_lines(collected: tuple[Collected, ...], trouble: str) -> list[str]:
    lines = [
        f"Reported to {each.user}: {_records(each.record_ids)} in {each.repair_id}, which waits for {each.waits_for}"
        for each in collected
    ]
    return [*lines, f"What was reported and waits cannot be told: {trouble}"] if trouble else lines


def _records(record_ids: tuple[str, ...]) -> str:
    more = len(record_ids) - _NAMED
    return ", ".join(record_ids[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def show(repair_id: str, *, page: int = 1, follow: Flag = False, as_json: Json = False) -> int:
    """One repair: its phase, the plan that waits or was decided, and how it ended.

    Parameters
    ----------
    repair_id
        The id that `repair start` printed.
    page
        Which page of a long plan.
    follow
        Follow it to its end, and ask for the decision.
    as_json
        Print one JSON document.
    """
    settings = load_settings(needs={Part.TEMPORAL, Part.USER} if follow else {Part.TEMPORAL})
    screen = console()
    with said_right():
        wanted = PageArgs(page=page)

    async def run() -> int:
        service = await open_service(settings)
        if follow:
            by = who_asks(settings)
            following = Following(service=service, screen=screen, by=by, asks=not as_json, as_json=as_json)
            return await following.to_the_end(repair_id)
        look = await service.look(repair_id, wanted)
        if as_json:
            print_json(repair_document(look))
        else:
            for line in look_lines(look):
                say(screen, line)
            if isinstance(look, RepairView) and (lacking := await service.unattended(repair_id)):
                say(screen, f"… {lacking}")
        return exit_code(look)

    return run_to_end(run())


def look_lines(look: RepairView | RepairResult) -> list[str]:
    if isinstance(look, RepairResult):
        told = [line for plan in whole_plans(look) for line in plan_lines(plan, domain=look.domain)]
        return [
            f"{look.repair_id}: {look.phase}",
            *told,
            *map(decided, look.decisions),
            *result_lines(look, kept=kept_here(look)),
        ]
    lines = [f"{look.repair_id}: {look.phase} since {look.phase_since:%Y-%m-%d %H:%M:%S} UTC"]
    if look.message:
        lines.append(look.message)
    if look.plan is None and look.partition:
        lines.append(f"It looks at {partition_words(look.partition)}")
    if look.plan is not None:
        lines += plan_lines(look.plan, domain=look.domain, decide_by=look.decide_by)
    lines += [*(f"Note: {notice}" for notice in look.notices), *usage_lines(look.usage)]
    if look.decision is not None:
        lines.append(decided(look.decision))
    if look.decide_by is not None:
        lines += how_to_decide(look)
    return lines
