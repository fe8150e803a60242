"""`daper repair start`."""

from datetime import timedelta

from rich.console import Console

from daper.bootstrap import open_service
from daper.core.errors import Unreachable
from daper.core.models import DEFAULT_PROBLEMS
from daper.entrypoints.cli.exits import Exit, Interrupted, UsageError
from daper.entrypoints.cli.output import console, print_json, say
from daper.entrypoints.cli.parameters import NONE, Flag, Json, Names, said_right, scope_of
from daper.entrypoints.cli.questions import who_asks, who_is_told
from daper.entrypoints.cli.runner import run_to_end
from daper.entrypoints.cli.session import Following, run_link
from daper.entrypoints.documents import StartedDocument
from daper.service.repairs import RepairService
from daper.service.requests import Started, StartRepair
from daper.settings import STARTING, Part, Settings, load_settings


def start(
    *,
    auto_approve: Flag = False,
    record: Names = NONE,
    again: Flag = False,
    dry_run: Flag = False,
    no_wait: Flag = False,
    now: Flag = False,
    status: str | None = None,
    partition: str | None = None,
    limit: int = DEFAULT_PROBLEMS,
    domain: str | None = None,
    approval_timeout: timedelta | None = None,
    tell: Names = NONE,
    as_json: Json = False,
) -> int:
    """Start a repair, follow it live, and ask for the decision.

    y approves, n rejects, an empty answer leaves it open. Ctrl-C stops following; the repair goes on. With no terminal
    and no --auto-approve it stops following where the plan waits, and prints how to decide.

    Parameters
    ----------
    auto_approve
        Approve by policy, within its limits of risk, number and money; what it does not cover waits for a person.
    record
        Only this record, without detection. May be given several times. What is already in a plan that waits is not
        proposed again: it is named, with the repair that has it.
    again
        Also propose what is suppressed because it was rejected, or tried too often.
    dry_run
        Plan, and stop there.
    no_wait
        Print the id and return at once.
    now
        Has no effect any more: every repair begins at once.
    status
        Only records with this status.
    partition
        Only one part of the records, like 1/4 for the first of four: so several repairs share what there is to do.
    limit
        How many problems one repair takes on, at most 500.
    domain
        Which records; see DAPER_DOMAIN.
    approval_timeout
        How long the plan waits for a decision, for example 12h; see DAPER_APPROVAL_TIMEOUT.
    tell
        Tell this person or webhook of it; a name of people.toml, see DAPER_TELL. May be given several times.
    as_json
        Print one JSON document when it ends or waits.
    """
    settings = load_settings(needs=STARTING | {Part.TERMINAL})
    if approval_timeout is not None and approval_timeout <= timedelta(0):
        raise UsageError(f"--approval-timeout {approval_timeout} must be longer than nothing, for example 30s or 12h")
    with said_right():
        order = StartRepair(
            requested_by=who_asks(settings),
            domain=settings.domain_or(domain),
            scope=scope_of(record=record, status=status, partition=partition, limit=limit),
            auto_approve=auto_approve,
            dry_run=dry_run,
            again=again or bool(record),
            approval_timeout=approval_timeout,
            tell=who_is_told(settings, tell),
        )
    return _start(settings, order, no_wait=no_wait, as_json=as_json)


def _start(settings: Settings, order: StartRepair, *, no_wait: bool, as_json: bool) -> int:
    screen, by = console(), order.requested_by
    started: list[str] = []

    async def run() -> int:
        service = await open_service(settings)
        begun = await service.start(order)
        started.append(begun.repair_id)
        if not as_json:
            for line in _opening(settings, begun, by=by.name):
                say(screen, line)
        if no_wait:
            return await _left_alone(service, begun, screen, as_json=as_json)
        following = Following(
            service=service, screen=screen, by=by, settings=settings, asks=not as_json, as_json=as_json
        )
        return await _follow(following, begun.repair_id)

    try:
        return run_to_end(run())
    except Interrupted as interrupted:
        if started and not as_json:
            say(screen, f"Not following any more; the repair goes on: daper repair show {started[0]} --follow")
        return interrupted.exit_code


async def _left_alone(service: RepairService, begun: Started, screen: Console, *, as_json: bool) -> int:
    lacking = await service.unserved(begun.store_id)
    if as_json:
        print_json(StartedDocument(**dict(begun), lacking=lacking))
    elif lacking:
        say(screen, f"… {lacking}")
    return Exit.OK


async def _follow(following: Following, repair_id: str) -> int:
    try:
        return await following.to_the_end(repair_id)
    except Unreachable as error:
        go_on = f"daper repair show {repair_id} --follow"
        raise Unreachable(f"{error}. The repair is started, and goes on then: {go_on}") from error


def _opening(settings: Settings, begun: Started, *, by: str) -> tuple[str, ...]:
    where = f"[{settings.address}], Namespace: [{settings.namespace}], Task Queue: [{settings.task_queue}]"
    link = run_link(settings, begun.repair_id)
    return (
        f"Client connection: {where} ({settings.address_source})",
        f"Records: {begun.place} (store {begun.store_id})",
        f"{by}'s Repair Workflow started with ID: {begun.repair_id}",
        *((f"Temporal UI: {link}",) if link else ()),
    )
