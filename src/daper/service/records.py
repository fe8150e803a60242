"""RecordsService: see the records of a domain, with their problems, and restore the shipped ones."""

from collections.abc import Mapping
from datetime import datetime

from daper.core.base import Wire
from daper.core.errors import NotFound, UserError
from daper.core.models import Finding, RecordHead, Scope, StoreInfo
from daper.ports import Adoptable, Domain, Recoverable, Resettable


class RecordLine(Wire):
    """One record in a list, with what the rules find wrong with it."""

    head: RecordHead
    problems: tuple[Finding, ...] = ()


class RecordList(Wire):
    """Records, and the store that answered."""

    store: StoreInfo
    records: tuple[RecordLine, ...]
    total: int


def find_domain(domains: Mapping[str, Domain], name: str) -> Domain:
    """The domain by that name. Raises NotFound."""
    domain = domains.get(name)
    if domain is None:
        raise NotFound(f"there is no domain {name!r}; installed: {', '.join(sorted(domains)) or 'none'}")
    return domain


class RecordsService:
    """The records of the domains on this machine."""

    def __init__(self, *, domains: Mapping[str, Domain]) -> None:
        self._domains = domains

    async def list(self, name: str, scope: Scope, *, now: datetime, first: int = 0, most: int = 50) -> RecordList:
        """Records in scope with their problems, `most` of them from number `first` on; `total` counts all."""
        domain = find_domain(self._domains, name)
        store = await domain.store()
        lines: list[RecordLine] = []
        total, page = 0, None
        while True:
            found = await domain.scan(scope, page)
            problems = domain.detect(found.records, store.as_of or now)
            for head in filter(None, (domain.head(record) for record in found.records)):
                if first <= total < first + most:
                    mine = tuple(problem for problem in problems if problem.record_id == head.record_id)
                    lines.append(RecordLine(head=head, problems=mine))
                total += 1
            page = found.next_page
            if page is None:
                return RecordList(store=store, records=tuple(lines), total=total)

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
        raise NotFound(f"there is no record {record_id!r} in {store.place}; see: daper records list")

    async def reset(self, name: str) -> StoreInfo:
        """Restore the shipped data; the ledger of effects is kept. Raises UserError where the domain has none."""
        domain = find_domain(self._domains, name)
        if not isinstance(domain, Resettable):
            raise UserError(f"domain {name!r} ships no data to restore")
        return await domain.reset()

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
