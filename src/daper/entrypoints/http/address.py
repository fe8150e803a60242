"""Where a door listens, and under which names a browser or client may come to it."""

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from daper.core.access import Access
from daper.core.commands import CommandLine
from daper.core.errors import Occupied, SettingError


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

    def refuse_unknown(self, *, guarded: bool, scopes: Iterable[Access], named: str) -> None:
        """Raises SettingError where others than this machine could come and nobody is asked who it is, or by no name.

        `scopes`: of the token that it says to make. `named`: how a name is said, for an address that is none.
        """
        if not guarded and (self.public_url or not self.is_loopback):
            way = f"coming by {self.public_url!r}" if self.public_url else f"--host {self.host!r}"
            asked = [word for scope in scopes for word in ("--scope", str(scope))]
            raise SettingError(
                f"{way} lets other machines in, and there are no tokens to tell who they are; make one: ",
                CommandLine("mcp", "token", "add", "NAME", *asked),
            )
        if self.is_any and not self.public_url:
            raise SettingError(
                f"--host {self.host!r} is every address of this machine, and none that anybody could name; "
                f"say by which URL they come: --public-url {named}"
            )

    def listen(self) -> socket.socket:
        """Listen there, from now on. Raises Occupied."""
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            family, kind, proto, _, where = found[0]
            listening = socket.socket(family, kind, proto)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(where)
            listening.listen()  # from here on who comes is answered, a moment later: the URL may be told
        except OSError as error:
            raise Occupied(
                f"cannot listen on {self.host!r}, port {self.port}: {error.strerror or error}; take another --port"
            ) from error
        return listening

    def url(self, port: int, path: str = "") -> str:
        """By which URL clients come, `port` being the one that it got."""
        return self.public_url or f"http://{in_url(self.host)}:{port}{path}"

    def hosts(self, port: int, path: str = "") -> tuple[str, ...]:
        """The names under which anybody may come: ours alone, so that no page can make itself pass for us."""
        names = {urlsplit(self.url(port, path)).netloc, f"{in_url(self.host)}:{port}"}
        if self.is_loopback:
            names |= {f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"}
        return tuple(sorted(names))


def in_url(host: str) -> str:
    """A host as a URL has it."""
    return f"[{host}]" if ":" in host else host


def origins_of(hosts: tuple[str, ...]) -> tuple[str, ...]:
    """What a browser says where a page of ours sends something."""
    return tuple(sorted(f"{scheme}://{name}" for name in hosts for scheme in ("http", "https")))
