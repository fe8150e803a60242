"""An access token as its person has it, and as it is kept: of the token itself only a hash is."""

import hashlib
import secrets
from typing import Final

_PREFIX: Final = "daper_"
_BYTES: Final = 32


def new_token() -> str:
    """A token that nobody can guess."""
    return _PREFIX + secrets.token_urlsafe(_BYTES)


def hash_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
