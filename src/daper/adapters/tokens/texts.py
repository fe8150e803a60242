"""An access token as its person has it, and as it is kept: of the token itself only a hash is."""

import hashlib
import secrets
from collections.abc import Iterable
from typing import Final

from daper.core.access import TokenGrant

_PREFIX: Final = "daper_"
_BYTES: Final = 32


def new_token() -> str:
    """A token that nobody can guess."""
    return _PREFIX + secrets.token_urlsafe(_BYTES)


def hash_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def grant_of(token: str, grants: Iterable[TokenGrant]) -> TokenGrant | None:
    """The one that is a token's, or None. How long that takes says nothing of any."""
    hashed = hash_of(token)
    return next((grant for grant in grants if secrets.compare_digest(grant.sha256, hashed)), None)
