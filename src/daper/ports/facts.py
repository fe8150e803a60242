"""What a domain may offer besides: to be told what has happened outside, which no tool of it can do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, JsonValue

from daper.core.facts import FactAnswer, ToldFact
from daper.core.models import Confirmation, Person


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One fact that a domain takes. `name`: a noun or a participle, as in `records tell`; `args`: what comes with it.

    `answers`: the kinds of problem that it bears on. `source`: the argument that says from whom it comes; or "".
    """

    name: str
    about: str
    args: type[BaseModel]
    answers: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Telling:
    """A fact as somebody tells it. `happened_at` None: now. `source`: from whom it comes; "" for who tells it.

    `request_key`: the same key again is the same telling, and never another. `shown`: what somebody confirmed that it
    would come to; where it comes to anything else by now, it is not written down.
    """

    record_id: str
    fact: str
    arguments: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    happened_at: datetime | None = None
    by: Person
    door: str
    confirmed: Confirmation = Confirmation.DIRECT
    source: str = ""
    request_key: str = ""
    shown: FactAnswer | None = None


@runtime_checkable
class TakesFacts(Protocol):
    """A domain that can be told what has happened to its records."""

    @property
    def facts(self) -> Mapping[str, Fact]:
        """The facts that it takes, by name."""
        ...

    async def tell(self, telling: Telling) -> FactAnswer:
        """Write a fact down, with its trace in the ledger, in one change; told again it is only known.

        Raises NotFound for a record that there is not, FactRefused for what contradicts the record, KeyTaken for a key
        under which something else was told, and a StoreError.
        """
        ...

    async def foresee(self, telling: Telling) -> FactAnswer:
        """What telling it would come to now; nothing is changed. Raises as `tell`."""
        ...


@runtime_checkable
class KeepsFacts(Protocol):
    """A domain that can say what it was told."""

    async def told_since(self, record_ids: Sequence[str], since: datetime) -> Sequence[ToldFact]:
        """What was told of these records from then on, and was written down; the oldest first."""
        ...
