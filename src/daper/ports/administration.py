"""What a domain may offer besides: replacing its records, and getting out of trouble."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from daper.core.cases import CaseSet
from daper.core.models import Finding, StoreInfo

MOST_SAID: Final = 1000
"""Of what is said of single records of a merge."""

Tell = Callable[[str, int, int], None]
"""Told how far a long work is: what is done, how much of it is through, and of how much."""


def untold(what: str, done: int, of: int) -> None:
    """For who wants to know nothing."""


@dataclass(frozen=True, kw_only=True)
class Replaced:
    """What became of replacing all records: whether anything changed, and where a backup of what was there is."""

    store: StoreInfo
    changed: bool
    backup: str | None = None


@runtime_checkable
class Resettable(Protocol):
    """A domain whose shipped data can be restored."""

    async def reset(self, *, replace_own: bool = False) -> Replaced:
        """Restore the shipped data; the effect ledger is kept, and a backup.

        Raises UserError, and does nothing, when the records are a person's own and may not be replaced.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class ImportNote:
    """What is said of one place in a file that is to be imported; `record` is the id of the record, if it has one."""

    file: str
    place: str
    message: str
    record: str = ""


@dataclass(frozen=True, kw_only=True)
class ImportWay:
    """How files are imported. `mapping`: the name or the file of what says how another system writes; "" for our way.

    `merge`: records of a person's own that are there are not replaced but brought up to date, with what was done laid
    over them. `tell` hears, in another thread, how far it is.
    """

    mapping: str = ""
    merge: bool = False
    tell: Tell = untold


PLAIN: Final = ImportWay()


@dataclass(frozen=True, kw_only=True)
class MergeCounts:
    """What a merge comes to, in records; `missing`: those that are there and do not come, and stay as they are.

    `laid_over`: records over which is laid what was done for them. `said`: where it is not, because facts changed.
    """

    new: int = 0
    changed: int = 0
    same: int = 0
    missing: int = 0
    laid_over: int = 0
    said: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ImportDraft:
    """What an import would bring. With faults nothing can be imported.

    `counts`: how many of what. `problems`: what the rules find wrong with all records that the store then has, by kind,
    and `suspects`: with how many of them. `same`: the store has these very records already. `replaces_own`: those that
    are there are a person's own, and are replaced. `merge`: what becomes of them where they are not. `contents` and
    `rows` are for the domain alone.
    """

    faults: tuple[ImportNote, ...] = ()
    warnings: tuple[ImportNote, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    findings: tuple[Finding, ...] = ()
    problems: Mapping[str, int] = field(default_factory=dict[str, int])
    suspects: int = 0
    same: bool = False
    replaces_own: bool = False
    merge: MergeCounts | None = None
    contents: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    rows: object = None


@runtime_checkable
class Importable(Protocol):
    """A domain whose records can be replaced by those in a person's files."""

    @property
    def import_files(self) -> tuple[str, ...]:
        """What each file has to hold, in the order in which they are given."""
        ...

    async def holds_own(self) -> bool:
        """Whether the records that are there are a person's own."""
        ...

    async def read_import(self, files: Sequence[Path], *, now: datetime, way: ImportWay = PLAIN) -> ImportDraft:
        """Look the files over, and change nothing. What is wrong with them is told in the draft, and raises nothing.

        Raises UserError for a mapping that there is not, or that is wrong.
        """
        ...

    async def import_records(self, draft: ImportDraft, *, replace_own: bool = False, tell: Tell = untold) -> Replaced:
        """Replace all records by those of a draft without faults, or merge them; ledger and a backup are kept.

        Raises UserError, and does nothing, for a draft with faults, and when the records that are there are a person's
        own and may not be replaced.
        """
        ...


@runtime_checkable
class Recoverable(Protocol):
    """A domain whose store can refuse an interrupted change because a file was edited since."""

    async def recover(self, *, keep_edited: bool) -> str:
        """Drop the change and keep the edited file, or save the edited file beside and finish the change."""
        ...


@runtime_checkable
class Adoptable(Protocol):
    """A domain whose store can be a copy of another one, and then needs an id of its own."""

    async def adopt(self) -> StoreInfo:
        """Give a copied store an id of its own; one that is no copy keeps its id."""
        ...


@runtime_checkable
class Evaluable(Protocol):
    """A domain that can fill a new store with cases, of each of which it knows what is right."""

    async def install_cases(self, *, seed: int, per_kind: int = 1, kinds: Collection[str] = ()) -> CaseSet:
        """Fill the store, which must be new, with so many cases of each kind, or of the named `kinds` alone.

        The same arguments make the same records. Raises UserError, and does nothing, where there are records already,
        for a kind that there is not, and for more cases than one repair can take on.
        """
        ...
