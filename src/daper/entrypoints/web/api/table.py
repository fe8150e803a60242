"""All operations of the API, in the order in which its document has them."""

import functools
import json
from typing import Final

from pydantic import JsonValue
from starlette.responses import Response

from daper.entrypoints.web.api import decisions, events, facts, overview, people, proactive, records, repairs, schedules
from daper.entrypoints.web.api.openapi import openapi
from daper.entrypoints.web.api.operations import JSON, Answer, AnyOperation, Call, Nothing, Operation

DOCUMENT: Final = "/openapi.json"


@functools.cache
def document() -> bytes:
    """The document of the API."""
    return json.dumps(openapi(OPERATIONS)).encode()


async def _document(call: Call[Nothing, Nothing]) -> Response:
    return Response(document(), media_type=JSON)


OPERATIONS: Final[tuple[AnyOperation, ...]] = (
    Operation(
        method="GET",
        path=DOCUMENT,
        name="get_openapi",
        tag="api",
        said="This document. Anybody may read it who can reach the console.",
        does=_document,
        answers={200: Answer(said="The document.", model=dict[str, JsonValue])},
        query=Nothing,
        body=Nothing,
        access=None,
    ),
    *people.OPERATIONS,
    *repairs.OPERATIONS,
    *decisions.OPERATIONS,
    *events.OPERATIONS,
    *proactive.OPERATIONS,
    *schedules.OPERATIONS,
    *records.OPERATIONS,
    *facts.OPERATIONS,
    *overview.OPERATIONS,
)
