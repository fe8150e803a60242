"""A page, and records by their names, read about as many rows as they give, however many the table has."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

from daper.domains.declared.domain import Declared
from daper.stores.rows import windows
from daper.stores.rows.engine import disconnect
from daper.stores.rows.store import RowsView
from tests.declared_shop import FILE, ONE_SOON, Payments, payments_in

MANY = 3_000
MOST = 10
SCOPE = """scope   = "p.status IN ('failed', 'processing')"\n"""
SCOPE_OF_NEARLY_ALL = """scope   = "p.status <> 'archived'"\n"""


@dataclass
class Reads:
    """How many rows a database has read in a transaction; of SQLite, how many steps its program took, a tenth of it."""

    view: RowsView
    kind: str
    steps: int = 0

    def __post_init__(self) -> None:
        if self.kind == "sqlite":
            self.view.db.connection.driver_connection.set_progress_handler(self._step, 100)  # pyright: ignore[reportOptionalMemberAccess] - it is there

    def _step(self) -> int:
        self.steps += 10
        return 0

    def so_far(self) -> int:
        match self.kind:
            case "sqlite":
                return self.steps
            case "postgresql":
                sql = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
                return int(self.view.db.execute(text(sql)).scalar_one())
            case _:
                told = self.view.db.execute(text("SHOW SESSION STATUS LIKE 'Handler_read%'")).all()
                return sum(int(value) for _, value in told)


@pytest.fixture(params=ONE_SOON)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Payments]:
    made = payments_in(request.param, tmp_path, request)
    numbers = ", ".join(f"({each})" for each in range(100, 100 + MANY))
    for statement in (
        "CREATE TABLE numbers (n INTEGER PRIMARY KEY)",
        f"INSERT INTO numbers VALUES {numbers}",  # noqa: S608 - of a test
        "INSERT INTO orders SELECT trim(CAST(n AS CHAR(9))), 1, 'open' FROM numbers WHERE n % 10 = 0",
        "INSERT INTO payments SELECT n, trim(CAST(n - n % 10 AS CHAR(9))), "
        "CASE WHEN n % 100 = 0 THEN 'failed' ELSE 'paid' END, 'timeout', 2.00, 'EUR', 1, "
        "'2026-11-20 10:00:00', NULL FROM numbers",
        "CREATE INDEX of_order ON payments (order_id)",
        "CREATE INDEX of_status ON payments (status)",
        *(["ANALYZE"] if request.param == "postgresql" else []),
        *(["ANALYZE TABLE payments, orders, customers"] if request.param == "mariadb" else []),
    ):
        made.run(statement)
    yield made
    made.engine.dispose()
    disconnect()


def window(made: Declared, **values: object) -> Callable[[RowsView], object]:
    sql = windows.Windows(made.store.rows.scoped, "id", made.store.reader.kind, windows.Wanted())
    page = sql.page(most=MOST, after=windows.AFTER in values, before=windows.BEFORE in values)
    return lambda view: view.rows(page, **values)


def skipped(made: Declared) -> Callable[[RowsView], object]:
    sql = windows.Windows(made.store.rows.scoped, "id", made.store.reader.kind, windows.Wanted()).skipped(after=False)
    return lambda view: view.value(sql, **{windows.SKIP: MOST})


@pytest.mark.parametrize("scope", [SCOPE, "", SCOPE_OF_NEARLY_ALL], ids=["scope", "all", "nearly all"])
def test_what_is_read_does_not_grow_with_the_table(shop: Payments, scope: str) -> None:
    shop.file.write_text(FILE.replace(SCOPE, scope), "utf-8")
    made, middle = shop.domain().now(), 100 + MANY // 2
    asked: dict[str, Callable[[RowsView], object]] = {
        "the first page": lambda view: view.page(None, most=MOST),
        "a page behind a key": lambda view: view.page(middle, most=MOST),
        "by name": lambda view: view.named([str(middle + each) for each in range(MOST)]),
        "the first window": window(made),
        "a window behind a key": window(made, **{windows.AFTER: middle}),
        "a window in front of a key": window(made, **{windows.BEFORE: middle}),
        "skipped": skipped(made),
    }
    read: dict[str, int] = {}
    with made.store.reading() as view:
        reads = Reads(view, made.store.reader.kind)
        for name, ask in asked.items():
            before = reads.so_far()
            assert ask(view)
            read[name] = reads.so_far() - before
    assert max(read.values()) < MANY // 4, read
