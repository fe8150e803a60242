"""A plan whose policy asks for a passkey, on its own page: with one it is approved, without one it is not."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser
from temporalio.testing import WorkflowEnvironment

from daper.core.models import IdentityProof, Person, Verdict
from tests.console.authenticator import give_authenticator
from tests.console.desk import ALL
from tests.console.served import served
from tests.workflow.shop import Shop, open_shop


@pytest.fixture
async def shop(temporal_env: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[Shop]:
    """A shop in which nobody approves what has a medium risk without a passkey."""
    (tmp_path / "policy.toml").write_text('[people]\npasskey_from = "medium"\n')
    async with open_shop(temporal_env, tmp_path) as opened:
        yield opened


@pytest.mark.long
async def test_a_plan_is_approved_with_a_passkey_and_not_without_one(browser: Browser, shop: Shop) -> None:
    repair_id = await shop.start()
    plan = await shop.plan(repair_id)
    assert any(shop.settings.policy.needs_passkey(action.risk) for action in plan.actions)
    token = shop.settings.state.tokens().add("Luna", ALL)
    approve_all = f"Approve all {len(plan.actions)}"
    async with served(shop, host="localhost") as url:
        context = await browser.new_context()
        page = await context.new_page()
        await give_authenticator(page)
        await page.goto(f"{url}/repairs/{repair_id}")
        await page.get_by_label("Your access token").fill(token)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("button", name=approve_all).click()
        await page.get_by_role("alert").get_by_text("you have no passkey").wait_for()
        assert (await shop.plan(repair_id)).digest == plan.digest

        await page.goto(f"{url}/passkeys")
        await page.get_by_label("What you call it").fill("my owl")
        await page.get_by_role("button", name="Make a passkey").click()
        await page.get_by_text("my owl").wait_for()
        await page.goto(f"{url}/repairs/{repair_id}")
        await page.get_by_role("button", name=approve_all).click()
        await page.get_by_role("alert").get_by_text("recorded").wait_for()
        await context.close()
    decision = (await shop.end(repair_id)).decisions[0].decision
    assert isinstance(decision.by, Person)
    assert (decision.by.name, decision.by.how) == ("Luna", IdentityProof.PASSKEY)
    assert set(decision.verdicts.values()) == {Verdict.APPROVE}
