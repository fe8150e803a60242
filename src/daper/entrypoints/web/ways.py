"""Paths that stand before signing in, and where a person goes on to afterwards."""

from typing import Final
from urllib.parse import quote, urlsplit

from starlette.types import Scope

SIGN_IN: Final = "/sign-in"
SIGN_OUT: Final = "/sign-out"
STATIC: Final = "/static/"
API: Final = "/api/"
HOME: Final = "/"
METRICS: Final = "/metrics"
_OPEN: Final = frozenset({SIGN_IN, "/health", "/ready", "/api/v1/openapi.json"})
_ALL_OPEN: Final = (f"{SIGN_IN}/", "/links/", "/api/v1/senders/")
_NO_PLACE: Final = (SIGN_IN, SIGN_OUT, STATIC, API)
_LONGEST: Final = 2000
_AS_IT_IS: Final = "/:@!$&'()*+,;=~-._"


def is_open(path: str) -> bool:
    """Whether whoever has not signed in may come there.

    To sign in, by a link of a message, with a signature of its own, to see that it lives.
    """
    return path in _OPEN or path.startswith(_ALL_OPEN)


def for_program(path: str) -> bool:
    """Whether programs ask for it, who have no use for a page."""
    return path.startswith(API) or path == METRICS


def onward(wanted: str) -> str:
    """Where a person goes on to: a page of ours, whatever was wanted; nobody leads anybody elsewhere by our links."""
    parts = urlsplit(wanted) if _is_plain(wanted) else None
    if parts is None or parts.scheme or parts.netloc or parts.path.startswith(_NO_PLACE):
        return HOME
    return wanted


def _is_plain(wanted: str) -> bool:
    """Whether each browser takes it for a path: many read a backslash as a slash, and leave out what is invisible."""
    return (
        wanted.startswith("/")
        and not wanted.startswith("//")
        and len(wanted) <= _LONGEST
        and all("!" <= letter <= "~" and letter != "\\" for letter in wanted)
    )


def path_of(scope: Scope) -> str:
    """The path that was asked for, with its query."""
    query = bytes(scope.get("query_string", b"")).decode("latin-1")
    path = quote(str(scope["path"]), safe=_AS_IT_IS)
    return onward(f"{path}?{query}" if query else path)


def path_in(url: str) -> str:
    """The path of a page of ours, by its whole URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HOME
    return onward(f"{parts.path}?{parts.query}" if parts.query else parts.path)


def sign_in_path(then: str) -> str:
    """Where to sign in, and to go on from there."""
    return SIGN_IN if then == HOME else f"{SIGN_IN}?next={quote(then, safe='/')}"
