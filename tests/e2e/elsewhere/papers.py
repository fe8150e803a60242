"""Certificates and keys, good and bad, and the servers in front of Temporal that show them or ask for them."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import trustme

from tests.e2e.elsewhere.api_key_gate import Gate
from tests.e2e.elsewhere.tls_proxy import listening, tls_before

API_KEY: Final = "planted-api-key"
NAME: Final = "temporal.example"
NAMESPACE: Final = "owl-post.a1b2c"

_LONG_AGO: Final = datetime(2001, 1, 1, tzinfo=UTC), datetime(2002, 1, 1, tzinfo=UTC)
_FAR_OFF: Final = datetime(2090, 1, 1, tzinfo=UTC), datetime(2091, 1, 1, tzinfo=UTC)
_HERE: Final = ("localhost", "127.0.0.1")


class Papers:
    """What a person has in a folder: `ca.pem`, `client.pem` with `client.key`, and others that do not fit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca, self._clients, self._others = trustme.CA(), trustme.CA(), trustme.CA()
        self._write("ca.pem", self.ca.cert_pem.bytes())
        self._write("commented.pem", "# für die Eulenpost\n".encode() + self.ca.cert_pem.bytes())
        self._write("other-ca.pem", self._others.cert_pem.bytes())
        self._client("client", self._clients)
        self._client("stranger", self._others)
        self._client("expired", self._clients, _LONG_AGO)
        self._write("garbage.pem", b"planted garbage\n")
        self._write("broken.pem", b"-----BEGIN CERTIFICATE-----\nplanted\n-----END CERTIFICATE-----\n")
        self._write("broken.key", b"-----BEGIN PRIVATE KEY-----\ncGxhbnRlZA==\n-----END PRIVATE KEY-----\n")
        label = (b" EC PRIVATE KEY", b" ENCRYPTED PRIVATE KEY")
        self._write("locked.key", self.path("client.key").read_bytes().replace(*label))

    def path(self, name: str) -> Path:
        """A file by its name."""
        return self.folder / name

    def variables(self, named: Mapping[str, str]) -> dict[str, str]:
        """TEMPORAL_* variables that name papers: `ca.pem` becomes its path, `<ca.pem` what stands in it."""
        return {name: self._meant(value) for name, value in named.items()}

    def _meant(self, value: str) -> str:
        path = self.path(value.removeprefix("<"))
        if not path.is_file():
            return value
        return path.read_text("ascii") if value.startswith("<") else str(path)

    def secrets(self) -> set[str]:
        """What no output may hold: each line of each private key, and the API key."""
        keys = {line for path in self.folder.glob("*.key") for line in path.read_text().splitlines()}
        return {API_KEY, "planted", *(line for line in keys if not line.startswith("-----"))}

    def shown_by(self, *names: str, when: tuple[datetime, datetime] | None = None) -> ssl.SSLContext:
        """A server with a certificate for these names."""
        return _serving(self._issue(self.ca, names or _HERE, when))

    def asking(self) -> ssl.SSLContext:
        """A server that wants a client certificate."""
        context = self.shown_by()
        self._clients.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def own(self) -> ssl.SSLContext:
        """A server that shows the certificate of its CA, as one made by a single command often is."""
        self._write("ca-own.key", self.ca.private_key_pem.bytes())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path("ca.pem"), self.path("ca-own.key"))
        context.set_alpn_protocols(["h2"])
        return context

    def _client(self, name: str, ca: trustme.CA, when: tuple[datetime, datetime] | None = None) -> None:
        issued = self._issue(ca, ("hedwig@owl-post.example",), when)
        self._write(f"{name}.pem", b"".join(part.bytes() for part in issued.cert_chain_pems))
        self._write(f"{name}.key", issued.private_key_pem.bytes())

    def _issue(
        self, ca: trustme.CA, names: tuple[str, ...], when: tuple[datetime, datetime] | None
    ) -> trustme.LeafCert:
        if when is None:
            return ca.issue_cert(*names)
        return ca.issue_cert(*names, not_before=when[0], not_after=when[1])

    def _write(self, name: str, data: bytes) -> None:
        self.path(name).write_bytes(data)


def _serving(issued: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    context.set_alpn_protocols(["h2"])
    return context


@asynccontextmanager
async def doors(papers: Papers, address: str) -> AsyncGenerator[dict[str, str]]:
    """The servers, by name, in front of one in plaintext, which is `plain`."""
    mtls_12, picky, no_h2 = papers.asking(), papers.shown_by(), papers.shown_by()
    mtls_12.maximum_version = ssl.TLSVersion.TLSv1_2
    picky.sni_callback = _knows_no_name
    no_h2.set_alpn_protocols(["http/1.1"])
    contexts = {
        "tls": papers.shown_by(),
        "named": papers.shown_by(NAME),
        "expired": papers.shown_by(when=_LONG_AGO),
        "early": papers.shown_by(when=_FAR_OFF),
        "own": papers.own(),
        "mtls": papers.asking(),
        "mtls-1.2": mtls_12,
        "picky": picky,
        "no-h2": no_h2,
    }
    async with AsyncExitStack() as stack:
        opened = {"plain": address}
        for name, context in contexts.items():
            opened[name] = await stack.enter_async_context(tls_before(address, context))
        opened["silent"] = await stack.enter_async_context(tls_before(address, papers.asking(), tells_why=False))
        opened["gate"] = await stack.enter_async_context(Gate(API_KEY).before(address))
        opened["api-key"] = await stack.enter_async_context(tls_before(opened["gate"], papers.shown_by()))
        mute = await stack.enter_async_context(listening(_say_nothing))
        opened["mute"] = await stack.enter_async_context(tls_before(mute, papers.shown_by()))
        yield opened


async def _say_nothing(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


def _knows_no_name(_: ssl.SSLSocket | ssl.SSLObject, __: str | None, ___: ssl.SSLContext) -> int:
    return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
