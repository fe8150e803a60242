"""One operation of the API as the table has it: of this the routes and the document are made, and nothing else."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from daper.core.access import Access
from daper.core.base import Reply
from daper.core.models import Person
from daper.entrypoints.web.api.problems import Kind
from daper.entrypoints.web.console import Console
from daper.entrypoints.web.visitors import Visitor

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"

_ALWAYS: Final = frozenset(
    {
        Kind.OTHER_NAME,
        Kind.NOT_SIGNED_IN,  # with a token that nobody has, also where none is needed
        Kind.TOO_OFTEN,
        Kind.NO_METHOD,
        Kind.DOES_NOT_FIT,
        Kind.UNAVAILABLE,
        Kind.BROKEN,
    }
)

Q = TypeVar("Q", bound=Reply)
B = TypeVar("B", bound=Reply)


class Nothing(Reply):
    """Nothing may be said here."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One way in which an operation answers: the status, what it means, and the model of what comes with it.

    `model`: a pydantic model or a union of some; None where nothing comes. `headers`: each with what it says.
    """

    said: str
    model: Any = None  # Any: a union of models has no type of its own
    media: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class Call(Generic[Q, B]):
    """One request, read: who it is from, what its path names, its query and its body."""

    console: Console
    visitor: Visitor
    path: Mapping[str, str]
    query: Q
    body: B
    request: Request

    @property
    def person(self) -> Person:
        """The same, as whoever does or decides something."""
        return self.visitor.person

    def header(self, name: str) -> str:
        """A header, or nothing."""
        return self.request.headers.get(name, "")


@dataclass(frozen=True, kw_only=True)
class Replied:
    """What an operation answers: a document of the model that the table has for that status."""

    document: BaseModel | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class Operation(Generic[Q, B]):
    """One method of one path.

    `name`: its operationId. `access`: what the person needs to be allowed; None: anybody may ask. `body`: None where
    there is none. `problems`: the kinds that it may answer beside those of every operation. `headers`: those that it
    reads, each with what it means. `tag`: what it is about. `vouches`: tells by the body as it came who it is from, in
    the place of a token; blocks, and raises Refusal.
    """

    method: str
    path: str
    name: str
    tag: str
    said: str
    does: Callable[[Call[Q, B]], Awaitable[Replied | Response]]
    answers: Mapping[int, Answer]
    query: type[Q]
    body: type[B]
    access: Access | None = Access.READ
    problems: frozenset[Kind] = frozenset()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    vouches: Callable[[Console, Request, bytes], Visitor] | None = None

    @property
    def reads_body(self) -> bool:
        """Whether there is a body."""
        return self.body is not Nothing

    @property
    def needs_body(self) -> bool:
        """Whether there has to be one."""
        return any(each.is_required() for each in self.body.model_fields.values())

    @property
    def kinds(self) -> frozenset[Kind]:
        """Every kind of problem that it may answer."""
        found = set(self.problems) | _ALWAYS
        if self.method != "GET":
            found.add(Kind.FOREIGN)
        if self.access is not None or self.vouches is not None:
            found.add(Kind.NOT_ALLOWED)
        if self.reads_body:
            found |= {Kind.NOT_JSON, Kind.TOO_LONG, Kind.OTHER_MEDIA}
        return frozenset(found)


AnyOperation = Operation[Any, Any]  # of whatever query and body
