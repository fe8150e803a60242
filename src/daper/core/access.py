"""What a named person may do through a door that others can reach: the scopes of an access token."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from daper.core.base import Wire
from daper.core.models import Line


class Access(StrEnum):
    """What a token lets its person do. Each is given by name; none contains another."""

    READ = "read"  # see repairs, reports and records
    START = "start"  # start repairs, and stop them
    APPROVE = "approve"  # decide on plans
    TELL = "tell"  # say what has happened to records


class TokenGrant(Wire):
    """A token as it is kept: whose it is, what it allows, and the hash of its text; never the text."""

    name: Line = Field(min_length=1)
    scopes: frozenset[Access]
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    created_at: datetime
