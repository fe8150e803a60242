"""A proactive agent of a user of its own, in a shop of the tests; and repairs that are none."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.client import WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from daper.adapters.temporal.sandbox import SANDBOX
from daper.clock import new_id
from daper.core.errors import NoWorker
from daper.core.ids import agent_id
from daper.core.messages import Nudge, RepairRequest
from daper.core.models import IdentityProof, Person, Verdict
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.proactive import ProactiveRequest, ProactiveView
from daper.service.requests import ProactiveStarted, ProactiveStatus, StartProactive
from daper.workers import STICKY
from daper.workflows.labels import USER_MEMO, WORKFLOW_NAME, user_attributes
from daper.workflows.proactive import RepairAgentWorkflowProactive
from daper.workflows.queues import activity_queue
from tests.workflow.shop import DEADLINE, Shop

HOUR = timedelta(hours=1)


class Agent:
    """The agent of a user whom no other test has, so that its id is free."""

    def __init__(self, shop: Shop, *, user: str = "", domain: str = "orders") -> None:
        self.shop = shop
        self.domain = domain
        self.by = Person(name=user or f"Harry-{new_id()[:8]}", how=IdentityProof.OS_USER)
        self.user = self.by.name

    @property
    def handle(self) -> WorkflowHandle[RepairAgentWorkflowProactive, ProactiveView]:
        """Temporal's handle on its last run."""
        return self.shop.client.get_workflow_handle_for(
            RepairAgentWorkflowProactive.run, agent_id(self.user, self.domain)
        )

    async def start(self, *, skipping: bool = False, **order: object) -> ProactiveStarted:
        """Start it; time stands still unless a test moves it, or lets every wait be skipped."""
        given = StartProactive.model_validate({"requested_by": self.by, "domain": self.domain, **order})
        with nullcontext() if skipping else self.shop.env.with_time_skipping_disabled():
            return await self.shop.proactive.start(given)

    async def start_with_short_runs(self, *, cycles: int) -> str:
        """Start it without the service, so that it continues as new after so many cycles; the id of its first run."""
        store_id = (await self.shop.domains[self.domain].store()).store_id
        request = ProactiveRequest(
            requested_by=self.by,
            domain=self.domain,
            store_id=store_id,
            activity_queue=activity_queue(self.shop.settings.task_queue, store_id),
            interval=HOUR,
            indexed=True,
            cycles_per_run=cycles,
        )
        with self.shop.env.with_time_skipping_disabled():
            handle = await self.shop.client.start_workflow(
                RepairAgentWorkflowProactive.run,
                request,
                id=self.handle.id,
                task_queue=self.shop.settings.task_queue,
                memo={USER_MEMO: self.user},
                search_attributes=user_attributes(self.user, indexed=True),
            )
        assert handle.first_execution_run_id is not None
        return handle.first_execution_run_id

    async def status(self) -> ProactiveStatus:
        """What the service says of it."""
        return await self.shop.proactive.status(self.user, self.domain)

    async def view(self) -> ProactiveView:
        """Where it stands, once its worker finds the time to say so: beside a flood that may take a while."""
        async with asyncio.timeout(DEADLINE):
            while True:
                with suppress(NoWorker):
                    return (await self.status()).agent

    async def check_now(self, reason: str = "") -> None:
        """Nudge it."""
        await self.shop.proactive.check_now(self.user, self.domain, by="Ginny", reason=reason)

    async def stop(self, reason: str = "") -> None:
        """Ask it to end."""
        await self.shop.proactive.stop(self.user, self.domain, by="Ginny", reason=reason)

    async def until(self, reached: Callable[[ProactiveView], bool]) -> ProactiveView:
        """The first look that is as wanted."""
        async with asyncio.timeout(DEADLINE):
            while True:
                view = await self.view()
                if reached(view):
                    return view
                await asyncio.sleep(0.02)

    async def cycle(self, number: int = 1) -> str:
        """The id of the repair of its cycle of that number, while it runs."""
        view = await self.until(lambda view: view.cycles >= number and view.repair_id is not None)
        assert view.cycles == number
        assert view.repair_id is not None
        return view.repair_id

    async def waits(self, *, after: int) -> ProactiveView:
        """The look at which it waits for the cycle after that number of them."""
        view = await self.until(lambda view: view.cycles >= after and view.next_cycle_at is not None)
        assert view.cycles == after
        return view

    async def ended(self) -> ProactiveView:
        """Its result."""
        async with asyncio.timeout(DEADLINE):
            return await self.handle.result()

    async def reject(self, repair_id: str) -> None:
        """Reject the whole plan of its cycle."""
        plan = await self.shop.plan(repair_id)
        verdicts = {action.id: Verdict.REJECT for action in plan.actions}
        await self.shop.decide(repair_id, plan, by=self.by, **verdicts)


@workflow.defn(name=WORKFLOW_NAME, sandboxed=False)
class QuietRepair:
    """A repair that finds nothing, and takes no time; it can be nudged as a real one."""

    @workflow.run
    async def run(self, request: RepairRequest) -> RepairResult:
        now = workflow.now()
        return RepairResult(
            repair_id=workflow.info().workflow_id,
            cycle_id="none",
            user=request.requested_by.name,
            domain=request.domain,
            phase=Phase.NO_REPAIR_NEEDED,
            started_at=now,
            ended_at=now,
        )

    @workflow.signal
    def stop(self, nudge: Nudge) -> None:
        """As of a real one."""


@workflow.defn(name=WORKFLOW_NAME, sandboxed=False)
class CrashingRepair:
    """A repair that ends as no repair should."""

    @workflow.run
    async def run(self, request: RepairRequest) -> RepairResult:
        raise ApplicationError("the castle is on fire", non_retryable=True)


@asynccontextmanager
async def worker_with(shop: Shop, repair: type) -> AsyncGenerator[None]:
    """A worker with the real agent, and repairs of another kind."""
    async with Worker(
        shop.client,
        task_queue=shop.settings.task_queue,
        workflows=[RepairAgentWorkflowProactive, repair],
        workflow_runner=SANDBOX,
        sticky_queue_schedule_to_start_timeout=STICKY,
    ):
        yield
