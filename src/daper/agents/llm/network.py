"""Certificates and proxies that the environment names for every HTTP client, and which of them is wrong. Pure."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from daper.core.errors import ModelError
from daper.core.text import visible
from daper.core.urls import masked_url, masked_urls

CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
# What a client reads of the environment; lower case counts before upper case.
VARIABLES: Final = (*CERTIFICATES, *(name for each in (*_PROXIES, "NO_PROXY") for name in (each.lower(), each)))
_KNOWN: Final = re.compile(r"(https?|socks5h?)://\S", re.IGNORECASE)


def refused_network(name: str, error: Exception, network: Mapping[str, str]) -> ModelError:
    """Why no client can be made for the model of that name. `network`: those of VARIABLES that are set."""
    if isinstance(error, OSError):
        variable = next((each for each in CERTIFICATES if network.get(each)), None)
        reason = error.strerror or (str(error.args[-1]) if error.args else type(error).__name__)
        if variable is None:
            return ModelError(f"{name}: the certificates of this system cannot be read ({reason}); set SSL_CERT_FILE")
        return ModelError(
            f"{name}: {variable} is {network[variable]!r}, and no certificates can be read there ({reason}); "
            "correct it, or unset it to take those of the system"
        )
    wrong = {each: value for each, value in _proxies(network).items() if not _KNOWN.match(_full(value))}
    found = wrong or _proxies(network)
    named = " and ".join(f"{each} is {masked_url(value)!r}" for each, value in found.items()) or "a proxy is set"
    reason = visible(masked_urls(" ".join(str(error).split())), longest=200)
    return ModelError(
        f"{name}: {named}, and cannot be used ({reason}); write it as http://HOST:PORT, or as socks5://HOST:PORT with "
        "the package socksio installed, or unset it"
    )


def proxy_before(address: str, network: Mapping[str, str]) -> str:
    """The variable that names the proxy through which an address is asked; empty where it is asked itself."""
    where = urlsplit(address)
    if _goes_past(where.hostname or "", network.get("no_proxy") or network.get("NO_PROXY") or ""):
        return ""
    names = (f"{scheme}_proxy" for scheme in (where.scheme, "all"))
    return next((each for name in names for each in (name, name.upper()) if network.get(each)), "")


def _proxies(network: Mapping[str, str]) -> dict[str, str]:
    names = (name for each in _PROXIES for name in (each.lower(), each))
    return {name: network[name] for name in names if network.get(name)}


def _goes_past(host: str, no_proxy: str) -> bool:
    hosts = [each.strip().lstrip(".") for each in no_proxy.split(",") if each.strip()]
    return any(each == "*" or host == each or host.endswith(f".{each}") for each in hosts)


def _full(proxy: str) -> str:
    return proxy if "://" in proxy else f"http://{proxy}"
