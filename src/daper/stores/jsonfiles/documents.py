"""The record files of a store: reading them at one moment, and telling a change of content from one of layout."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from daper.core.commands import CommandLine
from daper.core.digests import canonical, digest
from daper.core.errors import StoreDamaged
from daper.stores import jsontext
from daper.stores.jsonfiles.disk import Disk, FileStat
from daper.stores.jsonfiles.journal import Journal, Replacement

Documents = Mapping[str, Mapping[str, object]]
Signature = tuple[FileStat | None, ...]
T = TypeVar("T")

# An editor that saves in place leaves a file empty, or half of it there, for moments: these are the seconds between the
# looks at such a file, and it is called damaged by the first of the later ones that finds it unchanged.
_LOOKS_AGAIN = (0.05, 0.15)
_MOST_LOOKS = 20


class DocumentFiles:
    """Some JSON documents in one folder: `orders` is its file `orders.json`."""

    def __init__(self, folder: Path, *, names: Sequence[str], disk: Disk, journal: Journal) -> None:
        self.files = {name: name if name.endswith(".json") else f"{name}.json" for name in names}
        self._folder = folder
        self._disk = disk
        self._journal = journal
        self._reading = threading.Lock()
        self._snapshot: tuple[Signature, Documents] | None = None
        self._own_texts: dict[str, str] = {}

    def read_quietly(self) -> Documents | None:
        """All documents without the lock, or None if they may not belong together. Raises StoreDamaged."""
        return self._looked_again(self._read_quietly)

    def _read_quietly(self) -> Documents | None:
        with self._reading:
            # The order counts: with no change under way between two equal looks at the files, all belong to one moment.
            before = self._signature()
            if self._journal.pending():
                return None
            if self._snapshot is not None and self._snapshot[0] == before:
                return self._snapshot[1]
            texts = self.texts()
            if self._signature() != before:
                return None
            found = MappingProxyType({name: self.parse(name, text) for name, text in texts.items()})
            self._snapshot = (before, found)
            return found

    def texts(self) -> dict[str, bytes]:
        """What is in the files now. Raises StoreDamaged when one is missing."""
        found: dict[str, bytes] = {}
        for name, file in self.files.items():
            data = self._disk.read_bytes(self._folder / file)
            if data is None:
                raise absent(self._folder / file)
            found[name] = data
        return found

    def parsed(self) -> tuple[dict[str, bytes], dict[str, dict[str, object]]]:
        """What is in the files now, and the same as documents, fresh. Raises StoreDamaged."""

        def look() -> tuple[dict[str, bytes], dict[str, dict[str, object]]]:
            texts = self.texts()
            return texts, {name: self.parse(name, text) for name, text in texts.items()}

        return self._looked_again(look)

    def parse(self, name: str, text: bytes) -> dict[str, object]:
        """One document, fresh. Raises StoreDamaged."""
        return jsontext.parse(text, path=self._folder / self.files[name])

    def holds(self, name: str, text: bytes) -> bool:
        """Whether a file has this content, in whatever layout."""
        data = self._disk.read_bytes(self._folder / self.files[name])
        if data is None or data == text:
            return data is not None
        try:
            now, then = self.parse(name, data), self.parse(name, text)
        except StoreDamaged:
            return False
        # The first knows a number from a text with its digits, the second knows 1 from true and 1.50 from 1.5.
        return now == then and canonical(now) == canonical(then)

    def changes(self, documents: Documents, texts: Mapping[str, bytes]) -> list[Replacement]:
        """The files whose content is another than in `texts`. A layout that a person gave a file is no change."""
        changed: list[Replacement] = []
        for name, text in texts.items():
            after = jsontext.dump(documents[name])
            known = digest(text)
            if after != text and not self._only_layout(name, text, known, after):
                changed.append(Replacement(path=self.files[name], before=known, after=after))
        return changed

    def remember(self, written: Sequence[Replacement]) -> None:
        """These are now in the layout of this store."""
        self._own_texts.update({one.path: digest(one.after) for one in written if one.path in self.files.values()})

    def _only_layout(self, name: str, text: bytes, known: str, after: bytes) -> bool:
        if self._own_texts.get(self.files[name]) == known:
            return False
        return jsontext.dump(self.parse(name, text)) == after

    def _looked_again(self, look: Callable[[], T]) -> T:
        """What a look at the files says, once they are whole. Raises StoreDamaged for what stays damaged."""
        for number in range(_MOST_LOOKS):
            before = self._signature()
            try:
                return look()
            except StoreDamaged:
                time.sleep(_LOOKS_AGAIN[min(number, len(_LOOKS_AGAIN) - 1)])
                if number + 1 >= len(_LOOKS_AGAIN) and self._signature() == before:
                    raise
        return look()

    def _signature(self) -> Signature:
        return tuple(self._disk.stat(self._folder / file) for file in self.files.values())


def absent(path: Path) -> StoreDamaged:
    """The error for a file or folder that is not there."""
    return StoreDamaged(f"{str(path)!r} is missing; to have the shipped records: ", CommandLine("records", "reset"))
