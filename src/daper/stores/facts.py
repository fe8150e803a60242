"""What somebody tells of a record, whatever keeps it: written down once, with its trace in the ledger, in one change.

A domain says what a fact means for its records. Keys, the trace, looking ahead without a change, and trying again where
somebody else changed the same record are here.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, Literal

from pydantic import BaseModel, ValidationError

from daper.clock import agreed_now, new_id
from daper.core.digests import canonical, digest
from daper.core.errors import FactRefused, KeyTaken, StoreChanged
from daper.core.facts import FactAnswer, ToldFact
from daper.core.outcomes import Effect, OutcomeStatus
from daper.core.text import said, shown, visible
from daper.ports.domain import ToolCall
from daper.ports.facts import Fact, Telling
from daper.ports.store import LedgerRow, RecordsT, Store, StoreChange
from daper.stores.once import Deed, carried_out
from daper.stores.threads import in_thread

TOOL: Final = "told:"
"""How the name begins that the ledger has for a fact, in the place of a tool's."""

_TRIES: Final = 10  # somebody else changed the same record each time
_SKEW: Final = timedelta(minutes=1)  # what another machine's clock may be ahead
_LONGEST_KEY: Final = 200
_LONGEST_SOURCE: Final = 200


@dataclass(frozen=True, kw_only=True)
class Known:
    """A fact that the record has already: since when, in a sentence."""

    since: str


@dataclass(frozen=True, kw_only=True)
class Fits:
    """A fact that fits the record, and what writes it down."""

    carry_out: Callable[[], Deed]


class _OnlyForeseenError(Exception):
    """Ends a change of which nothing may stay."""


class StoreFacts(ABC, Generic[RecordsT]):
    """The facts that the records of a store take. Methods block but for `tell` and `foresee`."""

    def __init__(
        self,
        store: Callable[[], Store[RecordsT]],
        facts: Iterable[Fact],
        *,
        clock: Callable[[], datetime] = agreed_now,
    ) -> None:
        self._store = store
        self._clock = clock
        self.facts: Mapping[str, Fact] = {fact.name: fact for fact in facts}

    @abstractmethod
    def refs(self, records: RecordsT, record_id: str) -> Sequence[str]:
        """The records that a fact about this one may change. Raises NotFound where it is not there."""

    @abstractmethod
    def judge(self, records: RecordsT, told: ToldFact, args: BaseModel) -> Known | Fits:
        """Whether it is known, or fits. Changes nothing. Raises FactRefused, and NotFound for the record itself.

        Where the fact has a key (`told.request_key`), another telling has another one.
        """

    def today(self, records: RecordsT) -> datetime | None:
        """What day it is in the records, where they have one of their own."""
        return None

    async def tell(self, telling: Telling) -> FactAnswer:
        """Write it down once. Raises as `daper.ports.TakesFacts` says."""
        return await in_thread(self._tell, telling, False)

    async def foresee(self, telling: Telling) -> FactAnswer:
        """What it would come to; nothing is changed."""
        return await in_thread(self._tell, telling, True)

    def _tell(self, telling: Telling, foreseen: bool) -> FactAnswer:
        fact = self.facts.get(telling.fact)
        if fact is None:
            names = ", ".join(self.facts)
            raise FactRefused(f"{shown(telling.fact)!r} is no fact that is known here; there are: {names}")
        args = _arguments(fact, telling)
        for _ in range(_TRIES - 1):
            try:
                return self._once(fact, args, telling, foreseen)
            except StoreChanged:  # and nothing was done
                continue
        return self._once(fact, args, telling, foreseen)

    def _once(self, fact: Fact, args: BaseModel, telling: Telling, foreseen: bool) -> FactAnswer:
        answers: list[FactAnswer] = []
        with suppress(_OnlyForeseenError), self._store().change() as change:
            answers.append(self._in(change, fact, args, telling))
            _end(foreseen)
        return answers[0].model_copy(update={"foreseen": foreseen})

    def _in(self, change: StoreChange[RecordsT], fact: Fact, args: BaseModel, telling: Telling) -> FactAnswer:
        key = _key(telling)
        if telling.request_key and (row := change.row(key)) is not None:
            return _told_before(row, args, telling)
        for ref in sorted(self.refs(change.records, telling.record_id)):  # in the order of the tools' own
            change.version(ref)
        now = self._clock().astimezone(UTC)
        told = self._told(change.records, args, telling, now)
        found = self.judge(change.records, told, args)
        if isinstance(found, Known):
            if telling.request_key:
                effect = Effect(status=OutcomeStatus.ALREADY_APPLIED, evidence=(said(found.since),))
                _write(change, key, told, effect, kind="tombstone")
            return FactAnswer(told=told, known=True, evidence=(said(found.since),), answers=fact.answers)
        deed = found.carry_out()
        call = ToolCall(key=key, record_id=told.record_id, arguments=told.arguments, expected={}, today=now, at=now)
        effect = carried_out(OutcomeStatus.APPLIED, deed, change, call, key=key, version=change.version)
        seen = telling.shown
        if seen is not None and (seen.known or (seen.before, seen.after) != (effect.before, effect.after)):
            raise FactRefused(
                f"{shown(told.record_id)!r} has changed since it was shown what {told.fact} changes; nothing was "
                "written down. Look at it, and say it again"
            )
        _write(change, key, told, effect, kind="effect", originals=deed.originals)
        return FactAnswer(
            told=told,
            before=effect.before,
            after=effect.after,
            evidence=effect.evidence,
            wrote=effect.wrote,
            answers=fact.answers,
        )

    def _told(self, records: RecordsT, args: BaseModel, telling: Telling, now: datetime) -> ToldFact:
        today = self.today(records)
        happened = telling.happened_at
        if happened is not None and happened.tzinfo is None:
            raise FactRefused(
                f"{happened.isoformat()} says no time zone: write 2026-11-29T14:30:00Z, or with +01:00 behind it"
            )
        # Records that are of a day of their own have all that happens on that day, or before.
        latest = now + _SKEW if today is None else today + timedelta(days=1)
        if happened is not None and happened > latest:
            which = "" if today is None else f", and in these records today is {today:%Y-%m-%d}"
            raise FactRefused(f"{happened.isoformat()} is still to come{which}; tell what has happened")
        return ToldFact(
            record_id=telling.record_id,
            fact=telling.fact,
            arguments=args.model_dump(mode="json", exclude_none=True),
            happened_at=(happened or today or now).astimezone(UTC),
            told_at=now,
            timed=happened is not None,
            by=telling.by,
            door=telling.door,
            confirmed=telling.confirmed,
            source=_source(telling),
            request_key=telling.request_key,
        )


def _end(foreseen: bool) -> None:
    if foreseen:
        raise _OnlyForeseenError


def _source(telling: Telling) -> str:
    """From whom it comes, nothing of it hidden."""
    source = visible(telling.source, longest=_LONGEST_SOURCE)
    if len(source) > _LONGEST_SOURCE:  # what is hidden takes more room once it shows
        raise FactRefused(f"from whom a fact comes is said in at most {_LONGEST_SOURCE} characters")
    return source


def _arguments(fact: Fact, telling: Telling) -> BaseModel:
    try:
        return fact.args.model_validate(dict(telling.arguments))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        name = ".".join(map(str, first["loc"]))
        takes = ", ".join(fact.args.model_fields) or "nothing more"
        if first["type"] == "extra_forbidden":
            raise FactRefused(f"{fact.name} takes no {shown(name)}; it takes: {takes}") from None
        raise FactRefused(f"{name or fact.name}: {visible(first['msg'])}; {fact.name} takes: {takes}") from None


def _key(telling: Telling) -> str:
    """The same for the same person, key and record. Without a key each is one of its own: the record tells the same."""
    given = telling.request_key
    if not given:
        return digest(new_id())
    if len(given) > _LONGEST_KEY or not given.isprintable() or not given.strip():
        raise FactRefused(f"a key has to be 1 to {_LONGEST_KEY} characters that can be printed")
    return digest(canonical({"told": given, "by": [telling.by.name, telling.by.how]}))


def _told_before(row: LedgerRow, args: BaseModel, telling: Telling) -> FactAnswer:
    told = row.told
    same = (
        told is not None
        and (told.record_id, told.fact, told.source) == (telling.record_id, telling.fact, _source(telling))
        and told.arguments == args.model_dump(mode="json", exclude_none=True)
        and telling.happened_at in (None, told.happened_at)
    )
    if told is None or not same:
        what = "something else" if told is None else f"{told.fact} of {shown(told.record_id)!r}"
        raise KeyTaken(f"under the key {shown(telling.request_key)!r} {what} was told already; take another key")
    since = f"told already under this key, on {told.told_at:%Y-%m-%d %H:%M:%S} UTC"
    return FactAnswer(
        told=told, known=True, before=row.effect.before, after=row.effect.after, evidence=(since, *row.effect.evidence)
    )


def _write(
    change: StoreChange[RecordsT],
    key: str,
    told: ToldFact,
    effect: Effect,
    *,
    kind: Literal["effect", "tombstone"],
    originals: str = "",
) -> None:
    change.write_row(
        LedgerRow(
            key=key,
            kind=kind,
            tool=f"{TOOL}{told.fact}",
            record_id=told.record_id,
            at=told.told_at,
            effect=effect,
            originals=originals,
            told=told,
        )
    )
