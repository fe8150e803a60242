"""The passkeys of people: of each, the public half. Whose they are is a text that tells namesakes apart."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update

from daper.core.errors import NotFound, UserError
from daper.stores.sql.engine import Database
from daper.stores.sql.state_schema import time_text
from daper.stores.sql.upserts import add_new
from daper.stores.sql.visitors_schema import PASSKEYS

MOST = 10


@dataclass(frozen=True, kw_only=True)
class Passkey:
    """One of somebody's: id and public key as base64url; `sign_count`: how often it has signed, if it counts."""

    credential_id: str
    label: str
    public_key: str
    sign_count: int
    made: datetime
    used: datetime | None = None


class Passkeys:
    """Those of one database. Methods block, and raise what a database raises."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def of(self, person: str) -> tuple[Passkey, ...]:
        """All of a person's, the oldest first."""
        with self._database.reading() as db:
            rows = db.execute(
                select(PASSKEYS).where(PASSKEYS.c.person == person).order_by(PASSKEYS.c.made, PASSKEYS.c.credential_id)
            ).all()
        return tuple(
            Passkey(
                credential_id=row.credential_id,
                label=row.label,
                public_key=row.public_key,
                sign_count=row.sign_count,
                made=datetime.fromisoformat(row.made),
                used=datetime.fromisoformat(row.used) if row.used else None,
            )
            for row in rows
        )

    def add(self, person: str, *, credential_id: str, label: str, public_key: str, sign_count: int) -> None:
        """Keep one. Raises UserError where it is known, whosever it is, or the person has too many."""
        row = {
            "credential_id": credential_id,
            "person": person,
            "label": label,
            "public_key": public_key,
            "sign_count": sign_count,
            "made": time_text(self._now()),
        }
        with self._database.transaction() as db:
            self._database.alone(db, "passkeys")
            if len(db.execute(select(PASSKEYS.c.credential_id).where(PASSKEYS.c.person == person)).all()) >= MOST:
                raise UserError(f"you have {MOST} passkeys; remove one first")
            if not add_new(db, PASSKEYS, row):
                raise UserError("this passkey is known already")

    def signed(self, person: str, credential_id: str, sign_count: int) -> None:
        """It signed again."""
        mine = (PASSKEYS.c.person == person) & (PASSKEYS.c.credential_id == credential_id)
        with self._database.transaction() as db:
            db.execute(update(PASSKEYS).where(mine).values(sign_count=sign_count, used=time_text(self._now())))

    def remove(self, person: str, credential_id: str) -> None:
        """Forget one. Raises NotFound."""
        mine = (PASSKEYS.c.person == person) & (PASSKEYS.c.credential_id == credential_id)
        with self._database.transaction() as db:
            if not db.execute(delete(PASSKEYS).where(mine)).rowcount:
                raise NotFound("you have no such passkey")
