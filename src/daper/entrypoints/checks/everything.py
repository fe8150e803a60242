"""All that doctor looks at, one thing after another; what is wrong with one hides nothing of the others."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from daper.adapters.temporal.connection import connect, search_attributes_registered
from daper.adapters.temporal.program import find_temporal
from daper.bootstrap import databases_of, open_service
from daper.clock import utc_now
from daper.core.errors import DaperError, SettingError
from daper.core.messages import OnOutage
from daper.core.models import Scope
from daper.core.text import ahead_words
from daper.entrypoints.checks.check import Check, checked
from daper.entrypoints.checks.databases import look_at
from daper.entrypoints.checks.kept import check_kept
from daper.entrypoints.checks.models import check_models
from daper.entrypoints.checks.people import check_people
from daper.entrypoints.checks.policy import policy_notes, policy_words
from daper.entrypoints.checks.worker import check_worker
from daper.ports import Domain, SelfChecking
from daper.ports.domain import Examined
from daper.ports.entry import absent
from daper.service.clock_skew import TOLERANCE, clock_ahead
from daper.service.records import RecordsService
from daper.service.repairs import RepairService
from daper.settings import Part, Settings
from daper.stores.sql.engine import Database
from daper.workflows.queues import activity_queue, models_queue, people_queue


async def check_all(settings: Settings, domains: Mapping[str, Domain], *, ask_models: bool = True) -> list[Check]:
    """Everything. `ask_models`: also one cheap call of each language model, which costs something."""
    checks = [_embedded(), *_policy(settings, domains)]
    if Part.DATABASE not in settings.troubles:
        checks += await check_databases(databases_of(settings, domains.values()))
    stores: dict[str, str] = {}
    records = RecordsService(domains=domains)
    for name in domains:
        checks.append(await checked(f"records of {name}", partial(_records, records, name, stores)))
        checks += await _own_files(name, domains[name])
        checks += await _lacking(name, domains[name]) if checks[-1].ok else []
    checks += [Check(f"records of {name}", ok=True, what=why, needed=False) for name, why in absent(domains).items()]
    known = Part.DATABASE not in settings.troubles
    checks += await check_kept(settings.home, settings.state if known else None)
    if ask_models and Part.MODELS not in settings.troubles:
        # Not needed where the rules are to go on without them.
        needed = settings.thinking.on_outage is OnOutage.FAIL
        checks += [Check(name, ok, what, needed=needed) for name, ok, what in await check_models(settings)]
    checks += await check_people(settings)
    checks += await check_worker(settings)
    return checks if Part.TEMPORAL in settings.troubles else [*checks, *await check_temporal(settings, stores)]


async def check_databases(databases: Sequence[Database]) -> list[Check]:
    """Each database: which it is, and whether it has the tables of this version."""
    looks = await asyncio.gather(*(asyncio.to_thread(look_at, each) for each in databases))
    return [Check("database", look.usable, ". ".join(look.lines)) for look in looks]


async def _records(records: RecordsService, name: str, stores: dict[str, str]) -> str:
    found = await records.list(name, Scope(), now=utc_now(), most=0)
    stores[name] = found.store.store_id
    return f"{found.total} in {found.store.place}"


async def _own_files(name: str, domain: Domain) -> list[Check]:
    """What is wrong with a person's own files for a domain; nothing is said where nothing is."""
    if not isinstance(domain, SelfChecking):
        return []
    return [Check(f"texts of {name}", False, fault) for fault in await asyncio.to_thread(domain.faults)]


async def _lacking(name: str, domain: Domain) -> list[Check]:
    """What would go wrong in a repair, of a domain that can tell beforehand."""
    if not isinstance(domain, Examined):
        return []
    try:
        return [Check(f"repairs of {name}", ok=False, what=each, needed=False) for each in await domain.lacks()]
    except DaperError as error:
        return [Check(f"repairs of {name}", ok=False, what=str(error), needed=False)]


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


async def check_temporal(settings: Settings, stores: Mapping[str, str]) -> list[Check]:
    """What answers there: Temporal, its search attributes and clock, and who works on the queues of these stores."""
    where = f"Temporal at {settings.address} ({settings.address_source})"
    try:
        client = await connect(settings)
        service = await open_service(settings, client=client)
        indexed = await search_attributes_registered(client)
        checks = [Check(where, True, f"namespace {settings.namespace}")]
        listed = "registered" if indexed else "not registered: lists use the memo, which is fine"
        checks.append(Check("search attributes", True, f"DaperPhase and DaperUser are {listed}"))
        checks.append(_clock(await clock_ahead(client)))
        at_work = await _worker(service, settings.task_queue)
        checks.append(at_work)
        for name, store in stores.items():
            queue = activity_queue(settings.task_queue, store)
            found = await _worker(service, queue, models_queue(queue), people_queue(queue))
            checks.append(found if found.ok or not at_work.ok else _without_settings(found, name, settings.task_queue))
        for line in await service.stuck():
            checks.append(Check("repair", False, line))
    except DaperError as error:
        return [Check(where, False, str(error))]
    return checks


def _without_settings(found: Check, domain: str, queue: str) -> Check:
    """A worker runs, and does not do this: what is set here is not set there."""
    told = f"{found.what}. A worker runs on {queue}, and not for the records of {domain}: set there what is set here"
    return replace(
        found, what=f"{told} for them, and start it again; at its start it says which domains it does not serve"
    )


async def _worker(service: RepairService, queue: str, *beside: str) -> Check:
    """Who works on a queue, and whether they do on those beside it."""
    polled = await service.workers(queue)
    away = [each for each in beside if polled and not await service.workers(each)]
    told = [", ".join(polled) or "none; start one: daper up, or daper worker"]
    told += [f"nobody works on {each}; start a worker of this version: daper worker" for each in away]
    return Check(f"worker on {queue}", bool(polled) and not away, "; ".join(told))
