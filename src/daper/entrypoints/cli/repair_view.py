"""`daper repair show`."""

from typing import Annotated

from cyclopts import Parameter

from daper.adapters.reports.archive import kept_here
from daper.adapters.reports.repair_document import repair_document
from daper.core.lines import partition_words
from daper.core.messages import PageArgs
from daper.core.outcomes import RepairResult
from daper.core.views import RepairView, whole_plans
from daper.entrypoints.cli.output import console, print_json
from daper.entrypoints.cli.pager import show_long
from daper.entrypoints.cli.parameters import Flag, Json, said_right
from daper.entrypoints.cli.plan_lines import plan_lines
from daper.entrypoints.cli.questions import who_asks
from daper.entrypoints.cli.runner import run_to_end
from daper.entrypoints.cli.seen_repairs import kept_note, open_repairs
from daper.entrypoints.cli.session import Following, exit_code, how_to_decide
from daper.entrypoints.cli.since_then import since_then
from daper.entrypoints.cli.story import decided, result_lines, usage_lines
from daper.service.kept_repairs import KeptRepairs
from daper.service.repairs import RepairService
from daper.service.whole_plan import look_at_whole_plan
from daper.settings import Part, load_settings


def show(
    repair_id: str,
    *,
    page: int | None = None,
    whole: Annotated[bool, Parameter(name="--all", negative=(), show_default=False)] = False,
    pager: Annotated[bool, Parameter(negative="--no-pager", show_default=False)] = True,
    follow: Flag = False,
    as_json: Json = False,
) -> int:
    """One repair: its phase, the plan that waits or was decided, and how it ended.

    Parameters
    ----------
    repair_id
        The id that `repair start` printed, or how it begins.
    page
        Only one page of a long plan, as it is.
    whole
        Everything of each action. Without it, of many that are the same but for their record only the first are told.
    pager
        Show what is longer than the terminal with a pager, as DAPER_PAGER and PAGER say; in a pipe it never is.
    follow
        Follow it to its end, and ask for the decision.
    as_json
        Print one JSON document.
    """
    settings = load_settings(needs={Part.TEMPORAL, Part.USER, Part.TERMINAL} if follow else {Part.TEMPORAL})
    screen = console()
    with said_right():
        wanted = PageArgs(page=1 if page is None else page)

    said_id = repair_id

    async def run() -> int:
        service = await open_repairs(settings)
        repair_id = await service.whole_id(said_id)
        if follow and isinstance(service, RepairService):
            by = who_asks(settings)
            following = Following(
                service=service,
                screen=screen,
                by=by,
                settings=settings,
                asks=not as_json,
                whole=whole,
                as_json=as_json,
            )
            return await following.to_the_end(repair_id)
        # A document has a page, as it always had; people are told of all of it.
        paged = page is not None or as_json
        look = await (service.look(repair_id, wanted) if paged else look_at_whole_plan(service, repair_id))
        if as_json:
            print_json(repair_document(look))
        else:
            more = "" if whole or page is not None else f"daper repair show {repair_id} --all"
            lines = [*kept_note(service), *look_lines(look, more=more)]
            lines += [*await _lacking(service, look), *await since_then(settings, look)]
            await show_long(screen, lines, pager=settings.terminal.pager if pager else "")
        return exit_code(look)

    return run_to_end(run())


async def _lacking(service: RepairService | KeptRepairs, look: RepairView | RepairResult) -> list[str]:
    """Whether nobody works on an open repair, and what to start."""
    if isinstance(service, KeptRepairs) or isinstance(look, RepairResult):
        return []
    lacking = await service.unattended(look.repair_id)
    return [f"… {lacking}"] if lacking else []


def look_lines(look: RepairView | RepairResult, *, more: str = "") -> list[str]:
    """What there is to say of a repair; `more`: as `plan_lines` has it."""
    if isinstance(look, RepairResult):
        told = [line for plan in whole_plans(look) for line in plan_lines(plan, domain=look.domain, more=more)]
        return [
            f"{look.repair_id}: {look.phase}",
            *told,
            *map(decided, look.decisions),
            *result_lines(look, kept=kept_here(look), glance=bool(more)),
        ]
    lines = [f"{look.repair_id}: {look.phase} since {look.phase_since:%Y-%m-%d %H:%M:%S} UTC"]
    if look.message:
        lines.append(look.message)
    if look.plan is None and look.partition:
        lines.append(f"It looks at {partition_words(look.partition)}")
    if look.plan is not None:
        lines += plan_lines(look.plan, domain=look.domain, decide_by=look.decide_by, more=more)
    lines += [*(f"Note: {notice}" for notice in look.notices), *usage_lines(look.usage)]
    if look.decision is not None:
        lines.append(decided(look.decision))
    if look.decide_by is not None:
        lines += how_to_decide(look)
    return lines
