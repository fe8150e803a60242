"""Who asks, as the API sees it."""

from typing import Final

from daper.core.access import Access
from daper.core.base import Wire
from daper.core.models import Person
from daper.entrypoints.web.api.operations import Answer, AnyOperation, Call, Nothing, Operation, Replied


class Caller(Wire):
    """Who asks, how that is known, and what this person may do here."""

    person: Person
    access: tuple[Access, ...]


async def _who(call: Call[Nothing, Nothing]) -> Replied:
    return Replied(document=Caller(person=call.person, access=tuple(sorted(call.visitor.access))))


OPERATIONS: Final[tuple[AnyOperation, ...]] = (
    Operation(
        method="GET",
        path="/me",
        name="get_me",
        tag="people",
        said="Who asks, and what this person may do here.",
        does=_who,
        answers={200: Answer(said="Who asks.", model=Caller)},
        query=Nothing,
        body=Nothing,
    ),
)
