"""How this machine names itself to a mail server, and whether that name is what the server refuses."""

import ipaddress
import re
import socket
from functools import cache
from typing import Final

_FULL_NAME: Final = re.compile(
    r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
# Names by which nobody elsewhere knows a machine; strict servers, and filters, take them for none.
_KNOWN_TO_NOBODY: Final = ("localhost", "localdomain", "local", "arpa", "invalid")
_ABOUT_IT: Final = re.compile(rb"\b[eh](?:h|e)lo\b|host ?name|fully.qualified", re.IGNORECASE)


def own_name(connected: socket.socket, named: str) -> str:
    """What is said in EHLO: the name that is set; else the machine's full one; else the address it comes from."""
    return named or full_name(host_name()) or _literal(connected)


@cache
def host_name() -> str:
    """The name of this machine as its resolver has it; asked once, for it may be slow."""
    return socket.getfqdn()


def full_name(name: str) -> str:
    """The name, where it is one by which others may know a machine; else nothing."""
    plain = name.rstrip(".").lower()
    known = _FULL_NAME.fullmatch(plain) and plain.rpartition(".")[2] not in _KNOWN_TO_NOBODY
    return plain if known else ""


def is_about_name(said: bytes) -> bool:
    """Whether a server's refusal is about the name: many say that only once they hear for whom a mail is."""
    return _ABOUT_IT.search(said) is not None


def _literal(connected: socket.socket) -> str:
    """RFC 5321, 4.1.3. Raises OSError where the connection is gone."""
    address = ipaddress.ip_address(str(connected.getsockname()[0]).partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        return f"[{address.ipv4_mapped}]" if address.ipv4_mapped else f"[IPv6:{address}]"
    return f"[{address}]"
