"""Every kept repair that waits for a person is taken up by the code of today, approved, and goes on to its end.

A replay shows that today's code comes to the same point. It cannot show that it goes on from there: a replayer stops
where its history does, and a repair that is parked in a test was parked by the code of today. So the kept histories are
taken into a real server (`importing.py`), beside the records as they were; a worker that knows nothing but the history
takes the decision, by the same door as always, and what it does is looked for in the records.
"""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowHistory
from temporalio.testing import WorkflowEnvironment

from daper.clock import new_id
from daper.core.digests import content_version
from daper.core.errors import Unreachable
from daper.core.messages import RepairRequest
from daper.core.notices import Occasion
from daper.core.outcomes import OutcomeStatus
from daper.core.phases import Phase
from daper.domains.orders import world
from daper.workflows.event_driven import RepairAgentWorkflowEventDriven
from daper.workflows.steps import Steps
from tests.llm.fake_openai import FakeOpenAI
from tests.llm.shops import GOOD, KEY
from tests.receiving import SECRET, Hook, hook, webhook_lines, write_people
from tests.replay import kept
from tests.replay.importing import importing_server, renamed, take_in
from tests.replay.scenarios import TOGETHER
from tests.workflow.agents import Agent
from tests.workflow.events import agent_of, approved, report
from tests.workflow.shop import DEADLINE, Shop

RECORDS = Path(__file__).parent / "records"
PARKED = [name for name in kept.names() if name.startswith("parked")]
WITH_A_MODEL = {"parked_with_a_model"}


@pytest.fixture(scope="module")
async def importing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A server that takes histories."""
    async with importing_server(tmp_path_factory.mktemp("server")) as client:
        yield client


@dataclass(frozen=True, kw_only=True)
class Found:
    """A repair as it was left, and who was to be told of it."""

    shop: Shop
    repair_id: str
    tell: tuple[str, ...]
    owl: Hook


class Later:
    """What a person finds after an upgrade: the runs, and the records, as they were left; whoever was told listens."""

    def __init__(self, client: Client, home: Path) -> None:
        self._client = client
        self._home = home

    async def open(self, stack: AsyncExitStack, name: str) -> Found:
        """A kept repair, with what belongs to it, and a worker that never saw it."""
        histories = [kept.load(each) for each in TOGETHER.get(name, (name,))]
        if name not in TOGETHER:
            histories = [renamed(histories[0], f"{histories[0].workflow_id}-{new_id()}")]
        request = await self._request(histories[0])
        _lay_out_records(self._home, request.store_id)
        owl = await stack.enter_async_context(hook())
        write_people(self._home, owl=webhook_lines(owl.url))
        await take_in(self._client, *histories)
        started = histories[0].events[0].workflow_execution_started_event_attributes
        environ = {"TEMPORAL_TASK_QUEUE": started.task_queue.name, "OWL_SECRET": SECRET, **_model(stack, name)}
        env = WorkflowEnvironment.from_client(self._client)
        shop = Shop(env, self._home, domains=None, indexed=request.indexed, environ=environ)
        await stack.enter_async_context(shop.worker())
        async with asyncio.timeout(DEADLINE):
            while not await shop.service.workers(shop.settings.task_queue):
                pass  # until it polls, the server answers for it that nobody is there
        return Found(shop=shop, repair_id=histories[0].workflow_id, tell=request.tell, owl=owl)

    async def _request(self, history: WorkflowHistory) -> RepairRequest:
        given = history.events[0].workflow_execution_started_event_attributes.input.payloads
        [request] = await self._client.data_converter.decode(given, [RepairRequest])
        return request


@pytest.fixture
def later(importing: Client, tmp_path: Path) -> Later:
    return Later(importing, tmp_path)


def _lay_out_records(home: Path, store_id: str) -> None:
    """The records that the kept histories were recorded with, in the store that they name."""
    folder = home / "data" / "orders"
    folder.mkdir(parents=True)
    for file in RECORDS.iterdir():
        shutil.copy(file, folder)
    about = {"store_id": store_id, "dataset": "hogwarts", "as_of": "2025-06-28T00:00:00Z", "counterparty": "simulated"}
    (folder / "store.json").write_text(json.dumps(about), encoding="utf-8")


def _model(stack: AsyncExitStack, name: str) -> Mapping[str, str]:
    if name not in WITH_A_MODEL:
        return {}
    fake = stack.enter_context(FakeOpenAI(GOOD))
    return {"LLM_MODEL": "fake-1", "LLM_BASE_URL": fake.url, "LLM_KEY": KEY}


async def _approved(found: Found, name: str) -> None:
    """All of the plan is approved, and that is what happens, once, on the records that the plan was made for."""
    shop, repair_id = found.shop, found.repair_id
    look = await shop.until(repair_id, lambda look: look.phase is Phase.PENDING_APPROVAL)
    assert look.plan is not None
    assert look.plan.digest in await kept.readable(name), "it is the plan that people saw"
    await shop.decide(repair_id, look.plan)
    result = await shop.end(repair_id)
    shown = {action.id for action in look.plan.actions}
    done = [outcome.status for outcome in result.outcomes if outcome.action_id in shown]
    assert (result.phase, done) == (Phase.REPORT_COMPLETED, [OutcomeStatus.APPLIED] * look.plan.total_actions)
    assert shop.effects() == result.counts.applied == len(done)
    assert result.troubles == ()


@pytest.mark.parametrize("name", sorted({*PARKED} - TOGETHER.keys()))
async def test_a_kept_repair_that_waits_for_a_person_is_approved_by_the_code_of_today(later: Later, name: str) -> None:
    """D9: and whoever was told that it waits is told how it ended."""
    async with AsyncExitStack() as stack:
        found = await later.open(stack, name)
        await _approved(found, name)
        assert found.owl.kinds == [Occasion.REPAIR_DONE for _ in found.tell], "what was told before is not told again"


@pytest.mark.long
async def test_a_kept_agent_sees_its_parked_repair_approved_and_goes_on(later: Later) -> None:
    """The agent waits for its repair, and the repair for a person; both are kept, of one run."""
    async with AsyncExitStack() as stack:
        found = await later.open(stack, "parked_under_an_agent")
        agent = Agent(found.shop, user="Harry-parked")
        assert await agent.cycle() == found.repair_id
        await _approved(found, "parked_under_an_agent")
        [ended] = (await agent.waits(after=1)).results
        assert (ended.repair_id, ended.phase) == (found.repair_id, Phase.REPORT_COMPLETED)
        await agent.check_now("is that all?")
        await agent.waits(after=2)
        await agent.stop()
        assert (await agent.ended()).cycles == 2


async def test_kept_reports_are_repaired_one_after_the_other(later: Later) -> None:
    """The repair that ran, and then the one that was collected behind it, are those that people were told of."""
    async with AsyncExitStack() as stack:
        found = await later.open(stack, "parked_and_reported")
        agent = await agent_of(found.shop)
        [collected] = (await agent.query(RepairAgentWorkflowEventDriven.view)).waiting
        await _approved(found, "parked_and_reported")
        result = await approved(found.shop, collected.repair_id)
        assert [outcome.record_id for outcome in result.outcomes] == list(collected.record_ids)
        assert (await agent.result()).waiting == ()


@pytest.mark.long
async def test_kept_reports_no_longer_wait_for_each_other_once_something_is_reported_to_the_release_of_today(
    tmp_path: Path,
) -> None:
    """The kept run ends, and what it had collected begins beside the repair that still waits for a person."""
    async with AsyncExitStack() as stack:
        # Its ids are those of the test above, so that it needs a server of its own.
        client = await stack.enter_async_context(importing_server(tmp_path / "server"))
        found = await Later(client, tmp_path / "home").open(stack, "parked_and_reported")
        agent = await agent_of(found.shop)
        kept_run = (await agent.describe()).run_id
        [collected] = (await agent.query(RepairAgentWorkflowEventDriven.view)).waiting
        await report(found.shop, "ORD-001-HJP")
        async with asyncio.timeout(DEADLINE):
            while (await agent.describe()).run_id == kept_run:
                pass
        await approved(found.shop, collected.repair_id)
        view = await agent.query(RepairAgentWorkflowEventDriven.view)
        assert found.repair_id in view.open, "nobody has decided on it"
        await _approved_beside(found)


async def _approved_beside(found: Found) -> None:
    await found.shop.decide(found.repair_id, await found.shop.plan(found.repair_id))
    assert (await found.shop.end(found.repair_id)).phase is Phase.REPORT_COMPLETED


@pytest.mark.long
async def test_a_release_that_counts_versions_of_records_otherwise_is_noticed(
    later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This can fail where no replay and no new repair does: the plan of an older release would be stale for ever."""

    def otherwise(record: Mapping[str, object]) -> str:
        return content_version({**record, "release": 2})

    monkeypatch.setattr(world, "content_version", otherwise)
    async with AsyncExitStack() as stack:
        found = await later.open(stack, "parked_at_approval")
        await found.shop.decide(found.repair_id, await found.shop.plan(found.repair_id))
        result = await found.shop.end(found.repair_id)
    assert {outcome.status for outcome in result.outcomes} == {OutcomeStatus.STALE}


@pytest.mark.long
async def test_a_release_that_swaps_two_steps_is_noticed_by_whoever_looks_at_the_repair(
    later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot be approved, and says why; `daper doctor` finds it."""
    first, second = Steps.open, Steps.claim
    monkeypatch.setattr(Steps, "open", second)
    monkeypatch.setattr(Steps, "claim", first)
    async with AsyncExitStack() as stack:
        found = await later.open(stack, "parked_at_approval")
        with pytest.raises(Unreachable, match=r"is stuck: .*Nondeterminism"):
            await found.shop.service.look(found.repair_id)
        async with asyncio.timeout(DEADLINE):
            while not [line for line in await found.shop.service.stuck() if found.repair_id in line]:
                pass  # Temporal lists it a moment later
