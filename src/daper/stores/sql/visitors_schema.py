"""The tables of who comes to the console: sessions, passkeys, and what can be used once.

They are a branch of their own, so that workers, which need none of them, do not wait for them to be made.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, Index, MetaData, Table

from daper.stores.sql.engine import Branch
from daper.stores.sql.state_schema import Words

METADATA: Final = MetaData()

SESSIONS: Final = Table(
    "daper_sessions",
    METADATA,
    Column("sha256", Words, primary_key=True),  # of what the browser has
    Column("person", Words, nullable=False),
    Column("how", Words, nullable=False),
    Column("access", Words, nullable=False),  # JSON; with a token, what that one allows by now counts instead
    Column("token_sha256", Words, nullable=False),  # empty where it was begun without one
    Column("begun", Words, nullable=False),
    Column("until", Words, nullable=False),
    Index("daper_sessions_by_end", "until"),
)
PASSKEYS: Final = Table(
    "daper_passkeys",
    METADATA,
    Column("credential_id", Words, primary_key=True),
    Column("person", Words, nullable=False),
    Column("label", Words, nullable=False),
    Column("public_key", Words, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("made", Words, nullable=False),
    Column("used", Words),
    Index("daper_passkeys_of_person", "person"),
)
ONCE: Final = Table(
    "daper_used",
    METADATA,
    Column("what", Words, primary_key=True),
    Column("until", Words, nullable=False),  # from when on it would be refused as too old, and need not be known
    Index("daper_used_by_end", "until"),
)


def _create(db: Connection) -> None:
    METADATA.create_all(db)


VISITORS: Final = Branch(
    name="visitors",
    head="visitors_0001",
    scripts=Path(__file__).parent / "migrations" / "visitors",
    create=_create,
    tables=frozenset(METADATA.tables),
)
