"""The JSON store: the records in a few files that a person can read, changed together with their ledger and outbox."""

from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from daper.clock import new_id, utc_now
from daper.core.commands import CommandLine
from daper.core.digests import digest
from daper.core.errors import StoreChanged, StoreDamaged, UserError
from daper.core.models import StoreInfo
from daper.core.system_errors import store_error
from daper.ports.store import OWN, LedgerRow, Message, MessageNote, Noted, StoreAbout
from daper.stores.jsonfiles import rowfiles
from daper.stores.jsonfiles.about import (
    ABOUT_FILE,
    Whereabouts,
    read_about,
    refuse_copy,
    whereabouts,
    written,
)
from daper.stores.jsonfiles.backups import BACKUPS, backup
from daper.stores.jsonfiles.disk import Disk, PosixDisk
from daper.stores.jsonfiles.documents import DocumentFiles, Documents, absent
from daper.stores.jsonfiles.drafts import JsonChange, JsonRecords, Versions
from daper.stores.jsonfiles.journal import Journal, Replacement
from daper.stores.jsonfiles.lock import FolderLock
from daper.stores.numbering import numbered

_READ_TRIES = 5


def no_versions(documents: Documents, ref: str) -> str | None:
    """For a store of which nobody asks the version of a record."""
    return None


class StoreReplaced(NamedTuple):
    """Whether anything was replaced, and the folder with what was there before, if anything was."""

    changed: bool
    backup: Path | None


class JsonStore:
    """The records of one folder: `orders` is its file `orders.json`. Safe to use from many threads and processes.

    `versions` finds a record in the documents by its ref, and says which version it has.

    Methods block, for at most `lock_wait` plus the work itself. All may raise StoreBusy (somebody holds the records),
    StoreDamaged (a file is not what it must be) and StoreError (the disk refuses).
    """

    def __init__(
        self,
        folder: Path,
        *,
        documents: Sequence[str],
        versions: Versions = no_versions,
        disk: Disk | None = None,
        lock_wait: timedelta = timedelta(seconds=10),
    ) -> None:
        self._folder = folder
        self._versions = versions
        self._disk = disk or PosixDisk()
        self._lock = FolderLock(folder, wait=lock_wait)
        self._journal = Journal(folder, self._disk, make_sure=self._lock.make_sure)
        self._documents = DocumentFiles(folder, names=documents, disk=self._disk, journal=self._journal)

    @property
    def folder(self) -> Path:
        """Where the records are."""
        return self._folder

    def install(self, texts: Mapping[str, str], *, about: StoreAbout) -> bool:
        """Bring the records of a new store, under a fresh id. False, and nothing done, if it is one already.

        Records without a store file are somebody's own: they stay, and the store gets an id and no claims about them.
        """
        if self._disk.stat(self._folder / ABOUT_FILE) is not None and not self._journal.pending():
            return False
        with self._holding(new=True), self._disk_errors():
            if self._disk.stat(self._folder / ABOUT_FILE) is not None:
                return False
            files = self._documents.files.values()
            missing = [file for file in files if self._disk.stat(self._folder / file) is None]
            if missing and len(missing) < len(files):
                raise StoreDamaged(
                    f"{str(self._folder)!r} has some records, but not {', '.join(missing)}; nothing was touched. Bring "
                    "what is missing, or have all replaced by the shipped records: ",
                    CommandLine("records", "reset"),
                )
            if not missing:
                self._replace_all({}, StoreAbout(store_id=new_id(), dataset=OWN))
            else:
                contents = {name: text.encode("utf-8") for name, text in texts.items()}
                self._replace_all(contents, about.model_copy(update={"store_id": new_id()}))
            return True

    def replace(
        self, contents: Mapping[str, bytes], *, about: StoreAbout, only: Collection[str] | None = None
    ) -> StoreReplaced:
        """Replace all records, whatever is in their files; the store's id, ledger and outbox stay, and a backup.

        `only`: the data sets that may be replaced. A file that has the same content already keeps its layout. Raises
        UserError for records of another data set, StoreDamaged for a copy that has not been adopted.
        """
        with self._holding(new=True), self._disk_errors():
            known = self._known()
            dataset = self._dataset(known)
            if only is not None and dataset is not None and dataset not in only:
                raise UserError(
                    f"the records in {str(self._folder)!r} are your own. Say --yes to have them replaced; a backup of "
                    f"them is kept in {BACKUPS!r} there"
                )
            about = about.model_copy(update={"store_id": known.store_id if known else new_id()})
            return self._replace_all(contents, about, known=known, keep=dataset is not None)

    def holds(self, contents: Mapping[str, bytes], *, about: StoreAbout) -> bool:
        """Whether these very records are in the store, and it says the same of them; layout does not count."""
        self._settle()
        with self._disk_errors():
            known = self._known()
            if known is None or known.model_copy(update={"store_id": "", "folder": ""}) != about:
                return False
            return all(self._documents.holds(name, text) for name, text in contents.items())

    def dataset(self) -> str | None:
        """Which data set the records are of; None where there are none."""
        with self._disk_errors():
            return self._dataset(self._known())

    def about(self) -> StoreAbout:
        """What the store says of itself. A store that was moved remembers its new folder.

        Raises StoreDamaged for a copy of a store that is still there: two stores must not answer to one id.
        """
        self._settle()
        with self._disk_errors():
            about = read_about(self._folder, self._disk)
            if whereabouts(about, self._folder, self._disk) is Whereabouts.HOME:
                return about
            refuse_copy(about, self._folder, self._disk)
        with self._holding(), self._disk_errors():
            return self._remember(adopt=False)

    def info(self) -> StoreInfo:
        """Which store this is, and what its data says of itself. Raises StoreDamaged like `about`."""
        about = self.about()
        return StoreInfo(
            store_id=about.store_id, place=str(self._folder), as_of=about.as_of, counterparty=about.counterparty
        )

    def adopt(self) -> StoreAbout:
        """Give a copied store an id of its own; ledger and outbox stay. A store that is no copy keeps its id."""
        with self._holding(), self._disk_errors():
            return self._remember(adopt=True)

    def read(self) -> Documents:
        """All records, as they were together at one moment; not to be changed.

        Finishes a change that was left half done. Raises StoreChanged when the files never stand still.
        """
        for _ in range(_READ_TRIES):
            with self._disk_errors():
                found = self._documents.read_quietly()
            if found is not None:
                return found
            self._settle()
        with self._holding(), self._disk_errors():
            found = self._documents.read_quietly()
        if found is None:
            raise StoreChanged(f"the records in {str(self._folder)!r} are being edited right now. Try again")
        return found

    @contextmanager
    def reading(self) -> Generator[JsonRecords]:
        """All records as they were together at one moment; not to be changed."""
        records = JsonRecords(self.read(), self._folder, self._disk)
        with self._disk_errors():
            yield records

    @contextmanager
    def change(self) -> Generator[JsonChange]:
        """Change records, ledger and outbox together: all of it at the end of the block, or nothing if that raises.

        Others wait meanwhile, so nothing in the block may wait for a network. Raises StoreChanged when somebody edited
        a file under the change.
        """
        with self._holding():
            with self._disk_errors():
                texts, documents = self._documents.parsed()
                change = JsonChange(documents, self._folder, self._disk, versions=self._versions)
            with self._disk_errors():
                yield change
                self._commit(change, texts)

    @contextmanager
    def alone(self, *, new: bool = False) -> Generator[None]:
        """Nobody else changes the store within the block. `new`: it need not be there. Raises StoreDamaged for a copy.

        What a block does is done by `put`, once, at its end.
        """
        with self._holding(new=new), self._disk_errors():
            self._known()
            yield

    def known(self) -> StoreAbout:
        """What the store says of itself; records without a store file are somebody's own. Only within `alone`."""
        return self._known() or StoreAbout(dataset=OWN)

    def documents(self) -> Documents:
        """The documents as they are. Only within `alone`."""
        return self._documents.parsed()[1]

    def draft(self) -> JsonChange:
        """The files of ledger and outbox as they are; `put` adds what is written into it. Only within `alone`."""
        return JsonChange({}, self._folder, self._disk, versions=no_versions)

    def put(self, contents: Mapping[str, bytes], *, about: StoreAbout, beside: JsonChange) -> StoreReplaced:
        """Replace all records, and add to ledger and outbox, in one change; the store's id stays, and a backup.

        Only within `alone`.
        """
        known = self._known()
        about = about.model_copy(update={"store_id": known.store_id if known else new_id()})
        keep = self._dataset(known) is not None
        return self._replace_all(contents, about, known=known, keep=keep, beside=beside.replacements())

    def ledger_row(self, key: str) -> LedgerRow | None:
        """The ledger row of a key, or None: no such effect has happened yet."""
        self._settle()
        path = self._folder / rowfiles.row_path(key)
        with self._disk_errors():
            data = self._disk.read_bytes(path)
        return None if data is None else rowfiles.from_bytes(LedgerRow, data, path=path)

    def outbox(self) -> tuple[Message, ...]:
        """Every message ever sent, in the order of sending."""
        self._settle()
        folder = self._folder / "outbox"
        found: list[Message] = []
        with self._disk_errors():
            for name in self._disk.list_names(folder):
                if name.endswith(".json") and (data := self._disk.read_bytes(folder / name)) is not None:
                    found.append(rowfiles.from_bytes(Message, data, path=folder / name))
        return tuple(numbered(sorted(found, key=lambda message: (message.sequence, message.at))))

    def messages_of(self, key: str) -> tuple[Message, ...]:
        """The messages that one key wrote, in the order of sending."""
        self._settle()
        with self._disk_errors():
            return tuple(self.draft().messages_of(key))

    def note_message(self, note: MessageNote) -> Noted:
        """Note what became of a message; the records themselves may be broken, or be edited meanwhile."""
        with self._holding(), self._disk_errors():
            draft = self.draft()
            done = draft.note(note)
            if done.changed:
                self._journal.commit(draft.replacements(), unchanged={})
            return done

    def recover(self, *, keep_edited: bool) -> str:
        """Get past a half-done change that met an edited file; says what was done.

        `keep_edited`: the edited file stays and the change is dropped from all others, ledger included. Otherwise the
        edited file is saved beside and the change is completed. Either may be repeated, also after a crash in it.
        """
        with self._holding(finish=False), self._disk_errors():
            if not self._journal.pending():
                self._journal.clean()
                return f"nothing is half done in {str(self._folder)!r}"
            if keep_edited:
                kept = self._journal.keep_edited()
                done = f"kept {', '.join(kept)} as edited and dropped the change that was half done" if kept else ""
            else:
                saved = self._journal.finish_over_edited()
                beside = ", ".join(f"{path} beside as {name}" for path, name in saved)
                done = f"saved {beside}, then completed the change that was half done" if saved else ""
            return done or "no file was edited; completed the change that was half done"

    @contextmanager
    def _holding(self, *, new: bool = False, finish: bool = True) -> Generator[None]:
        with ExitStack() as stack:
            with self._disk_errors():
                if new:
                    self._disk.make_folder(self._folder)
                elif self._disk.stat(self._folder) is None:
                    raise absent(self._folder)
                stack.enter_context(self._lock.hold())
                self._make_folders()
                if finish:
                    self._journal.finish()
            yield

    def _make_folders(self) -> None:
        made = [self._folder / name for name in ("ledger", "outbox", "txn")]
        made = [folder for folder in made if self._disk.stat(folder) is None]
        for folder in made:
            self._disk.make_folder(folder)
        if made:
            self._disk.fsync_dir(self._folder)
            self._disk.fsync_dir(self._folder.parent)

    @contextmanager
    def _disk_errors(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise store_error(error, repr(str(self._folder / self._journal.shown(error.filename)))) from error

    def _settle(self) -> None:
        if self._journal.pending():
            with self._holding():
                pass

    def _remember(self, *, adopt: bool) -> StoreAbout:
        """Write down where the store is; a copy gets a new id, or is refused. Needs the lock."""
        about = read_about(self._folder, self._disk)
        where = whereabouts(about, self._folder, self._disk)
        if where is Whereabouts.HOME:
            return about
        if not adopt:
            refuse_copy(about, self._folder, self._disk)
        store_id = new_id() if where is Whereabouts.COPY else about.store_id
        self._replace_all({}, about.model_copy(update={"store_id": store_id}))
        return read_about(self._folder, self._disk)

    def _known(self) -> StoreAbout | None:
        """What the store says of itself; None if there is none. Raises StoreDamaged for a copy."""
        if self._disk.stat(self._folder / ABOUT_FILE) is None:
            return None
        known = read_about(self._folder, self._disk)
        refuse_copy(known, self._folder, self._disk)
        return known

    def _dataset(self, known: StoreAbout | None) -> str | None:
        if known is not None:
            return known.dataset
        # Records without a store file are somebody's own.
        files = self._documents.files.values()
        return OWN if any(self._disk.stat(self._folder / file) for file in files) else None

    def _replace_all(
        self,
        contents: Mapping[str, bytes],
        about: StoreAbout,
        *,
        known: StoreAbout | None = None,
        keep: bool = False,
        beside: Sequence[Replacement] = (),
    ) -> StoreReplaced:
        files = self._documents.files
        same = [files[name] for name, text in contents.items() if self._documents.holds(name, text)]
        fresh = {files[name]: text for name, text in contents.items() if files[name] not in same}
        about = about.model_copy(update={"folder": written(self._folder)})
        if about != known:
            fresh[ABOUT_FILE] = rowfiles.to_bytes(about)
        if not fresh and not beside:
            return StoreReplaced(changed=False, backup=None)
        changed = [
            Replacement(path=path, before=self._journal.digest(path), after=text) for path, text in fresh.items()
        ]
        where, copies = None, list[Replacement]()
        if keep:
            where, copies = backup(self._folder, (*files.values(), ABOUT_FILE), disk=self._disk, at=utc_now())
        self._journal.commit(
            [*copies, *changed, *beside], unchanged={path: self._journal.digest(path) for path in same}
        )
        return StoreReplaced(changed=True, backup=where)

    def _commit(self, change: JsonChange, texts: Mapping[str, bytes]) -> None:
        changed = self._documents.changes(change.documents, texts)
        changed += change.replacements()
        if changed:
            unchanged = {self._documents.files[name]: digest(text) for name, text in texts.items()}
            self._journal.commit(changed, unchanged=unchanged)
            self._documents.remember(changed)
