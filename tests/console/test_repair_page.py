"""The page of a repair, and the form that decides on its plan."""

from http import HTTPStatus
from typing import Any, Literal

import httpx
import pytest
from playwright.async_api import Browser, Route, expect

from daper.core.outcomes import OutcomeStatus
from daper.core.phases import Phase
from tests.console.axe import objections
from tests.console.served import served
from tests.console.test_look import DESK, PHONE
from tests.workflow.shop import Shop


@pytest.mark.long
async def test_a_plan_is_approved_on_its_page_without_javascript(browser: Browser, shop: Shop, url: str) -> None:
    repair_id = await shop.start()
    plan = await shop.plan(repair_id)
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{url}/repairs/{repair_id}")
    for action in plan.actions:
        assert await page.locator(f"#action-{action.id}").get_by_text(action.record_id).count()
    await page.get_by_role("button", name=f"Approve all {len(plan.actions)}").click()
    result = await shop.end(repair_id)
    assert result.phase is Phase.REPORT_COMPLETED
    assert OutcomeStatus.APPLIED in {outcome.status for outcome in result.outcomes}
    await page.goto(f"{url}/repairs/{repair_id}")
    await page.set_viewport_size({"width": 390, "height": 844})
    await context.close()


async def test_a_page_goes_on_by_itself_to_the_end_without_a_reload(browser: Browser, shop: Shop, url: str) -> None:
    repair_id = await shop.start()
    plan = await shop.plan(repair_id)
    context = await browser.new_context()
    page = await context.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.on("pageerror", lambda error: refused.append(str(error)))
    await page.goto(f"{url}/repairs/{repair_id}")
    await page.evaluate("window.here = true")
    await shop.decide(repair_id, plan)
    await shop.end(repair_id)
    await page.locator("#part-state").get_by_text("REPORT-COMPLETED").wait_for()
    await page.locator("#part-decisions").get_by_text("Harry").first.wait_for()
    await expect(page.locator("form.decision")).to_have_count(0)  # it goes once the page has asked for what waits now
    assert await page.evaluate("window.here"), "it was loaded anew"
    assert refused == []
    await context.close()


async def test_a_page_whose_scripts_come_late_goes_on_by_itself_too(browser: Browser, shop: Shop, url: str) -> None:
    repair_id = await shop.start()
    plan = await shop.plan(repair_id)
    context = await browser.new_context()
    page = await context.new_page()

    async def late(route: Route) -> None:
        await page.wait_for_function("window.htmx")
        await page.evaluate("new Promise((done) => setTimeout(() => setTimeout(done)))")  # it had its turn
        await route.continue_()

    await page.route("**/hx-sse.min.js", late)
    await page.goto(f"{url}/repairs/{repair_id}")
    await shop.decide(repair_id, plan)
    await page.locator("#part-state").get_by_text("REPORT-COMPLETED").wait_for()
    await context.close()


@pytest.mark.parametrize("how", ["never comes there", pytest.param("is refused", marks=pytest.mark.long)])
async def test_a_page_that_is_not_heard_at_first_says_so_and_asks_again(
    browser: Browser, shop: Shop, url: str, how: str
) -> None:
    repair_id = await shop.start()
    plan = await shop.plan(repair_id)
    context = await browser.new_context()
    page = await context.new_page()
    asked: list[str] = []

    async def first(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) > 1:
            await route.continue_()
        elif how == "is refused":
            await route.fulfill(status=503, body="not now")
        else:
            await route.abort()

    await page.route("**/events?*", first)
    await page.goto(f"{url}/repairs/{repair_id}")
    await expect(page.locator("#away")).to_be_visible()
    await shop.decide(repair_id, plan)
    await page.locator("#part-state").get_by_text("REPORT-COMPLETED").wait_for()
    await expect(page.locator("#away")).to_be_hidden()
    await context.close()


@pytest.mark.long
async def test_a_form_that_is_being_filled_in_stays_and_says_that_something_changed(
    browser: Browser, shop: Shop, url: str
) -> None:
    repair_id = await shop.start()
    plan = await shop.plan(repair_id)
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{url}/repairs/{repair_id}")
    await page.locator("#comment").fill("wait for Minerva")
    await shop.decide(repair_id, plan)
    await page.locator("#changed").get_by_text("This changed since you looked.").wait_for()
    assert await page.locator("#comment").input_value() == "wait for Minerva"
    assert "Harry" in await page.locator("#changed").inner_text()
    await page.locator("#part-state").get_by_text("REPORT-COMPLETED").wait_for()
    await page.get_by_role("link", name="Look at it again").click()
    await page.get_by_role("heading", name="Report").wait_for()
    await expect(page.locator("form.decision")).to_have_count(0)
    await context.close()


@pytest.mark.parametrize(("theme", "size"), [("light", DESK), ("dark", PHONE)], ids=["desk, light", "phone, dark"])
@pytest.mark.long
async def test_nothing_is_to_be_said_against_a_plan_that_waits_nor_against_its_end(
    browser: Browser, shop: Shop, url: str, theme: Literal["light", "dark"], size: dict[str, Any]
) -> None:
    repair_id = await shop.start()
    plan = await shop.plan(repair_id)
    context = await browser.new_context(color_scheme=theme, **size)
    page = await context.new_page()
    await page.goto(f"{url}/repairs/{repair_id}")
    await page.evaluate("for (const each of document.querySelectorAll('main details')) each.open = true")
    assert await objections(page) == []
    await shop.decide(repair_id, plan)
    await shop.end(repair_id)
    await page.goto(f"{url}/repairs/{repair_id}")
    assert await objections(page) == []
    await context.close()


async def test_the_plan_and_later_the_report_are_files_of_four_kinds(shop: Shop, url: str) -> None:
    repair_id = await shop.start()
    plan = await shop.plan(repair_id)
    kinds = ("html", "pdf", "md", "json")
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        waiting = [await client.get(f"/repairs/{repair_id}/report.{ending}") for ending in kinds]
        await shop.decide(repair_id, plan)
        await shop.end(repair_id)
        ended = [await client.get(f"/repairs/{repair_id}/report.{ending}") for ending in kinds]
    for ending, before, after in zip(kinds, waiting, ended, strict=True):
        for answered in (before, after):
            assert answered.status_code == HTTPStatus.OK
            assert answered.headers["content-disposition"].endswith(f'.{ending}"')
            assert "script-src" not in answered.headers["content-security-policy"].replace("script-src 'self'", "")
        assert before.content != after.content


@pytest.mark.long
async def test_an_open_page_goes_on_after_the_console_was_away(browser: Browser, shop: Shop) -> None:
    repair_id = await shop.start()
    plan = await shop.plan(repair_id)
    context = await browser.new_context()
    page = await context.new_page()
    async with served(shop) as url:
        async with page.expect_response(lambda response: "/events" in response.url):
            await page.goto(f"{url}/repairs/{repair_id}")
        await page.evaluate("window.here = true")
    await shop.decide(repair_id, plan)
    await shop.end(repair_id)
    async with served(shop, port=int(url.rpartition(":")[2])):
        await page.locator("#part-state").get_by_text("REPORT-COMPLETED").wait_for()
        assert await page.evaluate("window.here"), "it was loaded anew"
    await context.close()
