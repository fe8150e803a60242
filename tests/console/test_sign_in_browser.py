"""Signing in with a real browser: what it sends of a session, to whom, and what it shows of us to others."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from daper.entrypoints.http import Address
from tests.console.desk import ALL, Desk
from tests.console.listening import listening


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A console with a page for tests, which a browser can come to."""
    address = Address(host="127.0.0.1", port=0)
    with address.listen() as free:
        port = free.getsockname()[1]
    found = Desk(tmp_path / "home", port=port)
    async with listening(found.app, Address(host="127.0.0.1", port=port)):
        yield found


@pytest.fixture
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    opened = await browser.new_context(java_script_enabled=False)
    yield opened
    await opened.close()


@pytest.mark.long
async def test_a_person_signs_in_comes_back_by_a_link_of_another_site_and_signs_out(
    desk: Desk, context: BrowserContext
) -> None:
    token = desk.tokens.add("Luna", ALL)
    page = await context.new_page()
    await page.goto(f"{desk.url}/deed?x=1")
    await page.get_by_label("Your access token").fill("daper_wrong")
    await page.get_by_role("button", name="Sign in").click()
    assert "There is no such token" in await page.get_by_role("alert").inner_text()
    await page.get_by_label("Your access token").fill(token)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_text("Luna token").wait_for()
    assert page.url == f"{desk.url}/deed?x=1"

    async def elsewhere(request: Request) -> HTMLResponse:
        return HTMLResponse(
            f'<a href="{desk.url}/deed?x=2">look</a>'
            f'<iframe src="{desk.url}/sign-in" title="ours"></iframe>'
            f'<form method="post" action="{desk.url}/deed"><button>win</button></form>'
        )

    # localhost is another site than 127.0.0.1
    async with listening(Starlette(routes=[Route("/", elsewhere)]), Address(host="localhost", port=0)) as port:
        await page.goto(f"http://localhost:{port}/")
        assert "Luna" not in await page.frame_locator("iframe").locator("html").inner_text()  # it is not shown there
        await page.get_by_role("link", name="look").click()
        await page.get_by_text("Luna token").wait_for()
        assert page.url == f"{desk.url}/deed?x=2"
        await page.goto(f"http://localhost:{port}/")
        await page.get_by_role("button", name="win").click()
        await page.get_by_text("another site").wait_for()
    assert desk.deeds == []

    await page.goto(f"{desk.url}/sign-in")
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("heading", name="Sign in").wait_for()
    assert await context.cookies() == []
