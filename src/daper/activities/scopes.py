"""What a scope leads to in a domain, and what it could have named."""

from collections import Counter
from collections.abc import AsyncGenerator, Mapping

from daper.core.models import Scope
from daper.core.names import tally
from daper.core.partition import within
from daper.core.text import shown
from daper.ports import Domain, OpenScan, RecordPage
from daper.ports.domain import Tallied


async def unknown_status(domain: Domain, scope: Scope) -> str:
    """That no record has the status that is asked for, and which there are; nothing where one has it.

    Named records are looked at whatever their status.
    """
    if scope.status is None or scope.record_ids:
        return ""
    if (await domain.scan(scope.model_copy(update={"partition": None}))).records:
        return ""
    return f"no record has the status {shown(scope.status)!r}; there are: {tally(await _statuses(domain))}"


async def judged_pages(domain: Domain, scope: Scope) -> AsyncGenerator[RecordPage]:
    """Every page of a scope that the rules have to judge; a domain may leave out what they find nothing wrong with."""
    scan = domain.scan_open if isinstance(domain, OpenScan) else domain.scan
    page = None
    while True:
        found = await scan(scope, page)
        yield found
        page = found.next_page
        if page is None:
            return


async def open_records(domain: Domain, scope: Scope) -> int:
    """How many records in scope are open; in a part of them never more than there are in that part."""
    told = await domain.count_open(scope)
    if scope.partition is None:
        return told
    found, page = 0, None
    while True:
        part = await domain.scan(scope, page)
        ids = (record.record_id for record in part.records if domain.head(record) is not None)
        found, page = found + len(within(scope.partition, ids)), part.next_page
        if page is None or found >= told:
            return min(told, found)


async def _statuses(domain: Domain) -> Mapping[str, int]:
    if isinstance(domain, Tallied):
        return await domain.statuses()
    found, page = Counter[str](), None
    while True:
        part = await domain.scan(Scope(), page)
        found.update(head.status for record in part.records if (head := domain.head(record)))
        page = part.next_page
        if page is None:
            return found
