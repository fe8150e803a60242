"""A memory in a new file, on a clock that a test moves."""

from pathlib import Path

import pytest

from daper.adapters.memory.sqlite import SqliteMemory
from daper.ports import Memory
from tests.contract.remembering import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "memory.db"


@pytest.fixture
def memory(path: Path, clock: Clock) -> Memory:
    return SqliteMemory(path, now=clock)
