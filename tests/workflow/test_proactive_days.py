"""The proactive agent over days: nobody ever answers, or somebody says no first and yes later."""

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.core.models import Verdict
from daper.core.notices import Occasion
from daper.core.phases import Phase
from tests.receiving import SECRET, hook, webhook_lines, write_people
from tests.workflow.agents import HOUR
from tests.workflow.recurring import Ailing, Carers, left_alone
from tests.workflow.shop import open_shop


@pytest.mark.long
async def test_three_days_of_silence_expire_cycle_after_cycle_and_a_person_is_reminded_in_each(
    future_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """D6: silence is an outcome; the agent lives on, and asks again: nobody said no."""
    alerts = Ailing(tmp_path)
    async with hook() as server:
        write_people(tmp_path, owl=webhook_lines(server.url))
        async with open_shop(future_env, tmp_path, domains={"alerts": alerts}, environ={"OWL_SECRET": SECRET}) as shop:
            agent = Carers(shop).agent
            await agent.start(skipping=True, interval=26 * HOUR, tell=["owl"])
            view = await agent.until(lambda view: len(view.results) >= 3)
            await agent.stop()
            await agent.ended()
    days = sorted(view.results, key=lambda each: each.started_at)[:3]
    assert [each.phase for each in days] == [Phase.APPROVAL_EXPIRED] * 3
    assert all(each.needs_person and each.reason == "nobody decided within 20:00:00" for each in days)
    # The clock of each repair is its own, so that the agent's goes on from where the repair began.
    assert all(later.started_at - earlier.started_at >= 26 * HOUR for earlier, later in pairwise(days))
    assert days[-1].ended_at - days[0].started_at >= timedelta(days=3)
    assert server.kinds[:9] == [Occasion.PLAN_WAITS, Occasion.PLAN_STILL_WAITS, Occasion.PLAN_EXPIRED] * 3
    assert view.failures_in_a_row == 0, "that nobody answered is no failure"
    assert alerts.restarts == 0


@pytest.mark.long
async def test_what_was_rejected_in_one_cycle_is_approved_in_a_later_one_once_its_facts_are_others(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    alerts = Ailing(tmp_path, helps=True)
    async with open_shop(temporal_env, tmp_path, domains={"alerts": alerts}) as shop:
        carers = Carers(shop)
        rejected = await carers.decide(await carers.start(), Verdict.REJECT)
        assert (rejected.phase, alerts.restarts) == (Phase.REJECTED, 0)
        [alone] = left_alone(await carers.result(await carers.proactive()))
        assert f"rejected its repair on {rejected.ended_at:%Y-%m-%d} (repair {rejected.repair_id})" in alone.reason

        alerts.breaks(code=503)

        approved = await carers.decide(await carers.proactive())
        assert (approved.phase, approved.counts.repaired, alerts.restarts) == (Phase.REPORT_COMPLETED, 1, 1)
        await carers.agent.stop()
        await carers.agent.ended()


@pytest.mark.long
async def test_what_was_rejected_in_one_cycle_is_approved_when_somebody_asks_anew_and_in_no_cycle_before(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    alerts = Ailing(tmp_path, helps=True)
    async with open_shop(temporal_env, tmp_path, domains={"alerts": alerts}) as shop:
        carers = Carers(shop)
        await carers.decide(await carers.start(), Verdict.REJECT)
        anew = await shop.start(domain="alerts", again=True)
        await shop.plan(anew)
        # Beside the plan that waits, the agent has none of its own.
        [alone] = left_alone(await carers.result(await carers.proactive()))
        assert f"waits for a decision in {anew}, until " in alone.reason

        assert (await carers.decide(anew)).counts.repaired == 1

        healthy = await carers.result(await carers.proactive())
        assert (healthy.phase, healthy.counts.problems, alerts.restarts) == (Phase.NO_REPAIR_NEEDED, 0, 1)
        await carers.agent.stop()
        await carers.agent.ended()
