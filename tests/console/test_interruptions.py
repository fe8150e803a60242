"""An open page while what it needs goes away and comes back: it says so, goes on by itself, and loses nothing."""

import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser, Page, expect

from daper.entrypoints.web.pages import inbox, repair
from tests.console.desk import ALL
from tests.console.served import served
from tests.e2e.shell import GENEROUS, Shell, until
from tests.e2e.test_console import console
from tests.e2e.test_up import holders, living, up, waiting
from tests.workflow.shop import Shop

pytestmark = pytest.mark.long

WITHIN_MS: Final = GENEROUS * 1000


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page in a browser of its own."""
    context = await browser.new_context()
    yield await context.new_page()
    await context.close()


async def sign_in(page: Page, token: str) -> None:
    await page.get_by_label("Your access token").fill(token)
    await page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("where", ["repair", "inbox"])
async def test_an_open_page_says_that_its_person_was_signed_out_and_how_to_go_on(
    page: Page, shop: Shop, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in (inbox, repair):
        monkeypatch.setattr(each, "PING_S", 1)
    repair_id = await shop.start()
    first = (await shop.plan(repair_id)).actions[0].id
    tokens = shop.settings.state.tokens()
    tokens.add("Ginny", ALL)
    token = tokens.add("Luna", ALL)
    path = "/" if where == "inbox" else f"/repairs/{repair_id}"
    async with served(shop) as url:
        await page.goto(url + path)
        await sign_in(page, token)
        await expect(page).to_have_url(url + path)
        if where == "repair":
            await page.locator(f"#action-{first}").get_by_label("Reject").check()
        await expect(page.locator("#signed-out")).to_be_hidden()
        tokens.remove("Luna")
        token = tokens.add("Luna", ALL)

        await expect(page.locator("#signed-out")).to_be_visible(timeout=WITHIN_MS)
        await page.get_by_role("link", name="Sign in again").click()
        await sign_in(page, token)
        await expect(page).to_have_url(url + path)
        await expect(page.locator("#signed-out")).to_be_hidden()
        if where == "repair":
            await expect(page.locator(f"#action-{first}").get_by_label("Reject")).to_be_checked()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A shell with nothing configured; what kills left behind is ended, by the pid that holds its own file."""
    opened = Shell(root=tmp_path)
    yield opened
    for pid in holders(opened):
        os.kill(pid, signal.SIGKILL)


async def test_open_pages_go_on_after_temporal_the_worker_and_the_console_were_away(
    browser: Browser, page: Page, shell: Shell
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    inbox_page = await page.context.new_page()
    with ExitStack() as consoles, ExitStack() as ups:
        whole = ups.enter_context(up(shell, "--no-console"))
        url, process = consoles.enter_context(console(shell, port=port))
        repair_id, digest = waiting(shell)
        await inbox_page.goto(url)
        await expect(inbox_page).to_have_title("(1) Inbox - daper")
        await page.goto(f"{url}/repairs/{repair_id}")
        await page.evaluate("window.here = true")

        # Temporal dies, and nobody starts it again for a while.
        before = living(shell)
        os.kill(whole.pid, signal.SIGSTOP)
        os.kill(before.pid, signal.SIGKILL)
        await expect(page.locator("#quiet")).not_to_be_empty(timeout=WITHIN_MS)
        os.kill(whole.pid, signal.SIGCONT)
        until(lambda: living(shell).pid != before.pid, what="a new server")
        await expect(page.locator("#quiet")).to_be_empty(timeout=WITHIN_MS)

        # Its worker dies as well: what waits for a person needs none meanwhile.
        whole.kill()
        ups.close()
        ups.enter_context(up(shell, "--no-console"))

        # And the console.
        process.kill()
        consoles.close()
        for each in (page, inbox_page):
            await expect(each.locator("#away")).to_be_visible(timeout=WITHIN_MS)
        consoles.enter_context(console(shell, port=port))
        for each in (page, inbox_page):
            await expect(each.locator("#away")).to_be_hidden(timeout=WITHIN_MS)

        assert shell.run("repair", "approve", repair_id, "--plan", digest).code == 0
        await expect(page.locator("#part-state")).to_contain_text("REPORT-COMPLETED", timeout=WITHIN_MS)
        await expect(inbox_page).to_have_title("Inbox - daper", timeout=WITHIN_MS)
        assert await page.evaluate("window.here"), "it was loaded anew"
