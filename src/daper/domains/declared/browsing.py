"""Any of the records that a file declares, or those with a text, without reading all the others."""

from collections.abc import Sequence
from typing import Final

from daper.core.models import Scope
from daper.domains.declared.binding import Declared
from daper.domains.declared.document import RecordsSection
from daper.domains.declared.wording import pieces_of
from daper.ports.domain import Window, WindowView
from daper.stores.rows import statements, windows
from daper.stores.rows.store import Row, RowsView

FEW: Final = 1000
"""So many rows with a text are known by their keys."""


def browse(made: Declared, scope: Scope, window: Window) -> WindowView:
    """What is to be seen of the records with the scope's status; all of them count as open."""
    records = made.file.document.records
    if "\0" in window.search:
        return WindowView(records=(), total=0, earlier=False, later=False)
    wanted = windows.Wanted(
        search=window.search, texts=_texts(records), status=scope.status, status_column=records.status
    )
    rows = made.store.rows
    sql = windows.Windows(rows.scoped, rows.key, made.store.reader.kind, wanted)
    with made.store.reading() as view:
        after, before = _key_of(view, window.after), _key_of(view, window.before)
        bounds: dict[str, object] = {} if after is None else {windows.AFTER: after}
        if before is not None:
            bounds[windows.BEFORE] = before
        few = _few(view, sql) if window.search and window.counted else None
        if few is None:
            total = int(view.value(sql.counted()) or 0) if window.counted else 0
        else:  # each row was looked through, and need not be again
            total, bounds[statements.IDS] = len(few), few
            sql = windows.Windows(rows.scoped, rows.key, made.store.reader.kind, wanted, among=True)
        found = _page(view, sql, window, bounds) if few is None or few else ()
        more = len(found) > window.most
        shown = found[: window.most]
        shown = shown[::-1] if before is not None else shown
        return WindowView(
            records=made.read(view, shown),
            total=total,
            earlier=more if before is not None else windows.AFTER in bounds,
            later=True if before is not None else more,
        )


def _page(view: RowsView, sql: windows.Windows, window: Window, bounds: dict[str, object]) -> tuple[Row, ...]:
    """The rows of a page, and one more."""
    if window.skip and windows.BEFORE not in bounds:
        behind = view.value(sql.skipped(after=windows.AFTER in bounds), **{**bounds, windows.SKIP: window.skip})
        if behind is not None:
            bounds[windows.AFTER] = behind
    page = sql.page(most=window.most + 1, after=windows.AFTER in bounds, before=windows.BEFORE in bounds)
    return view.rows(page, **bounds)


def _few(view: RowsView, sql: windows.Windows) -> list[object] | None:
    """The keys of all rows that are wanted, where those are few: else a page is full long before the last row."""
    found = list(view.db.execute((keys := sql.keys(most=FEW + 1)).written, keys.with_values()).scalars())
    return found if len(found) <= FEW else None


def _key_of(view: RowsView, record_id: str) -> object:
    """The key of a record as its database has it; None for one that is not there."""
    found = view.named([record_id]) if record_id else ()
    return found[0].raw_key if found else None


def _texts(records: RecordsSection) -> list[Sequence[windows.Column | str]]:
    """What is searched: the id, and the title as people see it."""
    title = [
        piece if not is_column else "(hidden)" if piece in records.hide else windows.Column(name=piece)
        for piece, is_column in pieces_of(records.title)
    ]
    return [[windows.Column(name=records.key)], *([title] if title else [])]
