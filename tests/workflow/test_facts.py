"""What is told of a record reaches those that wait for it: an agent goes on at once, and an old plan is stale."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from daper.core.errors import Unreachable
from daper.core.facts import FactAnswer
from daper.core.models import IdentityProof, Person
from daper.core.outcomes import OutcomeStatus, VerificationStatus
from daper.core.phases import Phase
from daper.domains.orders import shipped
from daper.entrypoints.cli.since_then import since_then
from daper.ports import Telling
from daper.service.facts import FactService
from daper.service.records import RecordsService
from daper.service.tidings import Tidings
from tests.workflow.agents import Agent
from tests.workflow.shop import DEADLINE, Shop, open_shop, outcome_of

RON = "ORD-003-RBW"
SCOPE: Mapping[str, object] = {"record_ids": [RON]}


def bring_own(home: Path) -> None:
    """The shipped records as a person's own: nobody answers for the others."""
    folder = home / "data" / "orders"
    folder.mkdir(parents=True)
    for name, text in shipped.texts("hogwarts").items():
        (folder / name).write_text(text.replace("CUST-RW-003", "ron@burrow.example"), encoding="utf-8")


async def tell(shop: Shop, fact: str, record_id: str = RON, *, reaches: bool = True) -> FactAnswer:
    """Somebody tells it at a door of the same installation."""

    async def tidings() -> Tidings:
        if not reaches:
            raise Unreachable("Temporal is not there")
        return Tidings(shop.client, queue=shop.settings.task_queue)

    records = RecordsService(domains=shop.domains, memory=shop.settings.state.memory)
    telling = Telling(record_id=record_id, fact=fact, by=Person(name="Bill", how=IdentityProof.OS_USER), door="test")
    return await FactService(records, tidings=tidings).tell("orders", telling)


async def until_listed(shop: Shop, agent: Agent) -> None:
    """Temporal's list lags behind."""
    async with asyncio.timeout(DEADLINE):
        while True:
            if agent.handle.id in {line.agent_id for line in await shop.proactive.list()}:
                return
            await asyncio.sleep(0.02)


async def test_an_agent_that_waits_goes_on_at_once_when_what_it_asked_for_is_told(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    bring_own(tmp_path)
    async with open_shop(temporal_env, tmp_path) as shop:
        agent, other = Agent(shop), Agent(shop)
        await agent.start(interval="P1D", scope=SCOPE)
        repair_id = await agent.cycle()
        await shop.decide(repair_id, await shop.plan(repair_id), by=agent.by)
        result = await shop.end(repair_id)
        assert result.verification is not None
        assert [each.status for each in result.verification.findings] == [VerificationStatus.WAITING_ON_PERSON]
        await agent.waits(after=1)
        await until_listed(shop, agent)

        answer = await tell(shop, "paid")
        view = await agent.waits(after=2)

        assert (answer.known, answer.agents, answer.problems, answer.unheard) == (False, (agent.handle.id,), (), "")
        assert other.handle.id not in answer.agents
        assert len(answer.unsent) == 1, "nobody has sent it, and nobody should"
        [last, _] = view.results
        assert (last.phase, last.asked) == (Phase.NO_REPAIR_NEEDED, f"Bill: {RON}: paid")
        assert shop.status(RON) == "processing"
        await agent.stop()
        await agent.ended()


async def test_a_plan_that_saw_the_record_before_is_stale(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    bring_own(tmp_path)
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start(scope=SCOPE)
        plan = await shop.plan(repair_id)
        answer = await tell(shop, "paid")
        await shop.decide(repair_id, plan)

        result = await shop.end(repair_id)

        assert (answer.known, answer.agents) == (False, ())
        assert outcome_of(result, RON).status is OutcomeStatus.STALE
        assert shop.status(RON) == "processing"


async def test_a_fact_counts_where_no_agent_can_be_told(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    bring_own(tmp_path)
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    answer = await tell(shop, "paid", reaches=False)
    assert (answer.known, answer.unheard) == (False, "Temporal is not there")
    assert shop.status(RON) == "processing"


async def test_of_an_ended_repair_is_told_what_was_told_since_and_its_report_stays(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    bring_own(tmp_path)
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start(scope=SCOPE, auto_approve=True)
        result = await shop.end(repair_id)
        kept = {path: path.read_bytes() for path in (tmp_path / "reports").glob("**/*") if path.is_file()}
        before = await since_then(shop.settings, result)
        await tell(shop, "paid")
        [line] = await since_then(shop.settings, result)
        assert result.store is not None
        away = result.model_copy(update={"store": result.store.model_copy(update={"store_id": "another"})})
        gone = result.model_copy(update={"store": result.store.model_copy(update={"place": str(tmp_path / "gone")})})

        assert before == []
        assert line.startswith(f"Since then: {RON}: paid was told on ")
        assert line.endswith(" UTC by Bill (os-user)")
        assert await since_then(shop.settings, away) == await since_then(shop.settings, gone) == []
        assert not (tmp_path / "gone").exists()
        assert {path: path.read_bytes() for path in kept} == kept
