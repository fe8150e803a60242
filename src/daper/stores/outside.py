"""Once, in a system that shares no transaction with our ledger: validate, note it, act, and look for the trace.

The ledger says `begun` before the system is asked. Whoever finds that row asks the system what became of its key; where
it cannot tell for good, nobody can, and that is what a person is told.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeVar

from pydantic import TypeAdapter

from daper.clock import agreed_now
from daper.core.digests import digest
from daper.core.errors import ActionFailed, CannotSettle, LedgerContradicted, NoAnswer, StoreBusy, StoreUnavailable
from daper.core.outcomes import Effect, OutcomeStatus, Postcondition
from daper.core.text import said
from daper.ports.domain import Record, ToolCall
from daper.ports.store import LedgerRow, Store, StoreChange
from daper.stores import ledger
from daper.stores.once import NOTHING_TO_UNDO, Deed, Tool, carried_out, kept_from_undo, lapsed, not_done, outdated
from daper.stores.threads import in_thread

T = TypeVar("T")

_CALL: TypeAdapter[ToolCall] = TypeAdapter(ToolCall)
_ATTEMPTS = "attempts"  # in the effect of a `begun` row: how many have asked, or were about to
_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)  # seconds between attempts to use the ledger once a system has answered
_HOLDER = "key"  # in the effect of the row of a claim: who has it
_CLAIMED = timedelta(hours=1)
"""So long what nobody can tell of keeps other keys out: no request is under way for longer."""

_UNDER_WAY = timedelta(seconds=10)
"""So long a request may be on its way: whoever asks gives it up then."""

_IS_LATE: ContextVar[Callable[[], bool] | None] = ContextVar("is_late", default=None)

_NEVER_CAME = "the system says that the request never came, and takes it no more"
_TOO_LATE = "it was not asked for in time, and others may change the same by now; nothing was changed"


def refuse_late() -> None:
    """To be called right before a request for a change. Raises NoAnswer where its attempt began too long ago for it.

    A process that was stopped in between would else ask for what others have done, and undone, since.
    """
    if (is_late := _IS_LATE.get()) is not None and is_late():
        raise NoAnswer("it was not asked for in time, and others may have done it, and undone it, by now")


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What an outside system says of a key: `deed` if it happened, None if it has not.

    `final`: it has not, and the system refuses a late request with this key. Without that, one that is still on its
    way may come through after the look.
    """

    deed: Deed | None = None
    final: bool = False


@dataclass(frozen=True, kw_only=True)
class _Passage:
    """One way through the outside system: there, or back again."""

    call: ToolCall
    key: str
    kind: Literal["effect", "undo"]
    check: Callable[[Sequence[Record]], Effect | None]
    late: Callable[[], Effect | None]
    act: Callable[[], Awaitable[Deed]]
    claim: Callable[[Sequence[Record]], str] = lambda _: ""

    @property
    def failed(self) -> OutcomeStatus:
        """What it is when the system refuses."""
        return OutcomeStatus.FAILED if self.kind == "effect" else OutcomeStatus.UNDO_BLOCKED


class OutsideTool(Tool):
    """A tool of a system that knows nothing of our ledger; `books` is the store that keeps the ledger.

    `repeatable`: asking twice with one key changes things once, because the system remembers keys, or because what is
    asked for is a state. Only then is an attempt whose trace is not there made again.
    """

    repeatable: bool = False
    sends_within: timedelta | None = None
    """How long after its begin an attempt may still ask; None: as long as it likes. `refuse_late` is what asks that.

    For what is a state: one that comes late would set it anew. Where several attempts were begun, an undo waits until
    none of them can ask any more.
    """

    def __init__(self, books: Callable[[], Store[object]], *, clock: Callable[[], datetime] = agreed_now) -> None:
        self.books = books
        self._clock = clock

    @abstractmethod
    async def look(self, record_id: str) -> tuple[Record, ...]:
        """The record as it is now, with what judging it needs. Raises a retryable error when nobody answers."""

    @abstractmethod
    async def act(self, call: ToolCall) -> Deed:
        """Ask for the change, with the call's key where the system takes one.

        Raises ActionFailed when the system refused what has this key: nothing happened, and nothing will. Any other
        error leaves open what became of it. Where the system can compare before it acts, have it compare: between our
        look and the change others may come.
        """

    def claim(self, call: ToolCall, records: Sequence[Record]) -> str:
        """What of these records one key alone may change, ever, where the system cannot compare for itself; "" if none.

        Two keys that saw the same would both change it. The first that asks has it, and the others are stale, unless it
        is certain that nothing came of the first, or nobody can tell and that was long ago.
        """
        return ""

    async def probe(self, call: ToolCall, *, key: str) -> Trace:
        """What the system says of a key: the call's own, or that of undoing it. Raises CannotSettle if nobody knows."""
        raise CannotSettle(f"{self.name} leaves no trace by which its effect on {call.record_id!r} could be found")

    async def others_asked(self, key: str) -> bool:
        """Whether another attempt has asked with this key, or was about to, of which nobody knows what became."""
        row = await self._insist(lambda: self._row(key))
        return row is not None and not ledger.is_final(row) and row.effect.after.get(_ATTEMPTS) != 1

    async def apply(self, call: ToolCall) -> Effect:
        """Do it once, or say why not; either is the last word on the call's key.

        Raises CannotSettle if nobody can know; after any other error the next attempt looks for the trace of this one.
        """

        def late() -> Effect | None:
            return lapsed(call, self._clock())

        def check(records: Sequence[Record]) -> Effect | None:
            if no := late():
                return no
            if changed := outdated(call.expected, _versions(records).get, since="the plan read it"):
                return Effect(status=OutcomeStatus.STALE, evidence=changed)
            return self.refusal(call, records)

        passage = _Passage(
            call=call,
            key=call.key,
            kind="effect",
            check=check,
            late=late,
            act=lambda: self.act(call),
            claim=lambda records: self.claim(call, records),
        )
        return await self._through(passage)

    async def settle(self, key: str) -> Effect | None:
        """The recorded effect; or None, once it is certain that a late attempt changes nothing.

        Raises CannotSettle where the system was asked and cannot tell.
        """
        row = await in_thread(self._row_or_tombstone, key)
        if row is None or ledger.is_final(row):
            return None if row is None else ledger.last_word(row)
        call = _CALL.validate_json(row.originals)
        trace = await self.probe(call, key=key)
        if trace.deed is not None:
            return await self._conclude(call, key, trace.deed, own=False)
        if trace.final:
            found = await self._write(call, key, ledger.NEVER, begun=True)
            return None if found == ledger.NEVER else found
        raise _nobody_knows(self.name, call)

    async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
        """Whether the effect is there, on freshly read records."""
        found = self.judge(call, effect, await self.look(call.record_id))
        return found.model_copy(update={"evidence": said(found.evidence)})

    async def _through(self, passage: _Passage) -> Effect:
        call, key = passage.call, passage.key
        row = await in_thread(self._row, key)
        if row is not None and ledger.is_final(row):
            return ledger.replayed(row)
        if row is not None and (found := await self._found(passage)) is not None:
            return found
        records = await self.look(call.record_id)
        if no := passage.check(records):
            # What was begun may still come through, so that no refusal can be the last word on it.
            return await self._write(call, key, no, begun=False)
        claim, begun = passage.claim(records), self._clock()
        if not await in_thread(self._begin, passage, claim):  # another attempt came between; what it noted counts
            return await self._through(passage)
        if claim and self._clock() - begun > _CLAIMED / 2:  # a process, or its machine, may have been stopped
            return await self._failed(passage, _TOO_LATE)
        try:
            with self._in_time(begun):
                deed = await passage.act()
        except ActionFailed as error:
            return await self._failed(passage, str(error))
        return await self._conclude(call, key, deed, own=True)

    @contextmanager
    def _in_time(self, begun: datetime) -> Generator[None]:
        """What is asked meanwhile is asked in time, or not at all."""
        within = self.sends_within
        token = _IS_LATE.set(None if within is None else lambda: self._clock() - begun > within)
        try:
            yield
        finally:
            _IS_LATE.reset(token)

    async def _failed(self, passage: _Passage, why: str) -> Effect:
        """The system refused. Where others have asked too, one of them may be why."""
        if await self.others_asked(passage.key):
            trace = await self.probe(passage.call, key=passage.key)
            if trace.deed is not None:
                return await self._conclude(passage.call, passage.key, trace.deed, own=False)
            if not trace.final:
                raise _nobody_knows(self.name, passage.call)
        return await self._write(passage.call, passage.key, not_done(passage.failed, why), begun=True)

    async def _found(self, passage: _Passage) -> Effect | None:
        """What became of an earlier attempt; None where asking once more does no harm. Raises CannotSettle."""
        trace = await self.probe(passage.call, key=passage.key)
        if trace.deed is not None:
            return await self._conclude(passage.call, passage.key, trace.deed, own=False)
        if trace.final:
            return await self._write(passage.call, passage.key, not_done(passage.failed, _NEVER_CAME), begun=True)
        if self.repeatable:
            return None
        raise _nobody_knows(self.name, passage.call)

    async def _conclude(self, call: ToolCall, key: str, deed: Deed, *, own: bool) -> Effect:
        """Note what happened, with the versions that it left; also where another attempt has noted it before.

        The system's own word on them counts, else a look at once after our own act. Later, others may have written
        since: then nobody can tell what we left, and it is not taken back.
        """
        versions = dict(deed.versions) or (_versions(await self.look(call.record_id)) if own else {})
        undo = key != call.key
        status = OutcomeStatus.UNDONE if undo else OutcomeStatus.APPLIED

        def note(change: StoreChange[object]) -> Effect:
            row = change.row(key)
            if row is not None and row.kind == "tombstone":
                raise LedgerContradicted(
                    f"the ledger says that {self.name} of {call.record_id!r} never happens, and it did"
                )
            if row is not None and ledger.is_final(row):
                return ledger.replayed(row)
            timed = self._timed(call, row)
            effect = carried_out(status, deed, change, timed, key=key, version=versions.get)
            kind: ledger.RowKind = "undo" if undo else "effect"
            return ledger.enter(change, effect, timed, key=key, kind=kind, tool=self.name, originals=deed.originals)

        return await self._noted(note)

    async def _write(self, call: ToolCall, key: str, no: Effect, *, begun: bool) -> Effect:
        """Note for good that nothing happens. `begun`: also where an attempt was begun, because it came to nothing."""

        def note(change: StoreChange[object]) -> Effect:
            row = change.row(key)
            if row is not None and ledger.is_final(row):
                return ledger.replayed(row)
            if row is not None and not begun:
                raise _nobody_knows(self.name, call)
            return ledger.enter(change, no, self._timed(call, None), key=key, kind="tombstone", tool=self.name)

        return await self._noted(note)

    async def _noted(self, note: Callable[[StoreChange[object]], Effect]) -> Effect:
        """Write it into the ledger."""

        def noted() -> Effect:
            with self.books().change() as change:
                return note(change)

        return await self._insist(noted)

    async def _insist(self, work: Callable[[], T]) -> T:
        """Use the ledger; where others hold it, again: nobody but us knows what the system answered."""
        for pause in _PAUSES:
            try:
                return await in_thread(work)
            except (StoreBusy, StoreUnavailable):
                await asyncio.sleep(pause)
        return await in_thread(work)

    def _timed(self, call: ToolCall, row: LedgerRow | None) -> ToolCall:
        """The call at the time at which the system was first asked with its key: now, where it was not yet."""
        return replace(call, at=self._clock() if row is None else row.at)

    def _row(self, key: str) -> LedgerRow | None:
        with self.books().change() as change:
            return change.row(key)

    def _row_or_tombstone(self, key: str) -> LedgerRow | None:
        with self.books().change() as change:
            row = change.row(key)
            if row is None:
                ledger.settle_key(change, key, tool=self.name, at=self._clock())
            return row

    def _begin(self, passage: _Passage, claim: str) -> bool:
        """Note that the system is asked now; False where what another attempt wrote meanwhile forbids it, or the time.

        Who waited for the ledger may have waited too long.
        """
        call, key = passage.call, passage.key
        with self.books().change() as change:
            # The claim first, by everybody: else two could wait for each other's key.
            taken = self._taken(change, claim, key) if claim else None
            row = change.row(key)
            if row is not None and (ledger.is_final(row) or not self.repeatable):
                return False
            if row is None and (no := passage.late() or taken):
                ledger.enter(change, no, self._timed(call, None), key=key, kind="tombstone", tool=self.name)
                return False
            if taken:  # it was asked for, and another key has it since
                raise _nobody_knows(self.name, call)
            if claim:
                holder = Effect(status=OutcomeStatus.UNKNOWN, after={_HOLDER: key}, evidence=("claimed",))
                held = self._timed(call, None)  # the request goes out now, also where it is not the first
                ledger.enter(change, holder, held, key=_claim_key(claim), kind="begun", tool=self.name)
            attempts = row.effect.after.get(_ATTEMPTS) if row is not None else 0
            count = attempts + 1 if isinstance(attempts, int) else 2
            begun = Effect(status=OutcomeStatus.UNKNOWN, after={_ATTEMPTS: count}, evidence=("begun",))
            noted = _CALL.dump_json(call).decode()
            ledger.enter(change, begun, self._timed(call, row), key=key, kind="begun", tool=self.name, originals=noted)
            if row is not None and self.sends_within is not None:
                again = self._timed(call, None)
                ledger.enter(change, begun, again, key=_again_key(key), kind="begun", tool=self.name)
            return True

    def _taken(self, change: StoreChange[object], claim: str, key: str) -> Effect | None:
        """Whether another key has claimed it, and may have changed it, in words."""
        row = change.row(_claim_key(claim))
        holder = None if row is None else row.effect.after.get(_HOLDER)
        if row is None or not isinstance(holder, str) or holder == key:
            return None
        theirs = change.row(holder)
        if theirs is not None and theirs.kind == "tombstone":
            return None
        if theirs is None or not ledger.is_final(theirs):
            free = row.at + _CLAIMED
            if self._clock() > free:
                return None
            told = f"{row.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC, and nobody has noted yet whether it did"
            why = (
                f"another repair was about to change it at {told}; until {free.astimezone(UTC):%H:%M} it is left alone"
            )
            return not_done(OutcomeStatus.STALE, why)
        return not_done(OutcomeStatus.STALE, "another repair has changed it since the plan read it")


class UndoableOutsideTool(OutsideTool):
    """A tool of an outside system whose effect can be taken back there, while nobody has touched what it wrote."""

    @abstractmethod
    async def take_back(self, call: ToolCall, done: Effect, originals: str, *, key: str) -> Deed:
        """Ask for the way back, as `act` asks for the change; `key` is that of undoing."""

    async def undo(self, call: ToolCall, effect: Effect, *, key: str) -> Effect:
        """Take the effect back, or say why not: `undone` or `undo-blocked`. Idempotent by `key`."""
        done = await in_thread(self._row, call.key)
        if done is None or done.kind != "effect":
            return await self._write(call, key, NOTHING_TO_UNDO, begun=False)

        def check(records: Sequence[Record]) -> Effect | None:
            return kept_from_undo(done, effect, _versions(records).get)

        back = _Passage(
            call=call,
            key=key,
            kind="undo",
            check=check,
            late=lambda: None,
            act=lambda: self.take_back(call, done.effect, done.originals, key=key),
        )
        await self._none_under_way(call.key)
        return await self._through(back)

    async def _none_under_way(self, key: str) -> None:
        """Wait until no other attempt with this key can ask any more: what comes behind the undo would stay."""
        again = await in_thread(self._row, _again_key(key))
        if again is None or self.sends_within is None:
            return
        left = again.at + self.sends_within + _UNDER_WAY - self._clock()
        if left > timedelta():
            await waited(left)


def _versions(records: Sequence[Record]) -> dict[str, str]:
    return {record.ref: record.version for record in records}


async def waited(time: timedelta) -> None:
    """Wait so long."""
    await asyncio.sleep(time.total_seconds())


def _again_key(key: str) -> str:
    """Of the row that says when the last of several attempts with a key was begun."""
    return digest(f"again {key}")


def _claim_key(claim: str) -> str:
    return digest(f"claim {claim}")


def _nobody_knows(name: str, call: ToolCall) -> CannotSettle:
    return CannotSettle(
        f"{name} was asked for {call.record_id!r}, and nobody can tell whether it happens: no trace of it is there, "
        "and the system does not say that it never will be"
    )
