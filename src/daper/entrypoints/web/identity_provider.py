"""Who somebody is, as an OpenID provider tells it: the code flow with PKCE, and each word of the answer checked."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import parse_qs, urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from daper.clock import ticks
from daper.core.access import Access
from daper.core.errors import AccessRefused, Unreachable
from daper.core.models import IdentityProof, Person
from daper.core.text import visible
from daper.settings.console import OidcSettings, is_safe

# What a provider signs with; a signature by the client's secret, or none, proves nothing here.
_ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
_TIMEOUT_S: Final = 10.0
_KNOWN_FOR_S: Final = 600.0
_LEEWAY_S: Final = 60
_LONGEST_NAME: Final = 200
_PREFIX: Final = "daper:"

Document = Mapping[str, Any]  # JSON of a provider


@dataclass(frozen=True, kw_only=True)
class Begun:
    """What the browser keeps while it is at the provider: what the answer has to fit."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class _Known:
    metadata: Document
    keys: KeySet
    at: float


class IdentityProvider:
    """One provider, and the console as its client. All raise Unreachable, and AccessRefused for what does not fit."""

    def __init__(self, settings: OidcSettings, *, redirect_uri: str) -> None:
        self._settings = settings
        self._redirect_uri = redirect_uri
        self._known: _Known | None = None

    async def begin(self) -> tuple[str, Begun]:
        """Where to send the browser."""
        known = await self._look()
        begun = Begun(
            state=secrets.token_urlsafe(32), nonce=secrets.token_urlsafe(32), verifier=secrets.token_urlsafe(48)
        )
        async with self._client() as client:
            url, _ = client.create_authorization_url(
                known.metadata["authorization_endpoint"],
                state=begun.state,
                nonce=begun.nonce,
                code_verifier=begun.verifier,
            )
        return str(url), begun

    async def finish(self, url: str, begun: Begun) -> tuple[Person, frozenset[Access]]:
        """Who came back, by the whole URL, and what that person may do."""
        known = await self._look()
        self._refuse_answer(url, begun)
        try:
            async with self._client() as client:
                token = cast(
                    "Document",
                    await client.fetch_token(
                        known.metadata["token_endpoint"],
                        authorization_response=url,
                        state=begun.state,
                        code_verifier=begun.verifier,
                    ),
                )
                claims = await self._claims(token, begun)
                if self._lacks(claims) and "userinfo_endpoint" in known.metadata:
                    claims = {**await self._more(client, known, claims), **claims}
        except (OAuthError, JoseError, AuthlibBaseError, ValueError, TypeError, KeyError) as error:
            raise self._refused(f"its answer does not fit ({type(error).__name__})") from error
        except httpx2.HTTPError as error:
            raise self._away(error) from error
        return self._person(claims), self._access(claims)

    async def _claims(self, token: Document, begun: Begun) -> Document:
        """What the signed token says, where it is for us, for now, and for this very sign-in."""
        text = str(token["id_token"])
        try:
            decoded = jwt.decode(text, (await self._look()).keys, algorithms=_ALGORITHMS)
        except (JoseError, ValueError):
            decoded = jwt.decode(text, (await self._look(anew=True)).keys, algorithms=_ALGORITHMS)  # it has new ones
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            options={
                "iss": {"essential": True, "value": self._settings.issuer},
                "aud": {"essential": True, "value": self._settings.client_id},
                "nonce": {"essential": True, "value": begun.nonce},
            },
            params={
                "nonce": begun.nonce,
                "client_id": self._settings.client_id,
                "access_token": token.get("access_token"),
            },
        )
        claims.validate(leeway=_LEEWAY_S)
        return dict(claims)

    async def _more(self, client: Any, known: _Known, claims: Document) -> Document:
        """What the provider tells of the same person beside the token."""
        answer = await client.get(known.metadata["userinfo_endpoint"])
        answer.raise_for_status()
        more = answer.json()
        if not isinstance(more, dict) or more.get("sub") != claims["sub"]:
            raise ValueError("it is of somebody else")
        return cast("Document", more)

    def _lacks(self, claims: Document) -> bool:
        wanted = {self._settings.name_claim, self._settings.scopes_claim}
        wanted |= {"email_verified"} if self._settings.name_claim == "email" else set()
        return bool(wanted - claims.keys())

    def _person(self, claims: Document) -> Person:
        claim = self._settings.name_claim
        name = claims.get(claim)
        if not isinstance(name, str) or not name.isprintable() or not 0 < len(name.strip()) <= _LONGEST_NAME:
            raise self._refused(f"it tells no name in the claim {claim!r}")
        if claim == "email" and claims.get("email_verified") is not True:
            raise self._refused(f"it has not verified the address {visible(name, longest=100)}")
        return Person(name=name.strip(), how=IdentityProof.OIDC)

    def _access(self, claims: Document) -> frozenset[Access]:
        said = claims.get(self._settings.scopes_claim)
        words: object = said.split() if isinstance(said, str) else said
        known = {str(access): access for access in Access}
        each = cast("list[object]", words) if isinstance(words, list) else []
        named = (word.removeprefix(_PREFIX) for word in each if isinstance(word, str))
        access = frozenset(known[word] for word in named if word in known)
        if not access:
            raise self._refused(
                f"it tells of nothing that you may do here: its claim {self._settings.scopes_claim!r} would say read, "
                "start or approve"
            )
        return access

    def _refuse_answer(self, url: str, begun: Begun) -> None:
        """What came back with the browser: it has to be of this sign-in, and of this provider."""
        said = parse_qs(urlsplit(url).query)
        if not secrets.compare_digest(said.get("state", [""])[0].encode(), begun.state.encode()):
            raise self._refused("its answer is of another sign-in; begin anew")
        if said.get("iss", [self._settings.issuer]) != [self._settings.issuer]:
            raise self._refused("the answer is of another provider")
        if error := said.get("error", [""])[0]:
            raise self._refused(f"it says {visible(error, longest=60)!r}")

    async def _look(self, *, anew: bool = False) -> _Known:
        """What the provider tells of itself; asked again after ten minutes."""
        if self._known is None or anew or ticks() - self._known.at > _KNOWN_FOR_S:
            try:
                async with httpx2.AsyncClient(timeout=_TIMEOUT_S) as client:
                    issuer = self._settings.issuer
                    metadata = await _document(client, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                    if metadata.get("issuer") != issuer:
                        raise self._refused(f"it calls itself {visible(metadata.get('issuer'), longest=100)!r}")
                    self._refuse_unsafe(metadata)
                    keys = KeySet.import_key_set(cast("Any", await _document(client, str(metadata["jwks_uri"]))))
            except httpx2.HTTPError as error:
                raise self._away(error) from error
            except (JoseError, ValueError, KeyError, TypeError) as error:
                raise self._refused(f"what it tells of itself does not fit ({type(error).__name__})") from error
            self._known = _Known(metadata, keys, ticks())
        return self._known

    def _refuse_unsafe(self, metadata: Document) -> None:
        needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        places = {name: str(metadata[name]) for name in needed}
        if "userinfo_endpoint" in metadata:
            places["userinfo_endpoint"] = str(metadata["userinfo_endpoint"])
        if unsafe := [name for name, url in places.items() if not is_safe(url)]:
            raise self._refused(f"its {unsafe[0]} is not https")

    def _client(self) -> Any:  # Any: the library has no types
        return AsyncOAuth2Client(
            client_id=self._settings.client_id,
            client_secret=self._settings.client_secret,
            scope="openid email profile",
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
            timeout=_TIMEOUT_S,
        )

    def _refused(self, why: str) -> AccessRefused:
        return AccessRefused(f"{self._settings.host} lets nobody in: {why}")

    def _away(self, error: Exception) -> Unreachable:
        return Unreachable(f"{self._settings.host} gave no answer ({type(error).__name__}); try again")


async def _document(client: httpx2.AsyncClient, url: str) -> Document:
    answer = await client.get(url)
    answer.raise_for_status()
    found = answer.json()
    if not isinstance(found, dict):
        raise TypeError("it is no document")
    return cast("Document", found)
