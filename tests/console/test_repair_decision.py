"""The form that decides on a plan, by mouse, keyboard and touch, with and without JavaScript."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, ViewportSize

from daper.core.models import Risk, Verdict
from daper.core.outcomes import OutcomeStatus
from daper.core.views import PlanView
from daper.domains.orders.tools.order_inventory import OrderInventory
from tests.workflow.shop import Shop

_CONTROLS = ", ".join(
    f"main {each}"
    for each in ("button", "a.button", ".segments > label", "summary", "select", "input[type=text]", "textarea")
)
_TOO_SMALL = f"""[...document.querySelectorAll('{_CONTROLS}')]
    .filter((each) => each.checkVisibility() && each.getBoundingClientRect().height < 43.5)
    .map((each) => each.outerHTML)"""
PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture
async def page(browser: Browser, url: str) -> AsyncIterator[Page]:
    """A page in a browser of its own, which objects to nothing."""
    context = await browser.new_context()
    opened = await context.new_page()
    refused: list[str] = []
    opened.on("console", lambda message: refused.append(message.text) if "status of 4" not in message.text else None)
    opened.on("pageerror", lambda error: refused.append(str(error)))
    yield opened
    await context.close()
    assert refused == []


def _action_of(plan: PlanView, tool: str) -> str:
    return next(action.id for action in plan.actions if action.tool == tool)


async def test_some_are_approved_and_others_rejected_in_one_decision_without_javascript(
    browser: Browser, shop: Shop, url: str
) -> None:
    repair_id = await shop.start()
    plan = await shop.plan(repair_id)
    first, second, *rest = plan.actions
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{url}/repairs/{repair_id}")
    await page.locator(f"#action-{first.id}").get_by_label("Approve").check()
    await page.locator(f"#action-{second.id}").get_by_label("Reject").check()
    await page.locator("#comment").fill("only the first")
    await page.get_by_role("button", name="Send choices").click()
    await page.get_by_text("only the first").wait_for()
    result = await shop.end(repair_id)
    became = {outcome.action_id: outcome.status for outcome in result.outcomes}
    assert became[first.id] is OutcomeStatus.APPLIED
    assert became[second.id] is OutcomeStatus.REJECTED
    assert {became[each.id] for each in rest} == {OutcomeStatus.NOT_APPROVED}
    assert result.decisions[0].decision.door == "console"
    await context.close()


@pytest.mark.long
async def test_an_edit_over_its_limit_is_refused_in_words_and_one_within_it_runs(
    page: Page, shop: Shop, url: str
) -> None:
    repair_id = await shop.start()
    plan = await shop.plan(repair_id)
    action_id = _action_of(plan, "order_inventory")
    await page.goto(f"{url}/repairs/{repair_id}")
    field = page.locator(f'[name="edit.{action_id}.quantity"]')
    # What a browser would not let through comes from elsewhere.
    await field.evaluate("element => { element.type = 'text'; element.value = '9999'; }")
    await page.locator(f"#action-{action_id}").get_by_label("Approve").check()
    await page.get_by_role("button", name="Send choices").click()
    await page.get_by_role("alert").get_by_text("113").wait_for()
    assert await field.input_value() == "9999"
    assert await page.locator(f"#action-{action_id}").get_by_label("Approve").is_checked()
    await field.fill("150")
    await page.get_by_role("button", name="Send choices").click()
    result = await shop.end(repair_id)
    assert result.decisions[0].decision.edits == {action_id: {"quantity": 150}}
    outcome = next(outcome for outcome in result.outcomes if outcome.action_id == action_id)
    assert outcome.arguments["quantity"] == 150


@pytest.mark.long
async def test_enter_in_a_field_decides_nothing(page: Page, shop: Shop, url: str) -> None:
    repair_id = await shop.start()
    plan = await shop.plan(repair_id)
    await page.goto(f"{url}/repairs/{repair_id}")
    field = page.locator(f'[name="edit.{_action_of(plan, "order_inventory")}.quantity"]')
    await field.fill("150")
    await field.press("Enter")
    await page.reload()
    assert await page.locator("form.decision").count() == 1
    look = await shop.until(repair_id, lambda look: True)
    assert look.decision is None


@pytest.mark.long
async def test_a_high_risk_is_approved_by_typing_the_name_of_its_target(
    page: Page, shop: Shop, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OrderInventory, "risk", Risk.HIGH)
    repair_id = await shop.start()
    plan = await shop.plan(repair_id)
    action = next(action for action in plan.actions if action.risk is Risk.HIGH)
    await page.goto(f"{url}/repairs/{repair_id}")
    await page.get_by_role("button", name="Approve all").click()
    await page.get_by_role("alert").get_by_text(action.record_id).wait_for()
    await page.locator(f'[name="named.{action.id}"]').fill(f" {action.record_id.lower()} ")
    await page.get_by_role("button", name="Approve all").click()
    result = await shop.end(repair_id)
    assert result.decisions[0].decision.verdicts[action.id] is Verdict.APPROVE


@pytest.mark.long
async def test_all_of_it_is_done_by_keys(page: Page, shop: Shop, url: str) -> None:
    repair_id = await shop.start()
    plan = await shop.plan(repair_id)
    edited = _action_of(plan, "order_inventory")
    await page.goto(f"{url}/repairs/{repair_id}")
    ids = await page.locator("[data-item]").evaluate_all("all => all.map((each) => each.id.replace('action-', ''))")
    assert edited != ids[-1]
    for action_id in ids:
        await page.keyboard.press("j")
        await page.keyboard.press("a" if action_id == edited else "r")
    await page.keyboard.press("x")  # the last one is left
    for _ in range(len(ids) - 1 - ids.index(edited)):
        await page.keyboard.press("k")
    await page.keyboard.press("e")
    await page.keyboard.type("160")
    await page.keyboard.press("Escape")
    await page.keyboard.press("?")
    assert await page.locator("#keys").get_attribute("open") is not None
    await page.keyboard.press("s")
    await page.keyboard.press("Enter")
    result = await shop.end(repair_id)
    decision = result.decisions[0].decision
    rejected = set(ids[:-1]) - {edited}
    assert decision.verdicts == {edited: Verdict.APPROVE} | dict.fromkeys(rejected, Verdict.REJECT)
    assert decision.edits == {edited: {"quantity": 160}}


@pytest.mark.long
async def test_a_draft_survives_a_reload_and_is_gone_after_the_decision(page: Page, shop: Shop, url: str) -> None:
    repair_id = await shop.start()
    plan = await shop.plan(repair_id)
    first = plan.actions[0].id
    await page.goto(f"{url}/repairs/{repair_id}")
    await page.locator(f"#action-{first}").get_by_label("Reject").check()
    await page.locator("#comment").fill("half done")
    await page.reload()
    await page.locator("#draft").get_by_text("nothing is sent yet").wait_for()
    assert await page.locator(f"#action-{first}").get_by_label("Reject").is_checked()
    assert await page.locator("#comment").input_value() == "half done"
    await page.get_by_role("button", name="Send choices").click()
    await page.locator(".decided").get_by_text("half done").wait_for()
    assert await page.evaluate("Object.keys(localStorage)") == []


@pytest.mark.long
async def test_of_two_browsers_that_decide_the_second_is_told_who_did(
    browser: Browser, page: Page, shop: Shop, url: str
) -> None:
    repair_id = await shop.start()
    plan = await shop.plan(repair_id)
    other_context = await browser.new_context(java_script_enabled=False)
    other = await other_context.new_page()
    await other.goto(f"{url}/repairs/{repair_id}")
    await page.goto(f"{url}/repairs/{repair_id}")
    await page.get_by_role("button", name=f"Reject all {len(plan.actions)}").click()
    await shop.end(repair_id)
    await other.get_by_role("button", name=f"Approve all {len(plan.actions)}").click()
    said = await other.get_by_role("alert").inner_text()
    assert "decided" in said
    assert "Harry" in said
    assert await other.locator("form.decision").count() == 0
    await other_context.close()


async def test_a_plan_is_decided_by_touch_on_a_phone_and_nothing_is_wider_than_it(
    browser: Browser, shop: Shop, url: str
) -> None:
    repair_id = await shop.start()
    plan = await shop.plan(repair_id)
    context = await browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    page = await context.new_page()
    await page.goto(f"{url}/repairs/{repair_id}")
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    small = await page.evaluate(_TOO_SMALL)
    assert small == []
    await page.locator(f"#action-{plan.actions[0].id}").get_by_text("Approve", exact=True).tap()
    await page.get_by_role("button", name="Send choices").tap()
    result = await shop.end(repair_id)
    assert result.decisions[0].decision.verdicts == {plan.actions[0].id: Verdict.APPROVE}
    await page.locator("#part-state").get_by_text("REPORT-COMPLETED").wait_for()
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    await context.close()


@pytest.mark.long
async def test_some_of_a_plan_is_decided_in_words_and_words_that_mean_nothing_are_refused(
    page: Page, shop: Shop, url: str
) -> None:
    repair_id = await shop.start()
    plan = await shop.plan(repair_id)
    *others, last = (action.id for action in plan.actions)
    await page.goto(f"{url}/repairs/{repair_id}")
    await page.get_by_text("Some of it, in words").click()
    await page.locator("#approve").fill("a98-a99")
    await page.get_by_role("button", name="Decide on these").click()
    await page.get_by_role("alert").get_by_text("a98").wait_for()
    assert await page.locator("#approve").input_value() == "a98-a99"
    await page.locator("#approve").fill(f"all but {last}")
    await page.locator("#reject").fill(last)
    await page.get_by_role("button", name="Decide on these").click()
    await page.get_by_role("alert").get_by_text("recorded").wait_for()
    result = await shop.end(repair_id)
    verdicts = result.decisions[0].decision.verdicts
    assert verdicts == dict.fromkeys(others, Verdict.APPROVE) | {last: Verdict.REJECT}
