"""The real HTTP server in this process, on a shop: clients come over loopback, each with a connection of its own."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from daper.adapters.tokens.files import TOKENS, TokenFile
from daper.bootstrap import Services, open_services
from daper.clock import utc_now
from daper.core.access import Access
from daper.entrypoints.mcp import http
from daper.settings import Settings
from tests.workflow.chat import Answers, Chat, Era, callback_of
from tests.workflow.shop import Shop


def tokens_of(shop: Shop) -> TokenFile:
    """Who may come."""
    return TokenFile(shop.home / TOKENS, now=utc_now)


def token_for(shop: Shop, name: str) -> str:
    """A token that allows everything."""
    return tokens_of(shop).add(name, frozenset(Access))


@asynccontextmanager
async def served(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[str]:
    """The server, as `daper mcp --http` runs it; the URL where it answers."""

    async def opens(settings: Settings) -> Services:
        return await open_services(settings, client=shop.client)

    monkeypatch.setattr("daper.bootstrap.open_services", opens)
    monkeypatch.setattr(http, "http_settings", lambda: shop.settings)
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        http.serve_http(
            shop.settings,
            http.Address(host="127.0.0.1", port=0),
            tokens_of(shop),
            read_only=False,
            ready=lambda url, guarded: told.set_result(url),
        )
    )
    try:
        await asyncio.wait({serving, told}, return_when=asyncio.FIRST_COMPLETED)
        yield told.result() if told.done() else await serving  # type: ignore[misc]  # which raises
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


@asynccontextmanager
async def chat_at(
    url: str, *, era: Era = "auto", answers: Answers | None = None, token: str = ""
) -> AsyncGenerator[Chat]:
    """A chat of the official client over HTTP."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # Any: documents of many shapes.
    asked, schemas = list[str](), list[dict[str, Any]]()
    callback = callback_of(answers, asked, schemas) if answers else None
    async with (
        httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(30, read=300)) as transport,
        Client(streamable_http_client(url, http_client=transport), mode=era, elicitation_callback=callback) as client,
    ):
        yield Chat(client, asked, schemas)
