"""Who looks at the console, and what this person may do here."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from starlette.requests import HTTPConnection

from daper.core.access import Access
from daper.core.errors import AccessRefused
from daper.core.models import Person


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """A person at a browser. `signed_in`: a session or a token says who it is; else only this machine can come.

    `session`: what the browser has of it, empty where there is none; `begun` and `until`: since when, and until when.
    `owner`: whose passkeys count.
    """

    person: Person
    access: frozenset[Access]
    signed_in: bool
    session: str = field(default="", repr=False)
    begun: datetime | None = None
    until: datetime | None = None
    owner: str = ""

    def may(self, access: Access) -> bool:
        """Whether this person may do that here."""
        return access in self.access

    def lacks(self, access: Access) -> str:
        """Why this person may not do that here, in words."""
        has = ", ".join(sorted(self.access)) or "nothing"
        return f"{self.person.name} may {has} here, and this needs {access}"


NOBODY: Final = Visitor(person=Person(name="not signed in"), access=frozenset(), signed_in=False)
"""Whoever has to sign in first, and has come to where that is done."""


def visitor_of(connection: HTTPConnection) -> Visitor:
    """Who a request is from: whoever has none never comes to a page."""
    visitor: Visitor = connection.state.visitor
    return visitor


def require(connection: HTTPConnection, access: Access) -> Person:
    """Who asks, where this person may do that. Raises AccessRefused; the page of it says who may."""
    visitor = visitor_of(connection)
    if not visitor.may(access):
        connection.state.refused = access
        raise AccessRefused(visitor.lacks(access))
    return visitor.person
