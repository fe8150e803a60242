"""All repairs, the newest first: found by a text, and narrowed to a phase."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daper.core.access import Access
from daper.entrypoints.web.console import console_of
from daper.entrypoints.web.page_number import page_number
from daper.entrypoints.web.rendering import page
from daper.entrypoints.web.visitors import require
from daper.service.repair_list import PHASES, found_in

A_PAGE: Final = 50
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
            phase=phase if phase in PHASES else "",
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
    found = found_in(lines, text=asked.text, phase=asked.phase) if asked.text or asked.phase else lines
    pages = max(1, -(-len(found) // A_PAGE))
    number = min(asked.page, pages)
    return page(
        request,
        "repairs.html",
        asked=asked,
        phases=PHASES,
        lines=found[(number - 1) * A_PAGE : number * A_PAGE],
        total=len(found),
        said=f"Page {number} of {pages}" if pages > 1 else "",
        before=asked.at(number - 1) if number > 1 else "",
        after=asked.at(number + 1) if number < pages else "",
    )


ROUTES: Final = (Route("/repairs", repairs, name="repairs"),)
