"""`daper doctor`: what is configured, what answers, what is missing, and how to mend it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from daper.adapters.temporal.connection import connect, search_attributes_registered
from daper.adapters.temporal.program import find_temporal
from daper.bootstrap import open_domains, open_service
from daper.clock import utc_now
from daper.core.errors import DaperError, SettingError
from daper.core.messages import OnOutage
from daper.core.models import Scope
from daper.core.text import ahead_words, counted
from daper.entrypoints.cli.exits import Exit
from daper.entrypoints.cli.model_checks import check_models
from daper.entrypoints.cli.output import console, print_json, say, table
from daper.entrypoints.cli.parameters import Json
from daper.entrypoints.cli.policy import policy_notes, policy_words
from daper.entrypoints.cli.runner import run_to_end
from daper.ports import Domain
from daper.service.clock_skew import TOLERANCE, clock_ahead
from daper.service.records import RecordsService
from daper.settings import Settings, load_settings, shown_settings
from daper.workflows.queues import activity_queue


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; without a `needed` one no repair can run."""

    name: str
    ok: bool
    what: str
    needed: bool = True


def doctor(*, as_json: Json = False) -> int:
    """What is configured, what answers, what is missing and how to mend it. Exit 0 if a repair could run now.

    Of each language model that is configured it makes one cheap call.

    Parameters
    ----------
    as_json
        Print one JSON document.
    """
    rows = shown_settings()
    try:
        settings = load_settings()
        domains = open_domains(settings)
        warnings = settings.warnings(domains)
        checks = run_to_end(_check(settings, domains))
    except SettingError as error:
        warnings, checks = (), [Check("settings", False, str(error))]
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


async def _check(settings: Settings, domains: Mapping[str, Domain]) -> list[Check]:
    checks = [_embedded(), *_policy(settings, domains)]
    stores: list[str] = []
    records = RecordsService(domains=domains)
    for name in domains:
        try:
            found = await records.list(name, Scope(), now=utc_now(), most=0)
            stores.append(found.store.store_id)
            checks.append(Check(f"records of {name}", True, f"{found.total} in {found.store.place}"))
        except DaperError as error:
            checks.append(Check(f"records of {name}", False, str(error)))
    # Not needed where the rules are to go on without them.
    needed = settings.thinking.on_outage is OnOutage.FAIL
    checks += [Check(name, ok, what, needed=needed) for name, ok, what in await check_models(settings)]
    checks += _people(settings)
    return [*checks, *await _check_temporal(settings, stores)]


def _policy(settings: Settings, domains: Mapping[str, Domain]) -> list[Check]:
    found = Check("approval policy", True, f"{settings.policy_source}: {policy_words(settings.policy)}")
    return [found, *(Check("approval policy", False, note, False) for note in policy_notes(settings.policy, domains))]


def _people(settings: Settings) -> list[Check]:
    people = settings.people
    if not people.source:
        return []
    missing = people.missing()
    told = f" by default {', '.join(settings.tell)}" if settings.tell else " nobody by default; see DAPER_TELL"
    found = f"{counted(len(people.targets), 'target')} in {people.source}; told is{told}"
    lacking = (f"{variable} is not set, and {name} needs it" for name, variable in missing.items())
    return [Check("people who may be told", not missing, "; ".join((found, *lacking)))]


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
        for queue in (settings.task_queue, *(activity_queue(settings.task_queue, store) for store in stores)):
            polled = await service.workers(queue)
            who = ", ".join(polled) or "none; start one: daper up, or daper worker"
            checks.append(Check(f"worker on {queue}", bool(polled), who))
        for line in await service.stuck():
            checks.append(Check("repair", False, line))
    except DaperError as error:
        return [Check(name, False, str(error))]
    return checks
