"""Repaired needs evidence: what did not help is undone, or handed to a person."""

from pathlib import Path

import pytest
from daper_alerts import Alerts
from temporalio.testing import WorkflowEnvironment

from daper.core.models import Fallback
from daper.core.outcomes import Effect, Holding, OutcomeStatus, Postcondition, VerificationStatus
from daper.domains.registry import load_domains
from daper.ports import Domain, ToolCall
from tests.workflow.scripted import ScriptedOrders, ScriptedTool, UndoableScript
from tests.workflow.shop import open_shop, outcome_of


def only(status: VerificationStatus) -> list[VerificationStatus]:
    return [status]


async def test_an_effect_that_does_not_help_is_undone_as_the_plan_said(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """S5, D12: the postcondition does not hold, so success is not believed."""

    class Unhelpful(UndoableScript):
        async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
            return Postcondition(holding=Holding.NO, evidence="the badges never came")

    orders = ScriptedOrders(tmp_path)
    orders.replaced["order_inventory"] = Unhelpful(orders.script("order_inventory").tool)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        before = shop.document("inventory")
        repair_id = await shop.start(scope={"record_ids": ["ORD-002-HJG"]})
        plan = await shop.plan(repair_id)
        assert plan.actions[0].if_it_does_not_help is Fallback.UNDO
        await shop.decide(repair_id, plan)
        result = await shop.end(repair_id)
        assert outcome_of(result, "ORD-002-HJG").status is OutcomeStatus.UNDONE
        assert result.verification is not None
        assert [each.status for each in result.verification.findings] == only(VerificationStatus.STILL_OPEN)
        assert shop.status("ORD-002-HJG") == "pending-inventory"
        assert shop.document("inventory") == before
        assert (result.counts.repaired, result.counts.undone) == (0, 1)
        assert result.needs_person


async def test_what_cannot_be_undone_is_handed_to_a_person(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    class Unhelpful(ScriptedTool):
        async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
            return Postcondition(holding=Holding.NO, evidence="the owl came back with the letter")

    orders = ScriptedOrders(tmp_path)
    orders.replaced["request_approval"] = Unhelpful(orders.script("request_approval").tool)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        result = await shop.end(await shop.start(scope={"record_ids": ["ORD-004-RHG"]}, auto_approve=True))
        assert outcome_of(result, "ORD-004-RHG").status is OutcomeStatus.APPLIED
        assert result.counts.repaired == 0
        assert result.report is not None
        assert any("the owl came back" in line for line in result.report.left_for_person)


async def test_undo_does_not_touch_what_somebody_changed_since(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    class Meddled(UndoableScript):
        async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
            shop.edit_order("ORD-002-HJG", notes="Peeves was here")
            return Postcondition(holding=Holding.NO, evidence="it did not help")

    orders = ScriptedOrders(tmp_path)
    orders.replaced["order_inventory"] = Meddled(orders.script("order_inventory").tool)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        result = await shop.end(await shop.start(scope={"record_ids": ["ORD-002-HJG"]}, auto_approve=True))
        assert outcome_of(result, "ORD-002-HJG").status is OutcomeStatus.UNDO_BLOCKED
        assert shop.status("ORD-002-HJG") == "completed"
        assert result.needs_person


async def test_something_new_on_the_record_is_worse_and_leads_to_undo(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    orders = ScriptedOrders(tmp_path)

    class Clumsy(UndoableScript):
        async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
            shop.edit_order("ORD-002-HJG", total=1, status="pending-inventory")
            return Postcondition(holding=Holding.YES, evidence="all is well, says the tool")

    orders.replaced["order_inventory"] = Clumsy(orders.script("order_inventory").tool)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        result = await shop.end(await shop.start(scope={"record_ids": ["ORD-002-HJG"]}, auto_approve=True))
        assert result.verification is not None
        assert [each.status for each in result.verification.findings] == only(VerificationStatus.WORSE)
        assert result.counts.repaired == 0
        assert result.needs_person


async def test_a_problem_that_is_still_found_is_not_repaired_whatever_the_tool_says(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    class Boastful(ScriptedTool):
        async def apply(self, call: ToolCall) -> Effect:
            return Effect(status=OutcomeStatus.APPLIED, evidence=("I fixed it, trust me",))

        async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
            return Postcondition(holding=Holding.YES, evidence="trust me")

    orders = ScriptedOrders(tmp_path)
    orders.replaced["request_approval"] = Boastful(orders.script("request_approval").tool)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        result = await shop.end(await shop.start(scope={"record_ids": ["ORD-004-RHG"]}, auto_approve=True))
        assert result.verification is not None
        assert [each.status for each in result.verification.findings] == only(VerificationStatus.STILL_OPEN)
        assert result.counts.repaired == 0


@pytest.mark.long
async def test_after_three_repairs_without_effect_a_problem_is_left_to_a_person(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """D12: no loop; the fourth cycle leaves it alone, and says so."""

    class Useless(ScriptedTool):
        async def apply(self, call: ToolCall) -> Effect:
            return Effect(status=OutcomeStatus.APPLIED)

    orders = ScriptedOrders(tmp_path)
    orders.replaced["request_approval"] = Useless(orders.script("request_approval").tool)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        for _ in range(3):
            tried = await shop.end(await shop.start(scope={"record_ids": ["ORD-004-RHG"]}, auto_approve=True))
            assert tried.counts.applied == 1
        fourth = await shop.end(await shop.start(scope={"record_ids": ["ORD-004-RHG"]}, auto_approve=True))
        assert fourth.counts.applied == 0
        assert [item.finding.record_id for item in fourth.plans[0].suppressed] == ["ORD-004-RHG"]
        assert "tried 3 times" in fourth.plans[0].suppressed[0].reason


async def test_a_strangers_domain_without_versions_is_verified_after_its_settling_time(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    domains = {"alerts": load_domains(tmp_path, options=lambda _: {})["alerts"]}
    async with open_shop(temporal_env, tmp_path, domains=domains) as shop:
        result = await shop.end(await shop.start(domain="alerts", auto_approve=True))
        assert {outcome.record_id: outcome.status for outcome in result.outcomes} == {
            "owl-post": OutcomeStatus.APPLIED,
            "floo-network": OutcomeStatus.APPLIED,
        }
        assert result.counts.repaired == 2
        assert [
            (record.status_before, record.status_after) for record in (result.report.records if result.report else ())
        ] == [("firing", "quiet")] * 2


async def test_looking_before_an_effect_shows_finds_it_still_open(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    alerts = Alerts(tmp_path, ["owl-post"])
    alerts.tools["restart_service"].settling *= 0
    alerts.world.delay = float("inf")
    domains: dict[str, Domain] = {"alerts": alerts}
    async with open_shop(temporal_env, tmp_path, domains=domains) as shop:
        result = await shop.end(await shop.start(domain="alerts", auto_approve=True))
        assert result.verification is not None
        assert [each.status for each in result.verification.findings] == only(VerificationStatus.STILL_OPEN)
        assert result.needs_person
