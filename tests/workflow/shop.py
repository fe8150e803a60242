"""A shop to test in: a home of its own, a queue of its own, a worker, and the service, on the shared server."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, nullcontext, suppress
from datetime import timedelta
from pathlib import Path
from typing import cast

import simplejson
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistoryEventFilterType
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from daper.adapters.temporal.sandbox import SANDBOX
from daper.bootstrap import open_domains, times_of
from daper.clock import new_id
from daper.core.errors import NoWorker
from daper.core.events import Gathering
from daper.core.models import Decision, IdentityProof, Person, Verdict
from daper.core.outcomes import ActionOutcome, RepairResult
from daper.core.phases import Phase
from daper.core.views import PlanView, RepairView
from daper.ports import Agents, Domain
from daper.service.proactive import ProactiveService
from daper.service.repairs import RepairService
from daper.service.requests import Silence, StartRepair
from daper.service.schedules import ScheduleService
from daper.settings import Settings, load_settings
from daper.workers import STICKY, working
from daper.workflows.repair import RepairAgentWorkflow

HARRY = Person(name="Harry", how=IdentityProof.OS_USER)
GINNY = Person(name="Ginny", how=IdentityProof.CLAIMED)
DEADLINE = 60
LEAVING = 150  # what an activity is given to end in, three workers one after the other, beside other tests
OVERLOOKED = 30.0
"""Seconds after which a repair that waits for nothing should be over: its server may have overlooked a wait to skip."""
LOOK_AGAIN = 0.2
"""Seconds between two looks whether a repair waits for nothing but another try, which no server skips."""
CLOSE_EVENT = WorkflowHistoryEventFilterType.CLOSE_EVENT


class Shop:
    """One home with its records, its worker and its service."""

    def __init__(
        self,
        env: WorkflowEnvironment,
        home: Path,
        *,
        domains: Mapping[str, Domain] | None,
        indexed: bool,
        environ: Mapping[str, str] | None = None,
        gathering: Gathering | None = None,
    ) -> None:
        self.env = env
        self.home = home
        self.settings: Settings = load_settings(
            environ={
                "DAPER_HOME": str(home),
                "USER_NAME": "Harry",
                "TEMPORAL_TASK_QUEUE": f"shop-{new_id()}",
                "TEMPORAL_ADDRESS": "127.0.0.1:1",
                **(environ or {}),
            },
            folder=home,
        )
        self.skipping: set[str] = set()
        self.domains = dict(domains if domains is not None else only_orders(self.settings))
        self.reports = self.settings.state.reports()
        self.service = RepairService(
            client=env.client,
            queue=self.settings.task_queue,
            times=times_of(self.settings),
            domains=self.domains,
            reports=self.reports,
            indexed=indexed,
            policy=self.settings.policy,
            gathering=gathering or self.settings.gathering,
        )
        self.proactive = ProactiveService(
            client=env.client,
            queue=self.settings.task_queue,
            times=times_of(self.settings),
            domains=self.domains,
            repairs=self.service,
            indexed=indexed,
            policy=self.settings.policy,
        )
        self.schedules = ScheduleService(
            client=env.client,
            queue=self.settings.task_queue,
            times=times_of(self.settings),
            domains=self.domains,
            repairs=self.service,
            indexed=indexed,
        )

    @property
    def client(self) -> Client:
        return self.env.client

    @asynccontextmanager
    async def worker(self, *, agents: Agents | None = None) -> AsyncGenerator[None]:
        """A whole worker, for workflows and for records."""
        stack = AsyncExitStack()
        await stack.enter_async_context(working(self.client, self.settings, domains=self.domains, agents=agents))
        try:
            yield
        finally:
            await _within_deadline(stack.__aexit__(*sys.exc_info()))

    @asynccontextmanager
    async def workflow_worker(self) -> AsyncGenerator[None]:
        """A worker that runs workflows, but reaches no records."""
        async with Worker(
            self.client,
            task_queue=self.settings.task_queue,
            workflows=[RepairAgentWorkflow],
            workflow_runner=SANDBOX,
            sticky_queue_schedule_to_start_timeout=STICKY,
        ):
            yield

    async def start(self, *, skipping: bool = False, **order: object) -> str:
        """Start a repair as Harry; time stands still unless a test moves it, or lets every wait be skipped."""
        given = StartRepair.model_validate({"requested_by": HARRY, "domain": "orders", **order})
        with nullcontext() if skipping else self.env.with_time_skipping_disabled():
            repair_id = (await self.service.start(given)).repair_id
        if skipping:
            self.skipping.add(repair_id)
        return repair_id

    async def until(self, repair_id: str, reached: Callable[[RepairView], bool]) -> RepairView:
        """The first look that is as wanted."""
        async with asyncio.timeout(DEADLINE), aclosing(self._looks(repair_id)) as looks:
            async for look in looks:
                if isinstance(look, RepairResult):
                    raise AssertionError(f"ended as {look.phase} ({look.reason})")
                if reached(look):
                    return look
        raise AssertionError("never came there")

    async def _looks(self, repair_id: str) -> AsyncGenerator[RepairView | RepairResult]:
        """Every look at a repair, and its result; a worker that has too much to do to answer is waited for."""
        while True:
            with suppress(NoWorker):
                async with aclosing(self.service.follow(repair_id)) as looks:
                    async for look in looks:
                        if not isinstance(look, Silence):
                            yield look
                return

    async def until_events(self, repair_id: str, *kinds: str) -> None:
        """Wait until the history holds events of these kinds, one after the other."""
        awaited = list(kinds)
        async with asyncio.timeout(DEADLINE):
            handle = self.client.get_workflow_handle(repair_id)
            async for event in handle.fetch_history_events(wait_new_event=True):
                if EventType.Name(event.event_type) == awaited[0]:
                    del awaited[0]
                if not awaited:
                    return

    async def until_lapsed(self, repair_id: str) -> None:
        """Wait until an effect that nobody began was given up, and the workflow knows it."""
        await self.until_events(repair_id, "EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT", "EVENT_TYPE_WORKFLOW_TASK_COMPLETED")

    async def plan(self, repair_id: str, *, round_number: int = 1) -> PlanView:
        """The plan, once it waits for a decision."""
        if round_number == 1:
            await self.until_events(repair_id, "EVENT_TYPE_TIMER_STARTED")  # before, there is nothing to ask for
        look = await self.until(
            repair_id,
            lambda look: (
                look.phase is Phase.PENDING_APPROVAL and look.plan is not None and look.plan.round == round_number
            ),
        )
        assert look.plan is not None
        return look.plan

    async def end(self, repair_id: str, *, within: float = DEADLINE) -> RepairResult:
        """The result, once there is one. Waits at Temporal: each question to the workflow is work for its worker."""
        async with asyncio.timeout(within), self._helped_on(repair_id):
            handle = self.client.get_workflow_handle(repair_id)
            async for _ in handle.fetch_history_events(wait_new_event=True, event_filter_type=CLOSE_EVENT):
                pass
            result = await self.service.ended(repair_id)
        assert result is not None, "left no result"
        return result

    @asynccontextmanager
    async def _helped_on(self, repair_id: str) -> AsyncGenerator[None]:
        """Where the server is to skip every wait of a repair, and overlooks one, as it now and then does: move time."""
        if repair_id not in self.skipping:
            yield
            return

        moving = asyncio.create_task(self._move(repair_id))
        try:
            yield
        finally:
            moving.cancel()
            await asyncio.gather(moving, return_exceptions=True)

    async def _move(self, repair_id: str) -> None:
        by, handle = timedelta(minutes=1), self.client.get_workflow_handle(repair_id)
        waited, overlooked = 0.0, OVERLOOKED
        while True:
            await asyncio.sleep(LOOK_AGAIN)
            waited += LOOK_AGAIN
            with suppress(RPCError, RuntimeError):
                if pause := await self._pause_before_another_try(repair_id):
                    await self.env.fast_forward(handle, pause)
                elif waited >= overlooked:
                    await self.env.fast_forward(handle, by)
                    by *= 2  # ever more, so that a short pause is not taken for a day
                else:
                    continue
                waited, overlooked = 0.0, OVERLOOKED / 6  # once moved, the server skips nothing more by itself

    async def _pause_before_another_try(self, repair_id: str) -> timedelta | None:
        """How long it is to the next try, where all that a repair does is waiting for one."""
        found = (await self.client.get_workflow_handle(repair_id).describe()).raw_description
        pending = found.pending_activities
        if not pending or found.HasField("pending_workflow_task"):
            return None
        if not all(each.HasField("next_attempt_schedule_time") for each in pending):
            return None
        return min(each.current_retry_interval.ToTimedelta() for each in pending)

    async def decide(self, repair_id: str, plan: PlanView, *, by: Person = HARRY, **verdicts: Verdict) -> None:
        """Answer a plan; without verdicts, approve all of it. The same answer again is told as recorded."""
        decision = answer(plan, by=by, **verdicts)
        async with asyncio.timeout(DEADLINE):
            while True:
                with suppress(NoWorker):
                    await self.service.decide(repair_id, decision)
                    return

    def document(self, name: str) -> dict[str, list[dict[str, object]]]:
        """A data file as it stands."""
        text = (self.home / "data" / "orders" / f"{name}.json").read_text(encoding="utf-8")
        return simplejson.loads(text, use_decimal=True)

    def order(self, order_id: str) -> dict[str, object]:
        """One order as it stands."""
        return next(order for order in self.document("orders")["orders"] if order["order_id"] == order_id)

    def status(self, order_id: str) -> object:
        """The status of one order as it stands."""
        return self.order(order_id)["status"]

    def lines(self, order_id: str) -> list[dict[str, object]]:
        """The lines of one order as they stand."""
        # The test's own shop: its orders have lists of lines.
        return cast(list[dict[str, object]], self.order(order_id)["items"])

    def add_line(self, order_id: str, item_id: str, *, of: str) -> None:
        """Somebody adds a line of another order to an order."""
        line = next(line for line in self.lines(of) if line["item_id"] == item_id)
        self.edit_order(order_id, items=[*self.lines(order_id), line])

    def edit_order(self, order_id: str, **fields: object) -> None:
        """Somebody edits an order by hand."""
        path = self.home / "data" / "orders" / "orders.json"
        document = simplejson.loads(path.read_text(encoding="utf-8"), use_decimal=True)
        for order in document["orders"]:
            if order["order_id"] == order_id:
                order.update(fields)
        path.write_text(simplejson.dumps(document, indent=2, use_decimal=True), encoding="utf-8")

    def effects(self) -> int:
        """How many effects the ledger holds."""
        rows = [
            simplejson.loads(path.read_text()) for path in (self.home / "data" / "orders" / "ledger").glob("*.json")
        ]
        return sum(row["kind"] == "effect" for row in rows)


def only_orders(settings: Settings) -> dict[str, Domain]:
    """The shipped domain, without the strangers beside it: each domain takes three workers."""
    return {"orders": open_domains(settings)["orders"]}


async def _within_deadline(leaving: Coroutine[object, object, object]) -> None:
    """The SDK waits without end for a workflow that it cannot put away, and swallows what would cancel that."""
    task = asyncio.create_task(leaving)
    done, _ = await asyncio.wait({task}, timeout=LEAVING)
    if not done:
        names = "\n".join(map(str, asyncio.all_tasks()))
        raise AssertionError(f"the worker did not end within {LEAVING} s; there are still:\n{names}")
    task.result()


@asynccontextmanager
async def open_shop(
    env: WorkflowEnvironment,
    home: Path,
    *,
    domains: Mapping[str, Domain] | None = None,
    agents: Agents | None = None,
    indexed: bool = True,
    environ: Mapping[str, str] | None = None,
    gathering: Gathering | None = None,
) -> AsyncGenerator[Shop]:
    """A shop with its worker running; `environ` configures it further, `gathering` how it gathers what is reported."""
    shop = Shop(env, home, domains=domains, indexed=indexed, environ=environ, gathering=gathering)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(shop.worker(agents=agents))
        yield shop


def answer(plan: PlanView, *, by: Person = HARRY, **verdicts: Verdict) -> Decision:
    """A decision on a plan; without verdicts, everything is approved."""
    given = verdicts or {action.id: Verdict.APPROVE for action in plan.actions}
    return Decision(plan_digest=plan.digest, verdicts=given, by=by, door="test")


def outcome_of(result: RepairResult, record_id: str) -> ActionOutcome:
    """The one outcome of a record."""
    found = [outcome for outcome in result.outcomes if outcome.record_id == record_id]
    assert len(found) == 1, found
    return found[0]
