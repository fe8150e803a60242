"""A change in the making: private documents, and the new files of ledger and outbox that go with them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from daper.core.digests import digest
from daper.core.errors import ActionFailed, NotFound
from daper.ports.store import LedgerRow, Message, MessageNote, Noted, StoreAbout
from daper.stores.jsonfiles import rowfiles
from daper.stores.jsonfiles.about import read_about
from daper.stores.jsonfiles.disk import Disk
from daper.stores.jsonfiles.documents import Documents
from daper.stores.jsonfiles.journal import Replacement
from daper.stores.numbering import numbered

Versions = Callable[[Documents, str], str | None]  # the version that a ref has in the documents

_OUTBOX = "outbox"
_COUNTER = f"{_OUTBOX}/sequence"  # the number of the last message sent; no message, so no .json


@dataclass(frozen=True)
class JsonRecords:
    """The documents of a store together, and what it says of itself."""

    documents: Documents
    _folder: Path
    _disk: Disk

    def about(self) -> StoreAbout:
        """What the store says of itself now. Raises StoreDamaged."""
        return read_about(self._folder, self._disk)


class JsonChange:
    """A change in the making. `documents` are private: change them freely; nothing is written before the end."""

    def __init__(
        self, documents: dict[str, dict[str, object]], folder: Path, disk: Disk, *, versions: Versions
    ) -> None:
        self.documents = documents
        self._folder = folder
        self._disk = disk
        self._versions = versions
        self._rows: dict[str, bytes] = {}
        self._replaced: dict[str, str] = {}
        self._counted: bytes | None = None
        self._last: int | None = None

    @property
    def records(self) -> JsonRecords:
        """The documents, and what their store says of itself."""
        return JsonRecords(self.documents, self._folder, self._disk)

    def version(self, ref: str) -> str | None:
        """The version that a record has now, this change included; None for one that is not there."""
        return self._versions(self.documents, ref)

    @property
    def rows(self) -> Mapping[str, bytes]:
        """The new files of ledger and outbox, by path within the store."""
        return self._rows

    def row(self, key: str) -> LedgerRow | None:
        """The ledger row of a key: written by this change, or before."""
        path = rowfiles.row_path(key)
        data = self._rows.get(path) or self._disk.read_bytes(self._folder / path)
        return None if data is None else rowfiles.from_bytes(LedgerRow, data, path=self._folder / path)

    def write_row(self, row: LedgerRow) -> None:
        """Record what happened for a key. Raises ActionFailed for a key that has a row, unless that is `begun`."""
        path, known = rowfiles.row_path(row.key), self.row(row.key)
        if known is not None and known.kind != "begun":
            raise ActionFailed(f"the ledger has a row of key {row.key!r} already; nothing was changed")
        if known is not None and path not in self._rows:
            self._replaced[path] = digest(self._disk.read_bytes(self._folder / path) or b"")
        self._rows[path] = rowfiles.to_bytes(row)

    def send(self, message: Message) -> None:
        """Put a message into the outbox, under the next number of the sending order."""
        number = 1
        while self._taken(path := rowfiles.message_path(message.key, number)):
            number += 1
        self._last = (self._last_sent() if self._last is None else self._last) + 1
        self._rows[path] = rowfiles.to_bytes(message.model_copy(update={"sequence": self._last}))

    def messages_of(self, key: str) -> list[Message]:
        """Those of one key, in the order of sending."""
        return [message for _, message in self._of(key)]

    def note(self, note: MessageNote) -> Noted:
        """Note what became of a message, if it is still in an expected state. Raises NotFound for one that is none."""
        found = next(((path, each) for path, each in self._of(note.key) if each.number == note.number), None)
        if found is None:
            raise NotFound(f"the outbox in {str(self._folder)!r} has no message {note.key}-{note.number}")
        path, message = found
        if not note.fits(message):
            return Noted(message=message, changed=False)
        if path not in self._rows:
            self._replaced[path] = digest(self._disk.read_bytes(self._folder / path) or b"")
        self._rows[path] = rowfiles.to_bytes(note.on(message))
        return Noted(message=note.on(message), changed=True)

    def _of(self, key: str) -> Iterator[tuple[str, Message]]:
        """The messages of a key with their files, which other keys with the same beginning may share."""
        number = file = 0
        while True:
            path = rowfiles.message_path(key, file := file + 1)
            data = self._rows.get(path) or self._disk.read_bytes(self._folder / path)
            if data is None:
                return
            message = rowfiles.from_bytes(Message, data, path=self._folder / path)
            if message.key == key:
                yield path, message.model_copy(update={"number": (number := number + 1)})

    def keys(self) -> Iterator[str]:
        """Those of every ledger row, written by this change or before."""
        yield from sorted({*rowfiles.keys(self._disk.list_names(self._folder / rowfiles.LEDGER)), *self._new_keys()})

    def messages(self) -> list[Message]:
        """Every message of the outbox, sent by this change or before, in the order of sending."""
        there = [
            f"{_OUTBOX}/{name}" for name in self._disk.list_names(self._folder / _OUTBOX) if name.endswith(".json")
        ]
        found: list[Message] = []
        for path in {**dict.fromkeys(there), **{path: None for path in self._rows if path.startswith(_OUTBOX)}}:
            data = self._rows.get(path) or self._disk.read_bytes(self._folder / path)
            if data is not None:
                found.append(rowfiles.from_bytes(Message, data, path=self._folder / path))
        return numbered(sorted(found, key=lambda message: (message.sequence, message.at)))

    def replacements(self) -> list[Replacement]:
        """Everything that this change adds beside the documents."""
        new = [Replacement(path=path, before=self._replaced.get(path), after=data) for path, data in self._rows.items()]
        if self._last is not None:
            known = None if self._counted is None else digest(self._counted)
            new.append(Replacement(path=_COUNTER, before=known, after=f"{self._last}\n".encode()))
        return new

    def _last_sent(self) -> int:
        self._counted = self._disk.read_bytes(self._folder / _COUNTER)
        text = (self._counted or b"").strip()
        if text.isdigit() and len(text) < 19:
            return int(text)
        # No counter, or an edited one: one message at most has each number up to their count.
        return sum(name.endswith(".json") for name in self._disk.list_names(self._folder / _OUTBOX))

    def _new_keys(self) -> Iterator[str]:
        yield from rowfiles.keys(Path(path).name for path in self._rows if path.startswith(f"{rowfiles.LEDGER}/"))

    def _taken(self, path: str) -> bool:
        return path in self._rows or self._disk.stat(self._folder / path) is not None
