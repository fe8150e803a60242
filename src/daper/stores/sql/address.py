"""The address of a database, looked over before anybody uses it; whatever is wrong, its password stays unsaid."""

import re
from importlib.util import find_spec
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from daper.core.errors import SettingError
from daper.core.text import visible
from daper.core.urls import masked_setting

VARIABLE: Final = "DAPER_DATABASE_URL"
DRIVER_MISSING: Final = (
    "PostgreSQL needs the extra postgresql: uv sync --extra postgresql, or pip install 'daper[postgresql]'"
)
# Not with a user and a password: it would be masked as if they were somebody's.
_EXAMPLE: Final = "as in postgresql://host:5432/name, with user:password@ before the host"
_SCHEMES: Final = ("postgresql", "postgres", "postgresql+psycopg")


def check_address(url: str) -> None:
    """Raises SettingError, in which there is no password, for what is no address of a PostgreSQL database."""
    if why := _flaw(url):
        shown = visible(masked_setting(url), longest=80)
        raise SettingError(f"{VARIABLE} is {shown!r}: {why}; it must be the address of a database, {_EXAMPLE}")


def need_driver() -> None:
    """Raises SettingError where what speaks to PostgreSQL is not installed."""
    if find_spec("psycopg") is None:
        raise SettingError(DRIVER_MISSING)


def _flaw(url: str) -> str:
    scheme, found, rest = url.partition("://")
    if not found or scheme.lower() not in _SCHEMES:
        if scheme.lower().startswith("sqlite"):
            return "SQLite needs none, and is what you have without it"
        return "it does not begin with postgresql://"
    if not url.isprintable() or " " in url:
        return "it has blanks or what cannot be seen in it"
    before, _, query = rest.partition("?")
    if before.count("@") > 1 or "@" in query or "#" in url:
        return "within a user or a password @ is written %40, # %23, / %2F, ? %3F and % %25"
    return _flaw_of_parts(url)


def _flaw_of_parts(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "its port is no number, or / in a password is not written %2F"
    if port == 0:
        return "its port is 0"
    if not re.fullmatch(r"/[^/]+", parts.path):
        return "it names no database behind the host"
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return "" if parts.hostname or query.get("host") else "it names no host"
