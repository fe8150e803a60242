"""A proxy that lets nothing through, and remembers who wanted to go where."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.clients.loopback import Response, answering

_NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
_HERE = "127.0.0.1,localhost,::1"


@dataclass
class Refusals:
    """What was refused, as "CONNECT host:443"."""

    url: str = ""
    tried: list[str] = field(default_factory=list[str])

    @property
    def variables(self) -> dict[str, str]:
        """What leads a program here for whatever is not on this machine."""
        return {**dict.fromkeys(_NAMES, self.url), "NO_PROXY": _HERE, "no_proxy": _HERE}

    @property
    def hosts(self) -> set[str]:
        """The hosts that were wanted."""
        return {each.split()[1].rpartition(":")[0] for each in self.tried}


@contextmanager
def refusing() -> Generator[Refusals]:
    """The proxy, on a free port of loopback."""
    refusals = Refusals()

    def refuse(method: str, target: str, body: bytes) -> Response:
        refusals.tried.append(f"{method} {target}")
        return Response(403, "text/plain", b"nothing goes beyond this machine\n")

    with answering(refuse) as refusals.url:
        yield refusals
