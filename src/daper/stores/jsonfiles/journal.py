"""All files of a change or none: staged contents, then one journal file that is the commit, then renames.

Before the journal is there, nothing happened. Once it is there, whoever opens the store next finishes the change: all
that it needs, to the last byte, is on the disk by then, so that only renames are left, which need no room.
Contents stay in `txn/` until the journal is gone, so a half-done change can go either way when a person has to choose.
No name in `txn/` is used twice, and what is renamed is looked at first: it is what the change was planned with, or
nothing is renamed.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from daper.clock import new_id
from daper.core.base import Wire
from daper.core.commands import CommandLine
from daper.core.digests import digest
from daper.core.errors import RecoveryNeeded, StoreChanged, StoreDamaged, StoreError, StoreUnavailable
from daper.stores.jsonfiles.disk import Disk, FileStat

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Replacement:
    """One file to replace: its path within the store, the digest it must still have (None: absent), its new content.

    `mode` is for a file that is not there yet; one that is keeps its own.
    """

    path: str
    before: str | None
    after: bytes
    mode: int | None = None


class Entry(Wire):
    """One file of a pending change: from one digest to another; None is absence.

    In `txn/` lie `content`, `undo`, and `fresh`: the content once more, which only has to be renamed.
    """

    path: str
    before: str | None
    after: str | None
    content: str = ""
    undo: str = ""
    fresh: str = ""
    mode: int | None = None

    def turned(self) -> "Entry":
        """The way back."""
        return Entry(path=self.path, before=self.after, after=self.before, content=self.undo, undo=self.content)


class Pending(Wire):
    """The journal: a change that has happened and must be finished, or one that a person dropped and must be undone."""

    entries: tuple[Entry, ...]
    dropping: bool = False


class Journal:
    """The journal of one folder. Every method but `pending` needs the folder's lock.

    `make_sure`: raises where that is not held any more; asked before each step that others would see.
    """

    def __init__(self, folder: Path, disk: Disk, *, make_sure: Callable[[], None]) -> None:
        self._folder = folder
        self._disk = disk
        self._make_sure = make_sure
        self._path = folder / "journal.json"
        self._txn = folder / "txn"

    def pending(self) -> bool:
        """Whether a change is under way or was left half done."""
        return self._disk.stat(self._path) is not None

    def shown(self, file: str | None) -> str:
        """A file as an error is to name it: one that is only staged, which has another name each time, is none."""
        return "" if file is None or Path(file).parent == self._txn else file

    def commit(self, replacements: Sequence[Replacement], *, unchanged: Mapping[str, str | None]) -> None:
        """Replace all these files or none.

        `unchanged` names further files that must still have their digest. Raises StoreChanged, and writes nothing, when
        any file is no longer what the change was made from. After an OSError, `pending` says whether it happened.
        """
        self.clean()
        change = new_id()
        try:
            entries = tuple(self._stage(f"{change}-{number}", one) for number, one in enumerate(replacements))
            self._disk.fsync_dir(self._txn)
            self._refuse_edited({**unchanged, **{one.path: one.before for one in replacements}})
            pending = Pending(entries=entries)
            self._begin(self._put(f"{change}.journal", _text(pending)), pending)
        except (OSError, StoreError):
            if not self.pending():
                self._remove_staged(change)  # on a full disk, room for whoever comes next
            raise
        self._roll(pending)

    def finish(self) -> None:
        """Finish what is pending, and clear away what never was. Raises RecoveryNeeded, touching nothing, if edited."""
        pending = self._load()
        if pending is None:
            self.clean()
            return
        self._roll(pending)
        log.warning("finished a change that was left half done", extra={"folder": str(self._folder)})

    def keep_edited(self) -> tuple[str, ...]:
        """Drop the pending change: edited files stay, all others go back. Returns the edited ones."""
        pending = self._load()
        if pending is None or not (edited := self._edited(pending)):
            self.finish()
            return ()
        kept = tuple(entry for entry in pending.entries if entry.path not in edited)
        if not pending.dropping:
            kept = tuple(entry.turned() for entry in kept)
        # The choice is written down first: from here on there is one way to go, whoever goes it.
        dropped = Pending(entries=kept, dropping=True)
        self._write(dropped)
        self._roll(dropped)
        return tuple(edited)

    def finish_over_edited(self) -> tuple[tuple[str, str], ...]:
        """Finish the pending change, edited files saved beside first. Returns each edited file and its copy's name."""
        pending = self._load()
        if pending is None or not (edited := self._edited(pending)):
            self.finish()
            return ()
        saved: list[tuple[str, str]] = []
        entries: list[Entry] = []
        for entry in pending.entries:
            data = self._disk.read_bytes(self._folder / entry.path)
            if entry.path not in edited:
                entries.append(entry)
            elif data is None:
                entries.append(entry.model_copy(update={"before": None, "undo": ""}))
                saved.append((entry.path, "nothing: the file was gone"))
            else:
                saved.append((entry.path, self._save_beside(entry.path, data)))
                undo = self._put(f"{new_id()}.edited", data)
                entries.append(entry.model_copy(update={"before": digest(data), "undo": undo}))
        self._disk.fsync_dir(self._txn)
        over = pending.model_copy(update={"entries": tuple(entries)})
        self._write(over)
        self._roll(over)
        return tuple(saved)

    def clean(self) -> None:
        """Remove staged files that no journal names, as far as the disk lets us. Only while nothing is pending."""
        self._remove_staged("")

    def _remove_staged(self, beginning: str) -> None:
        with suppress(OSError):  # they are in nobody's way
            for name in self._disk.list_names(self._txn):
                if name.startswith(beginning):
                    self._disk.remove(self._txn / name)

    def _refuse_edited(self, known: Mapping[str, str | None]) -> None:
        for path, before in known.items():
            if self.digest(path) != before:
                raise StoreChanged(f"{str(self._folder / path)!r} was edited meanwhile; nothing was written. Try again")
        if self.pending():  # without a lock that holds, somebody else has begun: theirs is not to be lost
            raise StoreChanged(
                f"{str(self._folder)!r} is being changed by somebody else; nothing was written. Try again"
            )

    def _stage(self, name: str, one: Replacement) -> Entry:
        content, undo = self._put(f"{name}.after", one.after), f"{name}.before" if one.before is not None else ""
        known = self._disk.stat(self._folder / one.path)
        fresh = self._put(f"{name}.fresh", one.after, mode=known.mode if known else one.mode)
        if undo:
            # A second name costs nothing; the file's own name moves on to the new content, and this one stays as it is.
            try:
                self._disk.link(self._folder / one.path, self._txn / undo)
            except OSError:  # a file system without links, or a file that went away: the digests are checked next
                self._put(undo, self._disk.read_bytes(self._folder / one.path) or b"")
        return Entry(
            path=one.path,
            before=one.before,
            after=digest(one.after),
            content=content,
            undo=undo,
            fresh=fresh,
            mode=one.mode,
        )

    def _roll(self, pending: Pending) -> None:
        seen = {entry.path: self._disk.stat(self._folder / entry.path) for entry in pending.entries}
        now = {entry.path: self.digest(entry.path) for entry in pending.entries}
        if edited := [entry.path for entry in pending.entries if now[entry.path] not in (entry.before, entry.after)]:
            raise self._refused(edited)
        # Everything that is needed is looked at before anything is touched.
        todo = [(entry, self._ready(entry)) for entry in pending.entries if now[entry.path] != entry.after]
        folders = sorted({folder for entry in pending.entries for folder in self._folders(entry)})
        for folder in folders:
            if self._disk.stat(folder) is None:
                self._disk.make_folder(folder)
        for entry, ready in todo:
            self._put_in_place(entry, ready, seen[entry.path])
        # Also of files that were in place already: who put them there may have died before this.
        for folder in folders:
            self._disk.fsync_dir(folder)
        self._make_sure()
        self._disk.remove(self._path)
        self._disk.fsync_dir(self._folder)
        self.clean()

    def _folders(self, entry: Entry) -> tuple[Path, ...]:
        """The folder of a file, and where that may be new, all above it."""
        path = Path(entry.path)
        above = path.parents if len(path.parts) > 2 else path.parents[:1]
        return tuple(self._folder / folder for folder in above)

    def _ready(self, entry: Entry) -> str:
        """What only has to be renamed, in `txn/`; nothing for a file that goes. Raises StoreDamaged."""
        if entry.after is None:
            return ""
        if entry.fresh and self.digest(f"{self._txn.name}/{entry.fresh}") == entry.after:
            return entry.fresh
        content = self._content(entry)
        known = self._disk.stat(self._folder / entry.path)
        return self._put(f"{new_id()}.fresh", content, mode=known.mode if known else entry.mode)

    def _put_in_place(self, entry: Entry, ready: str, seen: FileStat | None) -> None:
        """`seen`: what tells that the file is still the one that was looked at; who saved it since is asked first."""

        def make_sure() -> None:
            if self._disk.stat(self._folder / entry.path) != seen and self._edited(Pending(entries=(entry,))):
                raise self._refused([entry.path])

        if entry.after is None:
            self._make_sure()
            make_sure()
            self._disk.remove(self._folder / entry.path)
        else:
            self._rename(ready, self._folder / entry.path, planned=entry.after, make_sure=make_sure)

    def _rename(self, staged: str, target: Path, *, planned: str, make_sure: Callable[[], None] = lambda: None) -> None:
        """Give a staged file its name, if it is what was planned, the lock is still ours, and `make_sure` lets it."""
        self._make_sure()
        if self.digest(f"{self._txn.name}/{staged}") != planned:
            raise StoreUnavailable(
                f"{str(self._txn / staged)!r} was removed or changed by somebody else; {str(target)!r} stays as it is. "
                "Whoever opens these records next finishes the change, or drops it as a whole"
            )
        make_sure()  # last: nothing but the rename itself comes after the look
        self._disk.rename(self._txn / staged, target)

    def _content(self, entry: Entry) -> bytes:
        data = self._disk.read_bytes(self._txn / entry.content)
        if data is None or digest(data) != entry.after:
            raise StoreDamaged(
                f"{str(self._path)!r}: a change was left half done, and what it needs for {entry.path!r}, "
                f"{str(self._txn / entry.content)!r}, is not what it must be. Nothing was touched; bring that file "
                f"back from a copy, or keep the records as they are and move {self._path.name!r} away"
            )
        return data

    def _edited(self, pending: Pending) -> list[str]:
        return [one.path for one in pending.entries if self.digest(one.path) not in (one.before, one.after)]

    def digest(self, path: str) -> str | None:
        """That of a file of the folder as it is now; None where there is none."""
        data = self._disk.read_bytes(self._folder / path)
        return None if data is None else digest(data)

    def _load(self) -> Pending | None:
        data = self._disk.read_bytes(self._path)
        if data is None:
            return None
        try:
            return Pending.model_validate_json(data)
        except ValidationError:
            raise StoreDamaged(
                f"{str(self._path)!r} is not what the store wrote there; nothing was touched. Bring it back from a "
                "copy, or keep the records as they are and move it away"
            ) from None

    def _write(self, pending: Pending) -> None:
        self._begin(self._put(f"{new_id()}.journal", _text(pending)), pending)

    def _begin(self, staged: str, pending: Pending) -> None:
        """The point of no return."""
        self._rename(staged, self._path, planned=digest(_text(pending)))
        self._disk.fsync_dir(self._folder)

    def _put(self, name: str, data: bytes, *, mode: int | None = None) -> str:
        """Stage a file under a name that nobody had before; gives the name back."""
        path = self._txn / name
        self._disk.write_new(path, data, mode=mode)
        self._disk.fsync_file(path)
        return name

    def _save_beside(self, path: str, data: bytes) -> str:
        target = self._folder / path
        number = 1
        while (there := self._disk.read_bytes(beside := target.with_name(f"{target.name}.edited-{number}"))) != data:
            if there is None:
                self._rename(self._put(f"{new_id()}.beside", data), beside, planned=digest(data))
                self._disk.fsync_dir(beside.parent)
                break
            number += 1
        return beside.name

    def _refused(self, edited: Sequence[str]) -> RecoveryNeeded:
        names = ", ".join(repr(str(self._folder / path)) for path in edited)
        return RecoveryNeeded(
            f"{names} was edited while a change was half done; nothing was touched. There are two ways out. To "
            "keep the edited file and drop the change from the others, as if it had never begun: ",
            CommandLine("records", "recover", "--keep-edited"),
            "; to save the edited file beside as NAME.edited-N and then complete the change: ",
            CommandLine("records", "recover", "--finish"),
        )


def _text(pending: Pending) -> bytes:
    return pending.model_dump_json(indent=2).encode()
