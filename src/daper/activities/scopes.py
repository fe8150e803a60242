"""What a scope leads to in a domain, and what it could have named."""

from collections import Counter
from collections.abc import Mapping

from daper.core.models import Scope
from daper.core.names import tally
from daper.core.text import shown
from daper.ports import Domain


async def unknown_status(domain: Domain, scope: Scope) -> str:
    """That no record has the status that is asked for, and which there are; nothing where one has it.

    Named records are looked at whatever their status.
    """
    if scope.status is None or scope.record_ids:
        return ""
    if (await domain.scan(scope)).records:
        return ""
    return f"no record has the status {shown(scope.status)!r}; there are: {tally(await _statuses(domain))}"


async def _statuses(domain: Domain) -> Mapping[str, int]:
    found, page = Counter[str](), None
    while True:
        part = await domain.scan(Scope(), page)
        found.update(head.status for record in part.records if (head := domain.head(record)))
        page = part.next_page
        if page is None:
            return found
