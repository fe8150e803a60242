"""Who comes in to the console: by a token, by a session that was begun with one, or as whoever is at this machine."""

import hashlib
import hmac
from functools import cached_property
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response

from daper.adapters.visitors import Session, Sessions, Visitors
from daper.core.access import Access, TokenGrant
from daper.core.models import IdentityProof, Person
from daper.entrypoints.web.attempts import Attempts
from daper.entrypoints.web.visitors import Visitor
from daper.settings import Settings

if TYPE_CHECKING:
    from daper.entrypoints.web.identity_provider import IdentityProvider

_BEARER: Final = "bearer "
_LONGEST: Final = 500  # of what a browser or client says it has


class Reception:
    """Tells who it is that comes, and begins and ends sessions. Methods block, and raise what a database raises.

    `url`: by which a browser comes. `asked`: whether somebody has to sign in, though nobody has a token.
    """

    def __init__(self, settings: Settings, *, url: str, asked: bool = False) -> None:
        self._settings = settings
        self.url = url
        self._url = urlsplit(url)
        self._asked = asked
        self._tokens = settings.state.tokens()
        self.attempts = Attempts()

    @property
    def cookie(self) -> str:
        """The name of the cookie: browsers give one of the same name to every port of a machine."""
        return "__Host-daper" if self.secure else f"daper-{self._url.port or 80}"

    @property
    def secure(self) -> bool:
        """Whether browsers come over TLS."""
        return self._url.scheme == "https"

    @property
    def by_token(self) -> bool:
        """Whether there are tokens to sign in with."""
        return self._tokens.in_use

    @cached_property
    def provider(self) -> "IdentityProvider | None":
        """By whom people sign in as well; None where nobody is configured."""
        if (oidc := self._settings.console.oidc) is None:
            return None
        from daper.entrypoints.web.identity_provider import IdentityProvider  # which takes long to load

        return IdentityProvider(oidc, redirect_uri=f"{self.url}/sign-in/oidc/callback")

    @property
    def provider_host(self) -> str:
        """What people know that provider by; empty where there is none."""
        return self._settings.console.oidc.host if self._settings.console.oidc else ""

    @cached_property
    def kept(self) -> Visitors:
        """What is kept of who came."""
        return self._settings.state.visitors()

    @property
    def sessions(self) -> Sessions:
        """Those that were begun."""
        return self.kept.sessions

    @cached_property
    def key(self) -> bytes:
        """The key of this installation, from which others are made."""
        return self._settings.state.form_key().for_a_server()

    def visitor(self, headers: Headers) -> Visitor | None:
        """Who sent this; None: whoever it is has to sign in first."""
        _ = self.key  # read here, where that may block, so that a page has it
        bearer = headers.get("authorization", "")
        if bearer[: len(_BEARER)].lower() == _BEARER:
            return self._of_token(bearer[len(_BEARER) :].strip())
        if (found := self.signed_in(self.session_text(headers))) is not None:
            return found
        return None if self._asked or self.provider_host or self.by_token else self._somebody_here()

    def signed_in(self, text: str) -> Visitor | None:
        """Whose session that is, with what the person may do by now; None where it is nobody's any more."""
        session = self.sessions.find(text) if text else None
        if session is None:
            return None
        access = session.access
        if session.token_sha256:
            grant = self._grant(session)
            if grant is None:
                self.sessions.end(text)
                return None
            access = grant.scopes
        elif not self.provider_host:  # nobody vouches for this person any more
            return None
        return Visitor(
            person=session.person,
            access=access,
            signed_in=True,
            session=text,
            begun=session.begun,
            until=session.until,
            owner=session.owner,
        )

    def sign_in(self, token: str, *, instead_of: str) -> str | None:
        """Begin a session of the person who has this token; None where nobody has it."""
        grant = self._tokens.find(token) if token and len(token) <= _LONGEST else None
        if grant is None:
            return None
        person = Person(name=grant.name, how=IdentityProof.TOKEN)
        return self.sessions.begin(person, access=grant.scopes, token_sha256=grant.sha256, instead_of=instead_of)

    def session_text(self, headers: Headers) -> str:
        """What the browser has of a session; empty where it has none."""
        text = cookie_parser(headers.get("cookie", "")).get(self.cookie, "")
        return text if len(text) <= _LONGEST else ""

    def keep(self, response: Response, text: str) -> None:
        """Let the browser have it: for pages of ours alone, and for no script."""
        response.set_cookie(
            self.cookie, text, path="/", httponly=True, samesite="strict", secure=self.secure, max_age=None
        )

    def forget(self, response: Response) -> None:
        """Let the browser forget it."""
        response.delete_cookie(self.cookie, path="/", httponly=True, samesite="strict", secure=self.secure)

    def form_key(self, visitor: Visitor) -> str:
        """What a form of this visitor carries: nobody can tell it who does not see a page of ours."""
        return hmac.new(self.key, f"form of {visitor.session}".encode(), hashlib.sha256).hexdigest()

    def who_may(self, access: Access) -> tuple[str, ...]:
        """Who has a token that allows it, by name."""
        return tuple(grant.name for grant in self._tokens.grants() if access in grant.scopes)

    def _of_token(self, token: str) -> Visitor | None:
        grant = self._tokens.find(token) if len(token) <= _LONGEST else None
        if grant is None:
            return None
        person = Person(name=grant.name, how=IdentityProof.TOKEN)
        return Visitor(person=person, access=grant.scopes, signed_in=True)

    def _grant(self, session: Session) -> TokenGrant | None:
        """The token that a session was begun with, as it is now."""
        return next((each for each in self._tokens.grants() if each.sha256 == session.token_sha256), None)

    def _somebody_here(self) -> Visitor:
        """Any program of any user of this machine may have come; the name is no more than a claim."""
        person = Person(name=self._settings.user, how=IdentityProof.CLAIMED)
        return Visitor(person=person, access=frozenset(Access), signed_in=False)
