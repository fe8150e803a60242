"""All that a store holds goes into a store of another kind: as a whole, looked over afterwards, or not at all."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from daper.core.errors import StoreDamaged, StoreError, UserError
from daper.core.outbox import MessageState, withdrawn
from daper.ports.copying import Copied, StoreContents, StoreIntake, WholeStore
from daper.ports.store import FATE, LedgerRow, Message, MessageNote
from daper.stores import jsontext

LEDGER: Final = "ledger"
OUTBOX: Final = "outbox"
_BATCH: Final = 500
_NO_FATE: Final = {name: Message.model_fields[name].default for name in FATE}

Tell = Callable[[str, int], None]
"""Told of what is copied, and how many of it are through."""
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How many records there are in a collection, and a digest of them all, in their order and to the digit."""

    count: int
    digest: str


def copy(source: WholeStore, target: WholeStore, *, replace: bool, tell: Tell) -> Copied:
    """Copy records, ledger and outbox; the source stays as it is, and so does the target if anything fails.

    `replace`: whether records that the target has may be replaced, of which a backup is kept. Where the very same is
    there already, nothing is done. Raises UserError where there is nothing to copy, or something in the way;
    StoreDamaged, and nothing happens, where what arrives is not what was sent.
    """
    with source.contents() as sent:
        if sent is None:
            raise UserError(f"there are no records in {source.place}; nothing was copied")
        with target.contents() as known:
            if known is not None and _same(sent, known, {*source.derived, *target.derived}):
                counts = {name: _tally(known, name).count for name in known.collections()}
                return _copied(sent, known, source=source, target=target, counts=counts)
            _refuse_records(target, None if known is None else known.about().dataset, replace=replace)
        with target.intake() as intake:
            # Nobody was kept away since the look before.
            _refuse_records(target, None if intake.former is None else intake.former.dataset, replace=replace)
            counts = _put(sent, intake, tell)
            _refuse_difference(sent, intake, target.place)
        with target.contents() as now:
            if now is None:
                raise StoreDamaged(f"{target.place} was emptied by somebody else just now; copy again")
            return _copied(sent, now, source=source, target=target, counts=counts, intake=intake)


def _copied(
    sent: StoreContents,
    there: StoreContents,
    *,
    source: WholeStore,
    target: WholeStore,
    counts: Mapping[str, int],
    intake: StoreIntake | None = None,
) -> Copied:
    return Copied(
        changed=intake is not None,
        source=source.place,
        source_id=sent.about().store_id,
        target=target.place,
        target_id=there.about().store_id,
        counts=counts,
        backup=intake.backup if intake else None,
    )


def _refuse_records(target: WholeStore, dataset: str | None, *, replace: bool) -> None:
    if dataset is not None and not replace:
        raise UserError(
            f"there are records in {target.place} already (data set {dataset!r}); nothing was copied. Say --yes to "
            "have them replaced: a backup of them is kept, and what their ledger and outbox have"
        )


def _put(sent: StoreContents, intake: StoreIntake, tell: Tell) -> dict[str, int]:
    counts: dict[str, int] = {}

    def counted(name: str, number: int) -> None:
        counts[name] = counts.get(name, 0) + number
        tell(name, counts[name])

    intake.put_documents(sent.about(), sent.extras())
    for collection in sent.collections():
        counted(collection, 0)
        for rows in sent.pages(collection):
            intake.put_records(collection, rows)
            counted(collection, len(rows))
    counted(LEDGER, 0)
    for rows in _batches(sent.ledger_rows()):
        counted(LEDGER, _put_ledger_rows(intake, rows))
    counted(OUTBOX, 0)
    for number in _put_messages(sent, intake):
        counted(OUTBOX, number)
    return counts


def _put_messages(sent: StoreContents, intake: StoreIntake) -> Iterator[int]:
    """How many were put, again and again. A key's messages go with its effect: a key that has some has them all."""
    had: dict[str, Sequence[Message]] = {}
    for messages in _batches(sent.messages()):
        there = intake.messages_of({message.key for message in messages} - had.keys())
        had |= {message.key: there.get(message.key, ()) for message in messages if message.key not in had}
        fresh = [message for message in messages if not had[message.key]]
        for message in messages:
            other = next((each for each in had[message.key] if each.number == message.number), None)
            if other is not None and _knows_more(message, other):
                intake.note_message(_fate(message, other))
        for message in fresh:
            intake.put_message(message)
        yield len(fresh)


def _put_ledger_rows(intake: StoreIntake, rows: Sequence[LedgerRow]) -> int:
    there = intake.rows_of([row.key for row in rows])
    for row in rows:
        known = there.get(row.key)
        if known is not None and known != row and known.kind != "begun":
            raise StoreError(
                f"the ledger there says of key {row.key!r} something else than the one here: both stores have worked "
                "on one repair, as no store and its copy may. Nothing was copied"
            )
        if known != row:
            intake.put_ledger_row(row)
    return len(rows)


def _refuse_difference(sent: StoreContents, intake: StoreIntake, place: str) -> None:
    for what, same in _looks(sent, intake):
        if not same:
            raise StoreDamaged(f"what arrived in {place} is not what was sent ({what}); nothing was changed there")


def _same(sent: StoreContents, known: StoreContents, derived: Collection[str]) -> bool:
    about, there = sent.about(), known.about()
    if (about.dataset, about.as_of, about.counterparty) != (there.dataset, there.as_of, there.counterparty):
        return False
    return all(same for _, same in _looks(sent, known, derived))


def _looks(sent: StoreContents, there: StoreContents, derived: Collection[str] = ()) -> Iterator[tuple[str, bool]]:
    """What is looked at, and whether it is the same in both; more in the ledger and the outbox does no harm."""
    yield "around the records", _digested(sent.extras(), derived) == _digested(there.extras(), derived)
    for collection in sent.collections():
        yield collection, _tally(sent, collection) == _tally(there, collection)
    for rows in _batches(sent.ledger_rows()):
        found = there.rows_of([row.key for row in rows])
        yield LEDGER, all(found.get(row.key) == row for row in rows)
    for keys in _batches(dict.fromkeys(message.key for message in sent.messages())):
        one, other = sent.messages_of(keys), there.messages_of(keys)
        yield OUTBOX, all(_without_numbers(one[key]) == _without_numbers(other.get(key, ())) for key in keys)
        yield "what became of messages", all(_none_forgotten(one[key], other.get(key, ())) for key in keys)


def _tally(contents: StoreContents, collection: str) -> Tally:
    count, digest = 0, hashlib.sha256()
    for rows in contents.pages(collection):
        for row in rows:
            digest.update(f"{jsontext.compact(row)}\n".encode())
        count += len(rows)
    return Tally(count=count, digest=digest.hexdigest())


def _digested(extras: Mapping[str, dict[str, object]], derived: Collection[str]) -> dict[str, str]:
    return {
        name: jsontext.compact({key: value for key, value in extra.items() if key not in derived})
        for name, extra in extras.items()
    }


def _knows_more(one: Message, other: Message) -> bool:
    """Whether of one message more is known here than there: what was sent stays so, else the later word counts.

    Only that it was not sent, where there it may have been, is no word to go by.
    """
    if one.state is MessageState.WRITTEN or other.state.told:
        return False
    if other.state is MessageState.WRITTEN or one.state.told:
        return True
    if other.noted_at is None or one.noted_at is None or withdrawn(other.note):
        return False
    return one.noted_at > other.noted_at


def _fate(message: Message, there: Message) -> MessageNote:
    """What became of it here, for where less is known of it."""
    return MessageNote(
        key=message.key,
        number=message.number,
        expected=frozenset({there.state}),
        state=message.state,
        note=message.note,
        at=message.noted_at or message.at,
    )


def _none_forgotten(sent: Sequence[Message], there: Sequence[Message]) -> bool:
    """Whether of no message less is known there than here."""
    return not any(_knows_more(one, other) for one, other in zip(sent, there, strict=False))


def _without_numbers(messages: Iterable[Message]) -> list[Message]:
    """What they say; what became of each may be known better there."""
    return [message.model_copy(update=_NO_FATE | {"sequence": 0}) for message in messages]


def _batches(things: Iterable[T]) -> Iterator[Sequence[T]]:
    batch: list[T] = []
    for thing in things:
        batch.append(thing)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
