"""Who is signed in: one row for each session. Of what the browser has, only a hash is kept."""

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select

from daper.core.access import Access
from daper.core.models import IdentityProof, Person
from daper.stores.sql.engine import Database
from daper.stores.sql.state_schema import time_text
from daper.stores.sql.visitors_schema import SESSIONS

LASTS: Final = timedelta(hours=12)
_BYTES: Final = 32


@dataclass(frozen=True, kw_only=True)
class Session:
    """Somebody who signed in. `token_sha256`: of the token that it was done with, else empty: then `access` counts."""

    person: Person
    access: frozenset[Access]
    token_sha256: str
    begun: datetime
    until: datetime

    @property
    def owner(self) -> str:
        """Whose passkeys count in it: whoever has that very token, or whom that provider names."""
        return f"token {self.token_sha256}" if self.token_sha256 else f"{self.person.how} {self.person.name}"


class Sessions:
    """The sessions of one database: what ends one ends it on every machine. They last 12 hours.

    Methods block, and raise what a database raises.
    """

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def begin(self, person: Person, *, access: frozenset[Access], token_sha256: str = "", instead_of: str = "") -> str:
        """Begin one, always a new one; its text is told this once.

        `instead_of`: one of the same browser, which ends.
        """
        text, now = secrets.token_urlsafe(_BYTES), self._now()
        row = {
            "sha256": _hash_of(text),
            "person": person.name,
            "how": str(person.how),
            "access": json.dumps(sorted(access)),
            "token_sha256": token_sha256,
            "begun": time_text(now),
            "until": time_text(now + LASTS),
        }
        with self._database.transaction() as db:
            db.execute(
                delete(SESSIONS).where(
                    (SESSIONS.c.until <= time_text(now)) | (SESSIONS.c.sha256 == _hash_of(instead_of))
                )
            )
            db.execute(SESSIONS.insert().values(row))
        return text

    def find(self, text: str) -> Session | None:
        """The session of that text; None where there is none, or it has ended."""
        with self._database.reading() as db:
            row = db.execute(select(SESSIONS).where(SESSIONS.c.sha256 == _hash_of(text))).first()
        if row is None or row.until <= time_text(self._now()):
            return None
        try:
            return Session(
                person=Person(name=row.person, how=IdentityProof(row.how)),
                access=frozenset(Access(each) for each in json.loads(row.access)),
                token_sha256=row.token_sha256,
                begun=datetime.fromisoformat(row.begun),
                until=datetime.fromisoformat(row.until),
            )
        except ValueError:  # of another version, or changed by somebody: it lets nobody in
            return None

    def end(self, text: str) -> None:
        """End one; nothing where there is none."""
        with self._database.transaction() as db:
            db.execute(delete(SESSIONS).where(SESSIONS.c.sha256 == _hash_of(text)))


def _hash_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
