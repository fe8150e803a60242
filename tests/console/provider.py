"""An OpenID provider over loopback: it signs in whoever comes, as whom a test says, and can be made to lie."""

import base64
import hashlib
import secrets
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from daper.clock import utc_now

CLIENT_ID, CLIENT_SECRET = "daper-console", "a secret of the console"


@cache
def _key() -> RSAKey:
    """Made once: it takes most of what a test takes."""
    return RSAKey.generate_key(2048, {"kid": "one"})


class Provider:
    """`person`: the claims of whoever comes. `lie`: changes what is signed; `key`: signs it; `more`: the user info."""

    def __init__(self) -> None:
        self.issuer = ""
        self.key = _key()
        self.shown = self.key
        self.algorithm = "RS256"
        self.person: dict[str, Any] = {"sub": "1", "email": "luna@hogwarts.example", "email_verified": True}
        self.person |= {"daper": ["read", "approve"]}
        self.more: dict[str, Any] = {}
        self.lie: Callable[[dict[str, Any]], None] = lambda claims: None
        self.metadata: dict[str, Any] = {}
        self._codes: dict[str, dict[str, str]] = {}
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._metadata),
                Route("/keys", self._keys),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/me", self._me),
            ]
        )

    async def _metadata(self, request: Request) -> Response:
        paths = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
        paths["userinfo_endpoint"] = "/me"
        urls = {name: f"{self.issuer}{path}" for name, path in paths.items()}
        return JSONResponse({"issuer": self.issuer, **urls, **self.metadata})

    async def _keys(self, request: Request) -> Response:
        return JSONResponse(KeySet([self.shown]).as_dict(private=False))

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        back = urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
        return RedirectResponse(f"{asked['redirect_uri']}?{back}", status_code=302)

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        asked = self._codes.pop(str(form["code"]), None)
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(str(form["code_verifier"]).encode()).digest()).rstrip(b"=")
        if asked is None or asked["code_challenge"] != challenge.decode():
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        if request.headers["authorization"] != f"Basic {expected}" or asked["redirect_uri"] != form["redirect_uri"]:
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        now = int(utc_now().timestamp())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 60, "nonce": asked["nonce"]}
        claims |= self.person
        self.lie(claims)
        header = {"alg": self.algorithm, "kid": "one"}
        key = OctKey.import_key(CLIENT_SECRET) if self.algorithm == "HS256" else self.key
        signed = jwt.encode(header, claims, key, algorithms=[self.algorithm])
        return JSONResponse({"access_token": "at", "token_type": "Bearer", "id_token": signed})

    async def _me(self, request: Request) -> Response:
        assert request.headers["authorization"] == "Bearer at"
        return JSONResponse({"sub": self.person["sub"], **self.more})
