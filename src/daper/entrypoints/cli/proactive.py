"""`daper proactive start`, `status`, `check-now` and `stop`."""

from collections.abc import Iterator
from datetime import timedelta

from daper.bootstrap import open_proactive
from daper.core.ids import agent_command
from daper.core.lines import partition_words
from daper.core.models import DEFAULT_PROBLEMS
from daper.core.outcomes import RepairResult
from daper.core.proactive import PROACTIVE_INTERVAL, CycleEnd
from daper.core.spans import written_span
from daper.core.text import counted
from daper.entrypoints.checks.policy import policy_words
from daper.entrypoints.cli.exits import Exit
from daper.entrypoints.cli.output import console, print_json, say
from daper.entrypoints.cli.parameters import NONE, Comment, Json, Names, said_right, scope_of
from daper.entrypoints.cli.questions import who_asks, who_is_told
from daper.entrypoints.cli.runner import run_to_end
from daper.entrypoints.cli.session import how_to_decide, run_link
from daper.entrypoints.documents import AgentStartedDocument, agent_document
from daper.service.requests import ProactiveStarted, ProactiveStatus, StartProactive
from daper.settings import STARTING, Part, Settings, load_settings


def start(
    *,
    interval: timedelta = PROACTIVE_INTERVAL,
    approval_timeout: timedelta | None = None,
    partition: str | None = None,
    limit: int = DEFAULT_PROBLEMS,
    domain: str | None = None,
    tell: Names = NONE,
    as_json: Json = False,
) -> int:
    """Start your proactive agent: it repairs at once, and again and again until you stop it. You have one per domain.

    Each cycle is a repair of its own, and its plan waits for a person, unless the approval policy lets all of it run
    alone; without one nothing does. If your agent runs already, it is left as it is.

    Parameters
    ----------
    interval
        How long it waits between the end of a cycle and the next one, for example 1d or 90m; at most 366d.
    approval_timeout
        How long the plan of each cycle waits for a decision; 20h, or what the policy says. At most 366d.
    partition
        Only one part of the records, like 1/4 for the first of four: so several agents share what there is to do.
    limit
        How many problems each cycle takes on, at most 500.
    domain
        Which records; see DAPER_DOMAIN.
    tell
        Tell this person or webhook of each repair; a name of people.toml, see DAPER_TELL. May be given several times.
    as_json
        Print one JSON document.
    """
    settings = load_settings(needs=STARTING)
    with said_right():
        order = StartProactive(
            requested_by=who_asks(settings),
            domain=settings.domain_or(domain),
            scope=scope_of(partition=partition, limit=limit),
            interval=interval,
            approval_timeout=approval_timeout,
            tell=who_is_told(settings, tell),
        )

    async def run() -> int:
        service = await open_proactive(settings)
        started = await service.start(order)
        lacking = await service.unserved(started.store_id)
        if as_json:
            print_json(AgentStartedDocument(**dict(started), lacking=lacking))
        else:
            _say([*_opening(settings, started, order.domain), *([f"… {lacking}"] if lacking else [])])
        return Exit.OK

    return run_to_end(run())


def status(*, domain: str | None = None, as_json: Json = False) -> int:
    """Your proactive agent: its phase, what runs or when the next cycle begins, and what became of the last ones.

    Parameters
    ----------
    domain
        Which records; see DAPER_DOMAIN.
    as_json
        Print one JSON document.
    """
    settings = load_settings(needs={Part.TEMPORAL, Part.USER})
    of = settings.domain_or(domain)

    async def run() -> int:
        service = await open_proactive(settings)
        found = await service.status(who_asks(settings).name, of)
        if as_json:
            print_json(agent_document(found))
        else:
            _say(_lines(settings, found))
        return Exit.OK

    return run_to_end(run())


def check_now(*, reason: Comment = "", domain: str | None = None) -> int:
    """Ask your proactive agent for a cycle: at once, or right after the one that runs.

    Asked several times during a cycle, it runs one more, not several.

    Parameters
    ----------
    reason
        Kept with that cycle.
    domain
        Which records; see DAPER_DOMAIN.
    """
    settings = load_settings(needs={Part.TEMPORAL, Part.USER})
    of = settings.domain_or(domain)

    async def run() -> int:
        service = await open_proactive(settings)
        user = who_asks(settings).name
        agent_id = await service.check_now(user, of, by=user, reason=reason)
        _say([f"asked to check now: {agent_id}; see: {_command(settings, 'status', of)}"])
        return Exit.OK

    return run_to_end(run())


def stop(*, reason: Comment = "", domain: str | None = None) -> int:
    """End your proactive agent. A repair that runs is stopped too: effects in flight are settled, then it reports.

    Parameters
    ----------
    reason
        Kept with the agent, and in the report of the repair.
    domain
        Which records; see DAPER_DOMAIN.
    """
    settings = load_settings(needs={Part.TEMPORAL, Part.USER})
    of = settings.domain_or(domain)

    async def run() -> int:
        service = await open_proactive(settings)
        user = who_asks(settings).name
        agent_id = await service.stop(user, of, by=user, reason=reason)
        _say([f"asked to stop: {agent_id}; see: {_command(settings, 'status', of)}"])
        return Exit.OK

    return run_to_end(run())


def _say(lines: Iterator[str] | list[str]) -> None:
    screen = console()
    for line in lines:
        say(screen, line)


def _command(settings: Settings, verb: str, domain: str) -> str:
    return str(agent_command(verb, domain, configured=settings.domain))


def _opening(settings: Settings, started: ProactiveStarted, domain: str) -> Iterator[str]:
    where = f"[{settings.address}], Namespace: [{settings.namespace}], Task Queue: [{started.queue}]"
    yield f"Client connection: {where} ({settings.address_source})"
    yield f"Records: {started.place} (store {started.store_id})"
    if started.already_running:
        yield f"The proactive agent runs already, as it was started: {started.agent_id}"
        yield f"To start it otherwise, end it first: {_command(settings, 'stop', domain)}"
    else:
        yield f"Proactive agent started with ID: {started.agent_id}"
        yield f"Policy: {settings.policy_source}: {policy_words(settings.policy)}"
    if link := run_link(settings, started.agent_id):
        yield f"Temporal UI: {link}"
    yield f"See what it does: {_command(settings, 'status', domain)}"


def _lines(settings: Settings, found: ProactiveStatus) -> Iterator[str]:
    agent = found.agent
    yield f"{agent.agent_id}: {found.phase}"
    cycles = f"{counted(agent.cycles, 'cycle')} since {agent.started_at:%Y-%m-%d %H:%M:%S} UTC"
    looks = f"; it looks at {partition_words(agent.partition)}" if agent.partition else ""
    interval, patience = written_span(agent.interval), written_span(agent.approval_timeout)
    yield f"{cycles}; {interval} after each the next one; a plan waits for {patience}{looks}"
    if agent.stopping:
        yield agent.stopping
    if agent.repair_id:
        yield from _current(found, agent.repair_id)
    if agent.next_cycle_at and not found.ended:
        now = _command(settings, "check-now", agent.domain)
        yield f"Next cycle: {agent.next_cycle_at:%Y-%m-%d %H:%M:%S} UTC; now: {now}"
    if agent.failures_in_a_row:
        yield f"{counted(agent.failures_in_a_row, 'cycle')} in a row could not go on; the pauses between tries grow"
    if agent.nudges_waiting and not found.ended:
        yield f"Asked {counted(agent.nudges_waiting, 'time')} since this cycle began, so one more follows it"
    yield from (f"Note: {notice}" for notice in agent.notices)
    if agent.results:
        yield "Last cycles:"
        for ended in agent.results:
            yield from _cycle(ended)


def _current(found: ProactiveStatus, repair_id: str) -> Iterator[str]:
    left = "The agent left this repair behind; it goes on without it" if found.ended else "Current repair"
    repair = found.repair
    yield f"{left}: {repair_id}" + (f": {repair.phase}" if repair else "")
    if found.trouble:
        yield found.trouble
    if repair is None or isinstance(repair, RepairResult):
        return
    if repair.message:
        yield repair.message
    if repair.decide_by is not None:
        yield f"See the plan: daper repair show {repair_id}"
        yield from how_to_decide(repair)


def _cycle(ended: CycleEnd) -> Iterator[str]:
    counts = ended.counts
    told = f"{counted(counts.problems, 'problem')}, {counts.repaired} repaired, {counts.requested} asked for"
    told += f", {counts.suppressed} left alone" if counts.suppressed else ""
    asked = f"; asked for by {ended.asked}" if ended.asked else ""
    yield f"  - {ended.ended_at:%Y-%m-%d %H:%M} UTC {ended.repair_id}: {ended.phase}: {told}{asked}"
    if ended.decided:
        yield f"      - decided by {ended.decided}"
    if ended.reason:
        yield f"      - {ended.reason}"
    if ended.needs_person:
        yield f"      - left something to a person: daper repair show {ended.repair_id}"
