"""What has happened to a record: told by a person with a token, or by a program that signs what it sends."""

import logging
from secrets import token_bytes
from typing import Annotated, Final

from pydantic import AwareDatetime, Field, JsonValue
from starlette.requests import Request

from daper.adapters.notify.incoming import ID, SIGNATURE, TIMESTAMP, why_refused
from daper.adapters.notify.webhook import key_of
from daper.clock import utc_now
from daper.core.access import Access
from daper.core.base import Reply
from daper.core.facts import FactAnswer
from daper.core.models import IdentityProof, Line, Person
from daper.entrypoints.web.api.operations import Answer, AnyOperation, Call, Nothing, Operation, Replied
from daper.entrypoints.web.api.problems import Kind, Refusal
from daper.entrypoints.web.api.repairs import KEY, request_key
from daper.entrypoints.web.console import Console
from daper.entrypoints.web.visitors import Visitor
from daper.ports import Telling
from daper.settings import Part

DOOR: Final = "api"
SIGNED_DOOR: Final = "webhook"
_NO_KEY: Final = 32  # bytes
log = logging.getLogger(__name__)

_ANSWERS: Final = {
    200: Answer(said="It was known before, and nothing was changed.", model=FactAnswer),
    201: Answer(said="It is written down.", model=FactAnswer),
}
_PROBLEMS: Final = frozenset({Kind.NOT_FOUND, Kind.REFUSED, Kind.KEY_TAKEN})


class FactBody(Reply):
    """What has happened. Who tells it is the person whose token it is, or who has signed in.

    `fact` and `arguments`: as the domain knows them. `at`: when it happened; now, if it is not given. `source`: from
    whom it comes, if not from who tells it.
    """

    fact: Line = Field(min_length=1)
    arguments: dict[Line, JsonValue] = Field(default_factory=dict[Line, JsonValue], max_length=20)
    at: Annotated[AwareDatetime | None, Field(description="When it happened, with its time zone.")] = None
    source: Annotated[Line, Field(max_length=200, description="From whom it comes.")] = ""
    domain: Annotated[Line, Field(description="Which records; empty: those that are configured.")] = ""


class SignedFactBody(Reply):
    """What has happened to which record, as a program sends it: only the facts that this one may tell."""

    record_id: Line = Field(min_length=1)
    fact: Line = Field(min_length=1)
    arguments: dict[Line, JsonValue] = Field(default_factory=dict[Line, JsonValue], max_length=20)
    at: Annotated[AwareDatetime | None, Field(description="When it happened, with its time zone.")] = None


async def _tell(call: Call[Nothing, FactBody]) -> Replied:
    said, settings = call.body, call.console.settings
    telling = Telling(
        record_id=call.path["record_id"],
        fact=said.fact,
        arguments=said.arguments,
        happened_at=said.at,
        by=call.person,
        door=DOOR,
        source=said.source,
        request_key=request_key(call.header(KEY)),
    )
    settings.need(Part.DATABASE)
    return _answered(await call.console.services.facts.tell(settings.domain_or(said.domain), telling))


async def _tell_signed(call: Call[Nothing, SignedFactBody]) -> Replied:
    said, settings = call.body, call.console.settings
    sender = settings.people.senders[call.path["sender"]]
    if said.fact not in sender.facts:
        raise Refusal(
            Kind.NOT_ALLOWED, f"{call.person.name} may tell {', '.join(sender.facts)} here, and not {said.fact!r}"
        )
    telling = Telling(
        record_id=said.record_id,
        fact=said.fact,
        arguments=said.arguments,
        happened_at=said.at,
        by=call.person,
        door=SIGNED_DOOR,
        request_key=call.header(ID),
    )
    settings.need(Part.DATABASE)
    return _answered(await call.console.services.facts.tell(settings.domain_or(sender.domain), telling))


def _answered(answer: FactAnswer) -> Replied:
    return Replied(document=answer, status=200 if answer.known else 201)


def _sender(console: Console, request: Request, body: bytes) -> Visitor:
    """Which program it is from. Whoever is wrong is told why, but not whether there is a sender by that name."""
    attempts, address = console.reception.attempts, request.client.host if request.client else ""
    if wait := attempts.wait(address):
        raise Refusal(
            Kind.TOO_OFTEN, "too many wrong signatures came from there", headers={"retry-after": f"{wait:.0f}"}
        )
    people, name = console.settings.people, request.path_params["sender"]
    console.settings.need(Part.PEOPLE)
    sender = people.senders.get(name)
    key = key_of(people.secrets.get(sender.secret_env, "")) if sender else None
    if sender and key is None:
        log.warning("a sender has no secret, or what is none", extra={"sender": name, "variable": sender.secret_env})
    # Where there is no key, what fits is made up: nothing does, and what is wrong is told as of one that is there.
    why = why_refused(key or token_bytes(_NO_KEY), request.headers, body, now=utc_now())
    if why:
        attempts.wrong(address)
        raise Refusal(Kind.NOT_SIGNED_IN, why)
    person = Person(name=name, how=IdentityProof.SIGNATURE)
    return Visitor(person=person, access=frozenset({Access.TELL}), signed_in=True)


OPERATIONS: Final[tuple[AnyOperation, ...]] = (
    Operation(
        method="POST",
        path="/records/{record_id}/facts",
        name="tell_fact",
        tag="records",
        said=(
            "Say what has happened to a record. It is written down once, with who told it and when; the same again is "
            "known, and what cannot be so is refused."
        ),
        does=_tell,
        answers=_ANSWERS,
        query=Nothing,
        body=FactBody,
        access=Access.TELL,
        problems=_PROBLEMS,
        headers={KEY: "A name that you give this telling: the same name again is the same, and another one another."},
    ),
    Operation(
        method="POST",
        path="/senders/{sender}/facts",
        name="tell_signed_fact",
        tag="records",
        said=(
            "The same, from a program that signs what it sends, as Standard Webhooks has it. It needs no token, and "
            "may tell the facts that people.toml names for it. The same id again is the same telling."
        ),
        does=_tell_signed,
        answers=_ANSWERS,
        query=Nothing,
        body=SignedFactBody,
        access=None,
        problems=_PROBLEMS,
        headers={
            ID: "The id of this telling, the same in every attempt.",
            TIMESTAMP: "When this attempt was sent, in seconds since 1970; five minutes from now at most.",
            SIGNATURE: "`v1,` and the base64 of HMAC-SHA256 over id, time and body.",
        },
        vouches=_sender,
    ),
)
