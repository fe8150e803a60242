"""Who came in to the console, in the database of state: sessions, passkeys, and what can be used once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from daper.adapters.visitors.once import UsedOnce
from daper.adapters.visitors.passkeys import Passkey, Passkeys
from daper.adapters.visitors.sessions import Session, Sessions
from daper.stores.sql.engine import Database

__all__ = ["Passkey", "Passkeys", "Session", "Sessions", "UsedOnce", "Visitors"]


@dataclass(frozen=True)
class Visitors:
    """All of it in one database."""

    database: Database
    now: Callable[[], datetime]

    @property
    def sessions(self) -> Sessions:
        """Who is signed in."""
        return Sessions(self.database, now=self.now)

    @property
    def once(self) -> UsedOnce:
        """What was used already."""
        return UsedOnce(self.database, now=self.now)

    @property
    def passkeys(self) -> Passkeys:
        """What people sign with."""
        return Passkeys(self.database, now=self.now)
