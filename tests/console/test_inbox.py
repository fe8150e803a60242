"""The inbox: what waits, as it changes, and decisions from it; and the list of all repairs."""

import html
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Literal

import httpx2
import pytest
from playwright.async_api import Browser, ViewportSize, expect

from daper.core.models import Verdict
from tests.console.axe import objections
from tests.console.in_process import HOSTILE
from tests.workflow.shop import DEADLINE, Shop

PAID, ALSO_PAID, SHORT = "ORD-001-HJP", "ORD-003-RBW", "ORD-002-HJG"
TICKED = re.compile(r'<input type="checkbox" name="repair" value="([^"]+)"')


@pytest.fixture
async def visitor(url: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody's browser, without any JavaScript."""
    headers = {"origin": url, "sec-fetch-site": "same-origin"}
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=DEADLINE, headers=headers) as client:
        yield client


async def waiting(shop: Shop, *records: str) -> list[str]:
    """A repair for each record, once its plan waits."""
    repair_ids = [await shop.start(scope={"record_ids": (record,)}) for record in records]
    for repair_id in repair_ids:
        await shop.plan(repair_id)
    return repair_ids


async def inbox(visitor: httpx2.AsyncClient, number: int, path: str = "/") -> str:
    """The inbox, once so many wait there: Temporal's list lags behind."""
    while True:
        page = (await visitor.get(path)).text
        if f"({number}) Inbox - daper</title>" in page and "are being read" not in page:
            return page


def boxes(page: str) -> dict[str, dict[str, object]]:
    """What each box of the inbox sends, by repair."""
    return {sent["repair"]: sent for sent in (json.loads(html.unescape(box)) for box in TICKED.findall(page))}


async def decided(
    visitor: httpx2.AsyncClient, page: str, sent: Sequence[Mapping[str, object]], verdict: str = "approve"
) -> str:
    """The page that answers a decision on these."""
    key = re.search(r'name="csrf" value="([^"]+)"', page)
    assert key
    form = {
        "csrf": key[1],
        "verdict": verdict,
        "repair": [json.dumps(each) for each in sent],
        "comment": "from the list",
    }
    answer = await visitor.post("/decisions", data=form)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_like_repairs_are_decided_at_once_but_for_an_exception(shop: Shop, visitor: httpx2.AsyncClient) -> None:
    first, second, short = await waiting(shop, PAID, ALSO_PAID, SHORT)
    page = await inbox(visitor, 3)
    sent = boxes(page)
    assert set(sent) == {first, second}, "the other has more than low risk"
    assert "2 repairs: request_payment_update" in page
    assert "open it to decide: a1: risk medium is above low" in page

    told = await decided(visitor, page, [sent[first]])
    assert "1 repair approved" in told
    assert "recorded: a1 approved by Harry" in html.unescape(told)
    result = await shop.end(first)
    assert [each.decision.comment for each in result.decisions] == ["from the list"]
    assert set(boxes(await inbox(visitor, 2))) == {second}
    assert short in await inbox(visitor, 2)


async def test_whoever_comes_second_is_told_who_was_first_and_the_same_again_is_no_other(
    shop: Shop, visitor: httpx2.AsyncClient
) -> None:
    first, second = await waiting(shop, PAID, ALSO_PAID)
    page = await inbox(visitor, 2)
    sent = boxes(page)
    await shop.decide(first, await shop.plan(first))
    told = html.unescape(await decided(visitor, page, [sent[first], sent[second]], "reject"))
    assert "1 repair rejected, 1 not" in told
    assert "already decided: a1 approved by Harry (os-user)" in told
    again = html.unescape(await decided(visitor, page, [sent[second]], "reject"))
    assert "recorded before: a1 rejected by Harry" in again
    assert (await shop.end(first)).decisions[0].decision.verdicts == {"a1": Verdict.APPROVE}


async def test_what_was_forged_decides_nothing(shop: Shop, visitor: httpx2.AsyncClient) -> None:
    first, short = await waiting(shop, PAID, SHORT)
    page = await inbox(visitor, 2)
    plan = await shop.plan(short)
    mine = boxes(page)[first]
    forged = [
        {"repair": short, "plan": plan.digest, "ids": ["a1"]},
        {**mine, "ids": ["a9"]},
        {"repair": "repair-of-nobody", "plan": "none", "ids": ["a1"]},
    ]
    for each, said in zip(forged, ("has to be opened", "no action 'a9'", "there is no repair"), strict=True):
        told = html.unescape(await decided(visitor, page, [each]))
        assert ("0 repairs approved, 1 not" in told, said in told) == (True, True), told
    other = html.unescape(await decided(visitor, page, [{**mine, "plan": plan.digest}]))
    assert "0 repairs approved, 1 not" in other
    assert {first, short} == {line.repair_id for line in await shop.service.list(limit=1000)} & {first, short}
    assert await shop.plan(first), "it still waits"
    for wrong in (
        {},
        {"verdict": "approve"},
        {"verdict": "maybe", "repair": "{}"},
        {"verdict": "approve", "repair": "["},
    ):
        key = re.search(r'name="csrf" value="([^"]+)"', page)
        assert key
        answer = await visitor.post("/decisions", data={"csrf": key[1], **wrong})
        assert (answer.status_code, "nothing was decided" in answer.text) == (400, True)
    elsewhere = await visitor.post("/decisions", data={}, headers={"origin": "http://evil.example"})
    assert elsewhere.status_code == 403


@pytest.mark.long
async def test_an_open_inbox_goes_on_by_itself_and_disturbs_nobody_at_work(
    browser: Browser, shop: Shop, url: str
) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.on("pageerror", lambda error: refused.append(str(error)))
    await page.goto(url)
    await page.get_by_text("Nothing waits for you").wait_for()
    [first] = await waiting(shop, PAID)
    await page.get_by_role("link", name=PAID).or_(page.get_by_role("link", name="request_payment_update")).wait_for()
    await expect(page).to_have_title("(1) Inbox - daper")

    await page.get_by_role("checkbox").check()
    await waiting(shop, ALSO_PAID)
    await page.get_by_text("What waits has changed since you looked: 2 now.").wait_for()
    await expect(page).to_have_title("(2) Inbox - daper")
    assert await page.get_by_role("checkbox").is_checked(), "what was ticked stays"
    await page.get_by_role("button", name="Approve 1").click()
    await page.get_by_role("heading", name="1 repair approved").wait_for()
    await shop.end(first)
    assert refused == []
    await context.close()


@pytest.mark.long
async def test_all_of_a_group_are_ticked_without_javascript(browser: Browser, shop: Shop, url: str) -> None:
    repair_ids = await waiting(shop, PAID, ALSO_PAID)
    context = await browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page = await context.new_page()
    await page.goto(url)
    while await page.get_by_role("checkbox").count() < 2:
        await page.goto(url)
    await page.get_by_role("link", name="Tick the 2 that are shown").click()
    assert await page.get_by_role("checkbox", checked=True).count() == 2
    await page.get_by_role("button", name="Approve ticked").click()
    await page.get_by_role("heading", name="2 repairs approved").wait_for()
    for repair_id in repair_ids:
        assert (await shop.end(repair_id)).decisions[0].decision.door == "console"
    await context.close()


@pytest.mark.long
async def test_all_repairs_are_found_by_a_text_and_a_phase(shop: Shop, visitor: httpx2.AsyncClient) -> None:
    first, second = await waiting(shop, PAID, ALSO_PAID)
    await shop.decide(first, await shop.plan(first))
    await shop.end(first)

    async def listed(query: str) -> set[str]:
        page = (await visitor.get(f"/repairs?{query}")).text
        return {each for each in (first, second) if each in page}

    while await listed("phase=REPORT-COMPLETED") != {first}:
        pass
    assert await listed("") == {first, second}
    assert await listed("phase=open") == {second}
    assert await listed("phase=ended") == {first}
    assert await listed(f"q={second.upper()}") == {second}
    assert await listed("q=harry&phase=PENDING-APPROVAL") == {second}
    assert await listed("q=nobody") == set()
    while await listed("phase=for-me") != {second}:
        pass
    assert "the most urgent first" in (await visitor.get("/repairs?phase=for-me")).text
    assert await listed("page=9999&phase=none-of-ours") == {first, second}


@pytest.mark.parametrize(
    ("theme", "width", "phone"), [("light", 1280, False), ("dark", 390, True)], ids=["desk, light", "phone, dark"]
)
@pytest.mark.long
async def test_nothing_is_to_be_said_against_the_inbox_and_names_that_mean_harm_do_none(
    browser: Browser, shop: Shop, url: str, theme: Literal["light", "dark"], width: int, phone: bool
) -> None:
    shop.edit_order(PAID, customer_name=HOSTILE)
    await waiting(shop, PAID, ALSO_PAID, SHORT)
    size: ViewportSize = {"width": width, "height": 844}
    context = await browser.new_context(color_scheme=theme, viewport=size, has_touch=phone, is_mobile=phone)
    page = await context.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    for path, heading in (("/", "2 repairs: request_payment_update"), ("/repairs", "Repairs")):
        await page.goto(f"{url}{path}")
        await page.get_by_role("heading", name=heading).wait_for()
        for each in await page.locator("summary").all():
            await each.click()
        assert await objections(page) == []
        assert await page.title() != "ran"
        assert await page.locator("main script, main img").count() == 0
    assert refused == []
    await context.close()
