"""A service whose alert does not stay away, and agents of three kinds that all look after it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from daper_alerts import Alerts, RestartService, Services
from pydantic import JsonValue
from temporalio.api.enums.v1 import EventType
from temporalio.client import ScheduleActionStartWorkflow

from daper.clock import new_id
from daper.core.messages import Nudge
from daper.core.models import Finding, SuppressedFinding, Verdict
from daper.core.outcomes import Effect, Holding, Postcondition, RepairResult
from daper.ports import Record, Store, ToolCall
from daper.service.launch import launch_of
from daper.service.requests import Times
from daper.service.schedule_orders import PutSchedule
from daper.service.schedule_parts import schedule_of
from daper.workflows.proactive import RepairAgentWorkflowProactive
from daper.workflows.repair import RepairAgentWorkflow
from tests.workflow.agents import Agent
from tests.workflow.shop import DEADLINE, HARRY, Shop, answer

SERVICE = "owl-post"


class Restart(RestartService):
    """A restart that shows at once, or says of itself what a test lets it say."""

    settling = timedelta()

    def __init__(self, world: Services, books: Callable[[], Store[object]]) -> None:
        super().__init__(world, books)
        self.says: Holding | None = None

    async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
        word = await super().holds(call, effect)
        return word.model_copy(update={"holding": self.says}) if self.says else word


class NotedRestart(Restart):
    """A restart of which each effect is noted, in order."""

    def __init__(self, world: Services, books: Callable[[], Store[object]], restarted: list[str]) -> None:
        super().__init__(world, books)
        self.restarted = restarted

    async def apply(self, call: ToolCall) -> Effect:
        known = call.key in self.world.restarts
        effect = await super().apply(call)
        if not known:
            self.restarted.append(call.record_id)
        return effect


class Ailing(Alerts):
    """One service, whose alert has facts that a test can change; a restart helps only if a test says so."""

    def __init__(self, folder: Path, *, helps: bool = False) -> None:
        super().__init__(folder, [SERVICE])
        self.facts: Mapping[str, JsonValue] = {}
        self.tool = Restart(self.world, lambda: self.books)
        self._tools = {self.tool.name: self.tool}
        self.helps(helps)

    def helps(self, helps: bool) -> None:
        """Whether a restart makes the alert go away, from now on."""
        self.world.delay = 0.0 if helps else float("inf")

    def breaks(self, **facts: JsonValue) -> None:
        """The alert fires (again), with these facts."""
        self.facts = facts
        self.world.services[SERVICE] = float("inf")

    @property
    def restarts(self) -> int:
        """How many restarts took effect."""
        return len(self.world.restarts)

    def detect(self, records: Sequence[Record], today: datetime) -> tuple[Finding, ...]:
        return tuple(
            finding.model_copy(
                update={
                    "fingerprint": Finding.fingerprint_of(self.name, finding.record_id, finding.kind, dict(self.facts))
                }
            )
            for finding in super().detect(records, today)
        )


class Wards(Alerts):
    """Many services, of which now this one breaks and now that one; a restart helps."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, [])
        self.world.delay = 0.0
        self.restarted: list[str] = []
        self._tools = {"restart_service": NotedRestart(self.world, lambda: self.books, self.restarted)}

    def breaks(self, number: int) -> None:
        """The alert of a new service fires."""
        self.world.services[f"ward-{number}"] = float("inf")


class Carers:
    """Three agents of one store: somebody's own repairs, a proactive agent, and what a schedule starts."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.agent = Agent(shop, domain="alerts")

    async def start(self) -> str:
        """Start the proactive agent; the repair of its first cycle."""
        await self.agent.start()
        self._children = self._begun()
        return await anext(self._children)

    async def by_person(self) -> str:
        """Somebody starts a repair."""
        return await self.shop.start(domain="alerts")

    async def granted(self, *, again: bool = False) -> str:
        """Somebody starts a repair that policy approves."""
        return await self.shop.start(domain="alerts", auto_approve=True, again=again)

    async def proactive(self) -> str:
        """The proactive agent is nudged, and begins its next cycle."""
        await self.agent.handle.signal(RepairAgentWorkflowProactive.check_now, Nudge(by="nobody"))
        return await anext(self._children)

    async def scheduled(self) -> str:
        """What Temporal does when a schedule is due: it starts the action of that schedule."""
        shop, order = self.shop, PutSchedule(requested_by=HARRY, domain="alerts")
        launch = launch_of(
            order.repair.under(shop.settings.policy, Times()),
            await shop.domains["alerts"].store(),
            queue=shop.settings.task_queue,
            indexed=True,
        )
        action = schedule_of(order, launch, queue=shop.settings.task_queue).action
        assert isinstance(action, ScheduleActionStartWorkflow)
        repair_id = f"{action.id}-{new_id()}"
        with shop.env.with_time_skipping_disabled():
            await shop.client.start_workflow(
                action.workflow,
                *action.args,
                id=repair_id,
                task_queue=action.task_queue,
                memo=action.memo,
                search_attributes=action.typed_search_attributes,
            )
        return repair_id

    async def settled(self, repair_id: str) -> RepairResult | None:
        """Its result, or None once its plan waits for a decision. Asks its history, as that takes the least time."""
        handle = self.shop.client.get_workflow_handle(repair_id)
        async with asyncio.timeout(DEADLINE):
            async for event in handle.fetch_history_events(wait_new_event=True):
                if event.event_type == EventType.EVENT_TYPE_TIMER_STARTED:
                    return None
        return await self.result(repair_id)

    async def decide(self, repair_id: str, verdict: Verdict = Verdict.APPROVE) -> RepairResult:
        """Somebody answers the one action of a plan."""
        plan = await self.shop.plan(repair_id)
        await self.shop.service.decide(repair_id, answer(plan, a1=verdict))
        return await self.result(repair_id)

    async def result(self, repair_id: str) -> RepairResult:
        """Its result, once it ended."""
        async with asyncio.timeout(DEADLINE):
            return await self.shop.client.get_workflow_handle_for(RepairAgentWorkflow.run, repair_id).result()

    async def _begun(self) -> AsyncGenerator[str]:
        """The repairs of the proactive agent, as they begin."""
        async for event in self.agent.handle.fetch_history_events(wait_new_event=True):
            if event.event_type == EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
                yield event.child_workflow_execution_started_event_attributes.workflow_execution.workflow_id


def left_alone(result: RepairResult) -> list[SuppressedFinding]:
    """What its plans list as suppressed."""
    return [item for plan in result.plans for item in plan.suppressed]
