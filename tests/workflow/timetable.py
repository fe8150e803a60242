"""A schedule in a test: made, looked at until it is as wanted, and gone afterwards."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from temporalio.client import ScheduleActionStartWorkflow, ScheduleDescription
from temporalio.service import RPCError

from daper.clock import new_id
from daper.core.errors import NotFound, Unreachable
from daper.core.messages import RepairRequest
from daper.core.phases import Phase
from daper.core.schedules import When
from daper.service.schedule_orders import PutSchedule, ScheduledRun, ScheduleRef, ScheduleView
from tests.workflow.shop import DEADLINE, HARRY, Shop

EVERY_SECOND = When(every=timedelta(seconds=1))
EVERY_YEAR = When(every=timedelta(days=366), offset=timedelta(days=200))


class Timetable:
    """One schedule of Harry's."""

    def __init__(self, shop: Shop, *, name: str | None = None) -> None:
        self.shop = shop
        self.name = name or f"test-{new_id()}"
        self.ref = ScheduleRef(user="Harry", domain="orders", name=self.name)

    def order(self, **order: object) -> PutSchedule:
        """What is asked for."""
        asked = {"requested_by": HARRY, "domain": "orders", "name": self.name, "when": EVERY_SECOND, **order}
        return PutSchedule.model_validate(asked)

    async def create(self, **order: object) -> ScheduleView:
        """Make it. Temporal may have made it, and be too busy to show it: a new server is, before its schedules run."""
        with suppress(Unreachable):
            return await self.shop.schedules.create(self.order(**order))
        return await self.until(lambda _: True)

    async def look(self) -> ScheduleView:
        """As it is."""
        return await self.shop.schedules.describe(self.ref)

    async def until(self, reached: Callable[[ScheduleView], bool]) -> ScheduleView:
        """The first look that is as wanted."""
        async with asyncio.timeout(DEADLINE):
            while True:
                with suppress(Unreachable):
                    view = await self.look()
                    if reached(view):
                        return view
                await asyncio.sleep(0.05)

    async def until_run(self, phase: Phase) -> ScheduledRun:
        """The first run that is in a phase."""
        view = await self.until(lambda view: any(run.phase == phase for run in view.runs))
        return next(run for run in view.runs if run.phase == phase)

    async def described(self) -> ScheduleDescription:
        """As Temporal has it."""
        return await self.shop.client.get_schedule_handle(self.name).describe()

    async def request(self) -> RepairRequest:
        """What each run is started with, read as a worker does."""
        action = (await self.described()).schedule.action
        assert isinstance(action, ScheduleActionStartWorkflow)
        (request,) = await self.shop.client.data_converter.decode(action.args, [RepairRequest])
        return request


@asynccontextmanager
async def timetable(shop: Shop) -> AsyncGenerator[Timetable]:
    """A name for a schedule; what was made under it is gone afterwards, and so is what it left open."""
    made = Timetable(shop)
    try:
        yield made
    finally:
        with suppress(NotFound):
            gone = await shop.schedules.delete(made.ref)
            for repair_id in gone.open_repairs:
                with suppress(RPCError):  # it may have ended
                    await shop.client.get_workflow_handle(repair_id).terminate(rpc_timeout=timedelta(seconds=DEADLINE))
