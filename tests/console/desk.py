"""The console without Temporal: who comes in, and who does not. Its pages about repairs do not work."""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from daper.core.access import Access
from daper.entrypoints.http import Address
from daper.entrypoints.web.app import console_app
from daper.entrypoints.web.console import Console
from daper.entrypoints.web.visitors import require, visitor_of
from daper.settings import load_settings

HERE = "http://127.0.0.1:8080"
ALL = tuple(Access)


class Desk:
    """A console in a home of its own. `deeds`: what its page for tests did, and for whom."""

    def __init__(
        self,
        home: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 8080,
        public_url: str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.settings = load_settings(
            environ={"DAPER_HOME": str(home), "USER_NAME": "Harry", **(environ or {})}, folder=home, dotenv=False
        )
        self.tokens = self.settings.state.tokens()
        address = Address(host=host, port=port, public_url=public_url)
        self.url = address.url(port)
        self.console = Console(
            settings=self.settings,
            services=cast("Any", SimpleNamespace(repairs=None, board=None)),
            url=self.url,
            hosts=address.hosts(port),
            guarded=self.tokens.in_use or self.settings.console.oidc is not None,
        )
        self.deeds: list[str] = []
        self.app: Starlette = console_app(self.console)
        self.app.router.routes.append(Route("/deed", self._deed, methods=["GET", "POST"]))
        self.app.router.routes.insert(0, Route("/api/v1/deed", self._deed, methods=["GET", "POST"]))

    async def _deed(self, request: Request) -> Response:
        if request.method == "POST":
            self.deeds.append(require(request, Access.APPROVE).name)
        person = visitor_of(request).person
        return PlainTextResponse(f"{person.name} {person.how}")

    @asynccontextmanager
    async def browser(self, *, address: str = "192.0.2.1") -> AsyncGenerator["Browser"]:
        """Somebody's browser, with cookies of its own."""
        transport = httpx2.ASGITransport(self.app, client=(address, 1))
        async with httpx2.AsyncClient(transport=transport, base_url=self.url) as client:
            yield Browser(client, self.url)


class Browser:
    """Sends what a browser sends: where a form comes from, and what was hidden in it."""

    def __init__(self, client: httpx2.AsyncClient, url: str) -> None:
        self.client = client
        self.headers = {"origin": url, "sec-fetch-site": "same-origin"}

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        """A page; `accept_x` is the header `accept-x`."""
        return await self.client.get(path, headers=_named(headers))

    async def post(self, path: str, data: Mapping[str, str] | None = None, **headers: str) -> httpx2.Response:
        """A form, with what it was given of a page that was looked at before."""
        return await self.client.post(path, data=dict(data or {}), headers={**self.headers, **_named(headers)})

    async def form_key(self, path: str = "/sign-in") -> str:
        """What the form of a page has hidden in it."""
        return form_key_in((await self.get(path)).text)

    async def sign_in(self, token: str, *, then: str = "/") -> httpx2.Response:
        """By the form."""
        return await self.post("/sign-in", {"csrf": await self.form_key(), "token": token, "next": then})


def form_key_in(page: str) -> str:
    """What a form has hidden in it."""
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found, page
    return found[1]


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
