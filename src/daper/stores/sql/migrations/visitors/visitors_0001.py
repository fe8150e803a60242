"""Sessions, passkeys, and what can be used once."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "visitors_0001"
down_revision = None
branch_labels = ("visitors",)
depends_on = None

_WORDS = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def _key(name: str) -> "sa.Column[Any]":
    return sa.Column(name, _WORDS, primary_key=True)


def _words(*names: str, nullable: bool = False) -> "tuple[sa.Column[Any], ...]":
    return tuple(sa.Column(name, _WORDS, nullable=nullable) for name in names)


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "daper_sessions", _key("sha256"), *_words("person", "how", "access", "token_sha256", "begun", "until")
    )
    op.create_index("daper_sessions_by_end", "daper_sessions", ["until"])
    op.create_table(
        "daper_passkeys",
        _key("credential_id"),
        *_words("person", "label", "public_key"),
        sa.Column("sign_count", sa.BigInteger, nullable=False),
        *_words("made"),
        *_words("used", nullable=True),
    )
    op.create_index("daper_passkeys_of_person", "daper_passkeys", ["person"])
    op.create_table("daper_used", _key("what"), *_words("until"))
    op.create_index("daper_used_by_end", "daper_used", ["until"])
