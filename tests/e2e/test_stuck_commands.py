"""A repair of stuck workflows by commands: looked at, started, approved in part, and read when it has ended."""

import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.e2e.conftest import Beside, Shop
from tests.e2e.shell import read_line
from tests.stuck import StuckWorld, stuck_world

STUCK = ("parcels/2026/1", "parcels/2026/2", "parcels/2026/3")


@pytest.fixture
def world(beside: Beside, address: str, tmp_path: Path) -> Generator[StuckWorld]:
    """Three workflows, with an activity that failed and is tried again in an hour; what it failed by is mended."""

    @asynccontextmanager
    async def made() -> AsyncGenerator[StuckWorld]:
        client = await Client.connect(address)
        async with stuck_world(client, tmp_path / "world") as world:
            world.outside.failing["slow"] = "CardDeclined"
            for workflow_id in STUCK:
                await world.start(["slow"], workflow_id=workflow_id)
            for workflow_id in STUCK:
                await world.until(workflow_id, lambda state: any(each.attempt > 1 for each in state.activities))
            world.outside.failing.clear()
            yield world

    with beside.inside(made) as world:
        yield world


@pytest.fixture
def clerk(shop: Shop, world: StuckWorld) -> Shop:
    """Whose shell has the domain."""
    more = {"DAPER_TEMPORAL_QUERY": f'TaskQueue = "{world.queue}"', "DAPER_TEMPORAL_RETRYING_ATTEMPTS": "1"}
    return replace(shop, env=shop.env | more)


def test_stuck_workflows_are_looked_at_and_repaired_in_part_by_commands(
    clerk: Shop, world: StuckWorld, beside: Beside
) -> None:
    with clerk.running("worker") as worker:
        read_line(worker.stderr)
        assert "Worker ready on: " in read_line(worker.stderr)

        listed = clerk.run("records", "list", "--domain", "temporal")
        started = clerk.run("repair", "start", "--domain", "temporal", "--no-wait")
        repair_id = started.value("Workflow started with ID:")
        clerk.waiting_plan(repair_id)
        plan = clerk.run("repair", "show", repair_id, "--json").document()["plan"]
        by_record = {action["record_id"]: action["id"] for action in plan["actions"]}
        chosen = ("--action", by_record[STUCK[0]], "--action", by_record[STUCK[1]])
        approved = clerk.run("repair", "approve", repair_id, "--plan", plan["digest"], *chosen)
        followed = clerk.run("repair", "show", repair_id, "--follow")
        document = clerk.run("repair", "report", repair_id, "--json").document()

        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=60)

    assert all(each in listed.out for each in STUCK)
    assert (listed.code, started.code, approved.code, followed.code) == (0, 0, 0, 0)
    assert set(by_record) == set(STUCK)
    statuses = {outcome["record_id"]: outcome["status"] for outcome in document["outcomes"]}
    assert statuses == {STUCK[0]: "applied", STUCK[1]: "applied", STUCK[2]: "not-approved"}
    seen = {each["record_id"]: each["status"] for each in document["verification"]["findings"]}
    assert seen == {STUCK[0]: "resolved", STUCK[1]: "resolved"}
    states = [beside.do(world.state(each)).status for each in STUCK]
    assert states == ["Completed", "Completed", "Running"]


def test_without_its_query_the_domain_is_not_there_and_says_what_to_set(shop: Shop) -> None:
    refused = shop.run("repair", "start", "--domain", "temporal")
    assert refused.code != 0
    assert "DAPER_TEMPORAL_QUERY" in refused.err


def test_nobody_s_workflows_are_taken_for_cases_of_an_evaluation(shop: Shop) -> None:
    ran = shop.run("eval", "--domain", "temporal", extra={"DAPER_TEMPORAL_QUERY": "*"})
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "daper: domain 'temporal' has no cases to evaluate on: it offers no `install_cases`\n"
