"""RecordsService: see the records of a domain with their problems, import a person's own, restore the shipped ones."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import Field

from daper.activities.absent_records import no_record
from daper.activities.posting import Posting
from daper.core.base import Wire
from daper.core.errors import NotFound, StoreError, UserError
from daper.core.facts import FactAnswer, ToldFact
from daper.core.models import Scope, StoreInfo
from daper.core.outcomes import RepairResult
from daper.ports import (
    PLAIN,
    Adoptable,
    Briefing,
    Browsable,
    Corresponding,
    Courier,
    Domain,
    Fact,
    Importable,
    ImportDraft,
    ImportWay,
    Memory,
    OpenScan,
    Recoverable,
    Replaced,
    Resettable,
    TakesFacts,
    Telling,
    Window,
    untold,
)
from daper.ports import Tell as ImportTell
from daper.ports.copying import Copied, Copyable
from daper.ports.entry import why_absent
from daper.ports.facts import KeepsFacts
from daper.service.fruitless import why_nothing
from daper.service.record_pages import RecordPageView, record_page, seen
from daper.service.selection import ALL, Picker, RecordFilter, RecordLine, lines_of
from daper.stores import copying
from daper.stores.copying import Tell


class RecordList(Wire):
    """Records, and the store that answered. `total` counts all that were wanted.

    `kinds`: how many records have which problem, whatever was wanted of problems; empty where they were not looked at.
    `why_nothing`: where none is wanted, why, and what there is.
    """

    store: StoreInfo
    records: tuple[RecordLine, ...]
    total: int
    kinds: dict[str, int] = Field(default_factory=dict)
    why_nothing: str = ""


def find_domain(domains: Mapping[str, Domain], name: str) -> Domain:
    """The domain by that name. Raises NotFound."""
    domain = domains.get(name)
    if domain is None:
        if absent := why_absent(domains, name):
            raise NotFound(absent)
        raise NotFound(f"there is no domain {name!r}; installed: {', '.join(sorted(domains)) or 'none'}")
    return domain


class RecordsService:
    """The records of the domains on this machine. What `memory` opens learns of records that are replaced."""

    def __init__(self, *, domains: Mapping[str, Domain], memory: Callable[[], Memory] | None = None) -> None:
        self._domains = domains
        self._memory = memory

    @property
    def domains(self) -> tuple[str, ...]:
        """The names of all."""
        return tuple(sorted(self._domains))

    def kinds(self, name: str) -> Mapping[str, str]:
        """The kinds of problem that a domain knows, each with what it means; none where it tells of none."""
        domain = find_domain(self._domains, name)
        return domain.guide().kinds if isinstance(domain, Briefing) else {}

    async def list(
        self,
        name: str,
        scope: Scope,
        *,
        now: datetime,
        first: int = 0,
        most: int = 50,
        wanted: RecordFilter = ALL,
    ) -> RecordList:
        """Wanted records in scope with their problems, in the order of the store: `most` from number `first` on."""
        domain = find_domain(self._domains, name)
        store = await domain.store()
        if isinstance(domain, Browsable) and not wanted.looks_at_problems and not scope.partition:
            window = Window(most=most, search=wanted.search or "", skip=first)
            view = await seen(domain, scope, window)
            lines = await asyncio.to_thread(lines_of, domain, view.records, store.as_of or now)
            why = "" if view.total else await why_nothing(domain, scope, wanted, {})
            return RecordList(store=store, records=lines, total=view.total, why_nothing=why)
        picker = Picker(domain, wanted, today=store.as_of or now, first=first, most=most)
        total, page = None, None
        scan = domain.scan_open if wanted.looks_at_problems and isinstance(domain, OpenScan) else domain.scan
        while total is None:
            found = await scan(scope, page)
            await asyncio.to_thread(picker.take, found.records)
            page = found.next_page
            if page is None:
                total = picker.count
            elif wanted.shows_all and picker.done:
                total = found.total
        kinds = dict(picker.kinds) if wanted.looks_at_problems else {}
        why = "" if total else await why_nothing(domain, scope, wanted, kinds)
        return RecordList(store=store, records=tuple(picker.lines), total=total, kinds=kinds, why_nothing=why)

    async def page(
        self, name: str, scope: Scope, window: Window, *, now: datetime, wanted: RecordFilter = ALL
    ) -> RecordPageView:
        """Some records in scope with their problems, from any one on, without reading the others."""
        return await record_page(find_domain(self._domains, name), scope, window, now=now, wanted=wanted)

    async def show(self, name: str, record_id: str, *, now: datetime) -> tuple[RecordLine, dict[str, object]]:
        """One record in full, with its problems. Raises NotFound."""
        domain = find_domain(self._domains, name)
        store = await domain.store()
        records = await domain.context([record_id])
        for record in records:
            head = domain.head(record)
            if head is not None and head.record_id == record_id:
                problems = domain.detect(records, store.as_of or now)
                return RecordLine(head=head, problems=problems), dict(record.data)
        raise await no_record(domain, record_id, place=store.place)

    def facts(self, name: str) -> Mapping[str, Fact]:
        """What the records of a domain can be told of. Raises UserError where they take no facts."""
        return self._taking(name)[1].facts

    async def tell(self, name: str, telling: Telling, *, now: datetime) -> FactAnswer:
        """Write down once what somebody says has happened to a record; and what is wrong with it then.

        That somebody was asked about it is remembered no more. Raises NotFound, with near ids; FactRefused, KeyTaken;
        UserError where the domain takes no facts; and a StoreError.
        """
        domain, taking = self._taking(name)
        store = await domain.store()
        try:
            answer = await taking.tell(telling)
        except NotFound:
            raise await no_record(domain, telling.record_id, place=store.place) from None
        await self._forget_asked(domain.name, store, answer, taking.facts[telling.fact])
        return await _with_problems(domain, store, answer, now=now)

    async def told_since(self, result: RepairResult) -> Sequence[ToldFact]:
        """What was told of the records of a repair since it ended; nothing where its store is not the one that is here.

        Looks at no store that is not there. Raises a StoreError.
        """
        domain = self._domains.get(result.domain)
        if result.store is None or not isinstance(domain, KeepsFacts):
            return ()
        place = Path(result.store.place)
        if place.is_absolute() and not await asyncio.to_thread(place.exists):
            return ()
        if (await domain.store()).store_id != result.store.store_id:
            return ()
        looked_at = (head.record_id for head in result.heads)
        acted_on = (outcome.record_id for outcome in result.outcomes)
        return await domain.told_since(tuple(dict.fromkeys((*looked_at, *acted_on))), result.ended_at)

    async def store_id(self, name: str) -> str:
        """Which store has the records of a domain."""
        return (await find_domain(self._domains, name).store()).store_id

    async def foresee(self, name: str, telling: Telling, *, now: datetime) -> FactAnswer:
        """What telling it would come to; nothing is changed. Raises as `tell`."""
        domain, taking = self._taking(name)
        store = await domain.store()
        try:
            return await taking.foresee(telling)
        except NotFound:
            raise await no_record(domain, telling.record_id, place=store.place) from None

    async def reset(self, name: str, *, replace_own: bool) -> Replaced:
        """Restore the shipped data; the ledger of effects is kept, and a backup.

        Raises UserError where the domain has none, and for a person's own records unless `replace_own`.
        """
        domain = find_domain(self._domains, name)
        if not isinstance(domain, Resettable):
            raise UserError(f"domain {name!r} ships no data to restore")
        replaced = await domain.reset(replace_own=replace_own)
        await self._tell_memory(domain)
        return replaced

    async def holds_own(self, name: str) -> bool:
        """Whether the records that are there are a person's own."""
        domain = find_domain(self._domains, name)
        return isinstance(domain, Importable) and await domain.holds_own()

    def import_files(self, name: str) -> tuple[str, ...]:
        """What the files of an import have to hold, in their order. Raises UserError where nothing can be imported."""
        return self._importable(name).import_files

    async def read_import(
        self, name: str, files: Sequence[Path], *, now: datetime, way: ImportWay = PLAIN
    ) -> ImportDraft:
        """Look files over, and change nothing; what is wrong with them is in the draft.

        Raises UserError for another number of files than `import_files` says.
        """
        return await self._importable(name).read_import(files, now=now, way=way)

    async def import_records(
        self, name: str, draft: ImportDraft, *, replace_own: bool, tell: ImportTell = untold
    ) -> Replaced:
        """Replace all records by those of a draft, or merge them; the ledger of effects is kept, and a backup.

        Raises UserError for a draft with faults, and for a person's own records unless `replace_own`.
        """
        replaced = await self._importable(name).import_records(draft, replace_own=replace_own, tell=tell)
        await self._tell_memory(find_domain(self._domains, name))
        return replaced

    def store_kind(self, name: str) -> str:
        """The kind of store that a domain works on. Raises UserError where it knows but one."""
        return self._copyable(name).store_kind

    async def copy(self, name: str, *, source: str, target: str, replace: bool, tell: Tell) -> Copied:
        """Copy all of a domain from its store of one kind into that of another; the source stays as it is.

        `replace`: whether records there may be replaced, of which a backup is kept. `tell` hears, in another thread,
        how far it is. Cancelled, nothing of it happens. Raises UserError for a kind that there is not.
        """
        domain = self._copyable(name)
        for kind in (source, target):
            if kind not in domain.store_kinds:
                raise UserError(f"{name} cannot be kept as {kind!r}; there are: {', '.join(domain.store_kinds)}")
        if source == target:
            raise UserError(f"{name} would be copied from {source} to {target}; name two kinds of store")
        stopped = threading.Event()

        def told(what: str, number: int) -> None:
            if stopped.is_set():
                raise UserError("it was stopped; nothing was copied")
            tell(what, number)

        try:
            whole = domain.stored_as(source), domain.stored_as(target)
            done = await asyncio.to_thread(copying.copy, *whole, replace=replace, tell=told)
        except asyncio.CancelledError:
            stopped.set()
            raise
        if done.backup is not None and self._memory is not None:
            await self._memory().records_replaced(store_id=done.target_id, domain=name)
        return done

    async def recover(self, name: str, *, keep_edited: bool) -> str:
        """One of the two ways out of a refused change; says what was done. Raises UserError where there is none."""
        domain = find_domain(self._domains, name)
        if not isinstance(domain, Recoverable):
            raise UserError(f"domain {name!r} has no interrupted changes to recover from")
        return await domain.recover(keep_edited=keep_edited)

    async def adopt(self, name: str) -> StoreInfo:
        """Give a copied store an id of its own. Raises UserError where stores have none."""
        domain = find_domain(self._domains, name)
        if not isinstance(domain, Adoptable):
            raise UserError(f"domain {name!r} has no stores that can be copied")
        return await domain.adopt()

    async def _tell_memory(self, domain: Domain) -> None:
        if self._memory is not None:
            try:
                await self._memory().records_replaced(store_id=(await domain.store()).store_id, domain=domain.name)
            except StoreError as error:
                told = "the records are replaced, and what is remembered of repairs of the former ones is not forgotten"
                raise type(error)(f"{told}: ", error.said) from error

    async def _forget_asked(self, domain: str, store: StoreInfo, answer: FactAnswer, fact: Fact) -> None:
        if self._memory is not None:
            told = answer.told
            try:
                await self._memory().fact_told(
                    store_id=store.store_id, domain=domain, record_id=told.record_id, kinds=fact.answers
                )
            except StoreError as error:
                said = f"{told.fact} is written down, and that somebody was asked about it is not forgotten"
                raise type(error)(f"{said}; tell it again: ", error.said) from error

    def _taking(self, name: str) -> tuple[Domain, TakesFacts]:
        domain = find_domain(self._domains, name)
        if not isinstance(domain, TakesFacts):
            raise UserError(
                f"domain {name!r} takes no facts: what happens to its records is written where they are kept"
            )
        return domain, domain

    def posting(self, name: str, courier: Courier, *, now: Callable[[], datetime]) -> Posting:
        """The outbox of a domain, with what takes its messages. Raises UserError for a domain that keeps none."""
        domain = find_domain(self._domains, name)
        if not isinstance(domain, Corresponding):
            raise UserError(f"the records of {name} have no outbox: its tools write no messages")
        return Posting(domain.name, domain, courier, now=now)

    def _copyable(self, name: str) -> Copyable:
        domain = find_domain(self._domains, name)
        if not isinstance(domain, Copyable):
            raise UserError(f"domain {name!r} keeps its records in one kind of store")
        return domain

    def _importable(self, name: str) -> Importable:
        domain = find_domain(self._domains, name)
        if not isinstance(domain, Importable):
            raise UserError(f"domain {name!r} imports no records")
        return domain


async def _with_problems(domain: Domain, store: StoreInfo, answer: FactAnswer, *, now: datetime) -> FactAnswer:
    """With what the rules find wrong with the record by then."""
    told = answer.told.record_id
    records = await domain.context([told])
    found = await asyncio.to_thread(domain.detect, records, store.as_of or now)
    return answer.model_copy(update={"problems": tuple(each for each in found if each.record_id == told)})
