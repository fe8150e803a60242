"""What calls of a model may take, how often they are made, and what becomes of those that are cut off."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.adapters.state import StatePlace
from daper.agents.llm.charges import CHARACTERS_PER_TOKEN
from daper.agents.llm.dialogue import SENT_BACK
from daper.core.models import Person
from daper.core.phases import Phase
from daper.core.usage import Role
from daper.workflows.options import HEARTBEAT
from daper.workflows.repair import RepairAgentWorkflow
from tests.llm import answers
from tests.llm.fake_openai import FakeOpenAI
from tests.llm.hostile import with_usage
from tests.llm.shops import BADGES, GOOD, HARRY, model_shop, repaired, states_of_calls
from tests.llm.wire import Answer, Asked
from tests.workflow.shop import DEADLINE, GINNY, Shop


async def until(fake: FakeOpenAI, requests: int) -> None:
    await asyncio.to_thread(fake.until, lambda server: server.count >= requests)


async def test_d11_a_call_that_could_pass_the_cap_is_not_made(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    result, fake = await repaired(temporal_env, tmp_path, GOOD, DAPER_MAX_TOKENS_PER_CYCLE="5000")

    assert (result.phase, fake.count, result.outcomes) == (Phase.REPAIR_FAILED, 0, ())
    assert result.reason.startswith("the cycle has spent 0 tokens; its next call (analyze, fake-1) could take ")
    assert result.reason.endswith("and its cap is 5,000; raise DAPER_MAX_TOKENS_PER_CYCLE to go on")


async def test_a_cap_is_no_outage(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    environ = {"DAPER_MAX_TOKENS_PER_CYCLE": "5000", "DAPER_ON_OUTAGE": "rules"}
    result, fake = await repaired(temporal_env, tmp_path, GOOD, **environ)

    assert (result.phase, fake.count) == (Phase.REPAIR_FAILED, 0)
    assert "raise DAPER_MAX_TOKENS_PER_CYCLE" in result.reason


async def test_a_report_is_written_also_when_nothing_is_left_to_spend_on_its_words(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    environ = {"DAPER_ANALYZE_MODEL": "rules", "DAPER_PLAN_MODEL": "rules", "DAPER_MAX_TOKENS_PER_CYCLE": "1000"}
    result, fake = await repaired(temporal_env, tmp_path, GOOD, **environ)

    assert (result.phase, result.counts.applied, fake.count) == (Phase.REPORT_COMPLETED, 4, 0)
    [notice] = result.notices
    assert notice.startswith("report: fake-1 did not answer, so the rules alone count: the cycle has spent 0 tokens")
    assert not result.needs_person


@pytest.mark.long
async def test_d11_the_cap_counts_across_tries_of_one_step(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    _, free = await repaired(temporal_env, tmp_path / "free", answers.wrong_types)
    result, fake = await repaired(
        temporal_env, tmp_path / "capped", answers.wrong_types, DAPER_MAX_TOKENS_PER_CYCLE="25000"
    )

    assert free.count == 3 * (1 + SENT_BACK)
    assert 0 < fake.count < free.count
    assert result.phase is Phase.REPAIR_FAILED
    assert "raise DAPER_MAX_TOKENS_PER_CYCLE" in result.reason
    assert result.usage.total.tokens <= 25000
    assert result.usage.total.calls == fake.count


@pytest.mark.long
async def test_a_silent_model_is_given_up_and_asked_again_and_the_silence_counts_as_the_most_it_can_be(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    behaviour = answers.in_turn(answers.hanging(GOOD), GOOD)
    result, fake = await repaired(temporal_env, tmp_path, behaviour, DAPER_LLM_TIMEOUT="1s")

    assert (result.phase, result.counts.applied, fake.count) == (Phase.REPORT_COMPLETED, 4, 4)
    assert fake.seen[0].went_away
    assert (result.usage.total.calls, result.usage.total.uncertain) == (4, 1)
    assert result.usage.by_role[Role.ANALYZE].output_tokens > 4096


@pytest.mark.long
async def test_d10_a_slow_answer_is_asked_for_once_and_holds_up_nobody_else(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    def behaviour(asked: Asked) -> Answer:
        return answers.hanging(GOOD)(asked) if HARRY in asked.user else GOOD(asked)

    async with model_shop(temporal_env, tmp_path, behaviour, DAPER_PLAN_MODEL="rules") as (shop, fake):
        slow = await shop.start(auto_approve=True, scope={"record_ids": [HARRY]})
        await until(fake, 1)
        of_another = await shop.start(requested_by=GINNY, auto_approve=True, scope={"record_ids": [BADGES]})
        quick = await shop.end(of_another)
        assert fake.seen[0].ended is None  # the other one has still no answer
        await until_asked_for_longer_than(HEARTBEAT, shop, slow)
        fake.release()
        result = await shop.end(slow)

    assert (quick.counts.applied, result.counts.applied) == (1, 1)
    assert [HARRY in asked.user for asked in fake.asked if "Role: analyze" in asked.system] == [True, False]
    assert result.usage.by_role[Role.ANALYZE].calls == 1


async def until_asked_for_longer_than(span: timedelta, shop: Shop, repair_id: str) -> None:
    """Wait until Temporal heard for so long of a call that has no answer."""
    handle = shop.client.get_workflow_handle(repair_id)
    async with asyncio.timeout(DEADLINE):
        while True:
            [call] = (await handle.describe()).raw_description.pending_activities
            if call.last_heartbeat_time.ToDatetime() - call.last_started_time.ToDatetime() > span:
                return
            await asyncio.sleep(0.1)


@pytest.mark.long
@pytest.mark.parametrize("repairs", [4, 20])
async def test_a7_no_cap_is_passed_by_repairs_beside_each_other_whose_model_says_it_took_nothing(
    temporal_env: WorkflowEnvironment, tmp_path: Path, repairs: int
) -> None:
    cap = 20_000
    lying = with_usage(GOOD, prompt_tokens=0, completion_tokens=1, total_tokens=1)
    environ = {"DAPER_MAX_TOKENS_PER_CYCLE": str(cap), "DAPER_ON_OUTAGE": "rules"}
    async with model_shop(temporal_env, tmp_path, lying, **environ) as (shop, fake):
        requests = [shop.start(requested_by=Person(name=f"p{n}"), dry_run=True) for n in range(repairs)]
        started = [
            shop.client.get_workflow_handle_for(RepairAgentWorkflow.run, repair_id)
            for repair_id in await asyncio.gather(*requests)
        ]
        results = await asyncio.gather(*(each.result() for each in started))

    assert fake.count == sum(result.usage.total.calls for result in results) > 0
    assert {result.usage.total.uncertain for result in results} != {0}
    said = sum(len(asked.system) + len(asked.user) for asked in fake.asked)
    assert said // CHARACTERS_PER_TOKEN - fake.count <= sum(result.usage.total.tokens for result in results)
    assert max(result.usage.total.tokens for result in results) <= cap


@pytest.mark.long
async def test_a_repair_that_is_stopped_hangs_up(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with model_shop(temporal_env, tmp_path, answers.hanging(GOOD)) as (shop, fake):
        repair_id = await shop.start()
        await until(fake, 1)
        await shop.service.stop(repair_id, by="Harry")
        result = await shop.end(repair_id)
        await asyncio.to_thread(fake.until, lambda server: server.seen[0].ended is not None)

    assert (result.phase, fake.count) == (Phase.CANCELLED, 1)
    assert fake.seen[0].went_away
    assert (result.usage.total.calls, result.usage.total.uncertain) == (1, 1)
    async with asyncio.timeout(DEADLINE):  # whoever hung up may still write it down
        while await asyncio.to_thread(states_of_calls, tmp_path) != ["settled"]:
            pass


@pytest.mark.long
async def test_what_models_took_is_in_the_view_by_role_and_by_record_and_in_the_ledger_the_same(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with model_shop(temporal_env, tmp_path, GOOD) as (shop, _):
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        view = await shop.until(repair_id, lambda look: look.phase is Phase.PENDING_APPROVAL)
        ledger = await StatePlace(home=tmp_path).spending().of_cycle(cycle_of(tmp_path))
        await shop.decide(repair_id, plan)
        result = await shop.end(repair_id)

    assert view.usage.by_role.keys() == {Role.ANALYZE, Role.PLAN}
    assert view.usage.total == ledger.total
    assert sum(action.spent.tokens for action in plan.actions) == view.usage.total.tokens
    assert {action.spent.calls for action in plan.actions} == {2}
    assert result.usage.by_role.keys() == {Role.ANALYZE, Role.PLAN, Role.REPORT}
    assert sum(spent.tokens for spent in result.usage.by_record.values()) == result.usage.total.tokens


def cycle_of(home: Path) -> str:
    """The one cycle that spent something."""
    with closing(sqlite3.connect(home / "daper.db")) as db:
        [(cycle_id,)] = db.execute("SELECT DISTINCT cycle_id FROM daper_calls").fetchall()
    return str(cycle_id)
