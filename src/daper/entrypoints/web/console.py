"""What all pages of the console share: what is configured, the services, and who keeps what."""

import asyncio
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from starlette.requests import HTTPConnection

from daper.core.access import Access
from daper.entrypoints.web.reception import Reception
from daper.settings import Settings

if TYPE_CHECKING:
    from daper.adapters.metrics.exporter import Exporter
    from daper.bootstrap import Services
    from daper.ports import ReportFigures
    from daper.service.board import Board
    from daper.service.records import RecordsService

DOOR: Final = "console"


@dataclass(frozen=True, kw_only=True)
class Console:
    """One configuration, connected. `url`: by which a browser comes, without a path.

    `guarded`: whoever comes has to sign in. `hosts`: the names under which anybody may come. `exporter`: what this
    process counts, if it counts.
    """

    settings: Settings
    services: "Services"
    url: str
    hosts: tuple[str, ...]
    guarded: bool
    exporter: "Exporter | None" = None

    @property
    def records(self) -> "RecordsService":
        """The records of the domains on this machine."""
        return self.services.records

    @property
    def board(self) -> "Board":
        """What waits and what is under way, as one watcher of Temporal tells all pages."""
        return self.services.board

    @cached_property
    def figures(self) -> "ReportFigures":
        """What there is to know of many reports, without reading each."""
        return self.settings.state.report_figures()

    @cached_property
    def reception(self) -> Reception:
        """What tells who comes."""
        return Reception(self.settings, url=self.url, asked=self.guarded)


def console_of(connection: HTTPConnection) -> Console:
    """The console that a request came to."""
    console: Console = connection.app.state.console
    return console


async def who_may(connection: HTTPConnection, access: Access) -> tuple[str, ...]:
    """Who else may do that, by name, as far as is known here: for those who sign in elsewhere, nobody can tell."""
    return await asyncio.to_thread(console_of(connection).reception.who_may, access)
