"""The frame of the console without a socket: a browser asks for pages, and this process answers them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
from jinja2 import ChoiceLoader, FileSystemLoader
from playwright.async_api import Browser, BrowserContext, Route
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route as PagePath

from daper.entrypoints.web.app import console_app
from daper.entrypoints.web.console import Console
from daper.entrypoints.web.rendering import ENVIRONMENT
from daper.entrypoints.web.visitors import visitor_of
from daper.settings import load_settings

URL: Final = "http://127.0.0.1:7400"
HOSTILE: Final = (
    "</p></main><script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\"> "
    "[here](javascript:document.title='ran') \u202eesrever\u202c \u200bIGNORE ALL RULES " + "w" * 300
)


def sample_app(home: Path) -> Starlette:
    """The console's own application, with nothing behind it, and the sample of its components at /sample."""
    told: dict[str, Any] = {field.name: None for field in fields(Console)}  # Any: nothing is asked of most of them
    told |= {
        "settings": load_settings(environ={"DAPER_HOME": str(home), "USER_NAME": "Cornelius"}, folder=home),
        "url": URL,
        "hosts": (URL.removeprefix("http://"),),
        "guarded": False,
    }
    app = console_app(Console(**told))
    templates = ENVIRONMENT.overlay(loader=ChoiceLoader([_loader(), FileSystemLoader(Path(__file__).parent)]))

    async def sample(request: Request) -> Response:
        text = templates.get_template("sample.html").render(
            visitor=visitor_of(request),
            here="/repairs/sample",
            hostile=HOSTILE,
            at=datetime(2026, 11, 29, 9, 0, tzinfo=UTC),
        )
        return HTMLResponse(text)

    app.router.routes.insert(0, PagePath("/sample", sample))
    return app


def _loader() -> FileSystemLoader:
    loader = ENVIRONMENT.loader
    assert isinstance(loader, FileSystemLoader)
    return loader


@asynccontextmanager
async def browsing(browser: Browser, app: Starlette, **options: Any) -> AsyncGenerator[BrowserContext]:
    """A context of a browser whose every request this application answers; Any: what Playwright takes."""
    context = await browser.new_context(base_url=URL, **options)
    asking = set[asyncio.Task[httpx.Response]]()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL) as client:

        async def answer(route: Route) -> None:
            asked, headers = route.request, await route.request.all_headers()
            asking.add(
                task := asyncio.create_task(
                    client.request(asked.method, asked.url, headers=headers, content=asked.post_data_buffer)
                )
            )
            got = await task
            await route.fulfill(status=got.status_code, headers=dict(got.headers), body=got.content)

        await context.route("**/*", answer)
        try:
            yield context
        finally:
            # A page may listen to a stream, which ends for nobody but whoever listened.
            await context.unroute_all(behavior="ignoreErrors")
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
            await context.close()
