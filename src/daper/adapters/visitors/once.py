"""What can be used once: links and challenges. Whoever comes second is told so, on every machine."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import delete, select

from daper.stores.sql.engine import Database
from daper.stores.sql.state_schema import time_text
from daper.stores.sql.upserts import add_new
from daper.stores.sql.visitors_schema import ONCE


class UsedOnce:
    """What was used already. Methods block, and raise what a database raises."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def use(self, what: str, until: datetime) -> bool:
        """Use it; False where it was used before. `until`: from then on it is refused for its age anyway."""
        with self._database.transaction() as db:
            db.execute(delete(ONCE).where(ONCE.c.until < time_text(self._now())))
            return add_new(db, ONCE, {"what": what, "until": time_text(until)})

    def give_back(self, what: str) -> None:
        """It was not used after all."""
        with self._database.transaction() as db:
            db.execute(delete(ONCE).where(ONCE.c.what == what))

    def is_used(self, what: str) -> bool:
        """Whether it was."""
        with self._database.reading() as db:
            return db.execute(select(ONCE.c.what).where(ONCE.c.what == what)).first() is not None
