"""Tools and planners that somebody else wrote, badly: nobody else's repair suffers, and nothing is made up."""

from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.core.errors import ActionFailed, CannotSettle, LedgerContradicted
from daper.core.models import Verdict
from daper.core.outcomes import Effect, Holding, OutcomeStatus, Postcondition, VerificationStatus
from daper.core.phases import Phase
from daper.ports import ProposalSet, ToolCall
from tests.workflow.scripted import ScriptedAgents, ScriptedOrders, ScriptedTool, UndoableScript, proposal
from tests.workflow.shop import answer, open_shop, outcome_of

EGG, BADGES, HARRYS = "ORD-004-RHG", "ORD-002-HJG", "ORD-001-HJP"


async def test_a_tool_that_breaks_over_verification_takes_nobody_with_it(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    class Breaks(ScriptedTool):
        async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
            raise KeyError("\x1b[2Jno such page")

    class Unhelpful(UndoableScript):
        async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
            return Postcondition(holding=Holding.NO, evidence="the badges never came")

    orders = ScriptedOrders(tmp_path)
    orders.replaced["request_approval"] = Breaks(orders.script("request_approval").tool)
    orders.replaced["order_inventory"] = Unhelpful(orders.script("order_inventory").tool)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        result = await shop.end(await shop.start(auto_approve=True))
        assert result.phase is Phase.REPORT_COMPLETED
        assert result.verification is not None
        words = {each.record_id: each for each in result.verification.findings}
        assert words[EGG].status is VerificationStatus.NOT_VERIFIABLE
        assert "KeyError" in words[EGG].evidence
        assert "\x1b" not in words[EGG].evidence
        assert outcome_of(result, BADGES).status is OutcomeStatus.UNDONE
        assert words[HARRYS].status is VerificationStatus.WAITING_ON_OTHER


async def test_an_unexpected_error_in_a_tool_is_told_and_settled(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    orders = ScriptedOrders(tmp_path)
    calls: list[ToolCall] = []

    async def stumble(call: ToolCall) -> None:
        calls.append(call)
        if len(calls) < 3:
            raise RuntimeError("stumbled" + "!" * 100_000)

    orders.script("request_approval", before=stumble)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        result = await shop.end(await shop.start(scope={"record_ids": [EGG]}, auto_approve=True))
        assert outcome_of(result, EGG).status is OutcomeStatus.APPLIED
        assert len(calls) == 3


async def test_an_answer_that_is_none_is_unknown_and_not_remembered_as_a_rejection(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    class Confused(ScriptedTool):
        async def apply(self, call: ToolCall) -> Effect:
            await self.tool.apply(call)
            return Effect(status=OutcomeStatus.REJECTED)

    orders = ScriptedOrders(tmp_path)
    orders.replaced["request_approval"] = Confused(orders.script("request_approval").tool)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        result = await shop.end(await shop.start(scope={"record_ids": [EGG]}, auto_approve=True))
        assert outcome_of(result, EGG).status is OutcomeStatus.UNKNOWN
        assert result.needs_person


async def test_what_may_already_have_happened_is_not_tried_again_by_the_next_repair(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Rules 3 and 9: unknown is never tried again by itself."""

    class Unsettled(ScriptedTool):
        async def settle(self, key: str) -> Effect | None:
            raise CannotSettle("the other side keeps no books")

    async def act_and_die(_: ToolCall) -> None:
        raise ActionFailed("the line went dead")

    orders = ScriptedOrders(tmp_path)
    tool = Unsettled(orders.script("request_approval").tool, before=act_and_die)
    orders.replaced["request_approval"] = tool
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        first = await shop.end(await shop.start(scope={"record_ids": [EGG]}, auto_approve=True))
        assert outcome_of(first, EGG).status is OutcomeStatus.UNKNOWN
        second = await shop.end(await shop.start(scope={"record_ids": [EGG]}, auto_approve=True))
        assert second.outcomes == ()
        assert "look first" in second.plans[0].suppressed[0].reason
        assert len(tool.calls) == 1


async def test_an_undo_whose_answer_was_lost_is_settled_by_the_ledger(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    class Forgetful(UndoableScript):
        async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
            return Postcondition(holding=Holding.NO, evidence="it did not help")

        async def undo(self, call: ToolCall, effect: Effect, *, key: str) -> Effect:
            await super().undo(call, effect, key=key)
            raise ActionFailed("the answer got lost")

    orders = ScriptedOrders(tmp_path)
    orders.replaced["order_inventory"] = Forgetful(orders.script("order_inventory").tool)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        result = await shop.end(await shop.start(scope={"record_ids": [BADGES]}, auto_approve=True))
        assert outcome_of(result, BADGES).status is OutcomeStatus.UNDONE
        assert shop.status(BADGES) == "pending-inventory"


async def test_a_planner_that_proposes_one_thing_twice_gets_it_once(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    arguments = {
        "order_id": BADGES,
        "inventory_to_order": "STP-ORG-001",
        "inventory_description": "S.P.E.W. Badge Set",
        "quantity": 200,
    }
    agents = ScriptedAgents(
        lambda findings: ProposalSet(
            proposals=(
                proposal(findings, BADGES, "order_inventory", **arguments),
                proposal(findings, BADGES, "order_inventory", **arguments),
                proposal(findings, BADGES, "order_inventory", **arguments | {"quantity": 210}),
            )
        )
    )
    async with open_shop(temporal_env, tmp_path, agents=agents) as shop:
        repair_id = await shop.start(scope={"record_ids": [BADGES]})
        plan = await shop.plan(repair_id)
        assert [item.reason for item in plan.blocked] == [
            "order_inventory with the same arguments is proposed already",
            "order_inventory is proposed already, and answers the same problem",
        ]
        await shop.decide(repair_id, plan, a1=Verdict.APPROVE)
        result = await shop.end(repair_id)
        assert (result.counts.applied, result.counts.repaired) == (1, 1)


async def test_a_problem_that_came_up_before_the_plan_is_shown_and_blamed_on_nobody(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Rule 5: new means new since the plan's records were read; what helped is not undone for somebody else's edit."""
    orders = ScriptedOrders(tmp_path)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        # The first look at the records is the analysis, the second one the plan.
        orders.before_context = [lambda: None, lambda: shop.edit_order(BADGES, subtotal=1)]
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        assert [item.kind for item in plan.for_person] == ["totals-mismatch"]
        await shop.decide(repair_id, plan, a2=Verdict.APPROVE)
        result = await shop.end(repair_id)
        assert outcome_of(result, BADGES).status is OutcomeStatus.APPLIED
        assert result.needs_person


@pytest.mark.long
async def test_rejecting_what_was_asked_again_does_not_deny_what_was_done(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Rule 6: the second round is rejected, but the first one changed records, and the report says so."""
    orders = ScriptedOrders(tmp_path)
    calls: list[ToolCall] = []

    class LapsesOnce(UndoableScript):
        async def apply(self, call: ToolCall) -> Effect:
            calls.append(call)
            return Effect(status=OutcomeStatus.LAPSED) if len(calls) == 1 else await self.tool.apply(call)

    orders.replaced["order_inventory"] = LapsesOnce(orders.script("order_inventory").tool)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        repair_id = await shop.start()
        await shop.decide(repair_id, await shop.plan(repair_id))
        second = await shop.plan(repair_id, round_number=2)
        assert [action.record_id for action in second.actions] == [BADGES]
        no = answer(second).model_copy(update={"verdicts": {second.actions[0].id: Verdict.REJECT}})
        await shop.service.decide(repair_id, no)
        result = await shop.end(repair_id)
        assert result.phase is Phase.REPORT_COMPLETED
        assert result.counts.applied == 3
        assert result.report is not None
        assert "nothing was done" not in result.report.summary.lower()


@pytest.mark.parametrize("part", ["apply", "undo"])
async def test_what_happened_against_the_word_of_the_ledger_is_unknown(
    temporal_env: WorkflowEnvironment, tmp_path: Path, part: str
) -> None:
    """Rule 3: the ledger says never, the system did it all the same; to call that failed would be a lie."""

    class Contradicted(UndoableScript):
        async def apply(self, call: ToolCall) -> Effect:
            if part == "undo":
                return await super().apply(call)
            assert await self.settler.settle(call.key) is None
            raise LedgerContradicted("the ledger says never, and it did")

        async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
            return Postcondition(holding=Holding.NO, evidence="it did not help")

        async def undo(self, call: ToolCall, effect: Effect, *, key: str) -> Effect:
            raise LedgerContradicted("the ledger says never, and it did")

    orders = ScriptedOrders(tmp_path)
    orders.replaced["order_inventory"] = Contradicted(orders.script("order_inventory").tool)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        result = await shop.end(await shop.start(scope={"record_ids": [BADGES]}, auto_approve=True))
        outcome = outcome_of(result, BADGES)
        assert outcome.status is OutcomeStatus.UNKNOWN
        assert "the ledger says never, and it did" in outcome.evidence[-1]
        assert result.needs_person
