"""Hundreds of workflows that are stuck in five ways: one of each is tried first, and then all go on, each once."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.core.models import MOST_PROBLEMS
from daper.core.outcomes import OutcomeStatus, RepairResult, VerificationStatus
from daper.core.phases import Phase
from daper.core.views import ActionView, RepairView
from daper.service.whole_plan import look_at_whole_plan
from daper.workflows.options import PARALLEL_EFFECTS
from tests.stuck_crowd import ENVIRON, HOPELESS, WAYS, WORKFLOWS, acted_once, crowd, pasts, tried_since, well
from tests.workflow.repair_story import groups_of, story_of, went_first
from tests.workflow.shop import HARRY, Shop
from tests.workflow.stuck_shop import stuck_shop


async def repaired(shop: Shop, *, limit: int) -> tuple[RepairResult, Sequence[ActionView]]:
    """One repair of which a person approves all, and its actions."""
    repair_id = await shop.start(domain="temporal", scope={"limit": limit})
    await shop.plan(repair_id)
    look = await look_at_whole_plan(shop.service, repair_id)
    assert isinstance(look, RepairView)
    assert look.plan is not None
    await shop.decide(repair_id, look.plan, by=HARRY)
    return await shop.end(repair_id, within=300), look.plan.actions


@pytest.mark.parametrize(
    ("each", "limit"), [(3, 9), pytest.param(60, 200, marks=pytest.mark.long)], ids=["few", "hundreds"]
)
async def test_all_that_are_stuck_in_five_ways_go_on_once_one_of_each_was_seen_to_help(
    real_time: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, each: int, limit: int
) -> None:
    async with stuck_shop(real_time, tmp_path, monkeypatch, environ=ENVIRON, workflows=WORKFLOWS) as stuck:
        many = await crowd(stuck.world, WAYS, each=each)
        others = await well(stuck.world, waiting=each, not_begun=each)
        before = await pasts(stuck.world, others)
        tried = many.mend()
        keys: dict[str, str] = {}
        left = len(many.ways)
        while left:
            result, actions = await repaired(stuck.shop, limit=limit)
            assert len(actions) == min(limit, left)
            story = await story_of(stuck.shop.client, result.repair_id)
            assert went_first(story, groups_of(actions))
            assert story.at_once <= PARALLEL_EFFECTS
            firsts = [first for first, *_ in groups_of(actions).values()]
            together = [each for each in map(story.verified, firsts) if each]
            assert {each.actions for each in together} == {tuple(firsts)}, "they are tried and looked at together"
            assert {outcome.status for outcome in result.outcomes} == {OutcomeStatus.APPLIED}
            assert result.verification is not None
            assert {found.status for found in result.verification.findings} == {VerificationStatus.RESOLVED}
            keys |= {outcome.record_id: outcome.key for outcome in result.outcomes}
            left -= len(actions)
        assert keys.keys() == many.ways.keys()
        found = await pasts(stuck.world, many.ways)
        ran = tried_since(stuck.world, tried)
        for workflow_id, way in many.ways.items():
            assert acted_once(way, found[workflow_id], key=keys[workflow_id], tried=ran[workflow_id]), workflow_id
            assert await stuck.status(workflow_id) == "Completed"
        assert await pasts(stuck.world, others) == before
        assert not any(past.ours for past in before.values())

        repair_id = await stuck.shop.start(domain="temporal")
        assert (await stuck.shop.end(repair_id)).phase is Phase.NO_REPAIR_NEEDED


@pytest.mark.parametrize("each", [3, pytest.param(60, marks=pytest.mark.long)])
async def test_of_those_that_the_first_did_not_help_no_other_is_touched_and_the_other_groups_go_on(
    real_time: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, each: int
) -> None:
    ways = (WAYS[0], HOPELESS, WAYS[4])
    async with stuck_shop(real_time, tmp_path, monkeypatch, environ=ENVIRON, workflows=WORKFLOWS) as stuck:
        many = await crowd(stuck.world, ways, each=each)
        tried = many.mend()
        result, actions = await repaired(stuck.shop, limit=MOST_PROBLEMS)
        story = await story_of(stuck.shop.client, result.repair_id)
        groups = groups_of(actions)
        assert len(groups) == len(ways)
        assert went_first(story, groups)

        hopeless = set(many.stuck_by(HOPELESS))
        lost = [outcome for outcome in result.outcomes if outcome.record_id in hopeless]
        first, *others = lost
        assert first.status is OutcomeStatus.APPLIED
        assert {outcome.status for outcome in others} == {OutcomeStatus.SKIPPED}
        rest = [outcome for outcome in result.outcomes if outcome.record_id not in hopeless]
        assert {outcome.status for outcome in rest} == {OutcomeStatus.APPLIED}
        ran = tried_since(stuck.world, tried)
        assert ran.keys() & hopeless == {first.record_id}, "the others of the group were not touched"
        found = await pasts(stuck.world, many.ways)
        for outcome in result.outcomes:
            workflow_id, key = outcome.record_id, outcome.key
            assert acted_once(many.ways[workflow_id], found[workflow_id], key=key, tried=ran[workflow_id]), outcome
        assert result.needs_person
        assert result.report is not None
