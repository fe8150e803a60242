"""All that a JSON store holds, read as a whole, and replaced as a whole."""

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, cast

from daper.core.errors import StoreDamaged
from daper.ports.copying import RawRow
from daper.ports.store import LedgerRow, Message, MessageNote, Noted, StoreAbout
from daper.stores import jsontext
from daper.stores.jsonfiles.drafts import JsonChange
from daper.stores.jsonfiles.store import JsonStore

_PAGE: Final = 500

Finish = Callable[[Mapping[str, Mapping[str, object]]], None]


class JsonWhole:
    """A JSON store whose collections are lists within its documents: `lists` gives for each the document.

    `finish` brings the field `derived`, which follows from the records, up to date once all are there. The documents
    are held in memory, as by all who use such a store.
    """

    def __init__(self, store: JsonStore, *, lists: Mapping[str, str], derived: str, finish: Finish) -> None:
        self._store = store
        self._lists = dict(lists)
        self._finish = finish
        self.derived = (derived,)

    @property
    def place(self) -> str:
        """The folder."""
        return repr(str(self._store.folder))

    @contextmanager
    def contents(self) -> Generator["JsonContents | None"]:
        """What is in the folder; nobody changes it within the block. None where there are no records."""
        if self._store.dataset() is None:
            yield None
            return
        with self._store.alone():
            yield JsonContents(self._store.known(), self._store.documents(), self._store.draft(), self._lists)

    @contextmanager
    def intake(self) -> Generator["JsonIntake"]:
        """Replace all that is in the folder."""
        with self._store.alone(new=True):
            former = self._store.known() if self._store.dataset() is not None else None
            intake = JsonIntake(former, self._store.draft(), self._lists)
            yield intake
            fresh = intake.documents
            self._finish(fresh)
            done = self._store.put(
                {name: jsontext.dump(document) for name, document in fresh.items()},
                about=intake.about(),
                beside=intake.draft,
            )
            intake.backup = None if done.backup is None else str(done.backup)


class JsonContents:
    """The documents, and the files of ledger and outbox, of a store that nobody changes meanwhile."""

    def __init__(
        self,
        about: StoreAbout,
        documents: Mapping[str, Mapping[str, object]],
        draft: JsonChange,
        lists: Mapping[str, str],
    ) -> None:
        self._about = about
        self.documents = {name: dict(document) for name, document in documents.items()}
        self.draft = draft
        self._lists = lists
        self._messages: list[Message] | None = None

    def about(self) -> StoreAbout:
        """What the store says of itself."""
        return self._about

    def collections(self) -> Sequence[str]:
        """In the order in which they were named."""
        return tuple(self._lists)

    def pages(self, collection: str) -> Iterator[list[RawRow]]:
        """The records in the order of the file. Raises StoreDamaged for what is no list of objects."""
        rows = self.records(collection)
        for start in range(0, len(rows), _PAGE):
            yield rows[start : start + _PAGE]

    def extras(self) -> Mapping[str, RawRow]:
        """The documents, an empty list in place of the records."""
        return {
            collection: {key: [] if key == collection else value for key, value in self.documents[document].items()}
            for collection, document in self._lists.items()
        }

    def ledger_rows(self) -> Iterator[LedgerRow]:
        """One file after another."""
        for key in self.draft.keys():  # noqa: SIM118 - no mapping
            if (row := self.draft.row(key)) is not None:
                yield row

    def messages(self) -> Iterator[Message]:
        """In the order of sending."""
        yield from self._sent()

    def rows_of(self, keys: Collection[str]) -> Mapping[str, LedgerRow]:
        """Those that there are."""
        return {key: row for key in keys if (row := self.draft.row(key)) is not None}

    def messages_of(self, keys: Collection[str]) -> Mapping[str, Sequence[Message]]:
        """Those that there are, in the order of sending."""
        found: dict[str, list[Message]] = {}
        for message in self._sent():
            if message.key in keys:
                found.setdefault(message.key, []).append(message)
        return found

    def _sent(self) -> list[Message]:
        if self._messages is None:
            self._messages = self.draft.messages()
        return self._messages

    def records(self, collection: str) -> list[RawRow]:
        """The list itself."""
        document = self._lists[collection]
        rows = self.documents[document].get(collection)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in cast("list[object]", rows)):
            raise StoreDamaged(f"{document}: {collection!r} must be a list of objects; nothing was copied")
        # JSON objects of any shape: just looked at.
        return cast("list[RawRow]", rows)


class JsonIntake(JsonContents):
    """Documents that are being filled; nothing is written before the end."""

    def __init__(self, former: StoreAbout | None, draft: JsonChange, lists: Mapping[str, str]) -> None:
        super().__init__(former or StoreAbout(dataset=""), {}, draft, lists)
        self.former = former
        self.backup: str | None = None

    def put_documents(self, about: StoreAbout, extras: Mapping[str, RawRow]) -> None:
        """Begin documents of this form."""
        self._about = about
        for collection, document in self._lists.items():
            extra = extras.get(collection, {})
            self.documents[document] = {**extra, collection: []}

    def put_records(self, collection: str, rows: Sequence[RawRow]) -> None:
        """Add records to the list."""
        self.records(collection).extend(rows)

    def put_ledger_row(self, row: LedgerRow) -> None:
        """A file of its own."""
        self.draft.write_row(row)

    def put_message(self, message: Message) -> None:
        """A file of its own."""
        self.draft.send(message)
        self._messages = None

    def note_message(self, note: MessageNote) -> Noted:
        """In its file."""
        self._messages = None
        return self.draft.note(note)
