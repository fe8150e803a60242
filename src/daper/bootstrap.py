"""The composition root: the one place that knows which implementation stands behind which port."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from temporalio.client import Client
from temporalio.common import MetricMeter
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from daper.activities.claims import Claims
from daper.activities.delivery import TellingActivities
from daper.activities.diagnosis import DiagnoseActivities
from daper.activities.publication import PublishActivities
from daper.activities.repair import RepairActivities
from daper.activities.runs import RunActivities
from daper.adapters.metrics.counting import CountedAttempts, CountedSpending, meter_of
from daper.adapters.notify.notifier import PeopleNotifier
from daper.adapters.privacy import make_private
from daper.adapters.temporal.connection import connect, search_attributes_registered
from daper.adapters.temporal.runs import TemporalRuns
from daper.adapters.temporal.server_time import ServerTime
from daper.agents.deterministic import RulesAgents
from daper.agents.llm.config import MODELS_MISSING
from daper.clock import agreed_now, ahead
from daper.core.errors import ModelError, SettingError
from daper.domains.registry import declared_options, load_domains
from daper.ports import Agents, Domain
from daper.ports.entry import DATABASE_OPTION
from daper.service.proactive import ProactiveService
from daper.service.repairs import RepairService
from daper.service.requests import Times
from daper.service.schedules import ScheduleService
from daper.settings import Part, Settings
from daper.workflows.event_driven import RepairAgentWorkflowEventDriven
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
# All that a worker runs; each has histories in `tests/replay`.
WORKFLOWS: Final[tuple[type, ...]] = (
    RepairAgentWorkflow,
    RepairAgentWorkflowProactive,
    RepairAgentWorkflowEventDriven,
)

# A library in this process may look into every import (beartype does, which MCP libraries bring): each run would import
# that library anew, and take fifteen times as long to begin. What looks into imports is no code of a workflow.
SANDBOX: Final = SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules("beartype"))


def open_domains(settings: Settings) -> dict[str, Domain]:
    """Every installed domain, on its folder under the settings' home, and with the database that all is in."""
    declared = declared_options()

    def options(name: str) -> Mapping[str, str]:
        takes = any(option.name == DATABASE_OPTION for option in declared.get(name, ()))
        shared = {DATABASE_OPTION: settings.database_url} if takes and settings.database_url else {}
        return {**shared, **settings.domain_options(name)}

    return load_domains(settings.home / "data", options=options)


def databases_of(settings: Settings, domains: Iterable[Domain]) -> "tuple[Database, ...]":
    """Every database that state or records are in, each once, with all its tables; but not the file of the home.

    Raises SettingError for an address that is none.
    """
    from daper.stores.sql.engine import Database, InDatabases  # SQL, which few commands need
    from daper.stores.sql.records_schema import RECORDS

    found: dict[str, Database] = {}
    if (state := settings.state).shared:
        shared = state.database().extended([RECORDS])
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
    return PeopleNotifier(people, reports=settings.state.reports(), link=settings.link_to, now=agreed_now)


@dataclass(frozen=True, kw_only=True)
class Services:
    """What a door needs of Temporal, on one connection."""

    repairs: RepairService
    proactive: ProactiveService
    schedules: ScheduleService


def times_of(settings: Settings) -> Times:
    """How long plans wait and decisions are valid where nobody says otherwise."""
    return Times(approval_timeout=settings.approval_timeout, decision_valid_for=settings.decision_valid_for)


async def open_services(settings: Settings, *, client: Client | None = None) -> Services:
    """All services on the configured Temporal. Raises Unreachable, SettingError."""
    settings.need(Part.TEMPORAL, Part.DATABASE)
    client = client or await connect(settings)
    domains, indexed = open_domains(settings), await search_attributes_registered(client)
    queue, policy, times = settings.task_queue, settings.policy, times_of(settings)
    repairs = RepairService(
        client=client,
        queue=queue,
        times=times,
        domains=domains,
        reports=settings.state.reports(),
        indexed=indexed,
        policy=policy,
        gathering=settings.gathering,
    )
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
    )


async def open_service(settings: Settings, *, client: Client | None = None) -> RepairService:
    """A service for repairs on the configured Temporal. Raises Unreachable, SettingError."""
    return (await open_services(settings, client=client)).repairs


async def open_proactive(settings: Settings, *, client: Client | None = None) -> ProactiveService:
    """A service for proactive agents on the configured Temporal. Raises Unreachable, SettingError."""
    return (await open_services(settings, client=client)).proactive


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
    notifier = open_notifier(settings)
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
    telling = [TellingActivities(notifier=notifier).tell_person]
    queues = [activity_queue(settings.task_queue, (await domain.store()).store_id) for domain in domains.values()]
    limits = settings.model_limits
    workers = [
        Worker(
            client,
            task_queue=settings.task_queue,
            workflows=WORKFLOWS,
            workflow_runner=SANDBOX,
            graceful_shutdown_timeout=DRAIN,
            sticky_queue_schedule_to_start_timeout=STICKY,
        ),
        *(
            Worker(
                client,
                task_queue=task_queue,
                activities=work,
                interceptors=[ServerTime(), CountedAttempts(meter, domains=domains.keys())],
                graceful_shutdown_timeout=DRAIN,
                max_concurrent_activities=at_once,
                max_task_queue_activities_per_second=per_second,
            )
            for queue in queues
            for task_queue, work, at_once, per_second in (
                (queue, activities, settings.worker.at_once, None),
                (models_queue(queue), thinking, limits.at_once, limits.per_second),
                (people_queue(queue), telling, settings.worker.at_once, None),
            )
        ),
    ]
    async with AsyncExitStack() as stack:
        stack.callback(notifier.close)
        if models is not None:
            await stack.enter_async_context(models)
        for worker in workers:
            await stack.enter_async_context(worker)
        # All at once: one after another, each would take its whole time, and the last go on beginning effects.
        stack.push_async_callback(_shut_down, workers)
        yield (settings.task_queue, *queues)


async def _shut_down(workers: Sequence[Worker]) -> None:
    await asyncio.gather(*(worker.shutdown() for worker in workers))
