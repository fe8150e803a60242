"""What a value or a message must not show: names and passwords in addresses, and what looks like a key."""

import re
from typing import Final

from daper.adapters.transcripts.redaction import Redactor
from daper.core.urls import HIDDEN, masked_urls

# As it stands before a host: to the last @, whatever a password holds.
_BEFORE_HOST: Final = re.compile(r"(?<![^\s'\"(\[=])[^\s'\":/@]+:(?!//)[^\s'\"]+@(?=[\w\[.])")
# A key without a shape of its own: long, and of everything; or many digits to the base of 16.
_LONG: Final = re.compile(
    r"(?<![A-Za-z0-9+=_])(?=[A-Za-z0-9+=_]*[a-z])(?=[A-Za-z0-9+=_]*[A-Z])(?=[A-Za-z0-9+=_]*[0-9])[A-Za-z0-9+=_]{28,}"
)
_HEX: Final = re.compile(r"(?<![A-Za-z0-9])[0-9A-Fa-f]{32,}(?![A-Za-z0-9])")
_SHAPES: Final = Redactor(())


def holds_pem(value: str) -> bool:
    """Whether a text is a certificate or a private key; the latter must not be shown, wherever it stands."""
    return "-----BEGIN" in value


def may_be_secret(value: str) -> bool:
    """Whether a value, which should be none, has the form of a key, a token or a password in an address."""
    return holds_pem(value) or masked(value) != value


def masked(text: str) -> str:
    """The text without names and passwords in addresses, and without what has the form of a key: `***` instead."""
    return _SHAPES.keys(_BEFORE_HOST.sub(f"{HIDDEN}@", masked_urls(text)))


def masked_closely(text: str) -> str:
    """As `masked`, and without whatever is long and looks like chance; where a person's own value is quoted."""
    return _HEX.sub(HIDDEN, _LONG.sub(HIDDEN, masked(text)))
