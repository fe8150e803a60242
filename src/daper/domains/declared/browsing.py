"""Any of the records that a file declares, or those with a text, without reading all the others."""

from collections.abc import Sequence

from daper.core.models import Scope
from daper.domains.declared.binding import Declared
from daper.domains.declared.document import RecordsSection
from daper.domains.declared.wording import pieces_of
from daper.ports.domain import Window, WindowView
from daper.stores.rows import windows
from daper.stores.rows.store import RowsView


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
        bounds = {} if after is None else {windows.AFTER: after}
        if before is not None:
            bounds[windows.BEFORE] = before
        total = int(view.value(sql.counted()) or 0) if window.counted else 0
        if window.skip and before is None:
            behind = view.value(sql.skipped(after=after is not None), **{**bounds, windows.SKIP: window.skip})
            bounds |= {} if behind is None else {windows.AFTER: behind}
        page = sql.page(most=window.most + 1, after=windows.AFTER in bounds, before=before is not None)
        found = view.rows(page, **bounds)
        more = len(found) > window.most
        shown = found[: window.most]
        shown = shown[::-1] if before is not None else shown
        return WindowView(
            records=made.read(view, shown),
            total=total,
            earlier=more if before is not None else windows.AFTER in bounds,
            later=True if before is not None else more,
        )


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
