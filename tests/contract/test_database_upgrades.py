"""The tables of a database: made at once or by migrations they are the same, and what is not whole is refused."""

import re
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from importlib.resources import files
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text

from daper.core.errors import StoreBusy, StoreDamaged, StoreError, StoreUnavailable
from daper.domains.orders.sql_keeping import BRANCHES as ORDERS_BRANCHES
from daper.stores.sql.condition import Condition, branch_of, state_of
from daper.stores.sql.engine import Branch, Database, create
from daper.stores.sql.postgresql_database import PostgresqlDatabase
from daper.stores.sql.records_schema import RECORDS
from daper.stores.sql.sqlite_database import SqliteDatabase
from daper.stores.sql.state_schema import STATE
from daper.stores.sql.upgrading import upgrade
from daper.stores.sql.visitors_schema import VISITORS
from tests.postgresql import PASSWORD, PostgresqlServer
from tests.schemas import schema_of

KINDS = ("sqlite", "postgresql")
BRANCHES = (RECORDS,)
ALL = (*ORDERS_BRANCHES, STATE, VISITORS)
Opens = Callable[..., Database]

_TOYS = """
from alembic import op
import sqlalchemy as sa

revision, down_revision, branch_labels, depends_on = {revision!r}, {before!r}, {labels!r}, None

def upgrade() -> None:
    {body}
"""


@pytest.fixture(params=KINDS)
def opens(request: pytest.FixtureRequest, tmp_path: Path) -> Opens:
    """Opens one database, always the same, as having the given branches."""
    if request.param == "sqlite":
        return lambda *branches: SqliteDatabase(tmp_path / "some.db", branches or BRANCHES, what="the records")
    url = request.getfixturevalue("postgresql").empty()
    return lambda *branches: PostgresqlDatabase(url, branches or BRANCHES)


@pytest.fixture(params=KINDS)
def two(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Database, Database]:
    """Two databases of one kind, with nothing in them."""
    if request.param == "sqlite":
        first, second = (SqliteDatabase(tmp_path / name, ALL, what="the records") for name in ("a", "b"))
        return first, second
    server = request.getfixturevalue("postgresql")
    return PostgresqlDatabase(server.empty(), ALL), PostgresqlDatabase(server.empty(), ALL)


def toys(folder: Path, *, head: int, fails: bool = False) -> Branch:
    """A branch of somebody's own, with so many revisions: the first makes a table, each other one adds a column."""
    folder.mkdir(exist_ok=True)
    for number in range(1, head + 1):
        made = 'op.create_table("toys", sa.Column("id", sa.Integer, primary_key=True))'
        body = made if number == 1 else f'op.add_column("toys", sa.Column("c{number}", sa.Text))'
        if fails and number == head:
            body += "; raise RuntimeError('half done')"
        before = f"toys_{number - 1:04}" if number > 1 else None
        labels = None if before else ("toys",)
        script = _TOYS.format(revision=f"toys_{number:04}", before=before, labels=labels, body=body)
        (folder / f"toys_{number:04}.py").write_text(script)

    def make(db: Connection) -> None:
        db.execute(text("CREATE TABLE toys (id INTEGER NOT NULL PRIMARY KEY)"))

    return Branch(name="toys", head=f"toys_{head:04}", scripts=folder, create=make, tables=frozenset({"toys"}))


def test_made_at_once_or_by_migrations_it_is_the_same(two: tuple[Database, Database]) -> None:
    fresh, upgraded = two
    with fresh.migrating() as db:
        create(db, fresh.branches)
    ran = upgrade(upgraded).ran
    assert tuple({branch_of(each): each for each in ran}.values()) == tuple(branch.head for branch in ALL)

    with fresh.reading() as one, upgraded.reading() as other:
        assert schema_of(one) == schema_of(other)
    assert state_of(fresh).condition is state_of(upgraded).condition is Condition.READY


@pytest.mark.parametrize("branch", ALL, ids=lambda branch: branch.name)
def test_the_scripts_of_a_branch_lie_in_the_package(branch: Branch) -> None:
    package = Path(str(files("daper")))

    assert branch.scripts.is_relative_to(package)
    assert (branch.scripts / f"{branch.head}.py").is_file()


def test_an_upgrade_is_done_once_and_says_what_it_did(opens: Opens) -> None:
    first, again = upgrade(opens()), upgrade(opens())

    assert (first.before, first.after, first.ran) == (frozenset(), {"records_0002"}, ("records_0001", "records_0002"))
    assert (again.before, again.after, again.ran) == ({"records_0002"}, {"records_0002"}, ())


def test_a_branch_that_came_later_is_added_and_one_that_is_behind_goes_on(opens: Opens, tmp_path: Path) -> None:
    upgrade(opens())
    with opens().transaction() as db:
        db.execute(text("UPDATE daper_counter SET last = 7"))

    assert upgrade(opens(RECORDS, toys(tmp_path / "toys", head=1))).ran == ("toys_0001",)
    assert upgrade(opens(RECORDS, toys(tmp_path / "toys", head=3))).ran == ("toys_0002", "toys_0003")

    with opens().reading() as db:
        assert db.execute(text("SELECT last FROM daper_counter")).scalar_one() == 7
        assert db.execute(text("SELECT id, c2, c3 FROM toys")).all() == []


def test_an_upgrade_that_fails_leaves_nothing(opens: Opens, tmp_path: Path) -> None:
    upgrade(opens(RECORDS, toys(tmp_path / "toys", head=1)))

    with pytest.raises(RuntimeError, match="half done"):
        upgrade(opens(RECORDS, toys(tmp_path / "toys", head=3, fails=True)))

    there = opens(RECORDS, toys(tmp_path / "toys", head=1))
    assert there.revisions() == {"records_0002", "toys_0001"}
    with there.reading() as db:
        assert [column["name"] for column in inspect(db).get_columns("toys")] == ["id"]


def test_two_that_upgrade_at_once_do_it_once(opens: Opens, tmp_path: Path) -> None:
    branches = (RECORDS, toys(tmp_path / "toys", head=3))
    ran: list[tuple[str, ...]] = []
    begin = threading.Barrier(4)

    def one() -> None:
        database = opens(*branches)
        begin.wait()
        ran.append(upgrade(database).ran)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(ran) == [(), (), (), ("records_0001", "records_0002", "toys_0001", "toys_0002", "toys_0003")]


def test_one_that_a_newer_daper_wrote_is_refused_by_all(opens: Opens, tmp_path: Path) -> None:
    upgrade(opens(RECORDS, toys(tmp_path / "toys", head=2)))
    older = opens(RECORDS, toys(tmp_path / "older", head=1))

    assert state_of(older).condition is Condition.NEWER
    for use in (lambda: upgrade(older), lambda: entered(older.reading()), lambda: entered(older.transaction())):
        with pytest.raises(StoreError, match="has revision toys_0002: a newer daper wrote it"):
            use()
    assert older.revisions() == {"records_0002", "toys_0002"}


def test_revisions_of_a_domain_that_is_not_installed_do_no_harm(opens: Opens, tmp_path: Path) -> None:
    upgrade(opens(RECORDS, toys(tmp_path / "toys", head=2)))

    state = state_of(opens())

    assert (state.condition, state.strange) == (Condition.READY, {"toys_0002"})
    entered(opens().transaction())
    assert upgrade(opens()).ran == ()


def test_tables_without_their_revision_are_refused_and_stay(opens: Opens) -> None:
    upgrade(opens())
    with opens().transaction() as db:
        db.execute(text("DELETE FROM daper_schema"))

    state = state_of(opens())

    assert state.condition is Condition.BROKEN
    assert "daper_ledger" in state.why
    assert "daper_schema has no revision of them" in state.why
    with pytest.raises(StoreDamaged, match="whole backup"):
        upgrade(opens())
    assert opens().revisions() == frozenset()


def test_a_revision_without_its_tables_is_refused(opens: Opens) -> None:
    upgrade(opens())
    with opens().transaction() as db:
        db.execute(text("DROP TABLE daper_outbox"))

    assert state_of(opens()).condition is Condition.BROKEN
    for use in (lambda: upgrade(opens()), lambda: opens().look_over()):
        with pytest.raises(StoreDamaged, match="has no daper_outbox"):
            use()


def test_two_revisions_of_one_branch_are_half_an_upgrade(opens: Opens, tmp_path: Path) -> None:
    upgrade(opens(RECORDS, toys(tmp_path / "toys", head=2)))
    with opens().transaction() as db:
        db.execute(text("INSERT INTO daper_schema VALUES ('toys_0001')"))
    database = opens(RECORDS, toys(tmp_path / "toys", head=2))

    for use in (
        lambda: upgrade(database),
        lambda: entered(database.reading()),
        lambda: entered(database.transaction()),
    ):
        with pytest.raises(StoreDamaged, match="toys_0001, toys_0002 at once"):
            use()


def test_postgresql_that_is_not_ready_is_refused_with_the_command(postgresql: PostgresqlServer, tmp_path: Path) -> None:
    url = postgresql.empty()
    database = PostgresqlDatabase(url, BRANCHES)

    with pytest.raises(StoreError, match=r"has none of daper's tables yet; .*: daper db upgrade"):
        entered(database.transaction())
    upgrade(database)
    behind = PostgresqlDatabase(url, (RECORDS, toys(tmp_path / "toys", head=1)))
    with pytest.raises(StoreError, match=r"lacks toys_0001\); .*: daper db upgrade"):
        entered(behind.reading())
    assert not database.tables() & {"toys"}


def test_sqlite_upgrades_itself_at_the_first_use(tmp_path: Path) -> None:
    upgrade(SqliteDatabase(tmp_path / "some.db", (RECORDS, toys(tmp_path / "toys", head=1)), what="the records"))
    newer = SqliteDatabase(tmp_path / "some.db", (RECORDS, toys(tmp_path / "toys", head=3)), what="the records")
    assert state_of(newer).condition is Condition.BEHIND
    assert newer.look_over()

    with newer.transaction() as db:
        assert db.execute(text("SELECT id, c2, c3 FROM toys")).all() == []
    assert state_of(newer).condition is Condition.READY


def test_an_upgrade_of_postgresql_waits_for_what_is_under_way(postgresql: PostgresqlServer) -> None:
    database = PostgresqlDatabase(postgresql.empty(), BRANCHES)
    upgrade(database)

    with database.transaction(), pytest.raises(StoreBusy), database.migrating(busy_seconds=0.05):
        pass
    with database.reading(), pytest.raises(StoreBusy), database.migrating(busy_seconds=0.05):
        pass
    with database.migrating(), pytest.raises(StoreBusy), database.transaction(busy_seconds=0.05):
        pass


def test_what_is_read_after_a_wait_for_an_upgrade_is_what_the_upgrade_left(postgresql: PostgresqlServer) -> None:
    database = PostgresqlDatabase(postgresql.empty(), BRANCHES)
    upgrade(database)
    said = list[str]()

    def read() -> None:
        with pytest.raises(StoreError) as refused, database.reading():
            pass
        said.append(str(refused.value))

    reader = threading.Thread(target=read)
    with database.migrating() as db:
        reader.start()
        waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        while db.execute(waits).scalar_one() == 0:
            assert reader.is_alive()
        db.execute(text("UPDATE daper_schema SET version_num = 'records_9999'"))
    reader.join()
    (refusal,) = said
    assert "records_9999" in refusal


def test_a_server_that_can_only_be_read_now_can_be_read(postgresql: PostgresqlServer) -> None:
    url = postgresql.empty()
    upgrade(PostgresqlDatabase(url, BRANCHES))
    database = PostgresqlDatabase(f"{url}?options=-cdefault_transaction_read_only%3Don", BRANCHES)

    for _ in range(2):  # the connection is the same one
        with database.reading() as db:
            assert db.execute(text("SELECT last FROM daper_counter")).scalar_one() == 0
        with pytest.raises(StoreUnavailable, match="make it writable"), database.transaction() as db:
            db.execute(text("UPDATE daper_counter SET last = 1"))
        with pytest.raises(StoreUnavailable, match="make it writable"):
            database.look_over()


def test_whoever_may_not_make_tables_is_told_so(postgresql: PostgresqlServer) -> None:
    url = postgresql.empty()
    with PostgresqlDatabase(url, BRANCHES).migrating() as db:
        db.execute(text("DROP ROLE IF EXISTS guest"))
        db.execute(text(f"CREATE ROLE guest LOGIN PASSWORD '{PASSWORD}'"))
    guest = PostgresqlDatabase(url.replace("postgres:", "guest:", 1), BRANCHES)

    with pytest.raises(StoreError, match="does not allow it: permission denied for schema public") as refused:
        upgrade(guest)
    assert PASSWORD not in str(refused.value)


def test_the_rights_in_the_docs_are_enough_for_a_worker_and_not_for_an_upgrade(
    postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    url = postgresql.empty()
    owner = PostgresqlDatabase(url, BRANCHES)
    upgrade(owner)
    page = Path(__file__).parents[2] / "docs" / "operations.md"
    (grants,) = re.findall(r"```sql\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    with owner.transaction() as db:
        db.execute(text("DROP ROLE IF EXISTS daper_worker"))
        db.execute(text(f"CREATE ROLE daper_worker LOGIN PASSWORD '{PASSWORD}'"))
        db.execute(text(grants))
    worker = PostgresqlDatabase(url.replace("postgres:", "daper_worker:", 1), BRANCHES)

    assert worker.look_over()
    with worker.transaction() as db:
        db.execute(text("INSERT INTO daper_outbox (store, key, message) VALUES ('orders', 'k', '{}')"))
        db.execute(text("DELETE FROM daper_outbox"))
        assert db.execute(text("SELECT nextval('daper_versions')")).scalar_one() == 1
    with pytest.raises(StoreError, match="does not allow it: permission denied"):
        upgrade(worker.extended([toys(tmp_path / "toys", head=1)]))


def entered(context: AbstractContextManager[object]) -> None:
    with ExitStack() as stack:
        stack.enter_context(context)
