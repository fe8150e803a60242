"""A hundred workflows are reset while the workers that do it are killed with -9: each once, by the trace it leaves."""

import asyncio
import random
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from temporalio.client import Client

from daper.adapters.temporal.connection import connect
from daper.adapters.temporal.embedded import embedded_server
from daper.bootstrap import open_service
from daper.core.outcomes import ActionOutcome, OutcomeStatus
from daper.domains.temporal.history import RunHistory
from daper.domains.temporal.history_reader import HistoryReader
from daper.settings import load_settings
from tests.faults.cases import Answer, Case, Desk
from tests.faults.victims_run import Victims, kill
from tests.journeys import Journey, SideTrip, visit
from tests.stuck import StuckWorld, stuck_world

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]

WORKFLOWS = 100
AT_ONCE = 20
KILLS = 16
SEED = 11


@dataclass(kw_only=True)
class Left:
    """What is left when all repairs have ended: the outcome of each workflow, its latest run, and its runs."""

    kills: Counter[str] = field(default_factory=Counter[str])
    outcomes: dict[str, ActionOutcome] = field(default_factory=dict[str, ActionOutcome])
    latest: dict[str, RunHistory] = field(default_factory=dict[str, RunHistory])
    first: dict[str, str] = field(default_factory=dict[str, str])
    ran: Counter[str] = field(default_factory=Counter[str])


@pytest.fixture(scope="module")
async def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    home = tmp_path_factory.mktemp("resets")
    async with _world(home) as (world, client, environment):
        ids = [f"journey/{number}" for number in range(WORKFLOWS)]
        found = Left()
        world.outside.failing = {"bad": "NoRoad"}
        for workflow_id in ids:
            handle = await client.start_workflow(Journey.run, ["a", "bad", "c"], id=workflow_id, task_queue=world.queue)
            found.first[workflow_id] = handle.first_execution_run_id or ""
        for workflow_id in ids:
            await world.until(workflow_id, lambda state: state.status == "Failed")
        world.outside.failing = {}
        await _repaired(ids, found, home=home, client=client, environment=environment)
        for workflow_id in ids:
            state = await world.until(workflow_id, lambda state: not state.is_running)
            found.latest[workflow_id] = await _history(world, workflow_id, state.run_id)
        found.ran = Counter(world.outside.ran)
        return found


def test_no_workflow_was_reset_twice_and_what_was_reset_is_known(left: Left) -> None:
    assert left.kills.total() == KILLS
    statuses = Counter(outcome.status for outcome in left.outcomes.values())
    sys.stdout.write(f"{dict(left.kills)}; {dict(statuses)}\n")
    assert set(statuses) <= {OutcomeStatus.APPLIED, OutcomeStatus.ALREADY_APPLIED, OutcomeStatus.UNKNOWN}
    for workflow_id, outcome in left.outcomes.items():
        traces = left.latest[workflow_id].resets
        assert {(each.reason, each.base_run_id) for each in traces} <= {
            (f"daper key={outcome.key}", left.first[workflow_id])
        }
        if outcome.status is OutcomeStatus.UNKNOWN:
            assert len(traces) == 0, f"{workflow_id}: it was reset, and nobody knows"
        else:
            assert len(traces) == 1, workflow_id


def test_each_activity_ran_as_often_as_the_resets_say(left: Left) -> None:
    for workflow_id in left.outcomes:
        resets = len(left.latest[workflow_id].resets)
        ran = {place: left.ran[f"{workflow_id} {place}"] for place in ("a", "bad", "c")}
        assert ran == {"a": 1, "bad": 1 + resets, "c": resets}


@asynccontextmanager
async def _world(home: Path) -> AsyncGenerator[tuple[StuckWorld, Client, Mapping[str, str]]]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(embedded_server(log_file=home / "server.log"))
        environment = {
            "DAPER_HOME": str(home),
            "TEMPORAL_TASK_QUEUE": "resets",
            "TEMPORAL_ADDRESS": server.address,
            "USER_NAME": "harness",
            "HOME": str(home),
        }
        client = await connect(load_settings(environ=environment, folder=home))
        world = await stack.enter_async_context(
            stuck_world(client, home / "world", workflows=[Journey, SideTrip], activities=[visit])
        )
        environment["DAPER_TEMPORAL_QUERY"] = f'TaskQueue = "{world.queue}"'
        yield world, client, environment


async def _repaired(
    ids: Sequence[str], found: Left, *, home: Path, client: Client, environment: Mapping[str, str]
) -> None:
    """Each by a repair of its own, which a person approves."""
    victims = Victims(home, environment)
    service = await open_service(load_settings(environ=environment, folder=home), client=client)
    desk = Desk(service, domain="temporal")
    killing = asyncio.create_task(_kill_workers(victims, found.kills))
    try:
        async with asyncio.timeout(1200):
            for start in range(0, len(ids), AT_ONCE):
                cases = [_case(workflow_id) for workflow_id in ids[start : start + AT_ONCE]]
                await asyncio.gather(*map(desk.see_to, cases))
                for case in cases:
                    assert case.result is not None
                    [outcome] = case.result.outcomes
                    found.outcomes[outcome.record_id] = outcome
            await killing
    finally:
        killing.cancel()
        await victims.end()


def _case(workflow_id: str) -> Case:
    return Case(key=workflow_id, records=(workflow_id,), answer=Answer.ALL, rejected=frozenset(), reads_for=0)


async def _kill_workers(victims: Victims, kills: Counter[str]) -> None:
    """One worker after another is killed: around a change of the cluster, or at any moment; the last one lives."""
    rng = random.Random(SEED)
    for number in range(KILLS):
        if number % 4 == 3:
            worker = await victims.worker()
            await asyncio.sleep(rng.uniform(0.2, 2))
            await kill(worker)
            kills["at any moment"] += 1
            continue
        step = rng.randint(1, 8)
        worker = await victims.worker_at_change(step)
        await worker.wait()
        kills["before a change" if step % 2 else "behind a change"] += 1
    await victims.worker()


async def _history(world: StuckWorld, workflow_id: str, run_id: str) -> RunHistory:
    reader = HistoryReader(workflow_id, run_id)
    async for event in world.domain.cluster.events(workflow_id, run_id):
        reader.take(event)
    return reader.history()
