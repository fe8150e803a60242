"""The tools that start repairs and stop them."""

from typing import Annotated

from mcp.server.mcpserver.tools import Tool
from pydantic import Field

from daper.core.access import Access
from daper.core.errors import Unreachable
from daper.core.models import DEFAULT_PROBLEMS, MOST_PROBLEMS, Scope
from daper.core.partition import parse_partition
from daper.entrypoints.mcp.answers import RepairState, StartedRepair
from daper.entrypoints.mcp.door import Door
from daper.entrypoints.mcp.presentation import just_started, started, state_of
from daper.entrypoints.mcp.tools import (
    STARTS,
    STOPS,
    AnyRecordIds,
    Comment,
    Domain,
    PartitionText,
    RecordIds,
    RepairId,
    tool,
)
from daper.service.requests import StartRepair
from daper.settings import STARTING, Part

RequestKey = Annotated[
    str,
    Field(max_length=200, description="A name that you give this request: the same name again is the same repair."),
]


class StartingTools:
    """What starts and stops repairs. None of them approves anything."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def tools(self) -> list[Tool]:
        """All of them, in the order in which a client sees them."""
        return [
            tool(self._door, self.start_repair, title="Start a repair", hints=STARTS),
            tool(self._door, self.report_problem, title="Report a problem", hints=STARTS),
            tool(self._door, self.stop_repair, title="Stop a repair", hints=STOPS),
        ]

    async def start_repair(
        self,
        record_ids: AnyRecordIds = None,
        status: Annotated[str | None, Field(max_length=200, description="Only records with this status.")] = None,
        limit: Annotated[
            int, Field(ge=1, le=MOST_PROBLEMS, description="How many problems to take on.")
        ] = DEFAULT_PROBLEMS,
        partition: PartitionText = None,
        domain: Domain = "",
        dry_run: Annotated[bool, Field(description="Plan, and stop there: nothing can be approved.")] = False,
        again: Annotated[
            bool,
            Field(description="Also propose what was rejected or tried too often; only if the person asks for it."),
        ] = False,
        request_key: RequestKey = "",
        new: Annotated[bool, Field(description="Start another one beside an open repair for the same.")] = False,
    ) -> StartedRepair:
        """Look for what is wrong, and plan how to repair it. Changes no record: a person has to approve the plan first.

        Answers at once with the repair_id; then call wait_for_repair. If this person already has an open repair for the
        same, that one is answered (`created` is false), unless `new`. It begins at once, beside others that are open;
        what waits for a decision in one of those is not proposed again, and the message names that repair.
        With a `request_key`, the same key always means the same repair; for another request it is refused.
        """
        person = await self._door.caller(Access.START)
        named = tuple(dict.fromkeys(record_ids or ()))
        part = parse_partition(partition, beside=named)
        order = StartRepair(
            requested_by=person,
            domain=(await self._door.ready(*STARTING)).domain_or(domain),
            scope=Scope(record_ids=named, status=status, partition=part, limit=limit),
            dry_run=dry_run,
            again=again,
            request_key=request_key,
            join_open=not new,
        )
        return await start_order(self._door, order)

    async def report_problem(
        self,
        record_ids: RecordIds,
        domain: Domain = "",
        again: Annotated[
            bool,
            Field(description="Also propose what was rejected or tried too often; only if the person asks for it."),
        ] = False,
        request_key: RequestKey = "",
    ) -> StartedRepair:
        """Somebody says that something is wrong with these records: look at them closely, without searching the others.

        As start_repair: it plans, and a person has to approve. Reports are gathered for some seconds into one repair,
        so it may not have begun yet (phase NOT-BEGUN, and the message says what it waits for). Answers at once; then
        call wait_for_repair.
        """
        person = await self._door.caller(Access.START)
        order = StartRepair(
            requested_by=person,
            domain=(await self._door.ready(*STARTING, Part.REPORTS)).domain_or(domain),
            scope=Scope(record_ids=tuple(dict.fromkeys(record_ids))),
            reported=True,
            again=again,
            request_key=request_key,
            join_open=True,
        )
        return await start_order(self._door, order)

    async def stop_repair(self, repair_id: RepairId, reason: Comment = "") -> RepairState:
        """End a repair. What has not begun does not begin; an effect in flight is settled first, then it reports."""
        person = await self._door.caller(Access.START)
        service = await self._door.repairs()
        await service.stop(repair_id, by=person.name, reason=reason)
        return self._door.pointed(state_of(await service.look(repair_id)))


async def start_order(door: Door, order: StartRepair) -> StartedRepair:
    """Start a repair within what is configured, and say where it stands; that no worker answers is no failure."""
    services, settings = await door.connected_for(*STARTING)
    service = services.repairs
    begun = await service.start(order.model_copy(update={"tell": settings.tell}))
    lacking = door.worded(await service.unserved(begun.store_id))
    if begun.waits_for:
        return just_started(begun, lacking=lacking)
    try:
        look = await service.look(begun.repair_id)
    except Unreachable:
        return just_started(begun, lacking=lacking)
    return door.pointed(started(look, begun, lacking=lacking))
