"""State on each database there is, and a memory in it on a clock that a test moves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daper.adapters.memory.tables import MemoryTables
from daper.ports import Memory
from daper.stores.sql.postgresql_database import disconnect
from tests.contract.kept_state import KINDS, KeptState, new_state
from tests.contract.remembering import Clock
from tests.postgresql import PostgresqlServer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def state_url(postgresql: PostgresqlServer) -> Iterator[str]:
    """One database with the tables of state, for all tests of a process one after another."""
    url = postgresql.empty()
    yield url
    disconnect()


@pytest.fixture(params=KINDS)
def state(request: pytest.FixtureRequest, tmp_path: Path) -> KeptState:
    """State with nothing in it."""
    url = request.getfixturevalue("state_url") if request.param == "postgresql" else None
    return new_state(tmp_path / "home", url)


@pytest.fixture
def file_state(tmp_path: Path) -> KeptState:
    """State in a file that is not there yet."""
    return new_state(tmp_path / "home", None)


@pytest.fixture
def memory(state: KeptState, clock: Clock) -> Memory:
    return MemoryTables(state.open(), now=clock)
