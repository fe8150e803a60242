"""A whole repair of workflows that are stuck: what was approved is done on them, once, verified and reported."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.core.action_groups import grouped
from daper.core.lines import LineKind
from daper.core.models import MOST_PROBLEMS, Verdict
from daper.core.outcomes import OutcomeStatus, VerificationStatus
from daper.core.phases import Phase
from tests.workflow.chat import chat_with, yes
from tests.workflow.shop import HARRY
from tests.workflow.stuck_shop import StuckShop, stuck_shop


@pytest.fixture
async def stuck(
    real_time: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[StuckShop]:
    async with stuck_shop(real_time, tmp_path, monkeypatch) as made:
        yield made


async def test_some_of_a_plan_is_done_verified_and_reported_and_the_rest_stays_stuck(stuck: StuckShop) -> None:
    await stuck.paused("errands/2026/1", "errands/2026/2")
    repair_id = await stuck.shop.start(domain="temporal")
    plan = await stuck.shop.plan(repair_id)
    by_record = {action.record_id: action for action in plan.actions}
    assert by_record.keys() == {"errands/2026/1", "errands/2026/2"}
    [group] = grouped(plan)
    [change] = [line for line in group.common if line.kind is LineKind.CHANGE]
    assert change.label.startswith("activity step"), "the name of a record stands in front of what is the same in all"

    verdicts = {
        by_record["errands/2026/1"].id: Verdict.APPROVE,
        by_record["errands/2026/2"].id: Verdict.REJECT,
    }
    await stuck.shop.decide(repair_id, plan, by=HARRY, **verdicts)
    result = await stuck.shop.end(repair_id)

    assert result.phase is Phase.REPORT_COMPLETED
    assert {each.record_id: each.status for each in result.outcomes} == {
        "errands/2026/1": OutcomeStatus.APPLIED,
        "errands/2026/2": OutcomeStatus.REJECTED,
    }
    assert result.verification is not None
    [checked] = result.verification.findings
    assert (checked.record_id, checked.status) == ("errands/2026/1", VerificationStatus.RESOLVED)
    assert await stuck.status("errands/2026/1") == "Completed"
    assert (await stuck.world.state("errands/2026/2")).activities[0].paused


async def test_over_mcp_what_the_form_showed_is_done(stuck: StuckShop) -> None:
    await stuck.paused("errand-by-chat")
    async with chat_with(stuck.shop, answers=yes) as chat:
        repair = await chat.begin(domain="temporal")
        [action] = repair["plan"]["actions"]
        told = await chat.call(
            "approve_repair", repair_id=repair["repair_id"], plan_digest=repair["plan_digest"], actions=[action["id"]]
        )
        result = await stuck.shop.end(repair["repair_id"])
    assert told["decided"]
    assert "unpause_activity" in chat.asked[0]
    assert '"errand-by-chat"' in chat.asked[0]
    assert [each.status for each in result.outcomes] == [OutcomeStatus.APPLIED]
    assert await stuck.status("errand-by-chat") == "Completed"


async def test_what_a_stranger_did_after_the_plan_makes_it_stale(stuck: StuckShop) -> None:
    await stuck.paused("errand-of-two")
    repair_id = await stuck.shop.start(domain="temporal")
    plan = await stuck.shop.plan(repair_id)
    await stuck.let_go_on("errand-of-two")
    await stuck.world.until("errand-of-two", lambda state: not state.is_running)
    await stuck.shop.decide(repair_id, plan)
    result = await stuck.shop.end(repair_id)
    assert [each.status for each in result.outcomes] == [OutcomeStatus.STALE]
    assert stuck.world.outside.ran.count("errand-of-two pay") >= 2


@pytest.mark.parametrize("number", [5, pytest.param(120, marks=pytest.mark.long)])
async def test_of_many_alike_one_is_tried_and_where_it_does_not_help_the_others_are_left(
    real_time: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    names = [f"errand-{number}-{each}" for each in range(number)]
    async with stuck_shop(real_time, tmp_path, monkeypatch, retrying_attempts="1") as stuck:
        await stuck.retrying(*names)
        repair_id = await stuck.shop.start(domain="temporal", scope={"limit": MOST_PROBLEMS})
        plan = await stuck.shop.plan(repair_id)
        [group] = grouped(plan)
        assert (group.tool, plan.total_actions) == ("reset_activity", number)
        ran = len(stuck.world.outside.ran)
        await stuck.shop.decide(
            repair_id, plan, by=HARRY, **{f"a{each}": Verdict.APPROVE for each in range(1, number + 1)}
        )
        result = await stuck.shop.end(repair_id)

    first, *others = result.outcomes
    assert first.status is OutcomeStatus.APPLIED
    assert {each.status for each in others} == {OutcomeStatus.SKIPPED}
    assert all(f"{first.action_id}, tried first, did not help (still-open)" in each.evidence[0] for each in others)
    assert result.verification is not None
    assert [each.status for each in result.verification.findings] == [VerificationStatus.STILL_OPEN]
    assert {each.rpartition(" ")[0] for each in stuck.world.outside.ran[ran:]} == {first.record_id}


async def test_of_many_alike_the_others_follow_once_one_was_seen_to_help(
    real_time: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"errand-helped-{each}" for each in range(4)]
    async with stuck_shop(real_time, tmp_path, monkeypatch, retrying_attempts="1") as stuck:
        await stuck.retrying(*names)
        stuck.world.outside.failing.clear()  # what they failed by is mended
        repair_id = await stuck.shop.start(domain="temporal")
        await stuck.shop.decide(repair_id, await stuck.shop.plan(repair_id))
        result = await stuck.shop.end(repair_id)
        assert {await stuck.status(name) for name in names} == {"Completed"}
    assert {each.status for each in result.outcomes} == {OutcomeStatus.APPLIED}
    assert result.verification is not None
    assert {each.status for each in result.verification.findings} == {VerificationStatus.RESOLVED}


async def test_what_is_tried_just_after_it_was_let_go_on_is_no_new_problem(
    real_time: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stuck_shop(real_time, tmp_path, monkeypatch, retrying_attempts="1") as stuck:
        await stuck.paused("errand-held", step="slow")
        stuck.world.outside.held.add("slow")  # its next attempt takes longer than one waits to look
        repair_id = await stuck.shop.start(domain="temporal")
        await stuck.shop.decide(repair_id, await stuck.shop.plan(repair_id))
        result = await stuck.shop.end(repair_id)
        assert result.verification is not None
        assert [each.status for each in result.outcomes] == [OutcomeStatus.APPLIED], result.verification.findings
        assert not (await stuck.world.state("errand-held")).activities[0].paused
        stuck.world.outside.gate.set()
