"""Real receivers of messages on this machine: a mail server with TLS, and an HTTP server that checks signatures."""

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import cast

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from daper.core.people import Security

SECRET = "whsec_" + base64.b64encode(b"owl post, owl post, owl post").decode()
PASSWORD = "alohomora-planted"  # noqa: S105 - of the test's own server
USER = "daper"
HANG = -1
DROP = -2


@dataclass(frozen=True)
class Request:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, object]:
        return json.loads(self.body)

    @property
    def kind(self) -> object:
        return self.document["type"]

    @property
    def signed(self) -> bool:
        """Whether the signature is good; written as a receiver would, from the specification."""
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        good = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return hmac.compare_digest(good, self.headers["webhook-signature"])


@dataclass
class Hook:
    """A server that answers each request with the next of `answers`, and with 200 after them.

    `meanwhile` is awaited for each before it is answered.
    """

    answers: list[int] = field(default_factory=list[int])
    headers: str = ""
    requests: list[Request] = field(default_factory=list[Request])
    url: str = ""
    holding: asyncio.Event = field(default_factory=asyncio.Event)
    came: asyncio.Condition = field(default_factory=asyncio.Condition)
    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def until(self, count: int) -> list[object]:
        """Wait for that many requests in all; says which events came."""
        async with asyncio.timeout(60), self.came:
            await self.came.wait_for(lambda: len(self.requests) >= count)
        return self.kinds

    @property
    def kinds(self) -> list[object]:
        """Which events came, in order."""
        return [request.kind for request in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(headers["content-length"]))
        async with self.came:
            self.requests.append(Request(path=head[0].split()[1], headers=headers, body=body))
            self.came.notify_all()
        if self.meanwhile is not None:
            await self.meanwhile()
        answer = self.answers.pop(0) if self.answers else 200
        if answer == HANG:
            await self.holding.wait()
        elif answer != DROP:
            writer.write(f"HTTP/1.1 {answer} Whatever\r\n{self.headers}Content-Length: 0\r\n\r\n".encode())
        writer.close()


@asynccontextmanager
async def hook(
    *answers: int, headers: str = "", tls: ssl.SSLContext | None = None, port: int = 0
) -> AsyncGenerator[Hook]:
    """A receiving server on this machine."""
    found = Hook(answers=list(answers), headers=headers)
    server = await asyncio.start_server(found.serve, "127.0.0.1", port, ssl=tls)
    taken = server.sockets[0].getsockname()[1]
    found.url = f"http{'s' if tls else ''}://127.0.0.1:{taken}/hooks/planted-path?x=1"
    try:
        yield found
    finally:
        found.holding.set()
        server.close()
        await server.wait_closed()


class Post:
    """Takes mails, and answers each recipient and each mail with the next of its answers.

    `meanwhile` is awaited for each mail that was taken, before that is said.
    """

    def __init__(self) -> None:
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self.answers: list[str] = []
        self.strangers: set[str] = set()
        self.refusals: dict[str, list[str]] = {}
        self.over_tls: list[bool] = []
        self.names: list[str] = []
        self.wants_full_name = False
        self.lacks: set[str] = set()
        self.contents: list[bytes] = []

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.names.append(hostname)
        session.host_name = hostname
        return [line for line in responses if line[4:].partition(" ")[0] not in self.lacks]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's names
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Sequence[str]
    ) -> str:
        # As Postfix does: what it has against a name is said only here.
        if self.wants_full_name and "." not in (session.host_name or ""):
            return f"504 5.5.2 <{session.host_name}>: Helo command rejected: need fully-qualified hostname"
        if self.refusals.get(address):
            return self.refusals[address].pop(0)
        if address in self.strangers:
            return f"550 no <{address}> lives here, says planted-host"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        self.contents.append(cast(bytes, envelope.content))
        # DATA was sent, so there is content; and it is not decoded.
        self.mails.append(message_from_bytes(cast(bytes, envelope.content), policy=default))
        self.recipients.append(list(envelope.rcpt_tos))
        self.over_tls.append(session.ssl is not None)
        if self.meanwhile is not None:
            await self.meanwhile()
        return "250 OK"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, auth_data: object
    ) -> AuthResult:
        assert isinstance(auth_data, LoginPassword)
        self.logins.append((auth_data.login, auth_data.password))
        good = (auth_data.login, auth_data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=good, handled=False)


@dataclass
class MailServer:
    """Where a mail server listens, and what it got."""

    post: Post
    port: int


@asynccontextmanager
async def mail_server(
    papers: trustme.LeafCert | None,
    *,
    security: Security | None = Security.STARTTLS,
    login: bool = True,
    post: Post | None = None,
    port: int = 0,
) -> AsyncGenerator[MailServer]:
    """A mail server on this machine; without papers, or without `security`, one that speaks no TLS."""
    taker = post or Post()
    context = None
    if papers is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        papers.configure_cert(context)
    implicit = security is Security.TLS
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        return SMTP(
            taker,
            hostname="planted-host",
            tls_context=context if security is Security.STARTTLS else None,
            require_starttls=security is Security.STARTTLS,
            authenticator=taker.authenticate if login else None,
            auth_required=login and not implicit,  # it warns where it sees no TLS of its own
            auth_require_tls=security is Security.STARTTLS,
            loop=loop,
        )

    server = await loop.create_server(session, "127.0.0.1", port, ssl=context if implicit else None)
    try:
        yield MailServer(post=taker, port=server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await server.wait_closed()


def write_people(home: Path, *, smtp: str = "", outbox: str = "", **targets: str) -> None:
    """A `people.toml`: each target, and what takes the outbox of the orders, as the lines of its table."""
    lines = [f"[smtp]\n{smtp}\n"] if smtp else []
    lines += [f"[outbox.orders]\n{outbox}\n"] if outbox else []
    lines += [f"[targets.{name.replace('_', '-')}]\n{table}\n" for name, table in targets.items()]
    (home / "people.toml").write_text("\n".join(lines), encoding="utf-8")


def webhook_lines(url: str, *, timeout_s: int = 20) -> str:
    """The table of a webhook."""
    return f'type = "webhook"\nurl = "{url}"\nsecret_env = "OWL_SECRET"\ntimeout_s = {timeout_s}'


def mail_lines(port: int, ca_file: Path) -> str:
    return (
        f'host = "127.0.0.1"\nport = {port}\nfrom = "daper@planted.example"\nuser = "{USER}"\n'
        f'password_env = "SMTP_PASSWORD"\nca_file = "{ca_file}"'
    )
