"""All repairs of a task queue, the newest first: the open ones of the board, the ended ones, and old reports."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from daper.clock import ticks
from daper.core.errors import UserError
from daper.core.lines import amount_words
from daper.core.phases import Phase
from daper.core.text import counted, folded
from daper.core.views import UNKNOWN_AMOUNT
from daper.core.waiting import Decider, WaitingRepair
from daper.ports import Reports
from daper.service.board import Board
from daper.service.listing import Listing, reported_line
from daper.service.requests import RepairLine

FRESH: Final = timedelta(seconds=5)
"""How old what is told of ended repairs may be."""

REPORTS_FRESH: Final = timedelta(minutes=1)
"""The same of reports: what has just ended, Temporal still keeps."""

MOST_ENDED: Final = 1000
"""As many of the newest ended repairs as one call tells."""

MOST_REPORTS: Final = 200

PHASES: Final = ("open", "ended", *map(str, Phase))
"""What a list can be narrowed to."""


class RepairList:
    """The repairs as a list has them. However many look, Temporal is asked once in some seconds."""

    def __init__(self, board: Board, *, ended: Listing, reports: Reports) -> None:
        self._board = board
        self._ended = ended
        self._reports = reports
        self._looking = asyncio.Lock()
        self._ended_at = self._reports_at = float("-inf")
        self._ended_lines: tuple[RepairLine, ...] = ()
        self._reported: tuple[RepairLine, ...] = ()
        self._made_of: tuple[tuple[RepairLine, ...], ...] = ()
        self._lines: tuple[RepairLine, ...] = ()

    async def lines(self) -> tuple[RepairLine, ...]:
        """All of them, each once; up to a thousand that have ended, and some of which only a report is left.

        The very same tuple while nothing changes. Raises Unreachable, StoreError.
        """
        view = await self._board.snapshot()
        async with self._looking:
            if ticks() - self._ended_at > FRESH.total_seconds():
                self._ended_lines = await self._ended.look(most=MOST_ENDED)
                self._ended_at = ticks()
            if ticks() - self._reports_at > REPORTS_FRESH.total_seconds():
                self._reported = tuple(reported_line(each) for each in await self._reports.newest(MOST_REPORTS))
                self._reports_at = ticks()
        made_of = (self._reported, self._ended_lines, view.open)
        if any(now is not before for now, before in zip(made_of, self._made_of or ((),) * 3, strict=True)):
            # What is ended, Temporal may still list as open for a moment.
            known = {line.repair_id: line for line in (*view.open, *self._reported, *self._ended_lines)}
            self._lines = newest_first(known.values())
            self._made_of = made_of
        return self._lines


def newest_first(lines: Iterable[RepairLine]) -> tuple[RepairLine, ...]:
    """By when they began."""
    return tuple(sorted(lines, key=lambda line: (line.started_at, line.repair_id), reverse=True))


def found_in(lines: Iterable[RepairLine], *, text: str = "", phase: str = "") -> list[RepairLine]:
    """Those with a text in their id or in the name of who asked for them, and in a phase: one, `open` or `ended`."""
    wanted = folded(text)
    return [line for line in lines if _is_in(line, phase) and wanted in folded(f"{line.repair_id}\n{line.user}")]


def is_wanted(line: RepairLine, *, phase: str = "", domain: str = "", who: str = "") -> bool:
    """Whether a repair is in a phase, of a domain, and asked for by somebody with a text in the name."""
    return _is_in(line, phase) and domain in {"", line.domain} and folded(who) in folded(line.user)


def phase_named(said: str) -> str:
    """What a list can be narrowed to, however that is written. Raises UserError with what there is."""
    named = said.strip().replace("_", "-").replace(" ", "-")
    found = next((each for each in PHASES if each.casefold() == named.casefold()), "")
    if named and not found:
        raise UserError(f"there is no phase {said!r}; there are: {', '.join(PHASES)}")
    return found


def with_waiting(
    lines: Iterable[RepairLine], waiting: Iterable[WaitingRepair], *, decider: Decider | None = None
) -> list[RepairLine]:
    """The lines, those of repairs that wait with what these answered, and what keeps the decider from them."""
    known = {each.repair_id: each for each in waiting}
    return [_with(line, known[line.repair_id], decider) if line.repair_id in known else line for line in lines]


@dataclass(frozen=True, kw_only=True)
class WaitingLines:
    """What waits for a person: `theirs` to decide where they are, and what they may not decide there; urgent first."""

    theirs: tuple[RepairLine, ...]
    others: tuple[RepairLine, ...]

    @property
    def all(self) -> tuple[RepairLine, ...]:
        """All that waits, the most urgent first."""
        return tuple(sorted((*self.theirs, *self.others), key=lambda line: _until(line.decide_by)))


async def waiting_for(
    decider: Decider, board: Board, *, wanted: Callable[[RepairLine], bool] | None = None
) -> WaitingLines:
    """What waits at this moment, and whether this person may decide on it. Raises Unreachable."""
    listed = {line.repair_id: line for line in await board.listed() if wanted is None or wanted(line)}
    waiting = await board.asked(listed.values())
    lines = with_waiting((listed[each.repair_id] for each in waiting), waiting, decider=decider)
    return WaitingLines(
        theirs=tuple(line for line in lines if not line.kept_from),
        others=tuple(line for line in lines if line.kept_from),
    )


def waiting_words(lines: Sequence[RepairLine], whom: str) -> str:
    """What waiting plans come to in all: how many there are, what they would do and spend, and until when."""
    if not lines:
        return f"No plan waits for {whom}."
    actions, amounts = sum(line.actions or 0 for line in lines), [line.spends for line in lines]
    known = all(amounts) and UNKNOWN_AMOUNT not in amounts
    spends = str(sum(map(Decimal, amounts), Decimal(0))) if known else UNKNOWN_AMOUNT
    first = min((line.decide_by for line in lines if line.decide_by), default=None)
    until = f"; the first has to be decided by {first:%Y-%m-%d %H:%M:%S} UTC" if first else ""
    plans = "1 plan waits" if len(lines) == 1 else f"{len(lines):,} plans wait"
    return f"{plans} for {whom}: {counted(actions, 'action')}; spends {amount_words(spends)} in all{until}."


def _until(decide_by: datetime | None) -> float:
    return decide_by.timestamp() if decide_by else float("inf")


def _with(line: RepairLine, waits: WaitingRepair, decider: Decider | None) -> RepairLine:
    kept_from = decider.kept_from(waits) if decider else ""
    if not waits.digest:
        return line.model_copy(update={"kept_from": kept_from, "trouble": str(waits.trouble)})
    known = {
        "domain": waits.domain,
        "problems": waits.problems,
        "actions": len(waits.action_ids),
        "spends": UNKNOWN_AMOUNT if waits.spends is None else str(waits.spends),
        "decide_by": waits.decide_by,
        "kept_from": kept_from,
    }
    return line.model_copy(update=known)


def _is_in(line: RepairLine, phase: str) -> bool:
    if phase in {"open", "ended"}:
        return (line.ended_at is None) is (phase == "open")
    return phase in {"", line.phase}
