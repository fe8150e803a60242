"""Serves many clients over streamable HTTP; each of them is the person whose token it brings."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import AnyHttpUrl
from starlette.middleware import Middleware

from daper.core.access import Access
from daper.core.errors import DaperError, SettingError, UserError
from daper.core.models import IdentityProof, Person
from daper.entrypoints.http import Address, Connections, most_connections, serve_until_cancelled
from daper.entrypoints.http.address import origins_of
from daper.entrypoints.mcp.door import Caller, Door
from daper.entrypoints.mcp.form_states import form_key_of
from daper.entrypoints.mcp.server import build_server
from daper.entrypoints.mcp.sessions import IDLE_S, MOST_IN_ALL, Sessions
from daper.entrypoints.mcp.terminal import Terminal, terminal_of
from daper.ports import Tokens
from daper.settings import Part, Settings, load_settings, shown_settings

PATH: Final = "/mcp"
MOST_BYTES: Final = 1024 * 1024


def http_settings() -> Settings:
    """What is configured; what is wrong is told where it is needed. Raises SettingError."""
    return load_settings(needs={Part.CHAT})


def _terminal(settings: Settings) -> Terminal:
    try:
        return terminal_of(settings, shown_settings(), elsewhere=True)
    except SettingError:  # what is being told matters more than how its command is set up
        return Terminal(elsewhere=True)


async def serve_http(
    settings: Settings, address: Address, tokens: Tokens, *, read_only: bool, ready: Callable[[str, bool], None]
) -> None:
    """Serve until cancelled; `ready` is told the URL, and whether tokens are asked for.

    Without any token only this machine is served, and its name for the caller is a claim. Raises SettingError for
    another address or a public URL without tokens, Occupied, StoreDamaged.
    """
    guarded = await asyncio.to_thread(lambda: tokens.in_use)
    await asyncio.to_thread(tokens.grants)  # a file that cannot be read would let nobody in, without a word
    address.refuse_unknown(guarded=guarded, scopes=(Access.READ, Access.START), named="http://NAME:PORT/mcp")
    with address.listen() as listening:
        port = listening.getsockname()[1]
        url = address.url(port, PATH)
        who = _Bearer(tokens) if guarded else _SomebodyHere(tokens)
        door = Door(settings=settings, load=http_settings, who=who, terminal=_terminal)
        server = build_server(
            door,
            approval=settings.chat_approval,
            read_only=read_only,
            verifier=_Verifier(tokens) if guarded else None,
            auth=_auth(url) if guarded else None,
            form_key=None if read_only else await asyncio.to_thread(form_key_of, settings),
        )
        app = server.streamable_http_app(
            streamable_http_path=PATH,
            max_request_body_size=MOST_BYTES,
            session_idle_timeout=IDLE_S,
            max_sessions=MOST_IN_ALL,
            transport_security=_names(address.hosts(port, PATH)),
        )
        connections = Connections(most_connections())
        # Behind what knows the person: the last one is the nearest to the application.
        app.user_middleware.append(Middleware(Sessions, requests_each=connections.most // 2 if guarded else None))
        await serve_until_cancelled(app, listening, connections, began=lambda: ready(url, guarded))


class _Verifier(TokenVerifier):
    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def verify_token(self, token: str) -> AccessToken | None:
        """Whose token this is. A file of tokens that cannot be read lets nobody in."""
        try:
            grant = await asyncio.to_thread(self._tokens.find, token)
        except DaperError:
            return None
        if grant is None:
            return None
        return AccessToken(
            token=token,
            client_id=grant.name,
            subject=grant.name,
            scopes=[str(scope) for scope in grant.scopes],
        )


@dataclass(frozen=True)
class _Bearer:
    """The person whose token came with the call, with what it allows by now: a form may have been open for long."""

    tokens: Tokens

    def __call__(self, settings: Settings) -> Caller:
        """Who calls. Raises UserError where the token was removed, or given anew, meanwhile."""
        came = get_access_token()
        grant = self.tokens.find(came.token) if came else None
        if grant is None:
            raise UserError("the access token of this call allows nothing any more")
        return Caller(person=Person(name=grant.name, how=IdentityProof.TOKEN), access=grant.scopes)


@dataclass(frozen=True)
class _SomebodyHere:
    """Any program of any user of this machine may have called; the name is no more than a claim."""

    tokens: Tokens

    def __call__(self, settings: Settings) -> Caller:
        """Whom the server is configured for. Raises UserError as soon as somebody has a token."""
        if self.tokens.in_use:
            raise UserError("there are access tokens by now, and this server asks for none; start it again")
        person = Person(name=settings.user, how=IdentityProof.CLAIMED)
        return Caller(person=person, access=frozenset(Access), configured=True)


def _auth(url: str) -> AuthSettings:
    """Tokens are made by a command, and by no server of OAuth: so no metadata leads a client to one.

    The SDK wants an issuer, and without the URL of a resource it names it to nobody.
    """
    parts = urlsplit(url)
    return AuthSettings(
        issuer_url=AnyHttpUrl(f"{parts.scheme}://{parts.netloc}"),
        resource_server_url=None,
        required_scopes=[str(Access.READ)],
    )


def _names(hosts: tuple[str, ...]) -> TransportSecuritySettings:
    return TransportSecuritySettings(allowed_hosts=[*hosts], allowed_origins=[*origins_of(hosts)])
