"""What somebody outside says has happened to a record: that it was paid, approved, delivered."""

from datetime import datetime

from pydantic import Field, JsonValue

from daper.core.base import Wire
from daper.core.models import Confirmation, Finding, Line, Person


class ToldFact(Wire):
    """A fact as it was told: which, of which record, by whom and at which door, when it happened, and when it was told.

    `source`: from whom it comes, where that is somebody else than who tells it. `request_key`: the name that the teller
    gave this telling, so that it counts once. `timed`: whether somebody said when it happened, or it is
    taken for now.
    """

    record_id: str
    fact: Line
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    happened_at: datetime
    told_at: datetime
    timed: bool = True
    by: Person
    door: Line = ""
    confirmed: Confirmation = Confirmation.DIRECT
    source: Line = ""
    request_key: Line = ""


class FactAnswer(Wire):
    """What became of telling a fact. `known`: it was known before, and nothing was changed.

    `evidence`: what was changed, or since when it is known. `wrote`: the versions that the records have by it.
    `answers`: the kinds of problem that it bears on. `problems`: what the rules find wrong with the record now.
    `unsent`: the numbers of messages in the outbox that ask for what has happened, and were not sent: nor need they be.
    `agents`: the agents that were told of it, and go on at once; `unheard`: why an agent could not be told.
    """

    told: ToldFact
    known: bool = False
    foreseen: bool = False
    before: dict[str, JsonValue] = Field(default_factory=dict)
    after: dict[str, JsonValue] = Field(default_factory=dict)
    evidence: tuple[str, ...] = ()
    wrote: dict[str, str] = Field(default_factory=dict)
    answers: tuple[str, ...] = ()
    problems: tuple[Finding, ...] = ()
    unsent: tuple[int, ...] = ()
    agents: tuple[str, ...] = ()
    unheard: str = ""
