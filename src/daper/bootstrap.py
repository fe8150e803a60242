"""The composition root: the one place that knows which implementation stands behind which port."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from temporalio.client import Client
from temporalio.common import MetricMeter

from daper.adapters.decision_links import link_token
from daper.adapters.metrics.counting import CountedSpending
from daper.adapters.notify.courier import PeopleCourier
from daper.adapters.notify.notifier import PeopleNotifier
from daper.adapters.temporal.connection import connect, search_attributes_registered
from daper.agents.llm.config import MODELS_MISSING
from daper.clock import agreed_now
from daper.core.errors import ModelError, SettingError, Unreachable
from daper.core.notices import TellInput
from daper.domains.registry import declared_options, load_domains, prefix_of
from daper.ports import Domain
from daper.ports.entry import DATABASE_OPTION, TEMPLATES, TEMPLATES_OPTION, OnTemporal, OpenDomains
from daper.service.board import Board
from daper.service.facts import FactService
from daper.service.listing import ended_repairs, open_repairs
from daper.service.proactive import ProactiveService
from daper.service.records import RecordsService
from daper.service.repair_list import RepairList
from daper.service.repairs import RepairService
from daper.service.requests import Times
from daper.service.schedules import ScheduleService
from daper.service.tidings import Tidings
from daper.settings import Part, Settings
from daper.settings.temporal_profile import cluster_of, in_names_of, is_elsewhere

if TYPE_CHECKING:
    from daper.agents.llm.agents import ModelAgents
    from daper.stores.sql.engine import Database


def open_domains(settings: Settings) -> dict[str, Domain]:
    """Every installed domain, on its folder under the settings' home, and with the database that all is in.

    And every one that a file declares. Raises SettingError for two of one name.
    """
    declared = declared_options()

    def options(name: str) -> Mapping[str, str]:
        names = {option.name for option in declared.get(name, ())}
        given = {TEMPLATES_OPTION: str(settings.home / TEMPLATES / name), DATABASE_OPTION: settings.database_url}
        known = {option: value for option, value in given.items() if option in names and value}
        return {**known, **settings.domain_options(name)}

    installed = load_domains(settings.home / "data", options=options)
    for name, domain in installed.items():
        if isinstance(domain, OnTemporal):
            domain.reach_by(partial(_reach, settings, name))
    return OpenDomains(_with_declared(installed, settings), installed.absent)


async def _reach(settings: Settings, name: str, place: Mapping[str, str]) -> Client:
    """The cluster of a domain: ours, or the one that its options name; of that one errors name those."""
    try:
        cluster = cluster_of(settings, place, prefix=prefix_of(name))
        return await connect(cluster)
    except (SettingError, Unreachable) as error:
        if not is_elsewhere(place):
            raise
        told = in_names_of(prefix_of(name), str(error))
        raise type(error)(told) from None


def _with_declared(installed: dict[str, Domain], settings: Settings) -> dict[str, Domain]:
    """And those of files, each by the name of its file. Raises SettingError for two of one name, a missing extra."""
    if not settings.domain_files:
        return installed
    try:
        from daper.domains.declared.domain import DeclaredDomain  # SQL and all, which those without need not load
    except ImportError as error:
        raise SettingError(
            f"{settings.domain_files[0]} declares a domain, which needs the extra declared: "
            f"pip install 'daper[declared]' ({error})"
        ) from error
    found = dict(installed)
    for path in settings.domain_files:
        if path.stem in found:
            raise SettingError(
                f"{path} declares a domain {path.stem!r}, and there is one of that name; give the file another name"
            )
        found[path.stem] = DeclaredDomain(path, variables=settings.variables.get)
    return found


def databases_of(settings: Settings, domains: Iterable[Domain]) -> "tuple[Database, ...]":
    """Every database that state or records are in, each once, with all its tables; but not the file of the home.

    Raises SettingError for an address that is none.
    """
    from daper.stores.sql.engine import Database, InDatabases  # SQL, which few commands need
    from daper.stores.sql.records_schema import RECORDS
    from daper.stores.sql.visitors_schema import VISITORS

    found: dict[str, Database] = {}
    if (state := settings.state).shared:
        shared = state.database().extended([VISITORS, RECORDS])
        found[shared.named] = shared
    for each in (each for domain in domains if isinstance(domain, InDatabases) for each in domain.databases()):
        known = found.get(each.named)
        found[each.named] = each if known is None else known.extended(each.branches.values())
    return tuple(found.values())


async def open_models(settings: Settings, *, meter: MetricMeter = MetricMeter.noop) -> "ModelAgents | None":
    """The agents with language models, or None where rules play every role. Loads the library only if it is needed.

    Raises ModelError, one line, for a model that cannot be had as it is configured.
    """
    if not settings.thinking.choices:
        return None
    return await asyncio.to_thread(_load_models, settings, meter)


def _load_models(settings: Settings, meter: MetricMeter) -> "ModelAgents":
    try:
        from daper.agents.llm.agents import ModelAgents  # two seconds that a worker by rules need not pay
    except ImportError as error:
        raise ModelError(f"{MODELS_MISSING} ({error})") from error
    models = ModelAgents(
        settings.thinking,
        spending=CountedSpending(settings.state.spending(), meter),
        transcripts=settings.state.transcripts(secrets=settings.thinking.secrets),
    )
    models.open()
    return models


def open_notifier(settings: Settings) -> PeopleNotifier:
    """What tells the people of the settings. Raises SettingError where a secret that somebody needs is not set."""
    settings.need(Part.DATABASE)
    people = settings.people
    for name, variable in people.missing().items():
        raise SettingError(
            f"{variable} is not set, and {people.source} names it as the secret for {name!r}; "
            "set it in the environment or in .env, or take that target out"
        )
    return PeopleNotifier(
        people, reports=settings.state.reports(), link=settings.seen_at, now=agreed_now, decide=_decides_at(settings)
    )


def open_courier(settings: Settings) -> PeopleCourier:
    """What takes the messages of records away, as the people of the settings say."""
    return PeopleCourier(settings.people, now=agreed_now)


def _decides_at(settings: Settings) -> Callable[[TellInput], str | None]:
    """Where the plan of a message is decided on without signing in; nothing where the policy does not allow it."""
    form_key = settings.state.form_key()

    def decide(given: TellInput) -> str | None:
        message = given.message
        if settings.console.url is None or not message.by_link or not message.event.asks:
            return None
        token = link_token(
            form_key.for_a_server(),
            number=given.event_id,
            repair_id=message.subject_id,
            plan_digest=message.plan_digest,
            target=given.target,
            at=agreed_now(),
        )
        return settings.console.link_to(f"/links/{token}")

    return decide


@dataclass(frozen=True, kw_only=True)
class Services:
    """What a door needs of Temporal, on one connection."""

    repairs: RepairService
    proactive: ProactiveService
    schedules: ScheduleService
    records: RecordsService
    facts: FactService
    tidings: Tidings
    board: Board
    listed: RepairList


def times_of(settings: Settings) -> Times:
    """How long plans wait and decisions are valid where nobody says otherwise."""
    return Times(approval_timeout=settings.approval_timeout, decision_valid_for=settings.decision_valid_for)


async def open_services(settings: Settings, *, client: Client | None = None) -> Services:
    """All services on the configured Temporal. Raises Unreachable, SettingError."""
    settings.need(Part.TEMPORAL, Part.DATABASE)
    client = client or await connect(settings)
    domains, indexed = open_domains(settings), await search_attributes_registered(client)
    queue, policy, times = settings.task_queue, settings.policy, times_of(settings)
    reports = settings.state.reports()
    repairs = RepairService(
        client=client,
        queue=queue,
        times=times,
        domains=domains,
        reports=reports,
        indexed=indexed,
        policy=policy,
        gathering=settings.gathering,
    )
    records = RecordsService(domains=domains, memory=settings.state.memory)
    tidings = Tidings(client, queue=queue)

    async def reaching() -> Tidings:
        return tidings

    board = Board(service=repairs, listing=open_repairs(client, queue=queue), policy=policy)
    return Services(
        repairs=repairs,
        proactive=ProactiveService(
            client=client,
            queue=queue,
            times=times,
            domains=domains,
            repairs=repairs,
            indexed=indexed,
            policy=policy,
        ),
        schedules=ScheduleService(
            client=client,
            queue=queue,
            times=times,
            domains=domains,
            repairs=repairs,
            indexed=indexed,
            policy=policy,
        ),
        records=records,
        facts=FactService(records, tidings=reaching),
        tidings=tidings,
        board=board,
        listed=RepairList(board, ended=ended_repairs(client, queue=queue), reports=reports),
    )


def open_facts(settings: Settings, *, tidings: Callable[[], Awaitable[Tidings]] | None = None) -> FactService:
    """What takes facts, also where Temporal is not there: then no agent is told. `tidings`: of a door that connects.

    Raises SettingError.
    """
    settings.need(Part.DATABASE)

    async def connected() -> Tidings:
        settings.need(Part.TEMPORAL)
        return Tidings(await connect(settings), queue=settings.task_queue)

    records = RecordsService(domains=open_domains(settings), memory=settings.state.memory)
    return FactService(records, tidings=tidings or connected)


async def open_service(settings: Settings, *, client: Client | None = None) -> RepairService:
    """A service for repairs on the configured Temporal. Raises Unreachable, SettingError."""
    return (await open_services(settings, client=client)).repairs


async def open_proactive(settings: Settings, *, client: Client | None = None) -> ProactiveService:
    """A service for proactive agents on the configured Temporal. Raises Unreachable, SettingError."""
    return (await open_services(settings, client=client)).proactive


async def open_schedules(settings: Settings, *, client: Client | None = None) -> ScheduleService:
    """A service for schedules on the configured Temporal. Raises Unreachable, SettingError."""
    return (await open_services(settings, client=client)).schedules
