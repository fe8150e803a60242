"""Any of the records that a file declares, or those with a text, without reading all the others."""

from collections.abc import Mapping, Sequence

from daper.core.models import Scope
from daper.domains.declared.binding import Declared
from daper.domains.declared.document import RecordsSection
from daper.domains.declared.wording import pieces_of
from daper.ports.domain import Window, WindowView
from daper.stores.rows import statements, windows
from daper.stores.rows.store import Row, Rows, RowsView


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
        if window.counted and window.search:
            total, found = _found(view, sql, rows, window, bounds)
            skipped = window.skip > 0 and before is None and total > 0
        else:
            total = int(view.value(sql.counted()) or 0) if window.counted else 0
            found = _page(view, sql, window, bounds)
            skipped = False
        more = len(found) > window.most
        shown = found[: window.most]
        shown = shown[::-1] if before is not None else shown
        return WindowView(
            records=made.read(view, shown),
            total=total,
            earlier=more if before is not None else skipped or windows.AFTER in bounds,
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


def _found(
    view: RowsView, sql: windows.Windows, rows: Rows, window: Window, bounds: Mapping[str, object]
) -> tuple[int, tuple[Row, ...]]:
    """How many rows there are, and those of a page, and one more: each row is looked through once."""
    before = windows.BEFORE in bounds
    asked = sql.found(
        most=window.most + 1, skip=0 if before else window.skip, after=windows.AFTER in bounds, before=before
    )
    found = view.db.execute(asked.written, asked.with_values(**bounds)).all()
    total = int(found[0].daper_n) if found else int(view.value(sql.counted()) or 0)
    keys = [row.daper_k for row in found if row.daper_k is not None]
    if not keys:
        return total, ()
    read = view.rows(statements.named(rows.scoped, rows.key, view.kind), **{statements.IDS: keys})
    page = {row.raw_key: row for row in read}
    return total, tuple(page[key] for key in keys if key in page)


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
