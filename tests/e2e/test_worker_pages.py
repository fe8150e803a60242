"""What workers tell of themselves, as processes: that they live, whether they are ready, what they counted."""

import signal
import socket
from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import EventType

from daper.adapters.temporal.connection import connect
from daper.core.measures import ACTIONS, DECISIONS, PHASES
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.entrypoints.cli.exits import Exit
from daper.settings import Settings
from daper.workflows.options import HEARTBEAT
from tests.e2e.conftest import Shop
from tests.e2e.shell import GENEROUS
from tests.e2e.test_worker_drain import approved, make_records, to_its_end
from tests.e2e.worker_told import ask, of, samples, told_port, until_ready, worker_process


@pytest.mark.long
def test_two_workers_on_one_machine_tell_of_themselves_each_at_its_own_port(shop: Shop) -> None:
    make_records(shop)
    with worker_process(shop, "one") as (_, one), worker_process(shop, "two") as (_, two):
        ports = told_port(one), told_port(two)

        assert len(set(ports)) == 2
        for port in ports:
            assert ask(port, "/health").document() == {"alive": True}
            until_ready(port)

        result = shop.beside.do(_repaired(shop.settings()))
        counted = [ask(port, "/metrics").text for port in ports]

    # Whoever of the two did what: together they counted what happened, and nothing more.
    total = "\n".join(counted)
    assert result.phase is Phase.REPORT_COMPLETED
    phases = [samples(text, PHASES.name) for text in counted]
    assert sum(of(found, domain="orders", phase="REPORT-COMPLETED") for found in phases) == 1
    assert sum(of(found, phase="PENDING-APPROVAL") for found in phases) == 1
    actions = [samples(text, ACTIONS.name) for text in counted]
    assert sum(of(found, domain="orders", outcome="applied") for found in actions) == len(result.outcomes)
    decisions = [samples(text, f"{DECISIONS.name}_count") for text in counted]
    assert sum(of(found, door="policy", by="policy", answer="approve") for found in decisions) == 1
    assert "temporal_activity_execution_latency_seconds_bucket" in total
    known = {result.repair_id, *(outcome.record_id for outcome in result.outcomes), "Minerva"}
    assert not [name for name in known if name in total], "no label may grow with the work"


async def _repaired(settings: Settings) -> RepairResult:
    return await to_its_end(settings, await approved(settings))


@pytest.mark.long
def test_a_worker_goes_on_with_the_repairs_of_one_that_was_killed(shop: Shop) -> None:
    """The one that is killed has done all so far, and holds the repair in its memory."""
    make_records(shop)
    with worker_process(shop, "killed") as (killed, _):
        repair_id = shop.begin()
        plan = shop.waiting_plan(repair_id)
        with worker_process(shop, "other") as (other, log):
            until_ready(told_port(log))
            killed.send_signal(signal.SIGKILL)
            killed.wait()

            decided = shop.run("repair", "approve", repair_id, "--plan", plan.digest)
            result = shop.beside.do(to_its_end(shop.settings(), repair_id))
            tasks = shop.beside.do(_tasks_of(shop.settings(), repair_id))

    assert decided.code == Exit.OK, decided.err
    assert result.phase is Phase.REPORT_COMPLETED
    assert {str(outcome.status) for outcome in result.outcomes} == {"applied"}
    takers = [f"{process.pid}@{socket.gethostname()}" for process in (killed, other)]
    assert list(dict.fromkeys(taker for taker, _ in tasks)) == takers
    # By the server's clock: nobody waited for the one that is gone for longer than the stickiness lasts, and a task.
    first = next(waited for taker, waited in tasks if taker == takers[1])
    assert first < HEARTBEAT, f"the first task waited for {first}"


async def _tasks_of(settings: Settings, repair_id: str) -> list[tuple[str, timedelta]]:
    """Who took the tasks of a repair itself, one after the other, and how long each had waited."""
    client, found, scheduled = await connect(settings), list[tuple[str, timedelta]](), None
    async for event in client.get_workflow_handle(repair_id).fetch_history_events():
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
            scheduled = event.event_time.ToDatetime()
        elif event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED and scheduled is not None:
            waited = event.event_time.ToDatetime() - scheduled
            found.append((event.workflow_task_started_event_attributes.identity, waited))
    return found


@pytest.mark.long
def test_a_port_that_another_process_has_is_refused_before_any_work_begins(shop: Shop) -> None:
    make_records(shop)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = f"127.0.0.1:{taken.getsockname()[1]}"

        ran = shop.run("worker", extra={"DAPER_WORKER_ADDRESS": where})

    assert ran.code == Exit.ERROR
    assert ran.err.splitlines()[-1].endswith(
        f"DAPER_WORKER_ADDRESS is '{where}', and another process has that port, perhaps another worker; "
        "give each one of its own, or port 0 for any free one"
    )


@pytest.mark.long
def test_a_worker_that_is_to_tell_nothing_serves_nothing(shop: Shop) -> None:
    make_records(shop)
    with worker_process(shop, "silent", extra={"DAPER_WORKER_ADDRESS": "off"}) as (worker, log):
        assert "/health" not in log.read_text("utf-8")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(GENEROUS) == Exit.OK
