"""What one approved action does, whatever keeps the records: once, on the state that was seen, or not at all.

A tool says what it may do, what it changes and how one sees it. Ledger, lapse, versions, limits, messages, settling and
undoing are here: all of one key in one change of the store.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Generic, Literal

from pydantic import BaseModel, JsonValue

from daper.clock import agreed_now
from daper.core.guard import refuse_arguments
from daper.core.models import Risk
from daper.core.outbox import MessageState
from daper.core.outcomes import Effect, OutcomeStatus, Postcondition
from daper.core.text import said, shown, visible, visible_lines
from daper.ports.domain import Record, Terms, ToolCall
from daper.ports.store import LedgerRow, Letter, Message, Outbox, RecordsT, Store, StoreChange
from daper.stores import ledger
from daper.stores.threads import in_thread

_LONGEST_LETTER = 4000  # all that goes into one is capped before


@dataclass(frozen=True, kw_only=True)
class Deed:
    """What a tool did, in its own words. The kernel makes the effect, its versions and the messages of it.

    `wrote`: the refs of the records that it wrote. `before` and `after`: the figures it is about. `originals`: whatever
    undoing needs to give back exactly. `simulated`: the other side only played along. `versions`: the versions that it
    left, where an outside system says so by itself; a store of ours knows them.
    """

    before: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    after: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    wrote: Sequence[str] = ()
    evidence: Sequence[str] = ()
    letters: Sequence[Letter] = ()
    originals: str = ""
    simulated: bool = False
    versions: Mapping[str, str] = field(default_factory=dict[str, str])


class Tool(ABC):
    """What is the same for every tool on this kernel."""

    name: str
    risk: Risk
    args: type[BaseModel]
    settling: timedelta = timedelta(0)

    @abstractmethod
    def terms(self, record_id: str, arguments: Mapping[str, JsonValue], records: Sequence[Record]) -> Terms:
        """On what terms it may run with these arguments; an obstacle where it does not fit the record. Pure.

        The record is among `records`. Arguments may be missing, or of any kind: a language model made them up.

        Asked when the plan is made, and again, on the records as they are then, before anything is changed.
        """

    @abstractmethod
    def judge(self, call: ToolCall, effect: Effect, records: Sequence[Record]) -> Postcondition:
        """Whether this very effect shows in freshly read records. What was only asked for is `Holding.WAITING`."""

    @abstractmethod
    async def apply(self, call: ToolCall) -> Effect:
        """Do it once, or say why not; either is the last word on the call's key."""

    @abstractmethod
    async def settle(self, key: str) -> Effect | None:
        """The recorded effect; or None, once it is certain that a late attempt changes nothing."""

    @abstractmethod
    async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
        """Whether the effect is there, on freshly read records."""

    def refusal(self, call: ToolCall, records: Sequence[Record]) -> Effect | None:
        """Why it may not run on these records: none, an obstacle, or an argument outside its limits."""
        if not records:
            return not_done(
                OutcomeStatus.FAILED, f"there is no {shown(call.record_id)!r} any more; nothing was changed"
            )
        terms = self.terms(call.record_id, call.arguments, records)
        why = terms.obstacle or refuse_arguments(call.arguments, self.args, terms.limits)
        return not_done(OutcomeStatus.BLOCKED, why) if why else None


class StoreTool(Tool, Generic[RecordsT]):
    """A tool whose effect, ledger row and messages are one change of a store."""

    def __init__(self, store: Callable[[], Store[RecordsT]], *, clock: Callable[[], datetime] = agreed_now) -> None:
        self.store = store
        self._clock = clock

    @abstractmethod
    def records(self, records: RecordsT, record_id: str) -> tuple[Record, ...]:
        """The record, with whatever judging it needs; empty where it is not there any more."""

    @abstractmethod
    def act(self, records: RecordsT, call: ToolCall) -> Deed:
        """Change what was approved. Only called for what fits; if it raises, nothing has happened."""

    async def apply(self, call: ToolCall) -> Effect:
        """Do it once, or say why not; either is the last word on the call's key.

        Raises a StoreError when the records could not be read or changed.
        """
        return await in_thread(self._apply, call)

    async def settle(self, key: str) -> Effect | None:
        """The recorded effect, also one that says why nothing was done.

        Or None, after a tombstone that makes a late attempt with this key change nothing.
        """
        return await in_thread(self._settle, key)

    async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
        """Whether the effect is there, on freshly read records."""
        return await in_thread(self._holds, call, effect)

    def _apply(self, call: ToolCall) -> Effect:
        with self.store().change() as change:
            if (row := change.row(call.key)) is not None:
                return ledger.replayed(row)
            # Only here: who waited for the store may have waited too long. The cycle's date may be hours older.
            call = replace(call, at=self._clock())
            if no := self._refusal(call, change):
                return self._record(change, no, call, kind="tombstone", key=call.key)
            deed = self.act(change.records, call)
            effect = carried_out(OutcomeStatus.APPLIED, deed, change, call, key=call.key, version=change.version)
            return self._record(change, effect, call, kind="effect", key=call.key, originals=deed.originals)

    def _refusal(self, call: ToolCall, change: StoreChange[RecordsT]) -> Effect | None:
        if no := lapsed(call, call.acted_at):
            return no
        if changed := outdated(call.expected, change.version, since="the plan read it"):
            return Effect(status=OutcomeStatus.STALE, evidence=changed)
        return self.refusal(call, self.records(change.records, call.record_id))

    def _record(
        self,
        change: StoreChange[RecordsT],
        effect: Effect,
        call: ToolCall,
        *,
        kind: Literal["effect", "undo", "tombstone"],
        key: str,
        originals: str = "",
    ) -> Effect:
        return ledger.enter(change, effect, call, key=key, kind=kind, tool=self.name, originals=originals)

    def _settle(self, key: str) -> Effect | None:
        with self.store().change() as change:
            return ledger.settle_key(change, key, tool=self.name, at=self._clock())

    def _holds(self, call: ToolCall, effect: Effect) -> Postcondition:
        with self.store().reading() as records:
            found = self.judge(call, effect, self.records(records, call.record_id))
        return found.model_copy(update={"evidence": said(found.evidence)})


class UndoableStoreTool(StoreTool[RecordsT]):
    """A tool whose effect can be taken back: exactly, and only while nobody has touched what it wrote."""

    @abstractmethod
    def take_back(self, records: RecordsT, call: ToolCall, done: Effect, originals: str) -> Deed:
        """Take back what was done, with the `originals` of its deed. Only called while all is as the effect left it."""

    async def undo(self, call: ToolCall, effect: Effect, *, key: str) -> Effect:
        """Take the effect back, or say why not: `undone` or `undo-blocked`. Idempotent by `key`."""
        return await in_thread(self._undo, call, effect, key)

    def _undo(self, call: ToolCall, effect: Effect, key: str) -> Effect:
        with self.store().change() as change:
            if (row := change.row(key)) is not None:
                return row.effect
            call = replace(call, at=self._clock())
            done = change.row(call.key)
            if done is None or done.kind != "effect":
                return self._record(change, NOTHING_TO_UNDO, call, kind="tombstone", key=key)
            if no := kept_from_undo(done, effect, change.version):
                return self._record(change, no, call, kind="tombstone", key=key)
            deed = self.take_back(change.records, call, done.effect, done.originals)
            undone = carried_out(OutcomeStatus.UNDONE, deed, change, call, key=key, version=change.version)
            return self._record(change, undone, call, kind="undo", key=key)


NOTHING_TO_UNDO = Effect(
    status=OutcomeStatus.UNDO_BLOCKED, evidence=("the ledger has no such effect; there is nothing to take back",)
)


def not_done(status: OutcomeStatus, why: str) -> Effect:
    """An effect that did not happen, with the reason as a sentence that hides nothing."""
    return Effect(status=status, evidence=(said(why),))


def lapsed(call: ToolCall, now: datetime) -> Effect | None:
    """Whether the approval of a call has run out before it began, in words; None while it is valid."""
    if call.valid_until is None or now <= call.valid_until:
        return None
    end = call.valid_until.astimezone(UTC)
    return not_done(OutcomeStatus.LAPSED, f"not begun by {end:%Y-%m-%d %H:%M:%S} UTC; nothing was changed")


def outdated(expected: Mapping[str, str], version: Callable[[str], str | None], *, since: str) -> tuple[str, ...]:
    """The refs that are gone or have another version now, each in a sentence."""
    found: list[str] = []
    for ref, known in sorted(expected.items()):  # in one order, so that no two changes wait for each other
        now = version(ref)
        if now is None:
            found.append(f"{shown(ref)} is gone since {since}")
        elif now != known:
            found.append(f"{shown(ref)} was changed since {since}")
    return tuple(found)


def kept_from_undo(done: LedgerRow, effect: Effect, version: Callable[[str], str | None]) -> Effect | None:
    """Why the effect of a row is not taken back: it is another one, or somebody has touched what it wrote."""
    if effect.wrote != done.effect.wrote:
        return not_done(OutcomeStatus.UNDO_BLOCKED, "the effect is not the one that the ledger recorded")
    if not done.effect.wrote or not all(done.effect.wrote.values()):
        return not_done(OutcomeStatus.UNDO_BLOCKED, "it left no version by which one could tell who wrote since")
    if changed := outdated(done.effect.wrote, version, since="the repair wrote it"):
        return Effect(status=OutcomeStatus.UNDO_BLOCKED, evidence=changed)
    return None


def carried_out(
    status: OutcomeStatus,
    deed: Deed,
    outbox: Outbox,
    call: ToolCall,
    *,
    key: str,
    version: Callable[[str], str | None],
) -> Effect:
    """The effect of a deed, with the versions that it left; its letters go into the outbox."""
    for letter in deed.letters:
        outbox.send(_message(letter, call, key=key, simulated=deed.simulated))
    return Effect(
        status=status,
        before=dict(deed.before),
        after=dict(deed.after),
        wrote={ref: version(ref) or "" for ref in deed.wrote},
        evidence=tuple(said(line) for line in deed.evidence),
        simulated=deed.simulated and bool(deed.letters),
        at=call.acted_at,
        messages=0 if deed.simulated else len(deed.letters),
    )


def _message(letter: Letter, call: ToolCall, *, key: str, simulated: bool) -> Message:
    held = MessageState.REFUSED if letter.held else MessageState.WRITTEN
    state = MessageState.SIMULATED if simulated else held
    return Message(
        key=key,
        to=visible(letter.to, longest=_LONGEST_LETTER),
        subject=visible(letter.subject, longest=_LONGEST_LETTER),
        body=visible_lines(letter.body, longest=_LONGEST_LETTER),
        record_id=call.record_id,
        at=call.acted_at,
        simulated=simulated,
        state=state,
        note="" if simulated else letter.held,
    )
