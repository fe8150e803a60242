"""Repairs: the list, one of them, and what starts and stops them."""

from typing import Annotated, Final
from urllib.parse import quote

from pydantic import Field

from daper.adapters.reports.repair_document import EndedRepair, OpenRepair, repair_document
from daper.core.access import Access
from daper.core.base import Reply, Wire
from daper.core.errors import Unreachable, UserError
from daper.core.models import DEFAULT_PROBLEMS, MOST_PROBLEMS, Line, Scope, Span
from daper.core.partition import parse_partition
from daper.entrypoints.documents import RepairsDocument, StartedDocument
from daper.entrypoints.web.api.openapi import BASE
from daper.entrypoints.web.api.operations import Answer, AnyOperation, Call, Nothing, Operation, Replied
from daper.entrypoints.web.api.problems import Kind, Refusal
from daper.service.requests import StartRepair
from daper.service.whole_plan import look_at_whole_plan
from daper.settings import STARTING, Part

KEY: Final = "Idempotency-Key"
LOCATION: Final = {"Location": "Where the repair is."}
_LONGEST_KEY: Final = 200

Limit = Annotated[int, Field(ge=1, le=MOST_PROBLEMS, description="How many problems one repair takes on.")]
RepairId = Annotated[Line, Field(min_length=1)]


class ListQuery(Reply):
    """Which repairs."""

    limit: Annotated[int, Field(ge=1, le=1000, description="How many, at most.")] = 20


class Looked(Reply):
    """Which records a repair looks at."""

    record_ids: tuple[Annotated[Line, Field(min_length=1)], ...] = Field(
        default=(), max_length=MOST_PROBLEMS, description="Only these, without a search."
    )
    status: Line | None = Field(default=None, description="Only records with this status.")
    partition: Line | None = Field(default=None, description="Only one part of the records, like 1/4.")
    limit: Limit = DEFAULT_PROBLEMS

    @property
    def scope(self) -> Scope:
        """The same as the service has it. Raises UserError."""
        named = tuple(dict.fromkeys(self.record_ids))
        part = parse_partition(self.partition, beside=named)
        return Scope(record_ids=named, status=self.status, partition=part, limit=self.limit)


class StartBody(Looked):
    """A repair somebody asks for. It plans, and a person has to approve: nothing here approves anything.

    `reported`: a system says that something is wrong with the named records; such reports are gathered for some
    seconds. `again`: also propose what was rejected or tried too often. `join_open`: answer with the open repair in
    which the same person asks for the same, if there is one.
    """

    domain: Line = Field(default="", description="Which records; empty: those that are configured.")
    reported: bool = False
    dry_run: bool = False
    again: bool = False
    join_open: bool = False
    approval_timeout: Span | None = Field(default=None, description="How long the plan waits for a decision.")


class StopBody(Reply):
    """Why; kept in the report."""

    reason: str = Field(default="", max_length=500)


class Asked(Wire):
    """What was asked for, of what, which goes on by itself."""

    asked: str
    id: str


async def _list(call: Call[ListQuery, Nothing]) -> Replied:
    service = call.console.services.repairs
    lines = await service.list(limit=call.query.limit)
    try:
        collected, trouble = await service.collected()
    except Unreachable as error:  # the list is what it is without them
        return Replied(document=RepairsDocument(repairs=lines, collected_trouble=str(error)))
    return Replied(document=RepairsDocument(repairs=lines, collected=collected, collected_trouble=trouble))


async def _show(call: Call[Nothing, Nothing]) -> Replied:
    look = await look_at_whole_plan(call.console.services.repairs, call.path["repair_id"])
    return Replied(document=repair_document(look))


async def _start(call: Call[Nothing, StartBody]) -> Replied:
    settings, asked = call.console.settings, call.body
    settings.need(*STARTING, *((Part.REPORTS,) if asked.reported else ()))
    if asked.reported and not asked.record_ids:
        raise UserError("reported says that something is wrong with named records; name them in record_ids")
    order = StartRepair(
        requested_by=call.person,
        domain=settings.domain_or(asked.domain),
        scope=asked.scope,
        reported=asked.reported,
        dry_run=asked.dry_run,
        again=asked.again,
        approval_timeout=asked.approval_timeout,
        tell=settings.tell,
        request_key=request_key(call.header(KEY)),
        join_open=asked.join_open,
    )
    service = call.console.services.repairs
    begun = await service.start(order)
    lacking = await service.unserved(begun.store_id)
    return Replied(
        document=StartedDocument(**dict(begun), lacking=lacking),
        status=202 if begun.waits_for else 201 if begun.created else 200,
        headers={"location": f"{BASE}/repairs/{quote(begun.repair_id, safe='')}"},
    )


async def _stop(call: Call[Nothing, StopBody]) -> Replied:
    repair_id = call.path["repair_id"]
    await call.console.services.repairs.stop(repair_id, by=call.person.name, reason=call.body.reason)
    await call.console.board.touch(repair_id)
    return Replied(document=Asked(asked="stop", id=repair_id), status=202)


def request_key(given: str) -> str:
    """The key of a request, as a header has it; the quotation marks of the standard are none of it. Raises Refusal."""
    key = given[1:-1] if len(given) > 1 and given[0] == given[-1] == '"' else given
    if len(key) > _LONGEST_KEY or not key.isprintable() or (given and not key.strip()):
        raise Refusal(Kind.DOES_NOT_FIT, f"{KEY} has to be 1 to {_LONGEST_KEY} characters that can be printed")
    return key


OPERATIONS: Final[tuple[AnyOperation, ...]] = (
    Operation(
        method="GET",
        path="/repairs",
        name="list_repairs",
        tag="repairs",
        said="The newest repairs, whoever started them, and what was reported and has not begun.",
        does=_list,
        answers={200: Answer(said="The repairs, the newest first.", model=RepairsDocument)},
        query=ListQuery,
        body=Nothing,
    ),
    Operation(
        method="POST",
        path="/repairs",
        name="start_repair",
        tag="repairs",
        said=(
            "Start a repair. It looks for what is wrong and plans how to repair it; a person has to approve the plan "
            "before anything is changed."
        ),
        does=_start,
        answers={
            200: Answer(
                said="The repair that this key, or this request, has already.", model=StartedDocument, headers=LOCATION
            ),
            201: Answer(said="It has begun.", model=StartedDocument, headers=LOCATION),
            202: Answer(
                said="It was reported, and waits: `waits_for` says for what.", model=StartedDocument, headers=LOCATION
            ),
        },
        query=Nothing,
        body=StartBody,
        access=Access.START,
        problems=frozenset({Kind.NOT_FOUND, Kind.REFUSED, Kind.KEY_TAKEN}),
        headers={KEY: "A name that you give this request: the same name again is the same repair, and never another."},
    ),
    Operation(
        method="GET",
        path="/repairs/{repair_id}",
        name="get_repair",
        tag="repairs",
        said="One repair, with all of its plan: an open one as it stands, or all that became of one that has ended.",
        does=_show,
        answers={200: Answer(said="The repair; `ended` tells which of the two.", model=OpenRepair | EndedRepair)},
        query=Nothing,
        body=Nothing,
        problems=frozenset({Kind.NOT_FOUND, Kind.NOT_BEGUN, Kind.REFUSED}),
    ),
    Operation(
        method="POST",
        path="/repairs/{repair_id}/stop",
        name="stop_repair",
        tag="repairs",
        said="End a repair. What has not begun does not begin; effects in flight are settled, then it reports.",
        does=_stop,
        answers={202: Answer(said="It was asked to stop.", model=Asked)},
        query=Nothing,
        body=StopBody,
        access=Access.START,
        problems=frozenset({Kind.NOT_FOUND, Kind.NOT_BEGUN, Kind.REFUSED_DECISION}),
    ),
)
