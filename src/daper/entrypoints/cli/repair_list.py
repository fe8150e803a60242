"""`daper repair list`."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from daper.bootstrap import open_services
from daper.core.commands import CommandLine, Said
from daper.core.errors import Unreachable, UserError
from daper.core.lines import amount_words
from daper.core.phases import Phase
from daper.core.short_ids import shortened
from daper.core.text import counted, visible
from daper.core.waiting import Decider
from daper.entrypoints.cli.exits import Exit, UsageError
from daper.entrypoints.cli.output import console, print_json, say, table
from daper.entrypoints.cli.parameters import Flag, Json
from daper.entrypoints.cli.runner import run_to_end
from daper.entrypoints.documents import RepairsDocument
from daper.service.kept_repairs import KeptRepairs
from daper.service.repair_list import (
    WaitingLines,
    is_wanted,
    phase_named,
    waiting_for,
    waiting_words,
    with_waiting,
)
from daper.service.repairs import RepairService
from daper.service.requests import Collected, RepairLine
from daper.settings import Part, Settings, load_settings

_NAMED: Final = 10
_WIDE: Final = 130  # columns: below, a repair has two lines
_HEADINGS: Final = (
    "repair",
    "phase",
    "user",
    "started (UTC)",
    "domain",
    "problems",
    "actions",
    "spends",
    "decide until",
)
_ALL_THAT_WAITS: Final = CommandLine("repair", "list", "--phase", Phase.PENDING_APPROVAL)
_NOBODY_KNOWS: Final = ("what waits only Temporal knows: ",)
_WHAT_HAS_ENDED: Final = ("; what has ended is listed without it: ", CommandLine("repair", "list", "--phase", "ended"))
_TIME: Final = "%Y-%m-%d %H:%M:%S"


def list_repairs(
    *,
    limit: int = 20,
    phase: str = "",
    domain: str = "",
    who: str = "",
    waiting: Flag = False,
    as_json: Json = False,
) -> int:
    """The newest repairs, whoever started them, and what was reported and has not begun.

    On a terminal ids are shortened; every command takes them so. Without a server, those that have ended are listed
    from the reports that are kept.

    Parameters
    ----------
    limit
        How many.
    phase
        Only those in this phase: PENDING-APPROVAL, open, ended.
    domain
        Only those of this domain.
    who
        Only those that somebody with this in the name asked for.
    waiting
        Only those that wait for a decision that you may make here, which has to be made the soonest first.
        --phase PENDING-APPROVAL has all that wait.
    as_json
        Print one JSON document.
    """
    if limit < 1:
        raise UsageError(f"--limit {limit} must be at least 1")
    named = _phase(phase, waiting=waiting)
    settings = load_settings(needs={Part.TEMPORAL, *((Part.USER,) if waiting else ())})

    def wanted(line: RepairLine) -> bool:
        return is_wanted(line, phase=named, domain=domain, who=who)

    async def run() -> int:
        chosen = wanted if named or domain or who else None
        try:
            services = await open_services(settings)
        except Unreachable as error:
            if waiting:
                raise Unreachable(*_NOBODY_KNOWS, error.said, *_WHAT_HAS_ENDED) from None
            kept = KeptRepairs(settings.state.reports(), away=error)
            return _tell(await kept.list(limit=limit, wanted=chosen), (), str(error), as_json=as_json, away=True)
        if named == Phase.PENDING_APPROVAL:
            found = await waiting_for(Decider(name=settings.user), services.board, wanted=wanted)
            return _tell_waiting(found, settings, limit=limit, theirs=waiting, as_json=as_json)
        lines = await services.repairs.list(limit=limit, wanted=chosen)
        lines = with_waiting(lines, await services.board.asked(lines))
        collected, trouble = await _collected(services.repairs) if chosen is None else ((), Said())
        return _tell(lines, collected, trouble, as_json=as_json)

    return run_to_end(run())


def _phase(said: str, *, waiting: bool) -> str:
    if waiting and said:
        raise UsageError("--waiting and --phase contradict each other; give one of them")
    try:
        return Phase.PENDING_APPROVAL if waiting else phase_named(said)
    except UserError as error:
        raise UsageError(f"--phase: {error}") from error


def _tell_waiting(found: WaitingLines, settings: Settings, *, limit: int, theirs: bool, as_json: bool) -> int:
    """What waits: the most urgent of it, and what all of it comes to."""
    lines = found.theirs if theirs else found.all
    if as_json:
        print_json(RepairsDocument(repairs=lines[:limit], more=max(0, len(lines) - limit)))
        return Exit.OK
    screen, name = console(), settings.user
    if screen.is_terminal:
        say(screen, waiting_words(lines, name if theirs else "anybody"))
    draw_repairs(screen, lines[:limit])
    if not screen.is_terminal:
        return Exit.OK
    if unread := next((line.trouble for line in lines if line.trouble), ""):
        say(screen, f"What some of them would do cannot be told: {unread}")
    if (more := len(lines) - limit) > 0:
        say(screen, f"And {more} more, for which there is more time; --limit {len(lines)} lists them too.")
    if theirs and found.others:
        say(
            screen,
            Said(
                f"{counted(len(found.others), 'more plan')} {'waits' if len(found.others) == 1 else 'wait'}, "
                f"which {name} cannot decide here ({found.others[0].kept_from}); all that waits: ",
                _ALL_THAT_WAITS,
            ),
        )
    if theirs and not settings.is_named:
        say(
            screen,
            f"Nobody says who you are, so you are {name!r} here: this machine knows no login name; set USER_NAME.",
        )
    return Exit.OK


def _tell(
    lines: Sequence[RepairLine],
    collected: tuple[Collected, ...],
    trouble: Said | str,
    *,
    as_json: bool,
    away: bool = False,
) -> int:
    if as_json:
        print_json(RepairsDocument(repairs=tuple(lines), collected=collected, collected_trouble=str(trouble)))
        return Exit.OK
    screen = console()
    if away:
        say(screen, f"Only ended repairs, from their reports: {trouble}")
    draw_repairs(screen, lines)
    if not lines and screen.is_terminal:
        say(screen, "No repair to list.")
    for line in [] if away else _collected_lines(collected, str(trouble)):
        say(screen, line)
    return Exit.OK


def draw_repairs(screen: Console, lines: Sequence[RepairLine]) -> None:
    """A row for each; on a terminal with ids in short, and two lines where it is narrow."""
    if not screen.is_terminal:
        table(screen, _HEADINGS, [_cells(line, line.repair_id) for line in lines])
        return
    short = shortened([line.repair_id for line in lines])
    if screen.width >= _WIDE:
        _draw_table(screen, [_cells(line, short[line.repair_id]) for line in lines])
        return
    for line in lines:
        screen.print(Text.assemble((visible(short[line.repair_id]), "bold"), "  ", visible(line.phase)), soft_wrap=True)
        say(screen, f"  - {'; '.join(_told(line))}")


def _draw_table(screen: Console, rows: Sequence[tuple[str, ...]]) -> None:
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(_HEADINGS):
        drawn.add_column(heading, no_wrap=number == 0, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(visible(cell)) for cell in row))
    screen.print(drawn)


def _cells(line: RepairLine, repair_id: str) -> tuple[str, ...]:
    until = f"{line.decide_by:{_TIME}}" if line.decide_by else ""
    started, problems = f"{line.started_at:{_TIME}}", "" if line.problems is None else f"{line.problems:,}"
    spends = amount_words(line.spends) if line.spends else ""
    return (repair_id, line.phase, line.user, started, line.domain, problems, _actions(line), spends, until)


def _told(line: RepairLine) -> list[str]:
    """What there is to say of a repair, but for its id and phase."""
    told = [f"{line.domain} for {line.user}" if line.domain else line.user, f"started {line.started_at:{_TIME}} UTC"]
    if line.problems is not None:
        told.append(counted(line.problems, "problem"))
    if line.actions is not None:
        told.append(f"{_actions(line)} actions" if line.done is not None else counted(line.actions, "action"))
    if line.spends:
        told.append(f"spends {amount_words(line.spends)} in all")
    if line.decide_by:
        told.append(f"decide until {line.decide_by:{_TIME}} UTC")
    return told


def _actions(line: RepairLine) -> str:
    """How many are proposed; of what has ended, how many of them took effect."""
    if line.actions is None:
        return ""
    return f"{line.actions:,}" if line.done is None else f"{line.done:,} of {line.actions:,}"


async def _collected(service: RepairService) -> tuple[tuple[Collected, ...], Said | str]:
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
