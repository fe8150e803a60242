"""A text in the id or the name of an order is found by its index: exactly what somebody finds who reads every order."""

import json
import random
import re
import sqlite3
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Connection, Engine, event, insert, text

from daper.core.models import Scope
from daper.core.text import folded, shown
from daper.domains.orders.importing.draft import ABOUT
from daper.domains.orders.sql_keeping import BRANCHES, ORDERS, SqlKeeping
from daper.ports import Window
from daper.stores.sql import document_search
from daper.stores.sql.document_search import Bounds
from daper.stores.sql.document_words import has_trigrams
from daper.stores.sql.engine import Branch, Database, create
from daper.stores.sql.postgresql_database import PostgresqlDatabase
from daper.stores.sql.sqlite_database import SqliteDatabase
from daper.stores.sql.upgrading import upgrade
from tests.postgresql import PASSWORD, PostgresqlServer

KINDS: Final = ("sqlite", "sqlite without trigrams", "postgresql")
PIECES: Final = (
    '"', "'", "*", "%", "_", "\\", "/", "AND", "NEAR", "NOT", "OR", "(", ")", "-", "+", "^", ":", "{", "|", "<u+", "\t",
    "\n", "\x7f", "ada", "Ada", "ADA", " ", "  ", "100", "00", "0", "ß", "SS", "ss", "İ", "i̇", "I", "\u0131", "é",
    "\u0301", "\u202e", "\u200d", "😀", "👩\u200d🚀", "\uff21\uff44\uff41", "K", "ﬁ", "fi", "Müller", "MÜLLER",
    "e\u0301", "x" * 79, "y" * 300, "z" * 301, "…", "more characters", "日本", "\u3164", "rank", "rowid",
    "'; DROP TABLE daper_orders --", "\0",
)  # fmt: skip
FORMER: Final = tuple(replace(each, head="orders_0002") if each.name == "orders" else each for each in BRANCHES)
Names = dict[str, str | None]
Opens = Callable[[Sequence[Branch]], Database]


class Shop:
    """Orders in a database, and what should be in it."""

    def __init__(self, database: Database) -> None:
        self.keeping = SqlKeeping(database)
        self.database = database

    def bring(self, names: Names) -> None:
        """All anew."""
        self.keeping.tables.replace({"orders": map(order, *zip(*names.items(), strict=True))}, about=ABOUT)

    def plainly(self, statement: str, **values: object) -> None:
        """By somebody who knows nothing of what finds a text."""
        if isinstance(self.database, SqliteDatabase):
            with closing(sqlite3.connect(self.database.path)) as db, db:
                db.execute(statement, values)
        else:
            with self.database.transaction() as db:
                db.execute(text(statement.replace(":data", "CAST(:data AS JSON)")), values)

    def find(self, wanted: str, bounds: Bounds, status: str | None = None) -> tuple[list[int], int]:
        """The places by the index."""
        with self.keeping.tables.reading() as rows:
            found = rows.search("orders", wanted, bounds, where={"status": [status]} if status else None)
        return [*found.positions], found.total

    def scan(self, wanted: str, status: str | None = None) -> list[int]:
        """The places, by looking at every order."""
        with self.database.reading() as db:
            rows = db.execute(
                text("SELECT position, order_id, customer_name, status FROM daper_orders ORDER BY 1")
            ).all()
        return [
            place
            for place, order_id, name, its in rows
            if any(folded(wanted) in folded(each) for each in (order_id, shown(name or "")))
            and (status is None or its == status)
        ]


def order(order_id: str, name: str | None, status: str = "completed") -> dict[str, Any]:
    return {"order_id": order_id, "customer_name": name, "status": status, "items": []}


@contextmanager
def sqlite_without_trigrams() -> Generator[None]:
    """As it says of itself where it was built without them."""

    def renamed(_db: Connection, _cursor: object, statement: str, values: object, *_: object) -> tuple[str, object]:
        return statement.replace("USING fts5", "USING fts5_that_is_not_there"), values

    event.listen(Engine, "before_cursor_execute", renamed, retval=True)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", renamed)


@pytest.fixture(params=KINDS)
def opens(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opens]:
    """Opens one database, always the same, as having the given branches."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql").empty()
        yield lambda branches: PostgresqlDatabase(url, branches)
        return
    with sqlite_without_trigrams() if request.param == "sqlite without trigrams" else nullcontext():
        yield lambda branches: SqliteDatabase(tmp_path / "orders.db", branches, what="the orders")


@pytest.fixture
def database(request: pytest.FixtureRequest, opens: Opens) -> Database:
    """With no orders."""
    made = opens(BRANCHES)
    with made.migrating() as db:
        create(db, made.branches)
    assert with_trigrams(made) == ("[sqlite" in request.node.name and "without" not in request.node.name)
    return made


def with_trigrams(database: Database) -> bool:
    """Whether it is SQLite's, and has a table of them."""
    if not isinstance(database, SqliteDatabase):
        return False
    with database.reading() as db:
        return has_trigrams(db, ORDERS)


def random_name(luck: random.Random, *, nul: bool) -> str | None:
    pieces = [each for each in PIECES if nul or each != "\0"]
    return luck.choice([None, "", *("".join(luck.choices(pieces, k=luck.randint(1, 5))) for _ in range(8))])


def texts(luck: random.Random) -> Iterator[str]:
    """To be looked for: each piece, and some of one to a few characters out of the middle of several."""
    yield from (
        *PIECES,
        "",
        " ",
        "a",
        "AD",
        "ada ",
        "ord-",
        "ORD-00",
        "nobody has this",
        "x" * 80,
        "x" * 81,
        "q" * 60_000,
    )
    for _ in range(20):
        joined = "".join(luck.choices(PIECES, k=3))
        start = luck.randrange(len(joined))
        yield joined[start : start + luck.choice([1, 2, 3, 4, 9])]


def agree(shop: Shop, luck: random.Random, wanted: str) -> None:
    every = shop.scan(wanted)
    assert shop.find(wanted, Bounds(limit=1000)) == (every, len(every)), repr(wanted)
    done = shop.scan(wanted, "done")
    assert shop.find(wanted, Bounds(limit=1000), "done") == (done, len(done)), repr(wanted)
    place, skip = luck.randint(0, 60), luck.choice([0, 0, 1, 3])
    behind, before = [at for at in every if at > place], [at for at in every if at < place]
    assert shop.find(wanted, Bounds(limit=4, after=place, skip=skip)) == (behind[skip : skip + 4], len(every))
    assert shop.find(wanted, Bounds(limit=4, before=place)) == (before[-4:], len(every))


def edit(shop: Shop, luck: random.Random) -> None:
    """One change, by whatever way there is."""
    sqlite = isinstance(shop.database, SqliteDatabase)
    order_id, other = (f"ORD-{luck.randrange(40):03}" for _ in range(2))
    data = json.dumps(order(order_id, random_name(luck, nul=sqlite), luck.choice(["done", "completed"])))
    match luck.randrange(8):
        case 0:
            shop.plainly("DELETE FROM daper_orders WHERE order_id = :id", id=order_id)
        case 1 | 2:
            shop.plainly("UPDATE daper_orders SET data = :data WHERE order_id = :id", id=order_id, data=data)
        case 3 if sqlite:
            shop.plainly("REPLACE INTO daper_orders (data) VALUES (:data)", data=data)
        case 4 if sqlite:  # what had that id goes, and with it nothing is said to a trigger
            shop.plainly("UPDATE OR REPLACE daper_orders SET data = :data WHERE order_id = :id", id=other, data=data)
        case 5:
            place = luck.randrange(10**6, 10**9)
            shop.plainly("UPDATE daper_orders SET position = :place WHERE order_id = :id", place=place, id=order_id)
        case 6:
            with shop.keeping.tables.change() as change:
                row = change.records.one("orders", order_id)
                if row is not None:
                    row.raw["customer_name"] = random_name(luck, nul=False)
        case _:
            put = "INSERT INTO daper_orders (data) VALUES (:data) ON CONFLICT (order_id) DO"
            shop.plainly(f"{put} {luck.choice(['NOTHING', 'UPDATE SET data = excluded.data'])}", data=data)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 5))])
def test_after_any_changes_it_finds_what_somebody_finds_who_reads_all(
    database: Database, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    luck, shop = random.Random(seed), Shop(database)
    shop.bring({f"ORD-{at:03}": random_name(luck, nul=False) for at in range(30)})
    for _ in range(3):
        for wanted in luck.sample([*texts(luck)], k=5):
            agree(shop, luck, wanted)
        for _ in range(20):
            edit(shop, luck)
    every = [*texts(luck)]
    for wanted in every if seed else luck.sample(every, k=25):
        monkeypatch.setattr(document_search, "_FEW", luck.choice([2, 10_000]))  # of more, the database takes care
        agree(shop, luck, wanted)
    refuse_another_index(database)


def refuse_another_index(database: Database) -> None:
    """Raises where SQLite's own look finds in it what is in no row, or nothing of what is."""
    if with_trigrams(database):
        assert isinstance(database, SqliteDatabase)
        with closing(sqlite3.connect(database.path)) as db:
            db.execute("INSERT INTO daper_orders_trigrams (daper_orders_trigrams, rank) VALUES ('integrity-check', 1)")
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_what_is_brought_anew_is_found_and_nothing_else(database: Database) -> None:
    shop = Shop(database)
    shop.bring({"ORD-1": "Ada Lovelace", "ORD-2": "Zoë Müller"})
    shop.bring({"ORD-3": "Grace Hopper", "ORD-4": "Jürgen"})
    assert [shop.find(each, Bounds(limit=9))[1] for each in ("ada", "zoë", "hopper", "JÜRGEN", "ord-")] == [
        0,
        0,
        1,
        1,
        2,
    ]
    shop.plainly("INSERT INTO daper_orders (data) VALUES (:data)", data=json.dumps(order("ORD-5", "Grace Jones")))
    assert shop.find("grace", Bounds(limit=9))[1] == 2
    refuse_another_index(database)


def test_what_is_copied_into_it_is_found(database: Database) -> None:
    shop = Shop(database)
    shop.bring({"ORD-1": "Ada Lovelace"})
    with shop.keeping.as_whole().intake() as intake:
        intake.put_documents(ABOUT, {})
        intake.put_records("orders", [order("ORD-2", "Grace Hopper"), order("ORD-3", "Zoë")])
    assert [shop.find(each, Bounds(limit=9))[1] for each in ("ada", "hopper", "zoë", "ord-")] == [0, 1, 1, 2]
    refuse_another_index(database)


def test_a_worker_with_no_right_to_an_index_brings_records_that_are_found(postgresql: PostgresqlServer) -> None:
    url = postgresql.empty()
    owner = PostgresqlDatabase(url, BRANCHES)
    upgrade(owner)
    page = Path(__file__).parents[2] / "docs" / "operations.md"
    (grants,) = re.findall(r"```sql\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    with owner.transaction() as db:
        db.execute(text(f"CREATE ROLE searching_worker LOGIN PASSWORD '{PASSWORD}'"))
        db.execute(text(grants.replace("daper_worker", "searching_worker")))
    shop = Shop(PostgresqlDatabase(url.replace("postgres:", "searching_worker:", 1), BRANCHES))
    shop.bring({"ORD-1": "Ada Lovelace", "ORD-2": "Zoë"})
    assert [shop.find(each, Bounds(limit=9))[1] for each in ("ada", "zoë", "ord-")] == [1, 1, 2]


def test_records_that_failed_to_come_leave_the_former_ones_to_be_found(database: Database) -> None:
    shop = Shop(database)
    shop.bring({"ORD-1": "Ada Lovelace"})

    def broken() -> Iterator[dict[str, Any]]:
        yield order("ORD-2", "Grace Hopper")
        raise RuntimeError("half done")

    with pytest.raises(RuntimeError, match="half done"):
        shop.keeping.tables.replace({"orders": broken()}, about=ABOUT)
    shop.plainly("INSERT INTO daper_orders (data) VALUES (:data)", data=json.dumps(order("ORD-5", "Grace Jones")))
    assert [shop.find(each, Bounds(limit=9))[1] for each in ("ada", "grace", "hopper")] == [1, 1, 0]


def test_what_finds_a_text_is_made_of_all_that_a_former_version_left(opens: Opens) -> None:
    upgrade(opens(FORMER))
    luck = random.Random(7)
    with opens(FORMER).transaction() as db:
        some = [{"data": json.dumps(order(f"ORD-{at:03}", random_name(luck, nul=False)))} for at in range(50)]
        db.execute(insert(ORDERS.table), some)
    assert upgrade(opens(BRANCHES)).ran == ("orders_0003", "orders_0004")
    shop = Shop(opens(BRANCHES))
    with shop.database.transaction() as db:
        shop.keeping.tables.write_about(db, ABOUT)
    for wanted in luck.sample([*texts(luck)], k=20):
        agree(shop, luck, wanted)
    refuse_another_index(shop.database)


def test_a_rare_text_is_found_by_trigrams_and_an_odd_name_by_its_index(database: Database) -> None:
    shop = Shop(database)
    shop.bring({f"ORD-{at:03}": f"Customer {at}" if at % 50 else "Zoë" for at in range(400)})
    plan: list[str] = []

    def listen(db: Connection, _cursor: object, statement: str, values: Any, *_: object) -> None:
        if statement.startswith(("SELECT", "WITH")) and "daper_orders" in statement:
            if postgresql:  # it would rather read what is small as a whole
                db.exec_driver_sql("SET LOCAL enable_seqscan = off")
            plan.extend(
                map(str, db.exec_driver_sql(f"EXPLAIN {'' if postgresql else 'QUERY PLAN '}{statement}", values))
            )

    postgresql = database.dialect == "postgresql"
    event.listen(Engine, "before_cursor_execute", listen)
    try:
        assert shop.find("customer 39", Bounds(limit=9))[1] == 11
    finally:
        event.remove(Engine, "before_cursor_execute", listen)
    trigrams = [line for line in plan if "daper_orders_trigrams" in line]
    assert any("daper_orders_odd" in line for line in plan), plan
    assert bool(trigrams) == (postgresql or with_trigrams(database)), plan
    assert not any("SCAN daper_orders'" in line or "Seq Scan" in line for line in plan), plan


async def test_a_page_of_a_search_goes_on_where_the_last_one_ended(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document_search, "_FEW", 2)
    shop = Shop(database)
    shop.bring({f"ORD-{at:03}": "Zoë Ada" if at % 3 == 0 else "Ada" for at in range(10)})
    seen: list[str] = []
    while True:
        view = shop.keeping.browse(Scope(), Window(most=3, search="ada", after=seen[-1] if seen else ""))
        assert view.total == 10
        seen += [record.record_id for record in view.records if record.ref.startswith("orders/")]
        if not view.later:
            break
    assert seen == [f"ORD-{at:03}" for at in range(10)]
