"""The wall clock and fresh ids, for everything outside workflows."""

import uuid
from datetime import UTC, datetime


def utc_now() -> datetime:
    """The time now, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - this is the one place


def new_id() -> str:
    """A fresh random id, 36 characters."""
    return str(uuid.uuid4())  # noqa: TID251 - this is the one place
