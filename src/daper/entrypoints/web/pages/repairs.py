"""All repairs, the newest first: found by a text, and narrowed to a phase."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daper.core.access import Access
from daper.core.phases import Phase
from daper.core.waiting import Decider
from daper.entrypoints.web.console import console_of
from daper.entrypoints.web.page_number import page_number
from daper.entrypoints.web.rendering import page
from daper.entrypoints.web.visitors import require, visitor_of
from daper.service.repair_list import PHASES, found_in, with_waiting
from daper.service.requests import RepairLine

A_PAGE: Final = 50
FOR_ME: Final = "for-me"  # no phase: of what waits, what whoever looks may decide here
_LONGEST: Final = 200


@dataclass(frozen=True, kw_only=True)
class RepairsAsked:
    """Which repairs are asked for."""

    text: str = ""
    phase: str = ""
    page: int = 1

    @classmethod
    def of(cls, said: Mapping[str, str]) -> "RepairsAsked":
        """As the query of an address says it; what is none of ours is left out."""
        phase = said.get("phase", "")
        return cls(
            text=said.get("q", "").strip()[:_LONGEST],
            phase=phase if phase in {FOR_ME, *PHASES} else "",
            page=page_number(said.get("page", "")),
        )

    def at(self, page: int) -> str:
        """The address of another page of the same."""
        named = {"q": self.text, "phase": self.phase, "page": page if page > 1 else ""}
        query = urlencode({name: value for name, value in named.items() if value})
        return f"/repairs?{query}" if query else "/repairs"


async def repairs(request: Request) -> Response:
    """The part of the list that the address asks for."""
    require(request, Access.READ)
    asked = RepairsAsked.of(request.query_params)
    lines = await console_of(request).services.listed.lines()
    phase = asked.phase if asked.phase != FOR_ME else Phase.PENDING_APPROVAL
    found = found_in(lines, text=asked.text, phase=phase) if asked.text or phase else lines
    if phase == Phase.PENDING_APPROVAL:
        found = await _waiting(request, found, theirs=asked.phase == FOR_ME)
    pages = max(1, -(-len(found) // A_PAGE))
    number = min(asked.page, pages)
    return page(
        request,
        "repairs.html",
        asked=asked,
        phases=PHASES,
        lines=found[(number - 1) * A_PAGE : number * A_PAGE],
        total=len(found),
        waiting=phase == Phase.PENDING_APPROVAL,
        said=f"Page {number} of {pages}" if pages > 1 else "",
        before=asked.at(number - 1) if number > 1 else "",
        after=asked.at(number + 1) if number < pages else "",
    )


async def _waiting(request: Request, found: Sequence[RepairLine], *, theirs: bool) -> list[RepairLine]:
    """What waits with what it would do, the most urgent first; only what whoever looks may decide, if asked."""
    visitor, board = visitor_of(request), console_of(request).board
    decider = Decider(name=visitor.person.name, access=visitor.access, signs=True)
    view, listed = await board.snapshot(), {line.repair_id: line for line in found}
    first = [listed.pop(each.repair_id) for each in view.waiting if each.repair_id in listed]
    # What has not been asked yet is told as far as it is known.
    rest = listed.values() if not theirs or (view.unread and visitor.may(Access.APPROVE)) else ()
    lines = with_waiting((*first, *rest), view.waiting, decider=decider)
    return [line for line in lines if not (theirs and line.kept_from)]


ROUTES: Final = (Route("/repairs", repairs, name="repairs"),)
