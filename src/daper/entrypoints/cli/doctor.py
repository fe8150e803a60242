"""`daper doctor`: what is configured, what answers, what is missing, and how to mend it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial

from daper.adapters.temporal.connection import connect, search_attributes_registered
from daper.adapters.temporal.program import find_temporal
from daper.bootstrap import databases_of, open_domains, open_service
from daper.clock import utc_now
from daper.core.errors import DaperError, SettingError
from daper.core.messages import OnOutage
from daper.core.models import Scope
from daper.core.text import ahead_words
from daper.entrypoints.cli.database_look import look_at
from daper.entrypoints.cli.doctor_check import Check, checked
from daper.entrypoints.cli.exits import Exit
from daper.entrypoints.cli.kept_checks import check_kept
from daper.entrypoints.cli.model_checks import check_models
from daper.entrypoints.cli.output import console, print_json, say, table
from daper.entrypoints.cli.parameters import Json
from daper.entrypoints.cli.people_checks import check_people
from daper.entrypoints.cli.policy import policy_notes, policy_words
from daper.entrypoints.cli.runner import run_to_end
from daper.entrypoints.cli.worker_checks import check_worker
from daper.ports import Domain
from daper.service.clock_skew import TOLERANCE, clock_ahead
from daper.service.records import RecordsService
from daper.service.repairs import RepairService
from daper.settings import Part, Settings, Shown, load_settings, shown_settings
from daper.stores.sql.engine import Database
from daper.workflows.queues import activity_queue, models_queue, people_queue


def doctor(*, as_json: Json = False) -> int:
    """What is configured, what answers, what is missing and how to mend it. Exit 0 if a repair could run now.

    Of each language model that is configured it makes one cheap call. What is wrong with one thing hides nothing of
    the others.

    Parameters
    ----------
    as_json
        Print one JSON document.
    """
    rows, warnings, checks = _looked_over()
    if as_json:
        print_json(
            {
                "settings": [vars(row) for row in rows],
                "warnings": list(warnings),
                "checks": [vars(check) for check in checks],
            }
        )
    else:
        screen = console()
        table(screen, ("setting", "value", "from", "what it is"), [(r.name, r.value, r.source, r.help) for r in rows])
        for warning in warnings:
            say(screen, f"warning: {warning}")
        for check in checks:
            say(screen, f"{'ok     ' if check.ok else 'MISSING'} {check.name}: {check.what}")
    return Exit.OK if all(check.ok or not check.needed for check in checks) else Exit.ERROR


def _looked_over() -> tuple[tuple[Shown, ...], tuple[str, ...], list[Check]]:
    try:
        rows, settings = shown_settings(), load_settings(needs=())
    except SettingError as error:  # where everything is, or the file that says it: there is nothing to go on with
        return shown_settings(dotenv=False), (), [Check("settings", False, str(error))]
    troubles = [Check("settings", False, str(error)) for error in dict.fromkeys(map(str, settings.troubles.values()))]
    domains: Mapping[str, Domain] = {}
    try:
        settings.need(Part.DATABASE)  # else the records of a file would stand for those that are meant
        domains = open_domains(settings)
    except SettingError as error:
        if Part.DATABASE not in settings.troubles:  # which is told already
            troubles.append(Check("domains", False, str(error)))
    return rows, settings.warnings(domains), [*troubles, *run_to_end(_check(settings, domains))]


async def _check(settings: Settings, domains: Mapping[str, Domain]) -> list[Check]:
    checks = [_embedded(), *_policy(settings, domains)]
    if Part.DATABASE not in settings.troubles:
        checks += await check_databases(databases_of(settings, domains.values()))
    stores: list[str] = []
    records = RecordsService(domains=domains)
    for name in domains:
        checks.append(await checked(f"records of {name}", partial(_records, records, name, stores)))
    known = Part.DATABASE not in settings.troubles
    checks += await check_kept(settings.home, settings.state if known else None)
    if Part.MODELS not in settings.troubles:
        # Not needed where the rules are to go on without them.
        needed = settings.thinking.on_outage is OnOutage.FAIL
        checks += [Check(name, ok, what, needed=needed) for name, ok, what in await check_models(settings)]
    checks += await check_people(settings)
    checks += await check_worker(settings)
    return checks if Part.TEMPORAL in settings.troubles else [*checks, *await _check_temporal(settings, stores)]


async def check_databases(databases: Sequence[Database]) -> list[Check]:
    """Each database: which it is, and whether it has the tables of this version."""
    looks = await asyncio.gather(*(asyncio.to_thread(look_at, each) for each in databases))
    return [Check("database", look.usable, ". ".join(look.lines)) for look in looks]


async def _records(records: RecordsService, name: str, stores: list[str]) -> str:
    found = await records.list(name, Scope(), now=utc_now(), most=0)
    stores.append(found.store.store_id)
    return f"{found.total} in {found.store.place}"


def _policy(settings: Settings, domains: Mapping[str, Domain]) -> list[Check]:
    if Part.POLICY in settings.troubles:
        return []
    found = Check("approval policy", True, f"{settings.policy_source}: {policy_words(settings.policy)}")
    return [found, *(Check("approval policy", False, note, False) for note in policy_notes(settings.policy, domains))]


def _embedded() -> Check:
    name = "embedded Temporal, for daper up and the demo"
    try:
        return Check(name, True, str(find_temporal()), needed=False)
    except SettingError as error:
        return Check(name, False, str(error), needed=False)


def _clock(ahead: timedelta | None) -> Check:
    name = "clock of this machine"
    if ahead is None:
        return Check(name, True, "Temporal does not say what time it has", needed=False)
    if abs(ahead) < TOLERANCE:
        return Check(name, True, "goes as Temporal's does", needed=False)
    told = f"{ahead_words(ahead)} Temporal's, by which every deadline is judged; set it right"
    return Check(name, False, told, needed=False)


async def _check_temporal(settings: Settings, stores: list[str]) -> list[Check]:
    name = f"Temporal at {settings.address} ({settings.address_source})"
    try:
        client = await connect(settings)
        service = await open_service(settings, client=client)
        indexed = await search_attributes_registered(client)
        checks = [Check(name, True, f"namespace {settings.namespace}")]
        listed = "registered" if indexed else "not registered: lists use the memo, which is fine"
        checks.append(Check("search attributes", True, f"DaperPhase and DaperUser are {listed}"))
        checks.append(_clock(await clock_ahead(client)))
        checks.append(await _worker(service, settings.task_queue))
        for store in stores:
            queue = activity_queue(settings.task_queue, store)
            checks.append(await _worker(service, queue, models_queue(queue), people_queue(queue)))
        for line in await service.stuck():
            checks.append(Check("repair", False, line))
    except DaperError as error:
        return [Check(name, False, str(error))]
    return checks


async def _worker(service: RepairService, queue: str, *beside: str) -> Check:
    """Who works on a queue, and whether they do on those beside it."""
    polled = await service.workers(queue)
    away = [each for each in beside if polled and not await service.workers(each)]
    told = [", ".join(polled) or "none; start one: daper up, or daper worker"]
    told += [f"nobody works on {each}; start a worker of this version: daper worker" for each in away]
    return Check(f"worker on {queue}", bool(polled) and not away, "; ".join(told))
