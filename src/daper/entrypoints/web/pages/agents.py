"""What works by itself: see it, let it check now, pause, resume and stop it; and start a repair."""

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from daper.clock import new_id
from daper.core.access import Access
from daper.core.digests import canonical, digest
from daper.core.errors import NotFound
from daper.core.models import DEFAULT_PROBLEMS, MOST_PROBLEMS
from daper.core.proactive import PROACTIVE_INTERVAL
from daper.entrypoints.web.console import console_of
from daper.entrypoints.web.forms import asked_ids, asked_line, asked_model, asked_number, asked_scope, asked_span
from daper.entrypoints.web.links import repair_path
from daper.entrypoints.web.rendering import page
from daper.entrypoints.web.visitors import require
from daper.service.agents import all_agents
from daper.service.requests import StartProactive, StartRepair
from daper.service.schedule_orders import ScheduleRef

_DONE: Final[Mapping[str, str]] = {
    "checked": "The agent was asked to check now; its next cycle begins at once, or right after the one that runs.",
    "stopped": "The agent was asked to stop; a cycle that runs is stopped too, and settled first.",
    "started": "The agent runs, and begins its first cycle.",
    "running": "The agent ran already; it was left as it is.",
    "paused": "The schedule is paused; what is open goes on.",
    "resumed": "The schedule begins its runs again.",
    "skipped": "No run began: another one of this schedule is open.",
    "asked": "A run was asked for; Temporal has not said yet which it is.",
    "deleted": "The schedule is deleted; its open repairs go on.",
}


async def agents(request: Request) -> Response:
    """All of them, and the form that starts a repair."""
    require(request, Access.READ)
    console, given = console_of(request), request.query_params
    services, settings = console.services, console.settings
    view = await all_agents(services.repairs, services.proactive, services.schedules)
    return page(
        request,
        "agents.html",
        view=view,
        done=_DONE.get(asked_line(given, "done"), ""),
        asked={"record": asked_line(given, "record"), "domain": settings.domain_or(asked_line(given, "domain"))},
        domains=console.records.domains,
        key=new_id(),
        limits={"usual": DEFAULT_PROBLEMS, "most": MOST_PROBLEMS},
    )


async def start_repair(request: Request) -> Response:
    """Start one, and go to it. The same form sent twice is one repair."""
    person, given, console = require(request, Access.START), dict(await request.form()), console_of(request)
    limit = asked_number(given, "limit", DEFAULT_PROBLEMS)
    scope = asked_scope(
        record_ids=asked_ids(given, "records"),
        status=asked_line(given, "status") or None,
        partition=asked_line(given, "partition"),
        limit=limit,
    )
    said = {
        "requested_by": person,
        "domain": console.settings.domain_or(asked_line(given, "domain")),
        "scope": scope,
        "dry_run": bool(given.get("dry_run")),
        "again": bool(given.get("again")),
        "tell": console.settings.tell,
    }
    order = asked_model(StartRepair, said)
    form = canonical([asked_line(given, "key"), order.model_dump(mode="json")])
    started = await console.services.repairs.start(
        order.model_copy(update={"request_key": f"form-{digest(form)[:32]}" if given.get("key") else ""})
    )
    return RedirectResponse(repair_path(started.repair_id), status_code=303)


async def start_agent(request: Request) -> Response:
    """Start the agent of whoever asks. It waits for a person with every plan."""
    person, given, console = require(request, Access.START), dict(await request.form()), console_of(request)
    said = {
        "requested_by": person,
        "domain": console.settings.domain_or(asked_line(given, "domain")),
        "interval": asked_span(given, "interval", PROACTIVE_INTERVAL),
        "asks_always": True,
        "tell": console.settings.tell,
    }
    started = await console.services.proactive.start(asked_model(StartProactive, said))
    return _back("running" if started.already_running else "started")


async def steer_agent(request: Request) -> Response:
    """Let an agent check now, or stop it."""
    person, given, console = require(request, Access.START), dict(await request.form()), console_of(request)
    user, domain = asked_line(given, "user"), asked_line(given, "domain")
    reason = asked_line(given, "reason")
    if request.path_params["what"] == "check":
        await console.services.proactive.check_now(user, domain, by=person.name, reason=reason)
        return _back("checked")
    await console.services.proactive.stop(user, domain, by=person.name, reason=reason)
    return _back("stopped")


async def steer_schedule(request: Request) -> Response:
    """Pause, resume, run or delete a schedule."""
    person, given, console = require(request, Access.START), dict(await request.form()), console_of(request)
    name, reason = asked_line(given, "name"), asked_line(given, "reason")
    if not name:
        raise NotFound("the form names no schedule")
    service = console.services.schedules
    ref = ScheduleRef(user=person.name, domain=console.settings.domain_or(""), name=name)
    match request.path_params["what"]:
        case "pause":
            await service.pause(ref, by=person.name, reason=reason)
            return _back("paused")
        case "resume":
            await service.resume(ref, by=person.name, reason=reason)
            return _back("resumed")
        case "delete":
            await service.delete(ref)
            return _back("deleted")
        case "run":
            begun = await service.trigger(ref)
            if begun.repair_id:
                return RedirectResponse(repair_path(begun.repair_id), status_code=303)
            return _back("skipped" if begun.skipped else "asked")
        case other:
            raise NotFound(f"nobody can {other!r} a schedule here")


def _back(done: str) -> Response:
    return RedirectResponse(f"/agents?done={done}", status_code=303)


ROUTES: Final = (
    Route("/agents", agents, name="agents"),
    Route("/agents/repairs", start_repair, methods=["POST"]),
    Route("/agents/proactive", start_agent, methods=["POST"]),
    Route("/agents/proactive/{what:str}", steer_agent, methods=["POST"]),
    Route("/agents/schedules/{what:str}", steer_schedule, methods=["POST"]),
)
