"""The records of orders as a whole: shipped ones at first, then imported, merged, replaced, or those of a copy."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from daper.core.errors import UserError
from daper.core.models import StoreInfo
from daper.domains.orders import shipped
from daper.domains.orders.book import Book, Keeping
from daper.domains.orders.importing.draft import ABOUT, draft_of
from daper.domains.orders.importing.merging import Tally, merged
from daper.domains.orders.importing.spool import Spool
from daper.domains.orders.world import ORDERS, STOCK
from daper.ports import ImportDraft, ImportWay, Replaced, Tell
from daper.ports.store import Store, StoreAbout


class Administration:
    """The store that the orders are in, and what comes in the place of its records. All methods block."""

    def __init__(self, keeping: Keeping, *, dataset: str) -> None:
        self.keeping = keeping
        self._dataset = dataset
        self._opening = threading.Lock()
        self._installed = False

    def open(self) -> Keeping:
        """The store that is there, or a new one with the shipped records. Raises a StoreError where it is a copy."""
        with self._opening:
            if self._installed:
                return self.keeping
            self.install()
            self.keeping.refuse_copy()  # before anything is read from it or done to it
            self._installed = True
        return self.keeping

    def store(self) -> Store[Book]:
        """The same, for those who change records."""
        return self.open().store

    def install(self) -> None:
        """Begin a new store with the shipped records; one that is there stays as it is."""
        self.keeping.install(shipped.texts(self._dataset), about=shipped.about(self._dataset))

    def adopt(self) -> StoreInfo:
        """Give a copied folder an id of its own."""
        self.install()
        self.keeping.adopt()
        return self.info()

    def info(self) -> StoreInfo:
        """Which store answers, and what its data says of itself."""
        return self.store().info()

    def holds_own(self) -> bool:
        """Whether the records that are there are not shipped ones."""
        return self.keeping.dataset() not in (None, *shipped.names())

    def reset(self, replace_own: bool) -> Replaced:
        """Replace the records by the shipped ones. Raises UserError where they are somebody's own."""
        texts = {name: text.encode() for name, text in shipped.texts(self._dataset).items()}
        return self.replace(texts, shipped.about(self._dataset), replace_own)

    def read_import(
        self, files: Sequence[Path], now: datetime, way: ImportWay, suppliers: Mapping[str, str]
    ) -> ImportDraft:
        """Look files over, beside the records that are there; the settings name these suppliers."""
        if way.merge and self.holds_own():
            self.keeping.refuse_copy()
            with self.keeping.known() as known:

                def tell(what: str, done: int, of: int) -> None:
                    known.touch()  # most of the look is at the files
                    way.tell(what, done, of)

                telling = replace(way, tell=tell)
                return draft_of(files, now=now, way=telling, known=known, suppliers=suppliers)
        draft = draft_of(files, now=now, way=way, suppliers=suppliers)
        if draft.faults:
            return draft
        if not draft.contents:
            return replace(draft, replaces_own=self.holds_own())
        same = self.keeping.holds(draft.contents, about=ABOUT)
        return replace(draft, same=same, replaces_own=self.holds_own())

    def merge(self, spool: Spool, tell: Tell) -> Replaced:
        """Bring rows in among those that are there: new ones, and what is new of known ones."""
        with self.keeping.merging() as merging:
            tally, of = Tally(), spool.count(ORDERS) + spool.count(STOCK)
            for collection, extra in spool.extras.items():
                merging.put_extra(collection, extra)
            for page in merged(spool, merging, tally):
                merging.put(page.collection, page.changed, page.fresh)
                tell("importing", tally.new + tally.changed + tally.same, of)
        return Replaced(store=self.info(), changed=bool(tally.new or tally.changed), backup=merging.backup)

    def bring(self, spool: Spool, replace_own: bool, tell: Tell) -> Replaced:
        """Replace the records by these rows, page by page. Raises UserError where they are somebody's own."""
        with self.keeping.as_whole().intake() as intake:
            if intake.former is not None and not replace_own and intake.former.dataset not in shipped.names():
                raise UserError("the records that are there are your own. Say --yes to have them replaced")
            frames = {name: spool.extras.get(name, {}) for name in (ORDERS, STOCK)}
            intake.put_documents(ABOUT, {name: {**extra, name: []} for name, extra in frames.items()})
            done, of = 0, spool.count(ORDERS) + spool.count(STOCK)
            for name in (ORDERS, STOCK):
                for page in spool.pages(name):
                    intake.put_records(name, [row.raw for row in page])
                    done += len(page)
                    tell("importing", done, of)
        return Replaced(store=self.info(), changed=True, backup=intake.backup)

    def replace(self, contents: Mapping[str, bytes], about: StoreAbout, replace_own: bool) -> Replaced:
        """Replace the records by whole files. Raises UserError where they are somebody's own."""
        done = self.keeping.replace(contents, about=about, only=None if replace_own else shipped.names())
        return Replaced(store=self.info(), changed=done.changed, backup=done.backup)
