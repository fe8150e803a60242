"""The composition root: the one place that knows which implementation stands behind which port."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from temporalio.client import Client
from temporalio.common import MetricMeter
from temporalio.worker import Worker

from daper.activities.claims import Claims
from daper.activities.delivery import OutboxActivities, TellingActivities
from daper.activities.diagnosis import DiagnoseActivities
from daper.activities.publication import PublishActivities
from daper.activities.repair import RepairActivities
from daper.activities.runs import RunActivities
from daper.adapters.decision_links import link_token
from daper.adapters.metrics.counting import CountedAttempts, CountedSpending, meter_of
from daper.adapters.notify.courier import PeopleCourier
from daper.adapters.notify.notifier import PeopleNotifier
from daper.adapters.privacy import make_private
from daper.adapters.temporal.connection import connect, search_attributes_registered
from daper.adapters.temporal.runs import TemporalRuns
from daper.adapters.temporal.sandbox import SANDBOX
from daper.adapters.temporal.server_time import ServerTime
from daper.agents.deterministic import RulesAgents
from daper.agents.llm.config import MODELS_MISSING
from daper.clock import agreed_now, ahead
from daper.core.errors import DaperError, ModelError, SettingError, StoreUnavailable, Unreachable
from daper.core.notices import TellInput
from daper.domains.registry import declared_options, load_domains, prefix_of
from daper.ports import Agents, Domain
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
from daper.workflows.event_driven import RepairAgentWorkflowEventDriven
from daper.workflows.options import DELIVERY_TRIES
from daper.workflows.proactive import RepairAgentWorkflowProactive
from daper.workflows.queues import activity_queue, models_queue, people_queue
from daper.workflows.repair import RepairAgentWorkflow

if TYPE_CHECKING:
    from daper.agents.llm.agents import ModelAgents
    from daper.stores.sql.engine import Database

DRAIN = timedelta(seconds=20)
# How long a task waits for the worker that holds its repair in memory. Short: when that worker was killed, a look at
# the repair must be answered by another one before whoever looks gives up (three seconds).
STICKY = timedelta(seconds=1)
MENDED_WITHIN: Final = timedelta(seconds=5)  # a domain that could not be used is looked at as often
# All that a worker runs; each has histories in `tests/replay`.
WORKFLOWS: Final[tuple[type, ...]] = (
    RepairAgentWorkflow,
    RepairAgentWorkflowProactive,
    RepairAgentWorkflowEventDriven,
)


log = logging.getLogger(__name__)


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


async def _queue_of(domain: Domain, task_queue: str) -> str:
    """The queue of a domain's records; none, and a line in the log, where they cannot be used: others go on."""
    try:
        return activity_queue(task_queue, (await domain.store()).store_id)
    except StoreUnavailable as error:
        log.warning("this worker does no work for a domain until that can be used: %s", error)
        return ""


@asynccontextmanager
async def _mended_served(
    domains: Sequence[Domain], task_queue: str, staff: Callable[[str], Sequence[Worker]]
) -> AsyncGenerator[None]:
    """Until left, domains that could not be used at the start are worked for once they can be."""
    end = asyncio.Event()
    # No task group: it would put whatever ends this worker into a group of errors.
    serving = [asyncio.create_task(_serve_once_mended(domain, task_queue, staff, end)) for domain in domains]
    try:
        yield
    finally:
        end.set()
        for failed in await asyncio.gather(*serving, return_exceptions=True):
            if isinstance(failed, Exception):
                log.error("the work for a domain that was mended ended: %s", failed)


async def _serve_once_mended(
    domain: Domain, task_queue: str, staff: Callable[[str], Sequence[Worker]], end: asyncio.Event
) -> None:
    """Look at a domain again and again, and work for it from when it can be used, until the end."""
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(end.wait(), MENDED_WITHIN.total_seconds())
            return
        try:
            queue = activity_queue(task_queue, (await domain.store()).store_id)
        except DaperError:  # it is faulty still, or its database is away
            continue
        log.warning("this worker works for the domain %s by now", domain.name)
        async with AsyncExitStack() as stack:
            workers = staff(queue)
            for worker in workers:
                await stack.enter_async_context(worker)
            stack.push_async_callback(_shut_down, workers)
            await end.wait()
            return


async def open_schedules(settings: Settings, *, client: Client | None = None) -> ScheduleService:
    """A service for schedules on the configured Temporal. Raises Unreachable, SettingError."""
    return (await open_services(settings, client=client)).schedules


@asynccontextmanager
async def working(
    client: Client,
    settings: Settings,
    *,
    domains: Mapping[str, Domain] | None = None,
    agents: Agents | None = None,
) -> AsyncGenerator[tuple[str, ...]]:
    """Work on the settings' queue and on the queue of every store, until left; yields the queues.

    Leaving drains: effects in flight finish, or are taken up by another worker.
    """
    await asyncio.to_thread(make_private, settings.home)
    domains = open_domains(settings) if domains is None else domains
    notifier, courier = open_notifier(settings), open_courier(settings)
    meter = meter_of(client)
    agents, models = agents or RulesAgents(), await open_models(settings, meter=meter)
    memory, runs = settings.state.memory(), TemporalRuns(client)
    claims = Claims(memory=memory, runs=runs)
    diagnose = DiagnoseActivities(
        domains=domains,
        agents=agents,
        claims=claims,
        models=models,
        on_outage=settings.thinking.on_outage,
        policy=settings.policy_source.read,  # read anew each time: taking a right away needs no new start
        ahead=ahead,
    )
    repair = RepairActivities(domains=domains, now=agreed_now, ahead=ahead)
    publish = PublishActivities(
        claims=claims,
        memory=memory,
        reports=settings.state.reports(),
        spending=settings.state.spending(),
        agents=agents,
        models=models,
    )
    activities = [
        diagnose.open_cycle,
        diagnose.divide_work,
        diagnose.detect_problems,
        diagnose.analyze_problems,
        diagnose.plan_repair,
        repair.apply_action,
        repair.settle_action,
        repair.undo_action,
        repair.verify_repair,
        publish.claim_findings,
        publish.conclude_findings,
        publish.read_spending,
        publish.write_report,
        RunActivities(runs=runs).find_ended_repairs,
    ]
    # Polled also by a worker without models: what waits for one is told so, and does not wait for ever.
    thinking = [
        diagnose.divide_work,  # as earlier versions ask for it
        diagnose.detect_problems,
        diagnose.analyze_problems,
        diagnose.propose_actions,
        publish.narrate_report,
    ]
    posting = OutboxActivities(domains=domains, courier=courier, now=agreed_now, tries=DELIVERY_TRIES)
    telling = [TellingActivities(notifier=notifier).tell_person, posting.deliver_message, posting.look_at_message]
    queues = {name: await _queue_of(domain, settings.task_queue) for name, domain in domains.items()}
    served, limits = tuple(filter(None, queues.values())), settings.model_limits

    def staff(queue: str) -> list[Worker]:
        """Those of one store."""
        return [
            Worker(
                client,
                task_queue=task_queue,
                activities=work,
                interceptors=[ServerTime(), CountedAttempts(meter, domains=domains.keys())],
                graceful_shutdown_timeout=DRAIN,
                max_concurrent_activities=at_once,
                max_task_queue_activities_per_second=per_second,
            )
            for task_queue, work, at_once, per_second in (
                (queue, activities, settings.worker.at_once, None),
                (models_queue(queue), thinking, limits.at_once, limits.per_second),
                (people_queue(queue), telling, settings.worker.at_once, None),
            )
        ]

    workers = [
        Worker(
            client,
            task_queue=settings.task_queue,
            workflows=WORKFLOWS,
            workflow_runner=SANDBOX,
            graceful_shutdown_timeout=DRAIN,
            sticky_queue_schedule_to_start_timeout=STICKY,
        ),
        *(worker for queue in served for worker in staff(queue)),
    ]
    unserved = [domains[name] for name, queue in queues.items() if not queue]
    async with AsyncExitStack() as stack:
        stack.callback(notifier.close)
        stack.callback(courier.close)
        if models is not None:
            await stack.enter_async_context(models)
        for worker in workers:
            await stack.enter_async_context(worker)
        # All at once: one after another, each would take its whole time, and the last go on beginning effects.
        stack.push_async_callback(_shut_down, workers)
        await stack.enter_async_context(_mended_served(unserved, settings.task_queue, staff))
        yield (settings.task_queue, *served)


async def _shut_down(workers: Sequence[Worker]) -> None:
    await asyncio.gather(*(worker.shutdown() for worker in workers))
