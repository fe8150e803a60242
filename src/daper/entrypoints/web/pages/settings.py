"""What is configured, to be read: the policy, who may be told and who may come in, and what doctor says."""

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daper.bootstrap import open_domains
from daper.core.access import Access
from daper.core.errors import DaperError
from daper.entrypoints.checks.check import Check
from daper.entrypoints.checks.everything import check_all
from daper.entrypoints.checks.people import people_rows, route_rows, sender_rows
from daper.entrypoints.checks.policy import policy_notes
from daper.entrypoints.web.console import Console, console_of
from daper.entrypoints.web.rendering import page
from daper.entrypoints.web.visitors import require
from daper.settings import policy_rows, shown_settings


async def settings(request: Request) -> Response:
    """All but what takes a while: that is looked at when somebody asks for it."""
    require(request, Access.READ)
    console = console_of(request)
    configured = console.settings
    rows, trouble = (), ""
    try:
        rows = await asyncio.to_thread(shown_settings)
    except DaperError as error:
        trouble = str(error)
    try:
        policy = configured.policy_source.read()
    except DaperError as error:  # as it was when the console began; a worker lets nothing run alone by a broken one
        policy, trouble = configured.policy, trouble or str(error)
    return page(
        request,
        "settings.html",
        policy=policy_rows(policy),
        policy_source=str(configured.policy_source),
        notes=policy_notes(policy, open_domains(configured)),
        people=people_rows(configured),
        routes=route_rows(configured),
        senders=sender_rows(configured),
        people_source=configured.people.source,
        rows=rows,
        trouble=trouble,
        grants=await asyncio.to_thread(_grants, console),
        checks=await _checks(console) if "doctor" in request.query_params else None,
    )


async def doctor(request: Request) -> Response:
    """What doctor says, as a part of the page; it asks no language model, which costs something."""
    require(request, Access.READ)
    return page(request, "parts/checks.html", checks=await _checks(console_of(request)))


async def _checks(console: Console) -> list[Check]:
    return await check_all(console.settings, open_domains(console.settings), ask_models=False)


def _grants(console: Console) -> list[tuple[str, str]]:
    """Who may come in, and for what; never a token."""
    try:
        return [(each.name, ", ".join(sorted(each.scopes))) for each in console.settings.state.tokens().grants()]
    except DaperError as error:
        return [("", str(error))]


ROUTES: Final = (
    Route("/settings", settings, name="settings"),
    Route("/settings/checks", doctor, name="doctor"),
)
