"""Serves many clients over streamable HTTP; each of them is the person whose token it brings."""

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import uvicorn
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import AnyHttpUrl
from starlette.middleware import Middleware

from daper.core.access import Access
from daper.core.commands import CommandLine
from daper.core.errors import DaperError, Occupied, SettingError, UserError
from daper.core.models import IdentityProof, Person
from daper.entrypoints.mcp.connections import QUEUE, Connections, ServerConfig, most_connections
from daper.entrypoints.mcp.door import Caller, Door
from daper.entrypoints.mcp.form_states import form_key_of
from daper.entrypoints.mcp.server import build_server
from daper.entrypoints.mcp.sessions import IDLE_S, MOST_IN_ALL, Sessions
from daper.entrypoints.mcp.terminal import Terminal, terminal_of
from daper.ports import Tokens
from daper.settings import Part, Settings, load_settings, shown_settings

PATH: Final = "/mcp"
MOST_BYTES: Final = 1024 * 1024
_DRAIN_S: Final = 3


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where to listen, and by which URL clients come. Port 0: a free one."""

    host: str
    port: int
    public_url: str | None = None

    @property
    def is_any(self) -> bool:
        """Whether it stands for all addresses of this machine."""
        return self.host in {"", "0.0.0.0", "::"}  # noqa: S104 - to refuse it

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


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
    if not guarded and (address.public_url or not address.is_loopback):
        way = f"--public-url {address.public_url!r}" if address.public_url else f"--host {address.host!r}"
        raise SettingError(
            f"{way} lets other machines in, and there are no tokens to tell who they are; make one: ",
            CommandLine("mcp", "token", "add", "NAME", "--scope", "read", "--scope", "start"),
        )
    if address.is_any and not address.public_url:
        raise SettingError(
            f"--host {address.host!r} is every address of this machine, and none that a client could name; "
            "say by which URL they come: --public-url http://NAME:PORT/mcp"
        )
    with _listen(address) as listening:
        port = listening.getsockname()[1]
        url = address.public_url or f"http://{_in_url(address.host)}:{port}{PATH}"
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
            transport_security=_hosts(url, address.host, port),
        )
        connections = Connections(most_connections())
        # Behind what knows the person: the last one is the nearest to the application.
        app.user_middleware.append(Middleware(Sessions, requests_each=connections.most // 2 if guarded else None))
        server = _Uvicorn(ServerConfig(app, connections, drain_s=_DRAIN_S))
        await _serve(server, listening, began=lambda: ready(url, guarded))


class _Uvicorn(uvicorn.Server):
    """The command handles signals, and cancels this."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve. Who cannot be taken at once waits in the system's queue, which uvicorn made a short one."""
        await super().startup(sockets)
        for listening in sockets or ():
            listening.listen(QUEUE)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield


async def _serve(server: uvicorn.Server, listening: socket.socket, *, began: Callable[[], None]) -> None:
    """Serve until cancelled; what is being answered then may be answered, for some seconds."""
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    began()
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        # Whoever still waits or listens is cut off: that is no error, and of each there would be a traceback.
        for name in ("uvicorn.error", "mcp"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        server.should_exit = True
        await serving
        raise


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


def _hosts(url: str, host: str, port: int) -> TransportSecuritySettings:
    """The names under which a browser or client may come: ours alone, so that no page can make itself pass for us."""
    names = {urlsplit(url).netloc, f"{_in_url(host)}:{port}"}
    if Address(host=host, port=port).is_loopback:
        names |= {f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"}
    origins = [f"{scheme}://{name}" for name in names for scheme in ("http", "https")]
    return TransportSecuritySettings(allowed_hosts=sorted(names), allowed_origins=sorted(origins))


def _listen(address: Address) -> socket.socket:
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, proto, _, where = found[0]
        listening = socket.socket(family, kind, proto)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(where)
        listening.listen()  # from here on who comes is answered, a moment later: the URL may be told
    except OSError as error:
        raise Occupied(
            f"cannot listen on {address.host!r}, port {address.port}: {error.strerror or error}; take another --port"
        ) from error
    return listening


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
