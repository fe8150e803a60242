"""The workers of a process: they work on its queue, and on those of every store, and drain when it ends."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.worker import Worker

from daper.activities.claims import Claims
from daper.activities.delivery import OutboxActivities, TellingActivities
from daper.activities.diagnosis import DiagnoseActivities
from daper.activities.publication import PublishActivities
from daper.activities.repair import RepairActivities
from daper.activities.runs import RunActivities
from daper.adapters.metrics.counting import CountedAttempts, meter_of
from daper.adapters.privacy import make_private
from daper.adapters.temporal.runs import TemporalRuns
from daper.adapters.temporal.sandbox import SANDBOX
from daper.adapters.temporal.server_time import ServerTime
from daper.agents.deterministic import RulesAgents
from daper.bootstrap import open_courier, open_domains, open_models, open_notifier
from daper.clock import agreed_now, ahead
from daper.core.errors import DaperError, StoreUnavailable
from daper.ports import Agents, Domain
from daper.settings import Settings
from daper.workflows.event_driven import RepairAgentWorkflowEventDriven
from daper.workflows.options import DELIVERY_TRIES
from daper.workflows.proactive import RepairAgentWorkflowProactive
from daper.workflows.queues import activity_queue, models_queue, people_queue
from daper.workflows.repair import RepairAgentWorkflow

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


async def _shut_down(workers: Sequence[Worker]) -> None:
    await asyncio.gather(*(worker.shutdown() for worker in workers))
