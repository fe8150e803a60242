"""What is said of a record that is not there: which may have been meant, or where all are."""

from typing import Final

from daper.core.commands import CommandLine
from daper.core.errors import NotFound
from daper.core.models import Scope
from daper.core.nearness import did_you_mean, near
from daper.ports import Browsable, Domain, Window

_MOST_COMPARED: Final = 2000  # ids at once with one that nobody has
_SHORTEST_PART: Final = 3


async def no_record(domain: Domain, record_id: str, *, place: str) -> NotFound:
    """Says which ids may have been meant."""
    told = f"there is no record {record_id!r} in {place}; "
    if meant := near(record_id, await _ids_like(domain, record_id)):
        return NotFound(told, did_you_mean(meant))
    return NotFound(told, "see: ", CommandLine("records", "list", "--domain", domain.name))


async def _ids_like(domain: Domain, record_id: str) -> list[str]:
    """Ids that may be meant: all that there are, or where that would be too many those with a part of it."""
    if not isinstance(domain, Browsable):
        return await _ids(domain)
    middle = len(record_id) // 2
    view = await domain.browse(Scope(), Window(most=_MOST_COMPARED, counted=False))
    parts = [record_id[:-1], record_id[1:], record_id[:middle], record_id[middle:]] if view.later else []
    views = [view]
    for part in parts:
        if len(part.strip()) >= _SHORTEST_PART:
            views.append(await domain.browse(Scope(), Window(most=_MOST_COMPARED, search=part, counted=False)))
    heads = (domain.head(record) for view in views for record in view.records)
    return [*dict.fromkeys(head.record_id for head in heads if head)]


async def _ids(domain: Domain) -> list[str]:
    ids: list[str] = []
    page = None
    while len(ids) < _MOST_COMPARED:
        found = await domain.scan(Scope(), page)
        ids += [head.record_id for record in found.records if (head := domain.head(record))]
        page = found.next_page
        if page is None:
            break
    return ids
