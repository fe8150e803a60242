"""The application: every page, the files beside them, and what stands before all of them."""

from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from daper.core.errors import AccessRefused, DaperError, NotFound, Unreachable, UserError
from daper.entrypoints.web.api.app import api_app, no_path
from daper.entrypoints.web.api.openapi import BASE
from daper.entrypoints.web.console import Console, who_may
from daper.entrypoints.web.fragments import Fragments
from daper.entrypoints.web.guard import Guard
from daper.entrypoints.web.pages import (
    agents,
    decision,
    decisions,
    inbox,
    links,
    oidc,
    overview,
    passkeys,
    records,
    repair,
    repairs,
    report,
    settings,
    sign_in,
)
from daper.entrypoints.web.probes import probes_of
from daper.entrypoints.web.rendering import STATIC, page

_PAGES: Final[tuple[BaseRoute, ...]] = (
    *inbox.ROUTES,
    *decisions.ROUTES,
    *repairs.ROUTES,
    *repair.ROUTES,
    *decision.ROUTES,
    *report.ROUTES,
    *agents.ROUTES,
    *records.ROUTES,
    *overview.ROUTES,
    *settings.ROUTES,
    *sign_in.ROUTES,
    *oidc.ROUTES,
    *passkeys.ROUTES,
    *links.ROUTES,
)


def console_app(console: Console) -> Starlette:
    """The application of one console; whoever serves it runs it until it is cancelled."""
    app = Starlette(
        routes=[
            *_PAGES,
            *probes_of(console),
            Mount(BASE, api_app(console)),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Guard, console=console)],
        exception_handlers={DaperError: _told, 404: _no_page},
    )
    app.state.console = console
    app.state.fragments = Fragments()
    return app


async def _told(request: Request, error: Exception) -> Response:
    """What went wrong, in a page: the sentence of the error, and its way out."""
    kinds = {NotFound: 404, AccessRefused: 403, Unreachable: 503, UserError: 400}
    status = next((status for kind, status in kinds.items() if isinstance(error, kind)), 500)
    said = str(error)
    if isinstance(error, AccessRefused) and hasattr(request.state, "refused"):
        others = ", ".join(await who_may(request, request.state.refused))
        said = f"{said}. Who may: {others}" if others else said
    return page(request, "error.html", status=status, said=said)


async def _no_page(request: Request, error: Exception) -> Response:
    if request.url.path.startswith("/api/"):  # a program asks, by a path that no route of the API takes
        return no_path(request)
    return page(request, "error.html", status=404, said=f"there is no page {request.url.path!r}")
