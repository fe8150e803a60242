"""Kills workers and holders of the store at random points while repairs run, and checks what is left.

`python -m tests.faults.kill_harness --kills 20 --repairs 10 [--domain DOMAIN] [--seed S]`; rows D1, D19, D22, S2, S10.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from daper.adapters.temporal.connection import connect
from daper.adapters.temporal.embedded import embedded_server
from daper.bootstrap import open_service
from daper.core.models import Scope
from daper.core.outcomes import RepairResult
from daper.entrypoints.cli.exits import leave
from daper.service.repairs import RepairService
from daper.service.requests import StartRepair
from daper.settings import load_settings
from daper.stores.rows.engine import disconnect
from daper.workflows.repair import RepairAgentWorkflow
from tests.declared_shop import KINDS
from tests.faults.cases import PERSON, Answer, Case, Desk
from tests.faults.checks import Told
from tests.faults.grounds import Ground, PaymentsGround, ShopGround
from tests.faults.killer import Killer
from tests.faults.victims_run import Victims
from tests.mariadb import MariadbServer, mariadb_server
from tests.payment_processor import processing
from tests.postgresql import PostgresqlServer, postgresql_server

QUEUE = "kills"
ORDERS: Final = "orders"
PAYMENTS: Final = "payments in "
DOMAINS: Final = (ORDERS, *(f"{PAYMENTS}{kind}" for kind in KINDS))
_SERVERS: Final[dict[str, Callable[[], AbstractContextManager[MariadbServer | PostgresqlServer]]]] = {
    "postgresql": postgresql_server,
    "mariadb": mariadb_server,
}


@dataclass(kw_only=True)
class Outcome:
    """What a run did, and what is wrong with what it left."""

    seed: int
    domain: str
    ground: Ground
    kills: Counter[str]
    seconds: float
    tail: float
    retried: int
    attempts: Counter[str]
    evidence: Told
    problems: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.kills.items()))
        statuses = Counter(str(outcome.status) for outcome in self.evidence.outcomes)
        tombstones = sum(row.kind == "tombstone" for row in self.evidence.rows.values())
        return "\n".join(
            (
                f"seed {self.seed}, {self.domain}: {self.kills.total()} kills ({kinds}), "
                f"{len(self.evidence.results)} repairs",
                f"{self.seconds:.1f} s, of which {self.tail:.1f} s after the last kill",
                f"{len(self.evidence.effects)} effects; {', '.join(f'{n} {s}' for s, n in sorted(statuses.items()))}; "
                f"{tombstones} tombstones",
                f"{self.retried} retried attempts: {', '.join(f'{n} {s}' for s, n in sorted(self.attempts.items()))}",
                *(f"WRONG: {problem}" for problem in self.problems),
                "nothing twice, nothing lost, every run ended" if not self.problems else "",
            )
        )


async def run(*, kills: int, repairs: int, seed: int, home: Path, domain: str = ORDERS, within: float = 300) -> Outcome:
    """Run waves of repairs until so many kills are done and all repairs have ended; then look what is left."""
    with ExitStack() as stack:
        stack.callback(disconnect)
        ground = _ground(domain, home, stack)
        environment = {
            **ground.environment,
            "DAPER_HOME": str(home),
            "TEMPORAL_TASK_QUEUE": QUEUE,
            "USER_NAME": "harness",
            "HOME": str(home),
        }
        async with embedded_server(log_file=home / "server.log") as server:
            environment["TEMPORAL_ADDRESS"] = server.address
            settings = load_settings(environ=environment, folder=home)
            client = await connect(settings)
            victims = Victims(home, environment)
            killer = Killer(victims=victims, ground=ground, client=client, rng=random.Random(seed), kills=kills)
            service = await open_service(settings, client=client)
            try:
                async with asyncio.timeout(within):
                    return await _waves(service, client, killer, ground, repairs=repairs, seed=seed, domain=domain)
            except TimeoutError as error:
                raise TimeoutError(f"seed {seed}, after {killer.done}: {await hanging(client, killer.ids)}") from error
            finally:
                await victims.end()


def _ground(domain: str, home: Path, stack: ExitStack) -> Ground:
    """What is repaired, with the servers that it needs."""
    if domain == ORDERS:
        return ShopGround(home)
    processor = stack.enter_context(processing())
    kind = domain.removeprefix(PAYMENTS)
    url = stack.enter_context(_SERVERS[kind]()).empty() if kind in _SERVERS else f"sqlite:///{home / 'shop.db'}"
    ground = PaymentsGround(home, url=url, processor=processor)
    stack.callback(ground.payments.engine.dispose)
    return ground


async def _waves(
    service: RepairService, client: Client, killer: Killer, ground: Ground, *, repairs: int, seed: int, domain: str
) -> Outcome:
    began = last = time.monotonic()
    results: list[RepairResult] = []
    refusals: list[str] = []
    wave = 0
    await killer.begin()
    desk = Desk(service, domain=ground.domain)
    while wave == 0 or killer.left:
        cases = [_case(f"{wave}-{number}", ground, ids) for number, ids in enumerate(ground.add_wave(wave, repairs))]
        killer.ids = [await _start(service, desk, case) for case in cases]
        ending = asyncio.gather(*(_result(client, desk, case) for case in cases))
        try:
            await killer.strike_while(lambda ending=ending: not ending.done())
        except BaseException:
            await _given_up(ending)
            raise
        last = time.monotonic()
        results += await ending
        killer.all_ids += killer.ids
        refusals += [f"{case.repair_id}: the person was refused: {why}" for case in cases for why in case.refusals]
        wave += 1
    ended = time.monotonic()
    attempts = await _retried(client, killer.all_ids)
    evidence, found = ground.reckoned(results, killer.held)
    return Outcome(
        seed=seed,
        domain=domain,
        ground=ground,
        kills=killer.done,
        seconds=ended - began,
        tail=ended - last,
        retried=attempts.total(),
        attempts=attempts,
        evidence=evidence,
        problems=(*found, *refusals),
    )


async def _given_up(ending: asyncio.Future[list[RepairResult]]) -> None:
    """Wait for nobody any more; a call to Temporal may take being cancelled for an answer, so that it is said again."""
    while not ending.done():
        ending.cancel()
        await asyncio.wait([ending], timeout=0.5)


def _case(key: str, ground: Ground, records: tuple[str, ...]) -> Case:
    rejected = frozenset(filter(ground.rejected, records))
    return Case(
        key=key, records=records, answer=Answer.SOME if rejected else Answer.ALL, rejected=rejected, reads_for=0
    )


async def _start(service: RepairService, desk: Desk, case: Case) -> str:
    """Start its repair; where the person rejects nothing, the policy approves."""
    if case.answer is not Answer.ALL:
        await desk.start(case)
        return case.repair_id
    order = StartRepair(requested_by=PERSON, domain=ORDERS, scope=Scope(record_ids=case.records), auto_approve=True)
    case.repair_id = (await service.start(order)).repair_id
    return case.repair_id


async def _result(client: Client, desk: Desk, case: Case) -> RepairResult:
    if case.answer is not Answer.ALL:
        await desk.see_to(case)
    return await client.get_workflow_handle_for(RepairAgentWorkflow.run, case.repair_id).result()


async def _retried(client: Client, ids: Sequence[str]) -> Counter[str]:
    """Attempts after the first one, by activity, and workflow tasks that timed out."""
    found: Counter[str] = Counter()
    for repair_id in ids:
        names: dict[int, str] = {}
        async for event in client.get_workflow_handle(repair_id).fetch_history_events():
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                names[event.event_id] = event.activity_task_scheduled_event_attributes.activity_type.name
            elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                started = event.activity_task_started_event_attributes
                found[names[started.scheduled_event_id]] += started.attempt - 1
            elif event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
                kind = event.workflow_task_timed_out_event_attributes.timeout_type
                found[f"workflow task ({kind})"] += 1
    return +found


async def hanging(client: Client, ids: Sequence[str]) -> str:
    """What each of these repairs is waiting for, as Temporal has it."""
    lines: list[str] = []
    for repair_id in ids:
        described = (await client.get_workflow_handle(repair_id).describe()).raw_description
        pending = [
            f"{one.activity_type.name} attempt {one.attempt}: {one.last_failure.message or 'running'}"
            for one in described.pending_activities
        ]
        if pending or described.HasField("pending_workflow_task"):
            lines.append(f"{repair_id}: {', '.join(pending) or 'a workflow task'}")
    return "; ".join(lines) or "nothing pending"


def main() -> int:
    """Run once and say what happened; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--repairs", type=int, default=10)
    parser.add_argument("--domain", choices=DOMAINS, default=ORDERS)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    given = parser.parse_args()
    sys.stdout.write(f"seed {given.seed}\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory() as home:
        outcome = asyncio.run(
            run(
                kills=given.kills,
                repairs=given.repairs,
                seed=given.seed,
                home=Path(home),
                domain=given.domain,
                within=1200,
            )
        )
    sys.stdout.write(f"{outcome}\n")
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    leave(main())
