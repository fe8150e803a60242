"""What is configured of the console: by which URL people come, and who tells who they are."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urlsplit

from daper.core.errors import SettingError
from daper.core.urls import is_web_address, masked_setting, masked_urls
from daper.settings.values import raw, text_value

URL: Final = "DAPER_CONSOLE_URL"
ISSUER: Final = "DAPER_OIDC_ISSUER"
_ID: Final = "DAPER_OIDC_CLIENT_ID"
_SECRET: Final = "DAPER_OIDC_CLIENT_SECRET"  # noqa: S105 - the name of it
_CLAIMS: Final = ("DAPER_OIDC_NAME_CLAIM", "DAPER_OIDC_SCOPES_CLAIM")


@dataclass(frozen=True, kw_only=True)
class OidcSettings:
    """The OpenID provider, and which claims of it count."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    name_claim: str
    scopes_claim: str

    @property
    def host(self) -> str:
        """What people know the provider by."""
        return urlsplit(self.issuer).netloc


@dataclass(frozen=True, kw_only=True)
class ConsoleSettings:
    """`url`: by which people come, without a slash at its end, or None; `oidc`: None where tokens alone count."""

    url: str | None = None
    oidc: OidcSettings | None = None

    def link_to(self, path: str) -> str | None:
        """The whole URL of a path; None where nobody knows by which URL people come."""
        return None if self.url is None else f"{self.url}{path}"


def console_of(values: Mapping[str, str]) -> ConsoleSettings:
    """What is configured. Raises SettingError."""
    return ConsoleSettings(url=_url(values), oidc=_oidc(values))


def _url(values: Mapping[str, str]) -> str | None:
    value = raw(values, URL)
    if not value:
        return None
    if not is_web_address(value) or urlsplit(value)._replace(scheme="", netloc="").geturl() not in {"", "/"}:
        raise SettingError(
            f"{URL} is {masked_setting(value)[:200]!r}; it must be a URL without a path, name or password, "
            "like https://daper.example.org"
        )
    return value.rstrip("/")


def is_safe(url: str) -> bool:
    """Whether what is sent there is read by nobody in between: over TLS, or within this machine."""
    try:
        parts = urlsplit(url)
        if parts.scheme == "https":
            return bool(parts.hostname)
        return parts.scheme == "http" and _is_loopback(parts)
    except ValueError:
        return False


def _oidc(values: Mapping[str, str]) -> OidcSettings | None:
    issuer, client_id, secret = raw(values, ISSUER), text_value(values, _ID), raw(values, _SECRET)
    if not issuer and not client_id and not secret:
        return None
    if missing := [name for name in (ISSUER, _ID, _SECRET) if not raw(values, name)]:
        raise SettingError(f"{missing[0]} is not set, and signing in by an OpenID provider needs it")
    if not is_safe(issuer) or not _is_web(issuer):
        raise SettingError(
            f"{ISSUER} is {masked_urls(issuer)[:200]!r}; it must be the https:// URL of an OpenID provider"
        )
    for name in _CLAIMS:
        if not re.fullmatch(r"[\x21-\x7e]{1,200}", raw(values, name)):
            raise SettingError(f"{name} is {raw(values, name)[:60]!r}; it must be the name of a claim, like email")
    name_claim, scopes_claim = (raw(values, name) for name in _CLAIMS)
    return OidcSettings(
        issuer=issuer, client_id=client_id, client_secret=secret, name_claim=name_claim, scopes_claim=scopes_claim
    )


def _is_web(url: str) -> bool:
    """Whether it is the plain URL of a place: without a user, a query or a fragment."""
    try:
        parts = urlsplit(url)
        plain = not (parts.query or parts.fragment or parts.username or parts.password) and parts.port != 0
    except ValueError:
        return False
    return plain and parts.scheme in {"http", "https"} and bool(parts.hostname) and url.isprintable() and " " not in url


def _is_loopback(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
