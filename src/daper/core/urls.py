"""Addresses: what one is, and as they may be shown, without names, passwords and keys that stand in them."""

import re
from typing import Final
from urllib.parse import urlsplit

HIDDEN: Final = "***"

_SCHEME: Final = r"[a-z][a-z0-9+.-]{0,30}:/+"
# A password may hold any character, also those that should have been escaped: so all before the last @ is hidden.
_USERINFO: Final = re.compile(rf"^({_SCHEME})?.*@", re.IGNORECASE | re.DOTALL)
_NAMES: Final = r"[\w.-]{0,60}(?:key|token|secret|passw(?:or)?d|pwd|auth|sig(?:nature)?|credentials?|code)"
_QUERY: Final = re.compile(rf"([?&;#]{_NAMES}=)[^&;#\s'\"]*", re.IGNORECASE)
# A name and what may be a password, where nothing says that a host follows: a port has up to five digits.
_UNMARKED: Final = re.compile(rf"^({_SCHEME})?[^/?#@\[]*:(?!/|\d{{1,5}}(?:[/?#]|$)).+", re.IGNORECASE | re.DOTALL)
# In a sentence an address goes on to the next blank, or to what quotes it.
_IN_TEXT: Final = re.compile(r"\b[a-z][a-z0-9+.-]{0,30}://[^\s'\"<>]+", re.IGNORECASE)


def is_web_address(url: str) -> bool:
    """Whether it begins with http or https and names a host; with no name and password in it, and nothing hidden."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    plain = url.isprintable() and " " not in url
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and plain and "@" not in parts.netloc


def masked_url(address: str) -> str:
    """One address, with or without `http://`, of any form: userinfo and values of keys in its query are `***`.

    It never raises, also where the text is no address, and rather hides too much than too little.
    """
    return _QUERY.sub(rf"\1{HIDDEN}", _USERINFO.sub(rf"\1{HIDDEN}@", address))


def masked_setting(address: str) -> str:
    """As `masked_url`, for what somebody set, right or wrong: of half an address, what may be a password is hidden."""
    return _UNMARKED.sub(rf"\1{HIDDEN}", masked_url(address))


def masked_urls(text: str) -> str:
    """A text in which every address that begins with a scheme, as `https://`, is masked; the rest stays."""
    return _IN_TEXT.sub(lambda found: masked_url(found.group()), text)
