"""The rows of kept answers."""

from sqlalchemy import select

from daper.ports import KeptAnswer
from daper.stores.sql.engine import Database
from daper.stores.sql.state_schema import ANSWERS
from daper.stores.sql.upserts import put


def keep(database: Database, answer: KeptAnswer) -> None:
    """One statement: of any number that come at once, the first that had begun stands, on all databases."""
    row = {
        "asked_id": answer.asked_id,
        "asked": answer.asked,
        "repair_id": answer.repair_id,
        "begun": int(answer.begun),
    }
    with database.transaction() as db:
        put(db, ANSWERS, [row], replacing=("asked", "repair_id", "begun"), where=lambda _: ANSWERS.c.begun == 0)


def find(database: Database, asked_id: str) -> KeptAnswer | None:
    """What was kept, or None."""
    if not database.is_there():
        return None
    with database.reading() as db:
        row = db.execute(select(ANSWERS).where(ANSWERS.c.asked_id == asked_id)).one_or_none()
    if row is None:
        return None
    return KeptAnswer(asked_id=asked_id, asked=row.asked, repair_id=row.repair_id, begun=bool(row.begun))
