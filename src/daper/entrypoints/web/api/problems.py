"""What goes wrong, in one shape: a problem as RFC 9457 has it, with a kind that a program can go by."""

from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from pydantic import Field
from starlette.responses import Response

from daper.core.base import Wire
from daper.core.errors import (
    AccessRefused,
    DaperError,
    DecisionRefused,
    KeyTaken,
    NotBegun,
    NotFound,
    Occupied,
    SettingError,
    StoreError,
    Unreachable,
    UserError,
)
from daper.core.text import visible
from daper.service.answers import DecisionAnswer
from daper.settings.secrecy import masked

MEDIA: Final = "application/problem+json"
TYPE: Final = "urn:daper:problem:"
_LONGEST: Final = 4000
_TRY_AGAIN_S: Final = "5"


class Kind(StrEnum):
    """Every kind of problem."""

    NOT_JSON = "not-json"
    OTHER_NAME = "other-name"
    FOREIGN = "foreign"
    TOO_OFTEN = "too-often"
    NOT_SIGNED_IN = "not-signed-in"
    NOT_ALLOWED = "not-allowed"
    NOT_FOUND = "not-found"
    NOT_BEGUN = "not-begun"
    NO_METHOD = "no-method"
    ALREADY_DECIDED = "already-decided"
    CHANGED = "changed"
    EXPIRED = "expired"
    REFUSED_DECISION = "refused-decision"
    OCCUPIED = "occupied"
    TOO_LONG = "too-long"
    OTHER_MEDIA = "other-media"
    DOES_NOT_FIT = "does-not-fit"
    REFUSED = "refused"
    KEY_TAKEN = "key-taken"
    UNAVAILABLE = "unavailable"
    BROKEN = "broken"

    @property
    def status(self) -> HTTPStatus:
        """With which status it is answered."""
        return _SAID[self][0]

    @property
    def words(self) -> str:
        """What it is, in words that never differ."""
        return _SAID[self][1]


_SAID: Final[Mapping[Kind, tuple[HTTPStatus, str]]] = {
    Kind.NOT_JSON: (HTTPStatus.BAD_REQUEST, "The body cannot be read as JSON"),
    Kind.OTHER_NAME: (HTTPStatus.BAD_REQUEST, "The console is not known by this name"),
    Kind.TOO_OFTEN: (HTTPStatus.TOO_MANY_REQUESTS, "Too many wrong tokens came from there"),
    Kind.FOREIGN: (HTTPStatus.FORBIDDEN, "This came from another site's page"),
    Kind.NOT_SIGNED_IN: (HTTPStatus.UNAUTHORIZED, "Nobody knows who this is from"),
    Kind.NOT_ALLOWED: (HTTPStatus.FORBIDDEN, "This person may not do that here"),
    Kind.NOT_FOUND: (HTTPStatus.NOT_FOUND, "There is nothing by that name"),
    Kind.NOT_BEGUN: (HTTPStatus.NOT_FOUND, "The repair waits, and there is nothing of it to see yet"),
    Kind.NO_METHOD: (HTTPStatus.METHOD_NOT_ALLOWED, "There is no such method here"),
    Kind.ALREADY_DECIDED: (HTTPStatus.CONFLICT, "The plan was decided before, and otherwise"),
    Kind.CHANGED: (HTTPStatus.CONFLICT, "What was decided on is not what waits now"),
    Kind.EXPIRED: (HTTPStatus.CONFLICT, "The time to decide is over"),
    Kind.REFUSED_DECISION: (HTTPStatus.CONFLICT, "This cannot be decided, or is over"),
    Kind.OCCUPIED: (HTTPStatus.CONFLICT, "Somebody else has it"),
    Kind.TOO_LONG: (HTTPStatus(413), "The body is too long"),
    Kind.OTHER_MEDIA: (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body is not said to be JSON"),
    Kind.DOES_NOT_FIT: (HTTPStatus.UNPROCESSABLE_ENTITY, "Something in it is not as it must be"),
    Kind.REFUSED: (HTTPStatus.UNPROCESSABLE_ENTITY, "It cannot be done as it is asked for"),
    Kind.KEY_TAKEN: (HTTPStatus.UNPROCESSABLE_ENTITY, "The key belongs to another request"),
    Kind.UNAVAILABLE: (HTTPStatus.SERVICE_UNAVAILABLE, "Something that this needs does not answer"),
    Kind.BROKEN: (HTTPStatus.INTERNAL_SERVER_ERROR, "This is a fault of ours"),
}
_OF_ERRORS: Final = (
    (NotBegun, Kind.NOT_BEGUN),
    (NotFound, Kind.NOT_FOUND),
    (DecisionRefused, Kind.REFUSED_DECISION),
    (AccessRefused, Kind.NOT_ALLOWED),
    (Occupied, Kind.OCCUPIED),
    (KeyTaken, Kind.KEY_TAKEN),
    (SettingError, Kind.UNAVAILABLE),
    (UserError, Kind.REFUSED),
    (Unreachable, Kind.UNAVAILABLE),
    (StoreError, Kind.UNAVAILABLE),
)


class Misfit(Wire):
    """One thing that is not as it must be: where, and why."""

    where: str
    why: str


class Problem(Wire):
    """What went wrong. `kind`: for programs; `detail`: for people, with the way out.

    `type` and `title` follow from the kind. `misfits`: what in the request is not as it must be. `answer`: what
    became of a decision that was not recorded: who decided before, and when, or what has changed.
    """

    type: str = Field(pattern=f"^{TYPE}[a-z-]+$")
    title: str
    status: int
    kind: Kind
    detail: str
    misfits: tuple[Misfit, ...] = ()
    answer: DecisionAnswer | None = None


class Refusal(Exception):
    """A request is not done, for a reason that HTTP knows. `headers` go with the answer."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        misfits: tuple[Misfit, ...] = (),
        headers: Mapping[str, str] | None = None,
        answer: DecisionAnswer | None = None,
    ) -> None:
        super().__init__(detail)
        self.problem = problem(kind, detail, misfits=misfits, answer=answer)
        self.headers = dict(headers or {})


def problem(
    kind: Kind, detail: str, *, misfits: tuple[Misfit, ...] = (), answer: DecisionAnswer | None = None
) -> Problem:
    """A problem of that kind."""
    return Problem(
        type=TYPE + kind, title=kind.words, status=kind.status, kind=kind, detail=detail, misfits=misfits, answer=answer
    )


def problem_of(error: DaperError) -> Problem:
    """An expected error; nothing in its text is hidden, and nothing that looks like a key is shown."""
    kind = next((kind for of, kind in _OF_ERRORS if isinstance(error, of)), Kind.BROKEN)
    return problem(kind, visible(masked(str(error)), longest=_LONGEST))


def answer_to(error: Refusal | DaperError) -> Response:
    """What whoever asked is told of an error."""
    return answer(error.problem, headers=error.headers) if isinstance(error, Refusal) else answer(problem_of(error))


def answer(said: Problem, *, headers: Mapping[str, str] | None = None) -> Response:
    """A problem as it is answered."""
    wait = {"retry-after": _TRY_AGAIN_S} if said.kind is Kind.UNAVAILABLE else {}
    return Response(
        said.model_dump_json(), status_code=said.status, media_type=MEDIA, headers={**wait, **(headers or {})}
    )
