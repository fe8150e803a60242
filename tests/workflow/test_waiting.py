"""Every wait, with the clock moved: silence, lapsed approvals, stop and cancel."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.core.errors import DecisionRefused
from daper.core.models import Verdict
from daper.core.outcomes import OutcomeStatus
from daper.core.phases import Phase
from daper.ports import ToolCall
from tests.workflow import shop as shop_module
from tests.workflow.scripted import ScriptedOrders
from tests.workflow.shop import GINNY, Shop, answer, open_shop, outcome_of

HOUR = timedelta(hours=1)


async def test_a_wait_to_be_skipped_that_the_server_overlooks_is_moved_past(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the tests themselves: such a repair would hang, and every test of its module with it."""
    monkeypatch.setattr(shop_module, "OVERLOOKED", 0.5)
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        shop.skipping.add(repair_id)
        assert (await shop.end(repair_id)).phase is Phase.APPROVAL_EXPIRED


async def test_silence_is_an_outcome_with_a_report(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    """S4, D6: nobody answers for 12 hours; the cycle ends as APPROVAL-EXPIRED, completed, with its report."""
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        handle = shop.client.get_workflow_handle(repair_id)
        await temporal_env.fast_forward(handle, 11 * HOUR)
        assert (await shop.until(repair_id, lambda _: True)).phase is Phase.PENDING_APPROVAL
        await temporal_env.fast_forward(handle, 2 * HOUR)
        result = await shop.end(repair_id)
        assert result.phase is Phase.APPROVAL_EXPIRED
        assert result.needs_person
        assert result.paths is not None
        assert shop.effects() == 0
        with pytest.raises(DecisionRefused, match="APPROVAL-EXPIRED"):
            await shop.service.decide(repair_id, answer(plan))
        afterwards = await shop.start()
        assert len((await shop.plan(afterwards)).actions) == 4, "what expired is asked for again"
        await shop.service.stop(afterwards, by="Harry")
        await shop.end(afterwards)


async def test_how_long_to_wait_is_the_persons_choice(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start(approval_timeout=timedelta(days=3))
        await shop.plan(repair_id)
        handle = shop.client.get_workflow_handle(repair_id)
        await temporal_env.fast_forward(handle, 71 * HOUR)
        assert (await shop.until(repair_id, lambda _: True)).phase is Phase.PENDING_APPROVAL
        await temporal_env.fast_forward(handle, 2 * HOUR)
        assert (await shop.end(repair_id)).phase is Phase.APPROVAL_EXPIRED


async def test_an_approval_not_begun_in_time_lapses_and_is_asked_for_again(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Rule 2: no worker reached the records in time; what was approved is asked for anew, and runs once."""
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    async with shop.worker():
        repair_id = await shop.start(scope={"record_ids": ["ORD-004-RHG"]}, decision_valid_for=timedelta(seconds=1))
        first = await shop.plan(repair_id)
    async with shop.workflow_worker():
        await shop.decide(repair_id, first)
        await shop.until_lapsed(repair_id)
    assert shop.effects() == 0
    async with shop.worker():
        second = await shop.plan(repair_id, round_number=2)
        assert second.digest != first.digest
        with pytest.raises(DecisionRefused, match="look at it again"):
            await shop.service.decide(repair_id, answer(first, by=GINNY))
        assert (await shop.service.decide(repair_id, answer(first))).repeated, "told as recorded, and runs nothing"
        assert shop.status("ORD-004-RHG") == "pending-approval"
        await shop.decide(repair_id, second)
        result = await shop.end(repair_id)
    assert [str(outcome.status) for outcome in result.outcomes] == ["lapsed", "applied"]
    assert shop.effects() == 1
    assert not result.needs_person


async def test_a_late_decision_still_counts_from_its_own_time(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        await temporal_env.fast_forward(shop.client.get_workflow_handle(repair_id), 11 * HOUR)
        await shop.decide(repair_id, plan)
        assert (await shop.end(repair_id)).counts.applied == 4


async def test_stop_while_it_waits_ends_it_and_frees_its_findings(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        await shop.plan(repair_id)
        await shop.service.stop(repair_id, by="Harry", reason="wrong shop")
        result = await shop.end(repair_id)
        assert result.phase is Phase.CANCELLED
        assert result.reason == "stopped by Harry: wrong shop"
        assert result.paths is not None
        with pytest.raises(DecisionRefused, match="is already over"):
            await shop.service.stop(repair_id, by="Harry")
        assert (await shop.end(await shop.start(auto_approve=True))).counts.applied == 4


@pytest.mark.parametrize("way", ["stop", "cancel"])
async def test_ending_it_during_execution_settles_what_is_in_flight(
    temporal_env: WorkflowEnvironment, tmp_path: Path, way: str
) -> None:
    orders = ScriptedOrders(tmp_path)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def hold(_: ToolCall) -> None:
        begun.set()
        await go_on.wait()

    orders.script("order_inventory", before=hold)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        repair_id = await shop.start(scope={"record_ids": ["ORD-002-HJG"]}, auto_approve=True)
        async with asyncio.timeout(30):
            await begun.wait()
        if way == "stop":
            await shop.service.stop(repair_id, by="Harry")
        else:
            await shop.client.get_workflow_handle(repair_id).cancel()
        go_on.set()
        result = await shop.end(repair_id)
        assert result.phase is Phase.CANCELLED
        assert outcome_of(result, "ORD-002-HJG").status is OutcomeStatus.APPLIED
        assert shop.effects() == 1
        assert result.needs_person, "it took effect, but nobody verified it"
        assert result.paths is not None


async def test_cancel_while_it_waits_is_an_end_like_stop(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        await shop.plan(repair_id)
        await shop.client.get_workflow_handle(repair_id).cancel()
        result = await shop.end(repair_id)
        assert (result.phase, result.reason) == (Phase.CANCELLED, "the workflow was cancelled")
        assert result.report is not None


async def test_stop_before_any_worker_looked_at_records_still_ends_it(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    repair_id = await shop.start()
    async with shop.workflow_worker():
        await shop.until(repair_id, lambda look: look.phase is Phase.INITIALIZING)
        await shop.service.stop(repair_id, by="Harry")
        await shop.until(repair_id, lambda look: look.phase is Phase.PENDING_REPORT)
    async with shop.worker():
        assert (await shop.end(repair_id)).phase is Phase.CANCELLED


async def test_a_decision_at_the_last_moment_wins_or_loses_but_never_half(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        handle = shop.client.get_workflow_handle(repair_id)
        decided, _ = await asyncio.gather(
            shop.service.decide(repair_id, answer(plan, a1=Verdict.APPROVE)),
            temporal_env.fast_forward(handle, 13 * HOUR),
            return_exceptions=True,
        )
        result = await shop.end(repair_id)
        if isinstance(decided, BaseException):
            assert isinstance(decided, DecisionRefused)
            assert (result.phase, shop.effects()) == (Phase.APPROVAL_EXPIRED, 0)
        else:
            assert (result.phase, shop.effects()) == (Phase.REPORT_COMPLETED, 1)
