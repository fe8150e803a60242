"""Serves the console until it is cancelled."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from daper.bootstrap import open_services
from daper.core.access import Access
from daper.entrypoints.http import Address, Connections, most_connections, serve_until_cancelled
from daper.entrypoints.web.app import console_app
from daper.entrypoints.web.console import Console
from daper.settings import Part, Settings

if TYPE_CHECKING:
    from temporalio.client import Client

    from daper.adapters.metrics.exporter import Exporter


async def serve_console(
    settings: Settings,
    address: Address,
    *,
    ready: Callable[[str, bool], None],
    client: "Client | None" = None,
    exporter: "Exporter | None" = None,
) -> None:
    """Serve until cancelled; `ready` is told the URL, and whether one has to sign in.

    `exporter`: what this process counts, opened before its first connection; None: it counts nothing.

    Raises SettingError where other machines could come and nobody has a token, Occupied, Unreachable, StoreDamaged.
    """
    settings.need(Part.CONSOLE)
    by_token = await asyncio.to_thread(lambda: settings.state.tokens().in_use)
    guarded = by_token or settings.console.oidc is not None
    address.refuse_unknown(guarded=guarded, scopes=(Access.READ, Access.APPROVE), named="https://NAME")
    services = await open_services(settings, client=client)
    with address.listen() as listening:
        port = listening.getsockname()[1]
        console = Console(
            settings=settings,
            services=services,
            url=address.url(port),
            hosts=address.hosts(port),
            guarded=guarded,
            exporter=exporter,
        )
        app, connections = console_app(console), Connections(most_connections())
        async with services.board.open():
            await serve_until_cancelled(app, listening, connections, began=lambda: ready(console.url, guarded))
