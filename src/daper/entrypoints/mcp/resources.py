"""What can be read by address: repairs, their reports, records; and completions of their ids."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)

from daper.clock import utc_now
from daper.core.access import Access
from daper.core.errors import DaperError, NotFound
from daper.core.messages import PageArgs
from daper.core.models import Scope
from daper.entrypoints.mcp.door import Door
from daper.entrypoints.mcp.presentation import PAGE_SIZE, details_of
from daper.entrypoints.mcp.read_tools import report_page
from daper.entrypoints.mcp.record_tools import record_answer
from daper.service.selection import RecordFilter

REPAIR: Final = "daper://repairs/{repair_id}"
REPORT: Final = "daper://repairs/{repair_id}/report"
RECORD: Final = "daper://records/{record_id}"

_MOST_COMPLETIONS: Final = 100

R = TypeVar("R")


def add_resources(server: MCPServer, door: Door) -> None:
    """Adds them to a server."""
    readable = _Readable(door)
    server.resource(REPAIR, title="A repair", mime_type="application/json")(readable.repair)
    server.resource(REPORT, title="The report of a repair", mime_type="text/markdown")(readable.report)
    server.resource(RECORD, title="A record", mime_type="application/json")(readable.record)
    server.completion()(readable.complete)


class _Readable:
    def __init__(self, door: Door) -> None:
        self._door = door

    async def repair(self, repair_id: str) -> str:
        """Where a repair stands: phase, problems, plan with its digest, outcomes; the first page of a long one."""

        async def read() -> str:
            service = await self._door.repairs()
            look = await service.look(repair_id, PageArgs(size=PAGE_SIZE))
            return details_of(look, page=1).model_dump_json()

        return await _read(self._door, read)

    async def report(self, repair_id: str) -> str:
        """The report of a repair that has ended."""

        async def read() -> str:
            return (await report_page(self._door, repair_id, most=None)).text

        return await _read(self._door, read)

    async def record(self, record_id: str) -> str:
        """One record in full, with what the rules find wrong with it."""

        async def read() -> str:
            return (await record_answer(self._door, record_id)).model_dump_json()

        return await _read(self._door, read)

    async def complete(
        self,
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion | None:
        """Ids that begin as what was typed so far; what cannot be completed can still be typed."""
        try:
            await self._door.caller(Access.READ)
            ids = await self._ids(argument)
        except DaperError:
            return None
        found = [each for each in ids if each.startswith(argument.value)]
        return Completion(values=found[:_MOST_COMPLETIONS], total=len(found), has_more=False)

    async def _ids(self, argument: CompletionArgument) -> list[str]:
        if argument.name == "repair_id":
            service = await self._door.repairs()
            return [line.repair_id for line in await service.list(limit=_MOST_COMPLETIONS)]
        return await _record_ids(self._door, argument.value) if argument.name == "record_id" else []


async def _record_ids(door: Door, begun: str) -> list[str]:
    records = await door.records()
    wanted = RecordFilter(search=begun) if begun else RecordFilter()
    found = await records.list(
        door.settings.domain_or(None), Scope(), now=utc_now(), most=_MOST_COMPLETIONS, wanted=wanted
    )
    return [line.head.record_id for line in found.records]


async def _read(door: Door, read: Callable[[], Awaitable[R]]) -> R:
    """What was read; expected errors are told to the client in one line."""
    try:
        await door.caller(Access.READ)
        return await read()
    except NotFound as error:
        raise ResourceNotFoundError(door.told(error)) from error
    except DaperError as error:
        door.lost(error)
        raise ResourceError(door.told(error)) from error
