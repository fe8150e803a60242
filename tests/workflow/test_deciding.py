"""A decision answers one plan, once: early, late, repeated, foreign and edited ones, by every raw way in."""

import asyncio
from pathlib import Path

import pytest
import simplejson
from temporalio.client import WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from daper.core.errors import DecisionRefused
from daper.core.models import Decision, Person, PolicyGrant, Verdict
from daper.core.outcomes import OutcomeStatus
from daper.core.phases import Phase
from daper.ports import ToolCall
from daper.workflows.repair import RepairAgentWorkflow
from tests.cases import cases
from tests.workflow.scripted import ScriptedOrders
from tests.workflow.shop import GINNY, HARRY, Shop, answer, open_shop, outcome_of

APPROVE, REJECT = Verdict.APPROVE, Verdict.REJECT


async def test_a_decision_before_there_is_a_plan_is_refused(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    """S1, D2: an approval that comes before anything was detected approves nothing."""
    orders = ScriptedOrders(tmp_path)
    orders.may_scan.clear()
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        repair_id = await shop.start()
        await shop.until(repair_id, lambda look: look.phase is Phase.DETECTING_PROBLEMS)
        early = Decision(plan_digest="f" * 64, verdicts={"a1": APPROVE}, by=HARRY)
        with pytest.raises(DecisionRefused, match="no plan is waiting"):
            await shop.service.decide(repair_id, early)
        orders.may_scan.set()
        plan = await shop.plan(repair_id)
        assert (await shop.until(repair_id, lambda _: True)).decision is None
        await shop.decide(repair_id, plan, a1=REJECT, a2=REJECT, a3=REJECT, a4=REJECT)
        assert (await shop.end(repair_id)).counts.applied == 0


async def test_a_decision_on_another_plan_is_refused(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    """D2: an approval of one cycle's plan does not answer another cycle's, however alike they look."""
    async with open_shop(temporal_env, tmp_path) as shop:
        first = await shop.start(dry_run=True)
        dry = (await shop.end(first)).plans[0]
        second = await shop.start()
        plan = await shop.plan(second)
        assert [action.arguments for action in plan.actions] == [action.bound.arguments for action in dry.actions]
        with pytest.raises(DecisionRefused, match="is waiting; look at it again"):
            await shop.service.decide(second, answer(plan).model_copy(update={"plan_digest": dry.digest}))
        await shop.decide(second, plan)
        assert (await shop.end(second)).counts.applied == 4


@pytest.mark.parametrize("wrong", ["PLANx", pytest.param("y" * 100_000, marks=pytest.mark.long)])
async def test_a_mistyped_digest_is_refused_in_words(
    temporal_env: WorkflowEnvironment, tmp_path: Path, wrong: str
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        given = answer(plan).model_copy(update={"plan_digest": wrong.replace("PLAN", plan.digest)})
        with pytest.raises(DecisionRefused, match=r"is waiting; look at it again|at most 200 characters") as refused:
            await shop.service.decide(repair_id, given)
        assert len(str(refused.value)) < 500
        await shop.service.stop(repair_id, by="Harry")
        await shop.end(repair_id)


async def test_the_second_decision_is_refused_and_the_same_one_is_told_as_recorded(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    orders = ScriptedOrders(tmp_path)
    go_on = asyncio.Event()

    async def hold(_: ToolCall) -> None:
        await go_on.wait()

    orders.script("request_approval", before=hold)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        first = await shop.service.decide(repair_id, answer(plan, a4=APPROVE))
        again = await shop.service.decide(repair_id, answer(plan, a4=APPROVE))
        assert (first.repeated, again.repeated) == (False, True)
        assert again.recorded.decided_at == first.recorded.decided_at
        for late in (answer(plan, by=GINNY, a4=APPROVE), answer(plan, a4=REJECT)):
            with pytest.raises(DecisionRefused, match="already decided by Harry"):
                await shop.service.decide(repair_id, late)
        go_on.set()
        assert (await shop.end(repair_id)).counts.applied == 1


async def test_a_decision_after_the_end_is_refused_with_the_end(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        given = answer(plan, a1=APPROVE)
        await shop.service.decide(repair_id, given)
        await shop.end(repair_id)
        with pytest.raises(DecisionRefused, match=r"ended as REPORT-COMPLETED.*decided by Harry"):
            await shop.service.decide(repair_id, answer(plan, by=GINNY))
        assert (await shop.service.decide(repair_id, given)).repeated


async def test_each_action_has_its_own_verdict(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    """D3: a rejected action is not run, its siblings are, and what is not named is not approved."""
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        await shop.decide(repair_id, plan, a1=REJECT, a2=APPROVE, a4=APPROVE)
        result = await shop.end(repair_id)
        assert [str(outcome_of(result, action.record_id).status) for action in plan.actions] == [
            "rejected",
            "applied",
            "not-approved",
            "applied",
        ]
        assert shop.effects() == 2
        assert shop.status("ORD-001-HJP") == "pending-payment"
        assert shop.status("ORD-003-RBW") == "payment-denied"


async def test_a_rejection_ends_its_own_cycle_and_no_other(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    """S3: the next cycle asks anew about what was not rejected, and lists what it leaves alone."""
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        await shop.decide(repair_id, plan, a1=REJECT, a2=REJECT)
        first = await shop.end(repair_id)
        assert first.phase is Phase.REJECTED
        assert shop.effects() == 0

        second = await shop.start()
        plan = await shop.plan(second)
        assert {action.record_id for action in plan.actions} == {"ORD-003-RBW", "ORD-004-RHG"}
        assert {item.finding.record_id for item in plan.suppressed} == {"ORD-001-HJP", "ORD-002-HJG"}
        await shop.decide(second, plan)
        done = await shop.end(second)
        assert done.counts.applied == 2
        assert done.counts.suppressed == 2

        third = await shop.start(again=True)
        assert {action.record_id for action in (await shop.plan(third)).actions} == {"ORD-001-HJP", "ORD-002-HJG"}
        await shop.service.stop(third, by="Harry")
        await shop.end(third)


async def test_an_edit_within_its_limits_is_exactly_what_runs(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """D4: what the answer says will run is what the ledger says ran."""
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        given = answer(plan, a2=APPROVE).model_copy(update={"edits": {"a2": {"quantity": 250}}})
        receipt = await shop.service.decide(repair_id, given)
        result = await shop.end(repair_id)
        outcome = outcome_of(result, "ORD-002-HJG")
        assert receipt.recorded.will_run == {"a2": outcome.digest}
        assert outcome.digest != plan.actions[1].digest
        assert outcome.arguments["quantity"] == 250
        assert (outcome.before["current_stock"], outcome.after["current_stock"]) == (247, 247 + 250 - 300)


@pytest.mark.parametrize(
    "edit",
    cases(
        {
            "too many": {"quantity": 554},
            "too few": {"quantity": 112},
            "text": {"quantity": "250"},
            "another order": {"order_id": "ORD-001-HJP"},
        },
        quick=["too many", "another order"],
    ),
)
async def test_an_edit_outside_its_limits_is_refused_and_the_plan_stays_open(
    temporal_env: WorkflowEnvironment, tmp_path: Path, edit: dict[str, object]
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        with pytest.raises(DecisionRefused, match=r"a2\."):
            await shop.service.decide(repair_id, answer(plan, a2=APPROVE).model_copy(update={"edits": {"a2": edit}}))
        await shop.service.stop(repair_id, by="Harry")
        assert (await shop.end(repair_id)).counts.applied == 0


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("approve", marks=pytest.mark.long),
        pytest.param({}, marks=pytest.mark.long),
        pytest.param({"plan_digest": 7, "verdicts": "all", "by": "me"}, marks=pytest.mark.long),
        {"plan_digest": "x", "verdicts": {"a1": "maybe"}, "by": {"kind": "person", "name": "Mallory"}},
        {"plan_digest": "PLAN", "verdicts": {"a1": "approve"}, "by": {"kind": "person", "name": ""}},
        {
            "plan_digest": "PLAN",
            "verdicts": {"a1": "approve"},
            "by": {"kind": "policy", "rule": "auto-approve", "requested_by": {"name": "Mallory"}},
        },
    ],
)
async def test_a_raw_update_that_makes_no_sense_is_refused_and_wedges_nothing(
    temporal_env: WorkflowEnvironment, tmp_path: Path, raw: object
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        raw = simplejson.loads(simplejson.dumps(raw).replace("PLAN", plan.digest))
        handle = shop.client.get_workflow_handle(repair_id)
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update("decide", raw)
        await shop.decide(repair_id, plan, a1=APPROVE)
        assert (await shop.end(repair_id)).counts.applied == 1


async def test_a_grant_by_policy_cannot_be_sent_from_outside(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        forged = answer(plan).model_copy(update={"by": PolicyGrant(rule="auto-approve", requested_by=HARRY)})
        with pytest.raises(DecisionRefused, match="only a person"):
            await shop.service.decide(repair_id, forged)
        await shop.service.stop(repair_id, by="Harry")
        await shop.end(repair_id)


async def test_of_many_decisions_at_once_exactly_one_wins(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        everybody = [Person(name=f"Wizard {number}") for number in range(8)]
        answers = [
            shop.service.decide(repair_id, answer(plan, by=by, a1=APPROVE if place % 2 else REJECT))
            for place, by in enumerate(everybody)
        ]
        told = await asyncio.gather(*answers, return_exceptions=True)
        won = [each for each in told if not isinstance(each, BaseException)]
        lost = [each for each in told if isinstance(each, BaseException)]
        assert len(won) == 1
        assert all(isinstance(each, DecisionRefused) for each in lost), lost
        result = await shop.end(repair_id)
        assert len(result.decisions) == 1
        assert result.decisions[0].decision.by == won[0].recorded.decision.by
        assert result.counts.applied == (1 if won[0].recorded.will_run else 0)


async def test_of_many_decisions_that_arrive_in_one_task_exactly_one_wins(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """D7: no worker was there; then all of them are looked at in one go."""
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    repair_id = await shop.start()
    async with shop.worker():
        plan = await shop.plan(repair_id)
    handle = shop.client.get_workflow_handle_for(RepairAgentWorkflow.run, repair_id)
    sending = [
        asyncio.create_task(
            handle.execute_update(
                RepairAgentWorkflow.decide,
                answer(plan, by=Person(name=f"Wizard {number}"), a1=APPROVE if number % 2 else REJECT),
            )
        )
        for number in range(8)
    ]
    await shop.until_events(repair_id, *["EVENT_TYPE_WORKFLOW_TASK_COMPLETED"] * 2)
    async with shop.worker():
        told = await asyncio.gather(*sending, return_exceptions=True)
        result = await shop.end(repair_id)
    assert sum(not isinstance(each, BaseException) for each in told) == 1
    assert len(result.decisions) == 1


async def test_auto_approval_that_does_not_cover_a_plan_leaves_it_to_a_person(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Rule 1: a grant never exceeds its limits; above them it grants nothing at all."""
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start(auto_approve=True, policy={"auto_max_risk": "low"})
        plan = await shop.plan(repair_id)
        look = await shop.until(repair_id, lambda _: True)
        assert "risk medium is above low" in look.message
        assert shop.effects() == 0
        await shop.decide(repair_id, plan, a1=APPROVE)
        result = await shop.end(repair_id)
        assert [outcome.status for outcome in result.outcomes].count(OutcomeStatus.APPLIED) == 1
