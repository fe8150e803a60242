"""`daper records … --domain temporal` and doctor, on the workflows of a real cluster."""

from dataclasses import replace
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from daper.adapters.temporal.codec import data_converter
from tests.e2e.conftest import Beside
from tests.e2e.shell import Ran, Shell, until
from tests.stuck import WORLD, Errand, Outside, step


def on_a_cluster(shell: Shell, address: str, query: str) -> Shell:
    return replace(shell, env={**shell.env, "TEMPORAL_ADDRESS": address, "DAPER_TEMPORAL_QUERY": query})


@pytest.fixture
def queue(address: str, beside: Beside) -> str:
    """A queue with one errand that failed, one that waits, and one of a queue that nobody asks."""
    name = f"errands-{uuid4()}"
    WORLD[name] = Outside(failing={"!pay": "CardDeclined"})

    async def prepare() -> None:
        client = await Client.connect(address, data_converter=data_converter())
        async with Worker(
            client, task_queue=name, workflows=[Errand], activities=[step], workflow_runner=UnsandboxedWorkflowRunner()
        ):
            failed = await client.start_workflow(Errand.run, ["!pay"], id=f"{name}-failed", task_queue=name)
            with pytest.raises(WorkflowFailureError):
                await failed.result()
        await client.start_workflow(Errand.run, ["wait"], id=f"{name}-waits", task_queue=f"{name}-nobody")

    beside.do(prepare())
    return name


def test_stuck_workflows_are_listed_shown_and_looked_for(shell: Shell, address: str, queue: str) -> None:
    there = on_a_cluster(shell, address, f'WorkflowId STARTS_WITH "{queue}"')

    def both() -> Ran | None:
        ran = there.run("records", "list", "--domain", "temporal", "--json")
        return ran if ran.code == 0 and ran.document()["total"] == 2 else None

    listed = until(both, what="both workflows in the list").document()
    assert [each["head"]["status"] for each in listed["records"]] == ["Failed", "Running"]
    ran = there.run("records", "list", "--domain", "temporal", "--with-problems", "--json")
    kinds = {each["head"]["record_id"]: [it["kind"] for it in each["problems"]] for each in ran.document()["records"]}
    assert kinds == {f"{queue}-failed": ["failed"], f"task-queue:{queue}-nobody": ["nobody-polls"]}
    ran = there.run("records", "show", f"{queue}-failed", "--domain", "temporal")
    assert ran.code == 0, ran.err
    assert "failed by:" in ran.out
    assert "application CardDeclined: the owl is lost" in ran.out
    ran = there.run("records", "show", f"task-queue:{queue}-nobody", "--domain", "temporal")
    assert "workers that ask for workflow tasks: 0" in ran.out
    assert "start a worker for it" in ran.out
    ran = there.run("records", "show", f"{queue}-fialed", "--domain", "temporal")
    assert ran.code == 1
    assert f"did you mean '{queue}-failed'" in ran.err
    ran = there.run("records", "show", "0", "--domain", "temporal")
    assert "there is no record '0' in " in ran.err
    assert ran.err.endswith("; see: daper records list --domain temporal\n")
    ran = there.run("records", "list", "--domain", "temporal", "--status", "Lost")
    assert "no record has the status 'Lost'; there are: Failed 1, Running 1" in ran.out
    ran = there.run("records", "list", "--domain", "temporal", "--status", "waiting")
    assert f"task-queue:{queue}-nobody" in ran.out
    ran = there.run("doctor", "--json")
    checks = {each["name"]: each for each in ran.document()["checks"]}
    assert checks["records of temporal"]["ok"]
    assert checks["records of temporal"]["what"].startswith("2 in Temporal at ")
    assert "repairs of temporal" not in checks


def test_where_it_is_not_set_up_it_says_how(shell: Shell, address: str) -> None:
    ran = shell.run("records", "list", "--domain", "temporal")
    assert ran.code == 1
    assert (
        "the domain 'temporal' is there once DAPER_TEMPORAL_QUERY is set, and that is not: Which workflows" in ran.err
    )
    ran = shell.run("domain", "list")
    assert "temporal: not there; the domain 'temporal' is there once DAPER_TEMPORAL_QUERY is set" in ran.out
    checks = {each["name"]: each for each in shell.run("doctor", "--json").document()["checks"]}
    assert checks["records of temporal"]["ok"]
    assert "once DAPER_TEMPORAL_QUERY is set" in checks["records of temporal"]["what"]
    ran = on_a_cluster(shell, address, "Colour = 'red'").run("records", "list", "--domain", "temporal")
    assert ran.code == 1
    assert "DAPER_TEMPORAL_QUERY" in ran.err
    assert "invalid search attribute: Colour" in ran.err
    ran = on_a_cluster(shell, address, "*").run(
        "records", "list", "--domain", "temporal", extra={"DAPER_TEMPORAL_ADDRESS": "127.0.0.1:1"}
    )
    assert "DAPER_TEMPORAL_ADDRESS" in ran.err
    assert "127.0.0.1:1" in ran.err


def test_an_argument_that_is_no_text_is_told(shell: Shell, address: str) -> None:
    there = on_a_cluster(shell, address, "*")
    ran = there.run("repair", "show", "repair-\udcff")
    assert (ran.code, ran.err) == (2, r"daper: 'repair-\udcff' is no text in UTF-8, and nothing is called so" + "\n")
    ran = there.run("records", "show", "errand-\udcff", "--domain", "temporal")
    assert ran.code == 1
    assert "there is no record" in ran.err
