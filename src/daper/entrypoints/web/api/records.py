"""Records of the machine that serves: the list, with what the rules find wrong, and one of them."""

from typing import Annotated, Final

from pydantic import Field

from daper.clock import utc_now
from daper.core.base import Reply
from daper.core.models import Line, Scope
from daper.entrypoints.documents import RecordDocument, record_document
from daper.entrypoints.web.api.operations import Answer, AnyOperation, Call, Nothing, Operation, Replied
from daper.entrypoints.web.api.problems import Kind
from daper.ports import Window
from daper.service.record_pages import RecordPageView
from daper.service.selection import RecordFilter
from daper.settings import Part

DomainName = Annotated[Line, Field(description="Which records; empty: those that are configured.")]


class RecordsQuery(Reply):
    """Which records."""

    status: Annotated[Line | None, Field(description="Only records with this status.")] = None
    problem: Annotated[Line | None, Field(description="Only with a problem of this kind, as payment-denied.")] = None
    with_problems: Annotated[bool, Field(description="Only records with problems.")] = False
    search: Annotated[Line | None, Field(description="Only records with this text in their id or title.")] = None
    most: Annotated[int, Field(ge=1, le=200, description="How many, at most.")] = 50
    after: Annotated[Line, Field(description="Go on behind this record.")] = ""
    before: Annotated[Line, Field(description="End in front of this record.")] = ""
    domain: DomainName = ""


class DomainQuery(Reply):
    """Which records."""

    domain: DomainName = ""


async def _list(call: Call[RecordsQuery, Nothing]) -> Replied:
    console, said = call.console, call.query
    console.settings.need(Part.DATABASE)
    found = await console.records.page(
        console.settings.domain_or(said.domain),
        Scope(status=said.status),
        Window(most=said.most, search=said.search or "", after=said.after, before=said.before),
        now=utc_now(),
        wanted=RecordFilter(problem=said.problem, with_problems=said.with_problems),
    )
    return Replied(document=found)


async def _show(call: Call[DomainQuery, Nothing]) -> Replied:
    console = call.console
    console.settings.need(Part.DATABASE)
    name = console.settings.domain_or(call.query.domain)
    line, data = await console.records.show(name, call.path["record_id"], now=utc_now())
    return Replied(document=record_document(line, data))


OPERATIONS: Final[tuple[AnyOperation, ...]] = (
    Operation(
        method="GET",
        path="/records",
        name="list_records",
        tag="records",
        said=(
            "Records with what the rules find wrong with each, and which store answered. `after` and `before` name "
            "where the next page begins and the one before ends. `total` is null where only some were looked at for "
            "problems."
        ),
        does=_list,
        answers={200: Answer(said="The records.", model=RecordPageView)},
        query=RecordsQuery,
        body=Nothing,
        problems=frozenset({Kind.NOT_FOUND, Kind.REFUSED}),
    ),
    Operation(
        method="GET",
        path="/records/{record_id}",
        name="get_record",
        tag="records",
        said="One record in full, as its store has it, with what the rules find wrong with it.",
        does=_show,
        answers={200: Answer(said="The record.", model=RecordDocument)},
        query=DomainQuery,
        body=Nothing,
        problems=frozenset({Kind.NOT_FOUND, Kind.REFUSED}),
    ),
)
