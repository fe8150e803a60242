"""Access tokens as rows, for the servers of every home that has the same database."""

from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from sqlalchemy import Connection, delete, select

from daper.adapters.regular_file import is_there
from daper.adapters.tokens.texts import grant_of, hash_of, new_token
from daper.core.access import Access, TokenGrant
from daper.core.commands import CommandLine
from daper.core.errors import NotFound, StoreDamaged, UserError
from daper.stores.sql.engine import Database
from daper.stores.sql.state_schema import FACTS, TOKENS, time_text
from daper.stores.sql.upserts import add_missing

_IN_USE: Final = "tokens-in-use"
_ALONE: Final = "access tokens"


class TokenRows:
    """The tokens of one database. A change counts at once, for all servers that run.

    `former` is the file of tokens of this home: where there is one, nobody comes in without a token here either.
    Methods block, and raise what a database raises.
    """

    def __init__(self, database: Database, *, former: Path, now: Callable[[], datetime]) -> None:
        self._database = database
        self._former = former
        self._now = now

    @property
    def in_use(self) -> bool:
        """Whether there are, or were, tokens: then nobody comes in without one, also after the last was removed."""
        with self._database.reading() as db:
            known = db.execute(select(FACTS.c.name).where(FACTS.c.name == _IN_USE)).first()
        return known is not None or is_there(self._former)

    def grants(self) -> tuple[TokenGrant, ...]:
        """All of them, the oldest first. Raises StoreDamaged for one that is not as daper writes it."""
        with self._database.reading() as db:
            return self._all(db)

    def find(self, token: str) -> TokenGrant | None:
        """The grant of a token, or None."""
        return grant_of(token, self.grants())

    def add(self, name: str, scopes: Collection[Access]) -> str:
        """Make a token for a person; it is told this once. Raises UserError where the name has one."""
        token = new_token()
        grant = TokenGrant(name=name, scopes=frozenset(scopes), sha256=hash_of(token), created_at=self._now())
        with self._database.transaction() as db:
            self._database.alone(db, _ALONE)
            if any(other.name == name for other in self._all(db)):
                raise UserError(
                    f"{name!r} has a token already; remove it first: ", CommandLine("mcp", "token", "remove", name)
                )
            add_missing(db, FACTS, [{"name": _IN_USE, "value": ""}])
            row = {"name": name, "grant": grant.model_dump_json(), "at": time_text(grant.created_at)}
            db.execute(TOKENS.insert().values(row))
        return token

    def remove(self, name: str) -> None:
        """Take a person's token away. Raises NotFound."""
        with self._database.transaction() as db:
            self._database.alone(db, _ALONE)
            if not db.execute(delete(TOKENS).where(TOKENS.c.name == name)).rowcount:
                known = ", ".join(repr(grant.name) for grant in self._all(db)) or "nobody"
                raise NotFound(f"{name!r} has no token; who has: {known}")

    def _all(self, db: Connection) -> tuple[TokenGrant, ...]:
        rows = db.execute(select(TOKENS.c.name, TOKENS.c.grant).order_by(TOKENS.c.at, TOKENS.c.name)).all()
        grants: list[TokenGrant] = []
        for row in rows:
            try:
                grants.append(TokenGrant.model_validate_json(row.grant))
            except ValidationError:
                raise StoreDamaged(
                    f"the token of {row.name!r} in {self._database.named} is not as daper writes it; remove it: ",
                    CommandLine("mcp", "token", "remove", row.name),
                ) from None
        return tuple(grants)
