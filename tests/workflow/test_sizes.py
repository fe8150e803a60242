"""A cycle at its cap stays far below Temporal's limits: its history, each payload, a look at it, and its updates."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from daper.core.messages import PageArgs
from daper.core.models import MOST_PROBLEMS, Decision, Verdict
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.views import ActionView, RepairView
from daper.workflows.repair import VERIFIED_AT_ONCE
from tests.workflow.shop import HARRY, Shop, open_shop
from tests.workflow.wide_shop import Weight, install, weigh

FEW, SOME = 12, 60
MOST_EVENTS = 10_000
MOST_BYTES = 10_000_000
MOST_ON_THE_WIRE = 1_000_000  # half of what Temporal takes; uncompressed, a cycle at the cap would be above it
MOST_IN_A_VIEW = 256_000
MOST_UPDATES = 2_000

# An activity takes three events, and a workflow task that goes on from it three more. Eight activities are no effects;
# the rest are the phases, the decision, the first task and the last.
EVENTS_OF_AN_ACTIVITY = 6
OTHER_ACTIVITIES = 8
OTHER_EVENTS = 40
BYTES_OF_AN_ACTION = 15_000

AT_THE_CAP = pytest.param(MOST_PROBLEMS, marks=pytest.mark.long)
BOTH_WAYS = pytest.mark.parametrize("by_person", [False, True], ids=["by policy", "by a person"])


async def repaired(shop: Shop, problems: int, *, by_person: bool) -> RepairResult:
    """One cycle over so many problems, each of its actions approved."""
    repair_id = await shop.start(
        auto_approve=not by_person,
        scope={"limit": problems},
        policy={"auto_max_actions": problems, "auto_max_spend": Decimal(10**9)},
    )
    if by_person:
        first = await shop.plan(repair_id)
        actions: list[ActionView] = []
        for page in range(1, -(-problems // 100) + 1):
            look = await shop.service.look(repair_id, PageArgs(page=page, size=100))
            assert isinstance(look, RepairView)
            assert look.plan is not None
            actions += look.plan.actions
        verdicts = {action.id: Verdict.APPROVE for action in actions}
        answer = Decision(plan_digest=first.digest, verdicts=verdicts, by=HARRY, door="test")
        await shop.service.decide(repair_id, answer)
    result = await shop.end(repair_id, within=600)
    assert result.phase is Phase.REPORT_COMPLETED
    assert result.counts.applied == shop.effects() == problems
    return result


async def events_of(client: Client, repair_id: str) -> Counter[str]:
    """How many events of each kind a history has."""
    history = client.get_workflow_handle(repair_id).fetch_history_events()
    return Counter([EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") async for event in history])


def most_events(problems: int) -> int:
    """The bound that follows from what one action takes."""
    more_verified = -(-problems // VERIFIED_AT_ONCE) - 1
    return EVENTS_OF_AN_ACTIVITY * (problems + OTHER_ACTIVITIES + more_verified) + OTHER_EVENTS


def test_the_bound_of_a_cycle_at_the_cap_is_far_below_ours() -> None:
    """Also where each effect is undone, which is an activity more for each."""
    assert most_events(MOST_PROBLEMS) + EVENTS_OF_AN_ACTIVITY * MOST_PROBLEMS < MOST_EVENTS
    assert BYTES_OF_AN_ACTION * MOST_PROBLEMS < MOST_BYTES


@BOTH_WAYS
@pytest.mark.parametrize("problems", [FEW, AT_THE_CAP])
async def test_a_cycle_takes_so_many_events_for_each_action_and_no_more(
    temporal_env: WorkflowEnvironment, tmp_path: Path, problems: int, by_person: bool
) -> None:
    install(tmp_path / "data" / "orders", orders=problems, lines=1, name_length=20)
    async with open_shop(temporal_env, tmp_path) as shop:
        result = await repaired(shop, problems, by_person=by_person)
        events = await events_of(shop.client, result.repair_id)
        more_verified = -(-problems // VERIFIED_AT_ONCE) - 1
        assert events["ACTIVITY_TASK_SCHEDULED"] == problems + OTHER_ACTIVITIES + more_verified
        assert events["WORKFLOW_EXECUTION_UPDATE_ACCEPTED"] == by_person
        assert events.total() <= most_events(problems) < MOST_EVENTS
        _check(await weigh(shop.client, result.repair_id), problems)


@pytest.mark.parametrize("problems", [pytest.param(SOME, marks=pytest.mark.long)])
async def test_many_wide_problems_fit_into_one_cycle(
    temporal_env: WorkflowEnvironment, tmp_path: Path, problems: int
) -> None:
    """D8: its share of what a cycle at the cap may weigh, each effect done, and no payload near the limit."""
    install(tmp_path / "data" / "orders", orders=problems)
    async with open_shop(temporal_env, tmp_path) as shop:
        result = await repaired(shop, problems, by_person=False)
        weight = await weigh(shop.client, result.repair_id)
        _check(weight, problems)
        share = problems / MOST_PROBLEMS
        assert weight.largest < MOST_ON_THE_WIRE * share


def _check(weight: Weight, problems: int) -> None:
    assert weight.history < BYTES_OF_AN_ACTION * max(problems, 20)
    assert weight.largest < MOST_ON_THE_WIRE
    assert weight.view < MOST_IN_A_VIEW
