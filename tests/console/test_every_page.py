"""Every page under axe-core in both themes, at a desk and on a phone; and hostile text on all of them does nothing."""

import asyncio
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Browser, BrowserContext, Page
from temporalio.client import Client
from temporalio.service import RetryConfig
from temporalio.testing import WorkflowEnvironment

from daper.adapters.temporal.codec import data_converter
from daper.adapters.temporal.embedded import embedded_server
from daper.settings import load_settings
from tests.console.axe import objections
from tests.console.served import served, serving
from tests.console.tour import Stop, entrance, stops
from tests.llm.attacked import attacked_shop
from tests.llm.injections import PAYLOADS, spread
from tests.workflow.shop import Shop, open_shop

DESK: Final[dict[str, Any]] = {"viewport": {"width": 1280, "height": 900}}
PHONE: Final[dict[str, Any]] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
RON, BADGES = "ORD-003-RBW", "ORD-002-HJG"
MARKUP: Final = (
    "</main></li></code><script>document.title='ran'</script>"
    "<img src=//evil.example/x onerror=\"document.title='ran'\"><svg onload=\"document.title='ran'\">"
    "<a href=\"javascript:document.title='ran'\">here</a> {{ 7 * 7 }} ${7*7} <style>*{display:none}</style>"
    "<form action=//evil.example hx-get=//evil.example hx-trigger=load><base href=//evil.example>"
)
# That a server is gone shows at once: nobody need wait for what the SDK tries for seconds.
_AT_ONCE: Final = RetryConfig(max_retries=1, max_elapsed_time_millis=100)
# Of who signs in: what was refused; and a token has no name of its own that a browser could keep beside it.
_EXPECTED: Final = ("a status of 4", "should have (optionally hidden) username fields")
FAULTS: Final = (Path(__file__).parent / "faults.js").read_text(encoding="utf-8").partition("\n")[2]


class Watched:
    """A page of a browser, and what it objected to: what the policy refused, what failed, what was asked elsewhere."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.heard: list[str] = []
        self._url = url
        page.on("console", lambda message: self._hear(message.text))
        page.on("pageerror", lambda error: self._hear(str(error)))
        page.on("dialog", lambda dialog: self._hear(f"a dialog: {dialog.message}"))
        page.on("request", lambda request: self._went(request.url))

    async def visit(self, stop: Stop) -> None:
        """Go there; it answers as it should."""
        answer = await self.page.goto(stop.path)
        assert answer is not None
        assert answer.status == stop.status, stop

    def _hear(self, told: str) -> None:
        if "the server responded with a status of 404" not in told:
            self.heard.append(told)

    def _went(self, where: str) -> None:
        if not where.startswith((self._url, "data:")):
            self.heard.append(f"asked {where}")


async def watched(context: BrowserContext, url: str) -> Watched:
    return Watched(await context.new_page(), url)


@pytest.fixture
async def tour(shop: Shop, url: str) -> tuple[Stop, ...]:
    """The pages of a console with a repair that ended, and one that waits."""
    ended = await shop.start(scope={"record_ids": [RON]})
    await shop.decide(ended, await shop.plan(ended))
    await shop.end(ended)
    waiting = await shop.start()
    await shop.plan(waiting)
    return stops(waiting=waiting, ended=ended, record=BADGES)


@pytest.mark.long
async def test_nothing_is_to_be_said_against_the_pages_that_are_used_most(
    browser: Browser, tour: tuple[Stop, ...], url: str
) -> None:
    used = [stop for stop in tour if stop.name in {"inbox", "plan"}]
    context = await browser.new_context(base_url=url, color_scheme="dark", **PHONE)
    seen = await watched(context, url)
    for stop in used:
        await seen.visit(stop)
        assert (stop.name, await objections(seen.page)) == (stop.name, [])
    assert seen.heard == []
    await context.close()


@pytest.mark.long
async def test_nothing_is_to_be_said_against_any_page_in_any_form(
    browser: Browser, tour: tuple[Stop, ...], url: str
) -> None:
    found: list[str] = []
    for theme in ("light", "dark"):
        for size in (DESK, PHONE):
            context = await browser.new_context(base_url=url, color_scheme=theme, **size)
            seen = await watched(context, url)
            for stop in tour:
                await seen.visit(stop)
                found += [f"{stop.name}, {theme}: {line}" for line in await objections(seen.page)]
            found += seen.heard
            await context.close()
    assert found == []


@pytest.mark.long
@pytest.mark.parametrize(("theme", "size"), [("light", DESK), ("dark", PHONE)], ids=["desk, light", "phone, dark"])
async def test_nothing_is_to_be_said_against_what_somebody_sees_who_signs_in_and_decides(
    browser: Browser, temporal_env: WorkflowEnvironment, tmp_path: Path, theme: Any, size: dict[str, Any]
) -> None:
    (tmp_path / "policy.toml").write_text("[people]\nby_link = true\n")
    found: list[str] = []
    async with open_shop(temporal_env, tmp_path) as shop, served(shop, host="localhost") as url:
        waiting = await shop.start(scope={"record_ids": ["ORD-001-HJP"]})
        digest = (await shop.plan(waiting)).digest
        context = await browser.new_context(color_scheme=theme, **size)
        seen = await watched(context, url)
        async with aclosing(entrance(seen.page, url, shop.settings, waiting=waiting, digest=digest)) as screens:
            async for name in screens:
                found += [f"{name}: {line}" for line in await objections(seen.page)]
        found += [line for line in seen.heard if not any(word in line for word in _EXPECTED)]
        await context.close()
    assert found == []


@pytest.mark.long
@pytest.mark.parametrize(("theme", "size"), [("light", DESK), ("dark", PHONE)], ids=["desk, light", "phone, dark"])
async def test_nothing_is_to_be_said_against_pages_that_have_lost_temporal(
    browser: Browser, tmp_path: Path, theme: Any, size: dict[str, Any]
) -> None:
    found: list[str] = []
    context = await browser.new_context(color_scheme=theme, **size)
    async with AsyncExitStack() as temporal, AsyncExitStack() as stack:
        server = await temporal.enter_async_context(embedded_server(log_file=tmp_path / "temporal.log"))
        environ = {"DAPER_HOME": str(tmp_path), "USER_NAME": "Harry", "TEMPORAL_ADDRESS": server.address}
        settings = load_settings(environ=environ, folder=tmp_path)
        client = await Client.connect(server.address, data_converter=data_converter(), retry_config=_AT_ONCE)
        url = await stack.enter_async_context(serving(settings, client))
        page = await context.new_page()
        await page.goto(url)
        await page.get_by_text("Nothing waits for you").wait_for()
        await temporal.aclose()
        async with asyncio.timeout(60):
            while not await page.get_by_text("This may be old.").count():
                await page.goto(url)
        for path in ("/", "/repairs", "/repairs/some", "/agents", "/records", "/overview", "/settings"):
            await page.goto(url + path)
            found += [f"{path}: {line}" for line in await objections(page)]
    await context.close()
    assert found == []


async def _look(browser: Browser, shop: Shop, records: list[str]) -> list[str]:
    """What is wrong with the pages of a plan about these records, at a desk and on a phone."""
    repair_id = await shop.start(scope={"limit": 500})
    await shop.plan(repair_id)
    found: list[str] = []
    async with served(shop) as url:
        pages = [stop for stop in stops(waiting=repair_id, ended=repair_id, record=records[0]) if stop.status == 200]
        pages += [Stop(record, f"/records/{record}") for record in records[1:]]
        for size in (DESK, PHONE):
            context = await browser.new_context(base_url=url, **size)
            seen = await watched(context, url)
            for stop in pages:
                await seen.visit(stop)
                found += [f"{stop.name}: {line}" for line in await seen.page.evaluate(FAULTS, url)]
                assert (await seen.page.title()).endswith("daper"), stop
            found += seen.heard
            await context.close()
    return found


@pytest.mark.long
async def test_markup_in_a_record_is_text_on_every_page(browser: Browser, shop: Shop) -> None:
    shop.edit_order(RON, customer_name=MARKUP, payment_method=MARKUP)

    assert await _look(browser, shop, [RON]) == []


@pytest.mark.long
async def test_no_injection_does_anything_on_any_page(
    browser: Browser, temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with attacked_shop(temporal_env, tmp_path, tuple(spread(PAYLOADS))) as (attacked, _):
        records = [trio.poisoned for trio in attacked.poisoned.trios]

        assert await _look(browser, attacked.shop, records) == []
