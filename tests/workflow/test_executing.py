"""Each effect happens once, on the state that was seen; a failure stops its own record and no other."""

import asyncio
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.core.errors import ActionFailed, CannotSettle, StoreBusy
from daper.core.models import Verdict
from daper.core.outcomes import Effect, OutcomeStatus
from daper.core.phases import Phase
from daper.core.views import PlanView
from daper.ports import ProposalSet, ToolCall
from tests.workflow.scripted import ScriptedAgents, ScriptedOrders, ScriptedTool, proposal
from tests.workflow.shop import GINNY, HARRY, open_shop, outcome_of

ALL = {"ORD-001-HJP", "ORD-002-HJG", "ORD-003-RBW", "ORD-004-RHG"}


@pytest.mark.long
async def test_an_effect_whose_answer_was_lost_happens_once(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    """D1, S2: the tool did its work and then the worker lost the answer, five times over."""
    orders = ScriptedOrders(tmp_path)
    attempts: list[ToolCall] = []

    async def lose_the_answer(call: ToolCall) -> None:
        attempts.append(call)
        if len(attempts) <= 5:
            raise StoreBusy("the answer got lost")

    orders.script("order_inventory", after=lose_the_answer)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        result = await shop.end(await shop.start(scope={"record_ids": ["ORD-002-HJG"]}, auto_approve=True))
        assert len(attempts) == 6
        assert len({call.key for call in attempts}) == 1
        assert outcome_of(result, "ORD-002-HJG").status is OutcomeStatus.ALREADY_APPLIED
        row = next(row for row in shop.document("inventory")["inventory"] if row["item_id"] == "STP-ORG-001")
        assert row["current_stock"] == 247 + 200 - 300
        assert shop.effects() == 1


async def test_a_tool_that_gives_up_after_its_effect_is_reported_as_applied(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Rule 3: no outcome but the ledger's own, whatever the tool said last."""
    orders = ScriptedOrders(tmp_path)

    async def give_up(_: ToolCall) -> None:
        raise ActionFailed("the supplier's answer was gibberish")

    orders.script("order_inventory", after=give_up)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        result = await shop.end(await shop.start(scope={"record_ids": ["ORD-002-HJG"]}, auto_approve=True))
        assert outcome_of(result, "ORD-002-HJG").status.took_effect
        assert shop.status("ORD-002-HJG") == "completed"


async def test_a_failed_action_stops_its_own_record_and_no_other(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """D22: one of four fails; the others keep their own outcomes, and only the failed one was tried again."""
    orders = ScriptedOrders(tmp_path)

    async def fail(_: ToolCall) -> None:
        raise ActionFailed("the supplier is closed")

    broken = orders.script("order_inventory", before=fail)
    others = [orders.script("request_approval"), orders.script("request_payment_update")]
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        result = await shop.end(await shop.start(auto_approve=True))
        failed = outcome_of(result, "ORD-002-HJG")
        assert (failed.status, failed.evidence) == (OutcomeStatus.FAILED, ("the supplier is closed",))
        assert {outcome_of(result, record).status for record in ALL - {"ORD-002-HJG"}} == {OutcomeStatus.APPLIED}
        assert len(broken.calls) == 1
        assert [len(tool.calls) for tool in others] == [1, 2]
        assert shop.status("ORD-002-HJG") == "pending-inventory"
        assert result.needs_person
        assert result.phase is Phase.REPORT_COMPLETED


async def test_a_late_attempt_after_failed_was_recorded_changes_nothing(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Rule 3: once an effect was settled as not applied, an attempt that comes late obeys."""
    orders = ScriptedOrders(tmp_path)

    async def fail(_: ToolCall) -> None:
        raise ActionFailed("lost its way")

    tool = orders.script("order_inventory", before=fail)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        await shop.end(await shop.start(scope={"record_ids": ["ORD-002-HJG"]}, auto_approve=True))
        late = await tool.tool.apply(tool.calls[0])
        assert late.status is OutcomeStatus.FAILED
        assert shop.status("ORD-002-HJG") == "pending-inventory"


async def test_what_cannot_be_settled_is_unknown_and_a_persons(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    orders = ScriptedOrders(tmp_path)

    async def fail(_: ToolCall) -> None:
        raise ActionFailed("the line went dead")

    class Unsettled(ScriptedTool):
        async def settle(self, key: str) -> Effect | None:
            raise CannotSettle("the other side keeps no books")

    tool = orders.script("request_approval", before=fail)
    orders.replaced["request_approval"] = Unsettled(tool.tool, before=fail)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        result = await shop.end(await shop.start(auto_approve=True))
        assert outcome_of(result, "ORD-004-RHG").status is OutcomeStatus.UNKNOWN
        assert result.needs_person
        assert any("nobody can tell" in line for line in (result.report.left_for_person if result.report else ()))


async def test_a_record_that_changed_after_the_plan_is_stale_and_the_others_go_on(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """D5, S7: somebody edits an order between plan and approval."""
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        shop.edit_order("ORD-001-HJP", notes="please send it to the Burrow instead")
        await shop.decide(repair_id, plan)
        result = await shop.end(repair_id)
        assert outcome_of(result, "ORD-001-HJP").status is OutcomeStatus.STALE
        assert {outcome_of(result, record).status for record in ALL - {"ORD-001-HJP"}} == {OutcomeStatus.APPLIED}
        assert shop.status("ORD-001-HJP") == "pending-payment"
        assert result.needs_person


async def test_two_plans_for_one_order_take_effect_once(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    """D15, D19: the memory was lost, so both were planned; the second finds the order not as its plan saw it."""
    async with open_shop(temporal_env, tmp_path) as shop:
        named, ids, plans = {"record_ids": ["ORD-002-HJG"]}, list[str](), list[PlanView]()
        for person in (HARRY, GINNY):
            ids.append(await shop.start(requested_by=person, scope=named))
            plans.append(await shop.plan(ids[-1]))
            for file in tmp_path.glob("daper.db*"):
                file.unlink()
        await asyncio.gather(*(shop.decide(each, plan) for each, plan in zip(ids, plans, strict=True)))
        statuses = [outcome_of(await shop.end(repair_id), "ORD-002-HJG").status for repair_id in ids]
        assert sorted(statuses) == [OutcomeStatus.APPLIED, OutcomeStatus.STALE]
        assert shop.effects() == 1


async def test_several_actions_on_one_record_run_in_order_on_what_the_one_before_left(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Rule 4: the version that an earlier action of the same plan wrote counts as the planned one."""
    async with open_shop(temporal_env, tmp_path) as shop:
        shop.add_line("ORD-002-HJG", "DRG-EGG-007", of="ORD-004-RHG")
        # Nobody is asked to pay what does not add up.
        shop.edit_order("ORD-002-HJG", subtotal=None, status="payment-denied")
        repair_id = await shop.start(scope={"record_ids": ["ORD-002-HJG"]})
        plan = await shop.plan(repair_id)
        assert [action.tool for action in plan.actions] == ["request_approval", "request_payment_update"]
        await shop.decide(repair_id, plan)
        result = await shop.end(repair_id)
        assert [outcome.status for outcome in result.outcomes] == [OutcomeStatus.APPLIED] * 2
        assert shop.status("ORD-002-HJG") == "payment_update_requested"


async def test_after_a_failed_action_the_next_on_the_same_record_does_not_run(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    orders = ScriptedOrders(tmp_path)

    async def fail(_: ToolCall) -> None:
        raise ActionFailed("the Ministry is closed")

    orders.script("request_approval", before=fail)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        shop.add_line("ORD-002-HJG", "DRG-EGG-007", of="ORD-004-RHG")
        shop.edit_order("ORD-002-HJG", subtotal=None, status="payment-denied")
        repair_id = await shop.start(scope={"record_ids": ["ORD-002-HJG"]})
        await shop.decide(repair_id, await shop.plan(repair_id))
        result = await shop.end(repair_id)
        assert [str(outcome.status) for outcome in result.outcomes] == ["failed", "skipped"]
        assert shop.effects() == 0


EGG, BADGES, HARRYS = "ORD-004-RHG", "ORD-002-HJG", "ORD-001-HJP"
APPROVAL = {
    "order_id": EGG,
    "approver": "approve-orders@diagonalley.co.uk",
    "approval_request_contents": "Please approve.",
}
RESTOCK = {
    "order_id": BADGES,
    "inventory_to_order": "STP-ORG-001",
    "inventory_description": "S.P.E.W. Badge Set",
    "quantity": 200,
}
PAYMENT = {
    "order_id": HARRYS,
    "customer_id": "CUST-HP-001",
    "customer_name": "Harry James Potter",
    "original_payment_method": "Gringotts Vault Transfer",
}


@pytest.mark.parametrize(
    ("record_id", "tool", "arguments", "reason"),
    [
        (EGG, "burn_the_books", {"order_id": EGG}, "there is no tool 'burn_the_books'"),
        (EGG, "request_approval", APPROVAL | {"approver": "mallory@evil.example"}, "must be one of"),
        (EGG, "request_approval", APPROVAL | {"order_id": HARRYS}, "must be 'ORD-004-RHG'"),
        (EGG, "request_approval", APPROVAL | {"approval_request_contents": "x" * 1501}, "at most 1500"),
        (BADGES, "order_inventory", {"quantity": 200}, "Field required"),
        (BADGES, "order_inventory", RESTOCK | {"quantity": 10**9}, "from 113 to 553"),
        (BADGES, "order_inventory", RESTOCK | {"quantity": -5}, "from 113 to 553"),
        (BADGES, "order_inventory", RESTOCK | {"quantity": "200"}, "from 113 to 553"),
        (HARRYS, "request_payment_update", PAYMENT | {"customer_id": "CUST-DM-006"}, "must be 'CUST-HP-001'"),
        (HARRYS, "hold_order", {"order_id": HARRYS, "reason": "prohibited-item"}, "does not repair payment-pending"),
    ],
)
async def test_what_an_agent_makes_up_is_blocked_and_never_runs(
    temporal_env: WorkflowEnvironment,
    tmp_path: Path,
    record_id: str,
    tool: str,
    arguments: dict[str, object],
    reason: str,
) -> None:
    """D14, S6: unknown tools and arguments of the planner's own making; its confidence of 1.0 changes nothing."""
    agents = ScriptedAgents(lambda findings: ProposalSet(proposals=(proposal(findings, record_id, tool, **arguments),)))
    async with open_shop(temporal_env, tmp_path, agents=agents) as shop:
        result = await shop.end(await shop.start(scope={"record_ids": [record_id]}, auto_approve=True))
        assert [blocked.tool for plan in result.plans for blocked in plan.blocked] == [tool]
        assert reason in result.plans[0].blocked[0].reason
        assert result.outcomes == ()
        assert shop.effects() == 0
        assert result.needs_person, "the finding is still there, and no action answers it"


async def test_a_planner_cannot_act_on_a_healthy_record(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    agents = ScriptedAgents(
        lambda findings: ProposalSet(
            proposals=(
                proposal(findings, "ORD-005-LLV", "hold_order", order_id="ORD-005-LLV", reason="prohibited-item"),
                proposal(findings, "ORD-004-RHG", "hold_order").model_copy(update={"record_id": "ORD-006-DLM"}),
            )
        )
    )
    async with open_shop(temporal_env, tmp_path, agents=agents) as shop:
        result = await shop.end(await shop.start(auto_approve=True))
        assert len(result.plans[0].blocked) == 2
        assert shop.effects() == 0


async def test_a_plan_that_is_not_by_the_rules_is_not_covered_by_auto_approval(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """S6: a planner's own certainty is no approval."""
    arguments = {
        "order_id": "ORD-004-RHG",
        "approver": "approve-orders@diagonalley.co.uk",
        "approval_request_contents": "Please approve.",
    }
    agents = ScriptedAgents(
        lambda findings: ProposalSet(proposals=(proposal(findings, "ORD-004-RHG", "request_approval", **arguments),))
    )
    async with open_shop(temporal_env, tmp_path, agents=agents) as shop:
        repair_id = await shop.start(scope={"record_ids": ["ORD-004-RHG"]}, auto_approve=True)
        plan = await shop.plan(repair_id)
        assert shop.effects() == 0
        await shop.decide(repair_id, plan, a1=Verdict.APPROVE)
        assert (await shop.end(repair_id)).counts.applied == 1
