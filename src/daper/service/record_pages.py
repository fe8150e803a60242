"""A page of records, from any record on: of some that have a text, or a problem, without looking at all of them."""

import asyncio
from datetime import datetime
from typing import Final

from daper.core.base import Wire
from daper.core.models import Scope, StoreInfo
from daper.ports import Browsable, Domain, Record, Window, WindowView
from daper.service.selection import ALL, RecordFilter, RecordLine, lines_of

_LOOKED_AT: Final = 250  # records at once, where they are looked at for problems
_MOST_LOOKED_AT: Final = 2000  # for one page


class RecordPageView(Wire):
    """Records with their problems, and where to go on: `before` and `after` a record; empty where there are no more.

    `total`: how many there are in all; None where only a part was looked at for problems: `looked_at` records.
    """

    store: StoreInfo
    records: tuple[RecordLine, ...]
    total: int | None
    looked_at: int = 0
    before: str = ""
    after: str = ""


async def record_page(
    domain: Domain, scope: Scope, window: Window, *, now: datetime, wanted: RecordFilter = ALL
) -> RecordPageView:
    """The records in a window, or, going on behind it, those of them with a wanted problem. `wanted` has no search."""
    store = await domain.store()
    today = store.as_of or now
    if wanted.looks_at_problems:
        return await _with_problems(domain, scope, window, store=store, today=today, wanted=wanted)
    view = await seen(domain, scope, window)
    lines = await asyncio.to_thread(lines_of, domain, view.records, today)
    return RecordPageView(
        store=store,
        records=lines,
        total=view.total,
        before=lines[0].head.record_id if lines and view.earlier else "",
        after=lines[-1].head.record_id if lines and view.later else "",
    )


async def seen(domain: Domain, scope: Scope, window: Window) -> WindowView:
    """What is to be seen in a window; of a domain that cannot go to a place by itself, by looking at all records."""
    if isinstance(domain, Browsable) and not scope.record_ids and scope.partition is None:
        return await domain.browse(scope, window)
    known: dict[str, Record] = {}
    wanted: list[str] = []
    page = None
    while True:
        found = await domain.scan(scope, page)
        known |= {record.ref: record for record in found.records}
        heads = ((record, domain.head(record)) for record in found.records)
        finds = RecordFilter(search=window.search or None).finds
        wanted += [record.ref for record, head in heads if head is not None and finds(head)]
        page = found.next_page
        if page is None:
            break
    ids = [known[ref].record_id for ref in wanted]
    start = ids.index(window.after) + 1 + window.skip if window.after in ids else window.skip
    end = ids.index(window.before) if window.before in ids else min(start + window.most, len(ids))
    start = max(0, end - window.most) if window.before in ids else start
    shown = await domain.context(ids[start:end]) if ids[start:end] else ()
    return WindowView(records=shown, total=len(ids), earlier=start > 0, later=end < len(ids))


async def _with_problems(
    domain: Domain, scope: Scope, window: Window, *, store: StoreInfo, today: datetime, wanted: RecordFilter
) -> RecordPageView:
    lines: list[RecordLine] = []
    last, looked_at, later = window.after, 0, True
    while later and len(lines) < window.most and looked_at < _MOST_LOOKED_AT:
        part = Window(most=_LOOKED_AT, search=window.search, only_open=True, after=last, counted=False)
        view = await seen(domain, scope, part)
        judged = await asyncio.to_thread(lines_of, domain, view.records, today)
        for line in judged:
            last, looked_at = line.head.record_id, looked_at + 1
            if wanted.wants(line.problems):
                lines.append(line)
            if len(lines) == window.most:
                break
        later = bool(judged) and (view.later or last != judged[-1].head.record_id)
    whole = not later and not window.after
    return RecordPageView(
        store=store,
        records=tuple(lines),
        total=len(lines) if whole else None,
        looked_at=looked_at,
        after=last if later else "",
    )
