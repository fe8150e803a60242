"""What is kept of who comes to the console: each session, each passkey and each single use, on every machine."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from daper.adapters.state import StatePlace
from daper.adapters.visitors import Visitors
from daper.clock import utc_now
from daper.core.access import Access
from daper.core.errors import StoreError
from daper.core.models import IdentityProof, Person
from daper.stores.sql.home_database import STATE_FILE
from daper.stores.sql.postgresql_database import PostgresqlDatabase
from daper.stores.sql.sqlite_database import SqliteDatabase
from daper.stores.sql.state_schema import STATE, TOKENS
from daper.stores.sql.upgrading import upgrade
from daper.stores.sql.visitors_schema import ONCE, SESSIONS, VISITORS
from tests.contract.kept_state import KINDS
from tests.contract.remembering import Clock
from tests.postgresql import PostgresqlServer

LUNA = Person(name="Luna", how=IdentityProof.TOKEN)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> StatePlace:
    """State of an installation that had no console yet, with a token in it."""
    url = request.getfixturevalue("postgresql").empty() if request.param == "postgresql" else None
    return _without_visitors(tmp_path / "home", url)


def _without_visitors(home: Path, url: str | None) -> StatePlace:
    found = StatePlace(home=home, database_url=url)
    if url is not None:
        upgrade(PostgresqlDatabase(url, [STATE]))
    with found.database().transaction() as db:
        db.execute(TOKENS.insert().values(name="Luna", grant="{}", at="2026"))
    return found


@pytest.fixture
def visitors(place: StatePlace) -> Visitors:
    if place.database_url is not None:
        upgrade(PostgresqlDatabase(place.database_url, [STATE, VISITORS]))
    return place.visitors()


def test_an_installation_that_had_no_console_gets_its_tables_and_keeps_what_it_has(
    place: StatePlace, visitors: Visitors
) -> None:
    assert visitors.sessions.find("nothing") is None
    with place.database().reading() as db:  # also for whoever knows nothing of visitors
        assert db.execute(select(TOKENS.c.name)).scalars().all() == ["Luna"]


def test_a_server_without_the_tables_says_how_they_are_made(postgresql: PostgresqlServer, tmp_path: Path) -> None:
    place = _without_visitors(tmp_path / "home", postgresql.empty())
    with pytest.raises(StoreError, match="daper db upgrade"):
        place.visitors().sessions.find("nothing")


def test_a_session_is_found_by_its_text_until_it_ends(visitors: Visitors) -> None:
    sessions = visitors.sessions
    first = sessions.begin(LUNA, access=frozenset({Access.READ}), token_sha256="a" * 64)
    second = sessions.begin(LUNA, access=frozenset(), instead_of=first)

    assert first != second
    assert sessions.find(first) is None
    found = sessions.find(second)
    assert found is not None
    assert (found.person, found.access, found.token_sha256) == (LUNA, frozenset(), "")
    sessions.end(second)
    sessions.end(second)
    assert sessions.find(second) is None


def test_what_the_browser_has_is_not_what_is_kept(visitors: Visitors) -> None:
    session = visitors.sessions.begin(LUNA, access=frozenset())
    with visitors.database.reading() as db:
        (row,) = db.execute(select(SESSIONS)).all()
    assert session not in [str(each) for each in row]
    assert visitors.sessions.find(row.sha256) is None


def test_a_session_lasts_for_twelve_hours_and_old_ones_are_removed(visitors: Visitors) -> None:
    clock = Clock()
    moved = Visitors(visitors.database, now=clock)
    text_ = moved.sessions.begin(LUNA, access=frozenset())
    clock.now += timedelta(hours=12) - timedelta(seconds=1)
    assert moved.sessions.find(text_)
    clock.now += timedelta(seconds=1)
    assert moved.sessions.find(text_) is None
    moved.sessions.begin(LUNA, access=frozenset())
    with visitors.database.reading() as db:
        assert db.execute(select(func.count()).select_from(SESSIONS)).scalar_one() == 1


@pytest.mark.parametrize(("column", "value"), [("access", "[1]"), ("access", "{"), ("how", "said so"), ("person", "")])
def test_a_session_that_somebody_changed_lets_nobody_in(visitors: Visitors, column: str, value: str) -> None:
    session = visitors.sessions.begin(LUNA, access=frozenset())
    with visitors.database.transaction() as db:
        db.execute(text(f"UPDATE daper_sessions SET {column} = :value"), {"value": value})  # noqa: S608 - of the table
    assert visitors.sessions.find(session) is None


def test_of_many_that_use_one_thing_at_once_one_does(visitors: Visitors) -> None:
    until, begin, did = utc_now() + timedelta(minutes=1), threading.Barrier(8), list[bool]()

    def one() -> None:
        begin.wait()
        did.append(visitors.once.use("a link", until))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(did) == [False] * 7 + [True]
    assert visitors.once.is_used("a link")
    assert not visitors.once.is_used("another")


def test_what_was_used_is_known_until_it_would_be_refused_for_its_age(visitors: Visitors) -> None:
    clock = Clock()
    once = Visitors(visitors.database, now=clock).once
    assert once.use("a link", clock.now + timedelta(minutes=15))
    clock.now += timedelta(minutes=15)
    assert not once.use("a link", clock.now)
    clock.now += timedelta(seconds=1)
    assert once.use("another", clock.now)
    with visitors.database.reading() as db:
        assert db.execute(select(ONCE.c.what)).scalars().all() == ["another"]


def test_the_file_of_a_home_has_them_beside_its_state(tmp_path: Path) -> None:
    place = StatePlace(home=tmp_path)
    place.visitors().once.use("a link", utc_now() + timedelta(minutes=1))
    place.database().version()
    assert SqliteDatabase(tmp_path / STATE_FILE, [STATE, VISITORS], what="state").revisions() == {
        STATE.head,
        VISITORS.head,
    }
