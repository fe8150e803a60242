"""The rows of kept answers."""

from sqlalchemy import Connection, select

from daper.ports import KeptAnswer
from daper.stores.sql.engine import Database
from daper.stores.sql.state_schema import ANSWERS
from daper.stores.sql.upserts import put


def keep(database: Database, answer: KeptAnswer) -> None:
    """Remember it. What had begun stays as it was."""
    with database.transaction() as db:
        keep_in(db, answer)


def keep_in(db: Connection, answer: KeptAnswer) -> None:
    """The same in a transaction; one statement, so that of any number that come at once one stands."""
    row = {
        "asked_id": answer.asked_id,
        "asked": answer.asked,
        "repair_id": answer.repair_id,
        "begun": int(answer.begun),
    }
    put(db, ANSWERS, [row], replacing=("asked", "repair_id", "begun"), where=lambda _: ANSWERS.c.begun == 0)


def find(database: Database, asked_id: str) -> KeptAnswer | None:
    """What was kept, or None."""
    with database.reading() as db:
        row = db.execute(select(ANSWERS).where(ANSWERS.c.asked_id == asked_id)).one_or_none()
    if row is None:
        return None
    return KeptAnswer(asked_id=asked_id, asked=row.asked, repair_id=row.repair_id, begun=bool(row.begun))
