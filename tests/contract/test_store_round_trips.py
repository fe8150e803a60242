"""How often a store asks its database: on a server, each question is a way there and back."""

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from daper.core.outcomes import OutcomeStatus
from tests.contract.boxes import AnyShelf, shelf

BEGINNING = {"documents in sqlite": 3, "documents in postgresql": 2}  # with the schema that is there
# The store, the row of the key, the record; the message, the record, the row of the key. Beside them the new version
# and the end in one, the lock of the key in the other.
EFFECT = {"documents in sqlite": 6 + 2, "documents in postgresql": 6 + 1}


@contextmanager
def asked() -> Generator[list[str]]:
    """Every statement within the block."""
    statements: list[str] = []

    # Any: SQLAlchemy's own signature.
    def note(_db: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(" ".join(statement.split()))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture(params=BEGINNING)
def boxes(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[AnyShelf]:
    server = partial(request.getfixturevalue, "postgresql")
    with shelf(request.param, tmp_path / "shelf", {"A": 10, "B": 20}, server=server) as made:
        yield made


async def test_an_effect_asks_its_database_for_nothing_twice(boxes: AnyShelf) -> None:
    await boxes.tool.apply(boxes.call("k1", "B"))
    call = boxes.call("k2")

    with asked() as statements:
        done = await boxes.tool.apply(call)

    assert done.status is OutcomeStatus.APPLIED
    assert len(statements) == BEGINNING[boxes.kind] + EFFECT[boxes.kind], statements
    assert len(set(statements)) == len(statements)


def test_where_a_server_is_does_not_change_while_a_connection_lasts(boxes: AnyShelf) -> None:
    boxes.store.info()

    with asked() as statements:
        boxes.store.info()

    assert not any("pg_control_system" in statement for statement in statements), statements
