"""More problems than one repair takes on: what is left is counted, and the next repair takes that and nothing else."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.activities import diagnosis
from daper.core.models import Decision, Verdict
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.views import PlanView, RepairView
from daper.entrypoints.cli.repair_view import look_lines
from daper.entrypoints.cli.story import result_lines
from daper.entrypoints.mcp.presentation import details_of
from tests.workflow.agents import Agent
from tests.workflow.shop import HARRY, Shop, open_shop
from tests.workflow.wide_shop import install

PROBLEMS, LIMIT = 12, 5
TAKEN, LEFT = [5, 5, 2], [7, 2, 0]


async def _three(shop: Shop, between: Callable[[str, PlanView], Awaitable[None]]) -> list[PlanView]:
    plans: list[PlanView] = []
    for _ in TAKEN:
        repair_id = await shop.start(scope={"limit": LIMIT})
        plans.append(await shop.plan(repair_id))
        await between(repair_id, plans[-1])
    return plans


def _answer(plan: PlanView, verdict: Verdict) -> Decision:
    verdicts = {action.id: verdict for action in plan.actions}
    return Decision(plan_digest=plan.digest, verdicts=verdicts, by=HARRY, door="test")


def _records(plans: list[PlanView]) -> list[str]:
    return [action.record_id for plan in plans for action in plan.actions]


@pytest.mark.parametrize(
    "capacity",
    [
        pytest.param(LIMIT, id="more than a cycle holds"),
        pytest.param(100, id="more than is asked for", marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize(
    "then", ["waits", *(pytest.param(then, marks=pytest.mark.long) for then in ("approved", "rejected"))]
)
async def test_each_repair_takes_on_what_the_ones_before_it_left(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str, capacity: int
) -> None:
    """Also while the first still waits for its decision, and where nothing is to be done about what comes first."""
    monkeypatch.setattr(diagnosis, "MOST_PROBLEMS", capacity)
    ids = install(tmp_path / "data" / "orders", orders=PROBLEMS, lines=1, mixed=False)
    async with open_shop(temporal_env, tmp_path) as shop:

        async def between(repair_id: str, plan: PlanView) -> None:
            if then == "waits":
                return
            verdict = Verdict.APPROVE if then == "approved" else Verdict.REJECT
            await shop.service.decide(repair_id, _answer(plan, verdict))
            await shop.end(repair_id)

        plans = await _three(shop, between)
        assert [len(plan.actions) for plan in plans] == TAKEN
        assert [plan.left_out for plan in plans] == LEFT
        assert sorted(_records(plans)) == sorted(ids)


async def test_what_is_left_is_told_at_every_door(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis, "MOST_PROBLEMS", LIMIT)
    install(tmp_path / "data" / "orders", orders=PROBLEMS, lines=1, mixed=False)
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start(scope={"limit": LIMIT})
        await shop.plan(repair_id)
        look = await shop.service.look(repair_id)
        assert isinstance(look, RepairView)
        left = "left out: 7 more problems are over the cap of one repair; another one takes them on"
        assert any(left in line for line in look_lines(look))
        told = details_of(look, page=1)
        assert told.plan is not None
        assert told.plan.left_out == 7
        await shop.service.stop(repair_id, by="Harry")
        result = await shop.end(repair_id)
        assert any("7 more problems are over the cap of one repair" in line for line in result_lines(result))
        written = result.paths and Path(result.paths.markdown_path).read_text(encoding="utf-8")
        assert written
        assert "7 more problems are over the cap of one repair" in written


async def test_what_only_a_person_can_mend_keeps_nothing_else_out(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of all the suspects are such that no tool repairs them: the others are taken on all the same."""
    monkeypatch.setattr(diagnosis, "MOST_PROBLEMS", LIMIT)
    ids = install(tmp_path / "data" / "orders", orders=PROBLEMS, lines=1, mixed=False)
    async with open_shop(temporal_env, tmp_path) as shop:
        for order_id in ids[:LIMIT]:
            shop.edit_order(order_id, status="processing", order_date="2023-06-20T09:00:00Z")
        plan = await shop.plan(await shop.start(scope={"limit": LIMIT}))
        assert _records([plan]) == list(ids[LIMIT : 2 * LIMIT])
        assert plan.left_out == PROBLEMS - LIMIT


@pytest.mark.long
async def test_where_all_is_known_already_that_is_said_and_counted(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis, "MOST_PROBLEMS", LIMIT)
    install(tmp_path / "data" / "orders", orders=PROBLEMS, lines=1, mixed=False)
    async with open_shop(temporal_env, tmp_path) as shop:
        for _ in TAKEN:
            await shop.plan(await shop.start(scope={"limit": LIMIT}))
        result: RepairResult = await shop.end(await shop.start(scope={"limit": LIMIT}))
        assert result.phase is Phase.NO_REPAIR_NEEDED
        assert result.detection is not None
        assert result.detection.suspects == PROBLEMS
        assert (
            result.detection.notes
            == "7 more problems are left alone: planned for elsewhere, rejected or tried too often"
        )
        assert [plan.left_out for plan in result.plans] == [0]


@pytest.mark.long
async def test_each_cycle_of_a_proactive_agent_takes_on_what_the_ones_before_it_left(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis, "MOST_PROBLEMS", LIMIT)
    ids = install(tmp_path / "data" / "orders", orders=PROBLEMS, lines=1, mixed=False)
    async with open_shop(temporal_env, tmp_path) as shop:
        agent, plans = Agent(shop), list[PlanView]()
        await agent.start(scope={"limit": LIMIT})
        for number in range(1, len(TAKEN) + 1):
            repair_id = await agent.cycle(number)
            plans.append(await shop.plan(repair_id))
            await agent.check_now()  # the next one follows at once
            await agent.reject(repair_id)
        assert [len(plan.actions) for plan in plans] == TAKEN
        assert [plan.left_out for plan in plans] == LEFT
        assert sorted(_records(plans)) == sorted(ids)
        await agent.stop()
        await agent.ended()
