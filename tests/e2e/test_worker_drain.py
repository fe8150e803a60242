"""A worker that is told to stop while an effect is in flight: it drains, or is told again and ends at once."""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daper.bootstrap import open_domains, open_service
from daper.core.models import IdentityProof, Person
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.entrypoints.cli.exits import Exit
from daper.service.requests import StartRepair
from daper.settings import Settings
from tests.e2e.conftest import Shop
from tests.e2e.held_worker import GO_ON, HELD
from tests.e2e.shell import GENEROUS, Terminal, until
from tests.e2e.worker_told import ask, told_port

ROOT = Path(__file__).parents[2]
STOPPING = "stopping: effects in flight may finish, for up to"
HELD_WORKER = [sys.executable, "-m", "tests.e2e.held_worker"]


@contextmanager
def held_worker(shop: Shop, *, drain: str = "20") -> Generator[tuple["subprocess.Popen[bytes]", Path]]:
    """A worker that is ready, and its log; its first effect will stand still."""
    make_records(shop)
    log = shop.root / "worker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*HELD_WORKER, drain], stdout=output, stderr=output, env=environ(shop), cwd=shop.cwd, start_new_session=True
        )
    try:
        expect(log, "Worker ready on: ")
        yield process, log
    finally:
        process.kill()
        process.wait()


def make_records(shop: Shop) -> None:
    """Before any worker is there: the first change of the records is then an effect."""
    shop.beside.do(open_domains(shop.settings())["orders"].store())


def environ(shop: Shop) -> dict[str, str]:
    return shop.variables({"PYTHONPATH": str(ROOT)})


def expect(log: Path, text: str, *, times: int = 1) -> None:
    until(lambda: log.read_text("utf-8").count(text) >= times, what=f"{text!r} in the log")


async def approved(settings: Settings) -> str:
    """A repair that is approved from the start; its id."""
    minerva = Person(name="Minerva", how=IdentityProof.CLAIMED)
    order = StartRepair(requested_by=minerva, domain="orders", auto_approve=True)
    return (await (await open_service(settings)).start(order)).repair_id


async def to_its_end(settings: Settings, repair_id: str) -> RepairResult:
    async for seen in (await open_service(settings)).follow(repair_id):
        if isinstance(seen, RepairResult):
            return seen
    raise AssertionError("it was followed, and has no end")


def ended(shop: Shop, repair_id: str) -> Counter[str]:
    """How the effects ended under another worker: each happened once, whatever became of the first worker."""
    with shop.worker():
        result = shop.beside.do(to_its_end(shop.settings(), repair_id))
    assert result.phase is Phase.REPORT_COMPLETED
    store = shop.home / "data/orders"
    rows = [json.loads(path.read_bytes()) for path in (store / "ledger").iterdir()]
    assert sorted(row["key"] for row in rows) == sorted(outcome.key for outcome in result.outcomes)
    assert {row["kind"] for row in rows} == {"effect"}
    letters = Counter(json.loads(path.read_bytes())["key"] for path in (store / "outbox").glob("*-*.json"))
    assert letters == dict.fromkeys((row["key"] for row in rows), 1)
    assert not (store / "journal.json").exists()
    return Counter(outcome.status.value for outcome in result.outcomes)


@pytest.mark.long
def test_an_effect_in_flight_finishes_and_another_worker_goes_on(shop: Shop) -> None:
    with held_worker(shop) as (worker, log):
        repair_id = shop.beside.do(approved(shop.settings()))
        expect(log, HELD)
        # Twice at once, as by a terminal and by whoever runs it there: that is one wish.
        worker.send_signal(signal.SIGINT)
        worker.send_signal(signal.SIGTERM)
        expect(log, f"{STOPPING} 20 s; again to end at once\n")
        # Both workers of the process, for workflows and for effects: neither begins anything from now on.
        expect(log, "Beginning worker shutdown", times=2)
        # Whoever looks knows it before the effect is done: it is not ready, and lives.
        ready, health = ask(told_port(log), "/ready"), ask(told_port(log), "/health")
        assert (ready.status, ready.document()["ready"], health.status) == (503, False, 200)
        assert ready.document()["reason"].startswith("it was told to stop: ")
        assert worker.poll() is None
        worker.send_signal(GO_ON)
        code = worker.wait(GENEROUS)

    assert code == Exit.OK
    assert log.read_text("utf-8").endswith("\nworker stopped\n")
    assert ended(shop, repair_id) == {"applied": 4}


@pytest.mark.long
def test_an_effect_that_does_not_finish_in_time_is_settled_under_another_worker(shop: Shop) -> None:
    with held_worker(shop, drain="0.5") as (worker, log):
        repair_id = shop.beside.do(approved(shop.settings()))
        expect(log, HELD)
        worker.send_signal(signal.SIGTERM)
        code = worker.wait(GENEROUS)

    assert code == Exit.OK
    said = log.read_text("utf-8")
    assert said.endswith("\nworker stopped; another worker goes on with what did not finish in time\n")
    assert ended(shop, repair_id) == {"applied": 3, "already-applied": 1}


@pytest.mark.long
def test_ctrl_c_again_ends_at_once_and_another_worker_goes_on(shop: Shop) -> None:
    make_records(shop)
    terminal = Terminal(HELD_WORKER, env=environ(shop), cwd=shop.cwd)
    try:
        terminal.expect("Worker ready on: ")
        repair_id = shop.beside.do(approved(shop.settings()))
        terminal.expect(HELD)
        terminal.type("\x03")
        terminal.expect(f"{STOPPING} 20 s; again to end at once")
        until(lambda: terminal.process.poll() is not None or terminal.type("\x03"), what="the end, at another Ctrl-C")
        code = terminal.end()
    finally:
        terminal.close()

    assert code == 128 + signal.SIGINT
    assert "worker ended at once; another worker goes on with the effects in flight" in terminal.shown
    assert "Traceback" not in terminal.shown
    # Nobody told Temporal that this worker is gone: it has to miss the heartbeats first.
    assert ended(shop, repair_id) == {"applied": 3, "already-applied": 1}
