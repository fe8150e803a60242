"""What works by itself is steered from its page: agents, schedules, and a repair that a form starts once."""

import asyncio

import httpx2
import pytest

from daper.core.errors import NotFound
from daper.core.phases import Phase
from daper.core.schedules import DAY, When
from daper.service.schedule_orders import PutSchedule, ScheduleRef
from tests.console.desk import Browser, form_key_in
from tests.workflow.shop import DEADLINE, HARRY, Shop


async def until_shown(browser: Browser, *texts: str) -> str:
    """The page of agents once it says all that; Temporal's lists lag behind."""
    async with asyncio.timeout(DEADLINE):
        while True:
            shown = (await browser.get("/agents")).text
            if all(text in shown for text in texts):
                return shown


async def test_a_form_that_is_sent_twice_starts_one_repair_and_a_dry_run_stops_at_its_plan(
    shop: Shop, url: str
) -> None:
    async with httpx2.AsyncClient(base_url=url) as client:
        browser = Browser(client, url)
        shown = (await browser.get("/agents?record=ORD-001-HJP")).text
        assert "ORD-001-HJP</textarea>" in shown
        form = {"csrf": form_key_in(shown), "key": "one", "records": "ORD-001-HJP, ORD-002-HJG", "dry_run": "1"}
        with shop.env.with_time_skipping_disabled():
            first, again = await asyncio.gather(*(browser.post("/agents/repairs", form) for _ in range(2)))
            other = await browser.post("/agents/repairs", {**form, "records": "ORD-003-RBW"})
    assert first.status_code == again.status_code == other.status_code == 303
    assert first.headers["location"] == again.headers["location"] != other.headers["location"]
    result = await shop.end(first.headers["location"].removeprefix("/repairs/"))
    assert result.phase is Phase.PLAN_ONLY
    assert {finding.record_id for finding in result.findings} == {"ORD-001-HJP", "ORD-002-HJG"}


@pytest.mark.long
async def test_an_agent_and_a_schedule_are_seen_and_steered(shop: Shop, url: str) -> None:
    name = f"nightly-{shop.settings.task_queue}"
    await shop.schedules.create(
        PutSchedule(requested_by=HARRY, domain="orders", name=name, when=When(every=DAY), note="n")
    )
    ref = ScheduleRef(user="Harry", domain="orders", name=name)
    async with httpx2.AsyncClient(base_url=url) as client:
        browser = Browser(client, url)
        key = form_key_in((await browser.get("/agents")).text)
        with shop.env.with_time_skipping_disabled():
            started = await browser.post("/agents/proactive", {"csrf": key, "interval": "2", "interval_unit": "days"})
            assert started.headers["location"] == "/agents?done=started"
            again = await browser.post("/agents/proactive", {"csrf": key})
            assert again.headers["location"] == "/agents?done=running"
            agent = {"csrf": key, "user": "Harry", "domain": "orders"}
            await until_shown(browser, "always-be-repairin-for-Harry", name)
            assert (await browser.post("/agents/proactive/check", agent)).headers["location"] == "/agents?done=checked"
            status = await shop.proactive.status("Harry", "orders")
            assert (status.agent.interval, status.agent.nudges) == (2 * DAY, 1)
            assert (await browser.post("/agents/schedules/pause", {"csrf": key, "name": name})).status_code == 303
            assert (await shop.schedules.describe(ref)).paused
            await until_shown(browser, "paused", 'action="/agents/schedules/resume"')
            await browser.post("/agents/schedules/resume", {"csrf": key, "name": name})
            assert not (await shop.schedules.describe(ref)).paused
            assert (await browser.post("/agents/schedules/delete", {"csrf": key, "name": name})).status_code == 303
            with pytest.raises(NotFound):
                await shop.schedules.describe(ref)
            gone = await browser.post("/agents/schedules/pause", {"csrf": key, "name": name})
            assert gone.status_code == 404
            why = {**agent, "reason": "<b>enough</b>"}
            assert (await browser.post("/agents/proactive/stop", why)).headers["location"] == "/agents?done=stopped"
