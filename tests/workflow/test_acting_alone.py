"""A proactive agent that acts with nobody there: what it does, what it leaves to a person, who cannot ask for it."""

from decimal import Decimal
from pathlib import Path

import pytest
import temporalio.api.sdk.v1 as sdk
from temporalio.testing import WorkflowEnvironment

from daper.clock import new_id
from daper.core.ids import repair_id as make_repair_id
from daper.core.messages import RepairRequest
from daper.core.models import PolicyGrant
from daper.core.outcomes import RepairResult, VerificationStatus
from daper.core.phases import Phase
from daper.core.policy import Alone, ApprovalPolicy
from daper.core.proactive import CycleEnd
from daper.entrypoints.cli.story import decided
from daper.service.requests import StartProactive, StartRepair
from daper.workflows.queues import activity_queue
from daper.workflows.repair import RepairAgentWorkflow
from tests.workflow.agents import Agent
from tests.workflow.chat import chat_with
from tests.workflow.shop import HARRY, Shop, open_shop

BADGES, EGG = "ORD-002-HJG", "ORD-004-RHG"
PAYMENTS = ("ORD-001-HJP", "ORD-003-RBW")
POLICY = """
[alone]
max_share = 1.0
{more}
[alone.allow]
request_approval = ["restricted-without-approval"]
"""


def let(home: Path, more: str = "") -> None:
    """Write the policy that lets approvals be asked for alone."""
    (home / "policy.toml").write_text(POLICY.replace("{more}", more), encoding="utf-8")


def leave_only(shop: Shop, *order_ids: str) -> None:
    """Nothing is wrong with any order but these."""
    for order_id in {BADGES, EGG, *PAYMENTS} - set(order_ids):
        shop.edit_order(order_id, status="completed")


async def first_cycle(agent: Agent) -> tuple[CycleEnd, RepairResult]:
    """How the first cycle of an agent ended that waited for nobody."""
    await agent.start()
    [ended] = (await agent.waits(after=1)).results
    return ended, await agent.shop.end(ended.repair_id)


async def why_it_waits(agent: Agent) -> str:
    """What the plan of its first cycle says while it waits; it is left to nobody."""
    await agent.start()
    repair_id = await agent.cycle()
    look = await agent.shop.until(repair_id, lambda look: look.phase is Phase.PENDING_APPROVAL)
    assert look.decision is None
    assert agent.shop.effects() == 0
    await agent.stop()
    assert (await agent.ended()).results[0].phase is Phase.CANCELLED
    return look.message


async def test_what_the_policy_allows_runs_verified_and_reported_with_nobody_there(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    let(tmp_path)
    async with open_shop(temporal_env, tmp_path) as shop:
        leave_only(shop, EGG)
        agent = Agent(shop)

        ended, result = await first_cycle(agent)

        grant = PolicyGrant(rule="alone", requested_by=agent.by)
        [recorded] = result.decisions
        assert (recorded.decision.by, recorded.decision.door) == (grant, "policy")
        assert (result.phase, result.counts.applied, result.needs_person) == (Phase.REPORT_COMPLETED, 1, False)
        assert result.verification is not None
        assert [each.status for each in result.verification.findings] == [VerificationStatus.RESOLVED]
        assert shop.status(EGG) == "approved-preparing-shipment"
        told = f"policy alone, requested by {agent.user} (os-user)"
        assert ended.decided == told
        assert result.paths is not None
        assert told in Path(result.paths.markdown_path or "").read_text(encoding="utf-8").replace("\\", "")
        metadata = await shop.client.get_workflow_handle(ended.repair_id).query(
            "__temporal_workflow_metadata", result_type=sdk.WorkflowMetadata
        )
        assert f"Decided by {told}" in metadata.current_details.replace("\\", "")
        assert f"Decided by {told} at " in decided(recorded)
        await agent.stop()


async def test_one_action_outside_the_policy_and_the_whole_plan_waits(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    let(tmp_path)
    async with open_shop(temporal_env, tmp_path) as shop:
        leave_only(shop, EGG, BADGES)
        agent = Agent(shop)
        await agent.start()
        repair_id = await agent.cycle()

        look = await shop.until(repair_id, lambda look: look.phase is Phase.PENDING_APPROVAL)

        assert look.message == (
            "the agent may not do this alone (a1: risk medium is above low); a person has to decide"
        )
        plan = await shop.plan(repair_id)
        await shop.decide(repair_id, plan, by=agent.by)
        result = await shop.end(repair_id)
        assert (result.counts.applied, [each.decision.by for each in result.decisions]) == (2, [agent.by])
        await agent.stop()


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("max_actions = 0", "it has 1 action, and 0 may run alone"),
        ("min_confidence = 0.96", "a1: 0.95 sure, and 0.96 is needed"),
    ],
)
async def test_bounds_that_are_drawn_closer_are_kept(
    temporal_env: WorkflowEnvironment, tmp_path: Path, more: str, why: str
) -> None:
    let(tmp_path, more)
    async with open_shop(temporal_env, tmp_path) as shop:
        leave_only(shop, EGG)
        assert why in await why_it_waits(Agent(shop))


async def test_a_share_of_the_open_records_that_is_too_small_for_one_lets_nothing_run(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    (tmp_path / "policy.toml").write_text(POLICY.replace("max_share = 1.0", "").replace("{more}", ""), "utf-8")
    async with open_shop(temporal_env, tmp_path) as shop:
        leave_only(shop, EGG)
        assert "it touches 1 of 2 open records, more than the share of 0.2" in await why_it_waits(Agent(shop))


async def test_without_a_section_for_it_everything_waits(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        leave_only(shop, EGG)
        assert await why_it_waits(Agent(shop)) == ""


async def test_an_agent_that_was_started_in_a_chat_asks_whatever_the_policy(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    let(tmp_path)
    async with open_shop(temporal_env, tmp_path) as shop:
        leave_only(shop, EGG)
        agent = Agent(shop)
        async with chat_with(shop, person=agent.by) as chat:
            with temporal_env.with_time_skipping_disabled():
                await chat.call("initiate_proactive_agent")
        await shop.plan(await agent.cycle())
        await agent.stop()
        assert (await agent.ended()).results[0].phase is Phase.CANCELLED


@pytest.mark.parametrize(
    ("left", "why"),
    [
        ("", "the policy of the worker lets nothing run alone"),
        pytest.param(
            "[alone]\n",
            "by the policy of the worker, a1: request_approval for restricted-without-approval is not among",
            marks=pytest.mark.long,
        ),
        pytest.param("[alone", "is not TOML: ", marks=pytest.mark.long),
    ],
    ids=["removed", "narrowed", "broken"],
)
async def test_taking_the_right_away_stops_an_agent_that_runs_at_its_next_cycle(
    temporal_env: WorkflowEnvironment, tmp_path: Path, left: str, why: str
) -> None:
    """The kill switch: the worker reads its policy anew for each cycle, and nothing has to be started again."""
    let(tmp_path)
    async with open_shop(temporal_env, tmp_path) as shop:
        leave_only(shop, EGG)
        agent = Agent(shop)
        await first_cycle(agent)
        before = shop.effects()
        (tmp_path / "policy.toml").write_text(left, encoding="utf-8")
        shop.edit_order(EGG, status="pending-approval", approval=None, approval_request=None)

        await agent.check_now()

        repair_id = await agent.cycle(2)
        look = await shop.until(repair_id, lambda look: look.phase is Phase.PENDING_APPROVAL)
        assert why in look.message
        assert shop.effects() == before
        await agent.stop()
        await agent.ended()


@pytest.mark.parametrize(
    "closer",
    [
        '[people]\npasskey_from = "low"',
        pytest.param('[domains.orders.people]\npasskey_from = "low"', marks=pytest.mark.long),
        pytest.param("[domains.orders.alone]\nmax_actions = 0", marks=pytest.mark.long),
    ],
)
async def test_what_the_policy_draws_closer_counts_for_an_agent_that_runs(
    temporal_env: WorkflowEnvironment, tmp_path: Path, closer: str
) -> None:
    let(tmp_path)
    async with open_shop(temporal_env, tmp_path) as shop:
        leave_only(shop, EGG)
        policy = tmp_path / "policy.toml"
        policy.write_text(f"{policy.read_text(encoding='utf-8')}\n{closer}\n", encoding="utf-8")

        told = await why_it_waits(Agent(shop))

        assert "policy of the worker" in told


async def test_a_raw_start_is_bound_by_the_policy_of_the_worker(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Who writes to the namespace can send any policy; the worker's own has to agree."""
    async with open_shop(temporal_env, tmp_path) as shop:
        leave_only(shop, EGG)
        store_id = (await shop.domains["orders"].store()).store_id
        generous = Alone(max_share=Decimal(1), allow={"request_approval": ("restricted-without-approval",)})
        request = RepairRequest(
            requested_by=HARRY,
            domain="orders",
            store_id=store_id,
            activity_queue=activity_queue(shop.settings.task_queue, store_id),
            policy=ApprovalPolicy(alone=generous),
            may_act_alone=True,
            indexed=True,
        )
        repair_id = make_repair_id("Harry", new_id())
        with temporal_env.with_time_skipping_disabled():
            await shop.client.start_workflow(
                RepairAgentWorkflow.run, request, id=repair_id, task_queue=shop.settings.task_queue
            )

        look = await shop.until(repair_id, lambda look: look.phase is Phase.PENDING_APPROVAL)

        assert "the policy of the worker lets nothing run alone" in look.message
        await shop.service.stop(repair_id, by="Harry")
        await shop.end(repair_id)


def test_no_door_can_ask_for_it() -> None:
    assert "may_act_alone" not in {*StartRepair.model_fields, *StartProactive.model_fields}
    given = StartRepair.model_validate({"requested_by": HARRY, "domain": "orders", "may_act_alone": True})
    assert "may_act_alone" not in given.model_dump()
