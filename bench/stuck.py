"""Looking for stuck workflows among many of a Temporal cluster, and what becomes of them in a plan.

The cluster is a server on this machine. Of the workflows most have not begun; some are stuck, in five ways, an equal
number of each: failing tasks, failing activities, paused activities, failed ones, and those that run for too long.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

from temporalio import activity, workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse, PauseActivityRequest
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from bench import memory
from bench.figures import Table, mb, s
from bench.measurement import Measurement
from bench.server import loopback
from daper.activities.admission import Guarding
from daper.activities.scopes import judged_pages
from daper.clock import utc_now
from daper.core.action_groups import grouped
from daper.core.guard import seal
from daper.core.messages import CycleRef, PlanInput
from daper.core.models import MOST_PROBLEMS, Plan, Scope
from daper.core.views import view_plan
from daper.domains.temporal.domain import TemporalDomain
from daper.domains.temporal.entry import open_domain
from daper.domains.temporal.tools.shelf import TOOLS

WAYS: Final = ("task-failing", "activity-retrying", "paused-and-forgotten", "failed", "too-long")
_FIXES: Final = {
    "task-failing": "reset_workflow",
    "activity-retrying": "reset_activity",
    "failed": "start_again",
    "too-long": "cancel_workflow",
}
_AT_ONCE: Final = 50
_SETTLED_WITHIN_S: Final = 1200
_NOT_BEGUN: Final = "Owl"
_FAST: Final = 10_000
_LATER: Final = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many workflows there are, and how many of them are stuck."""

    workflows: int
    stuck: int


@activity.defn(name="decline")
async def decline() -> None:
    """Always fails."""
    raise ApplicationError("the owl is lost", type="OwlLost")


@workflow.defn(name="Parcel", failure_exception_types=[ApplicationError])
class Parcel:
    """Gets stuck in the way that it is told."""

    @workflow.run
    async def run(self, way: str) -> None:
        """Until somebody helps."""
        if way == "task-failing":
            raise RuntimeError("a bug in the code")
        if way == "failed":
            raise ApplicationError("the card is declined", type="CardDeclined")
        await workflow.execute_activity(
            decline,
            activity_id="decline",
            start_to_close_timeout=timedelta(seconds=20),
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=50), backoff_coefficient=3.0),
        )


@workflow.defn(name="Courier")
class Courier:
    """Waits for what does not come."""

    @workflow.run
    async def run(self, way: str) -> None:
        """For ever."""
        await workflow.wait_condition(lambda: False)


@dataclass(frozen=True, kw_only=True)
class Look:
    """How long a look at all of them took, how much memory, and how many problems of which kind it found."""

    seconds: float
    memory: int
    looked_at: int
    kinds: Mapping[str, int]
    records: tuple[str, ...]


async def in_turn(each: Iterable[Awaitable[object]]) -> None:
    """All of them, some at once."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(what: Awaitable[object]) -> None:
        async with gate:
            await what

    await asyncio.gather(*map(one, each))


async def get_stuck(client: Client, queue: str, size: Size) -> None:
    """Start those that get stuck."""
    each = size.stuck // len(WAYS)
    for way in WAYS:
        await in_turn(
            client.start_workflow(
                "Courier" if way == "too-long" else "Parcel", way, id=f"{queue}-{way}-{number}", task_queue=queue
            )
            for number in range(each)
        )


async def populate(client: Client, queue: str, size: Size) -> None:
    """Start the others, which begin some day."""
    each = size.stuck // len(WAYS)
    await in_turn(
        client.start_workflow(_NOT_BEGUN, "", id=f"{queue}-{number}", task_queue=queue, start_delay=_LATER)
        for number in range(size.workflows - each * len(WAYS))
    )


async def pause(client: Client, queue: str, size: Size) -> None:
    """Pause the activities of those that are to be forgotten."""
    await in_turn(
        client.workflow_service.pause_activity(
            PauseActivityRequest(
                namespace=client.namespace,
                execution=WorkflowExecution(workflow_id=f"{queue}-paused-and-forgotten-{number}"),
                id="decline",
                reason="wait for the bank",
            )
        )
        for number in range(size.stuck // len(WAYS))
    )


def domain_on(client: Client, folder: Path, queue: str, **options: str) -> TemporalDomain:
    """The domain, on these workflows."""

    async def connect(place: Mapping[str, str]) -> object:
        return client

    known = {tool.name for tool in TOOLS}
    given = {
        "query": f'TaskQueue = "{queue}"',
        "retrying_attempts": "3",
        "paused_after": "1s",
        "too_long": "Courier=1s",
        "fixes": ", ".join(f"{kind}={tool}" for kind, tool in _FIXES.items() if tool in known),
        **options,
    }
    made = open_domain(folder, given)
    made.reach_by(connect)
    return made


async def look(domain: TemporalDomain) -> Look:
    """At all of them, as a repair does."""
    kinds, records, seen = Counter[str](), set[str](), 0
    memory.forget_most()
    began = time.perf_counter()
    async for page in judged_pages(domain, Scope()):
        found = domain.detect(page.records, utc_now())
        seen += len(page.records)
        kinds.update(finding.kind for finding in found)
        records |= {finding.record_id for finding in found}
    return Look(
        seconds=time.perf_counter() - began,
        memory=memory.most(),
        looked_at=seen,
        kinds=kinds,
        records=tuple(sorted(records)),
    )


async def bare(client: Client, queue: str, size: Size) -> float:
    """How long it takes to list all of them, and to ask for a description of each and read nothing of it."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(workflow_id: str) -> None:
        async with gate:
            await client.get_workflow_handle(workflow_id).describe()

    began = time.perf_counter()
    found = [each.id async for each in client.list_workflows(f'TaskQueue = "{queue}"')]
    await asyncio.gather(*map(one, found))
    return (time.perf_counter() - began) * size.workflows / max(1, len(found))


async def groups_of(domain: TemporalDomain, records: tuple[str, ...]) -> tuple[float, set[tuple[str, ...]]]:
    """How long it takes to analyze and plan for these, a plan at its cap after another, and the groups of actions."""
    groups, for_person = set[tuple[str, ...]](), set[str]()
    began = time.perf_counter()
    for at in range(0, len(records), MOST_PROBLEMS):
        found = await domain.context(records[at : at + MOST_PROBLEMS])
        findings = domain.detect(found, utc_now())
        proposed = domain.propose(findings, found)
        guarding = Guarding(domain=domain, records=found, findings=findings, suppressed=())
        cycle = CycleRef(cycle_id="c1", repair_id="r1", domain=domain.name, store_id="s1", today=utc_now())
        input = PlanInput(cycle=cycle, round=1, first_action=1, findings=findings, limit=MOST_PROBLEMS)
        input, sifted = guarding.sift_to_fit(proposed.proposals, input)
        plan = seal(Plan(actions=guarding.bind(sifted.options, input)), cycle_id="c1")
        view = view_plan(
            plan, page=1, size=MOST_PROBLEMS, findings={finding.fingerprint: finding for finding in findings}
        )
        groups |= {(group.tool, *group.kinds) for group in grouped(view)}
        left = {finding.kind for finding in findings if finding.fingerprint in proposed.for_person}
        for_person |= left
    took = time.perf_counter() - began
    done = {kind for _, *kinds in groups for kind in kinds}  # of a few, an attempt is under way just now
    return took, groups | {("a person", kind) for kind in for_person - done}


async def settle(domain: TemporalDomain, size: Size) -> None:
    """Wait until the server shows all that are stuck."""
    each = size.stuck // len(WAYS)
    async with asyncio.timeout(_SETTLED_WITHIN_S):
        while not _all_there((await look(domain)).kinds, each):  # noqa: ASYNC110 - a server is asked
            await asyncio.sleep(1)


def _all_there(kinds: Mapping[str, int], each: int) -> bool:
    return all(kinds.get(way, 0) >= each for way in WAYS)


async def all_fail(client: Client, queue: str, size: Size) -> None:
    """Wait until each activity that is to be paused has failed."""
    async with asyncio.timeout(_SETTLED_WITHIN_S):
        for number in range(size.stuck // len(WAYS)):
            handle = client.get_workflow_handle(f"{queue}-paused-and-forgotten-{number}")
            while not _tried((await handle.describe()).raw_description):  # noqa: ASYNC110 - a server is asked
                await asyncio.sleep(0.1)


def _tried(told: DescribeWorkflowExecutionResponse) -> bool:
    return any(each.attempt > 1 for each in told.pending_activities)


async def measure(root: Path, size: Size) -> AsyncGenerator[Table]:
    """The same workflows at the default rate, and as fast as the server answers."""
    # Each failure of a workflow is logged, by the library and by what it is built on.
    logging.disable(logging.WARNING)
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=None)))
    queue = f"parcels-{uuid4()}"
    async with loopback(root / "server.log") as client:
        fast = domain_on(client, root / "fast", queue, calls_per_second=str(_FAST))
        # It stays: five minutes after the last worker a queue that nobody asks would be a problem of its own.
        async with Worker(
            client,
            task_queue=queue,
            workflows=[Parcel, Courier],
            activities=[decline],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ):
            await get_stuck(client, queue, size)
            await all_fail(client, queue, size)
            await pause(client, queue, size)
            stuck = f'TaskQueue = "{queue}" AND WorkflowType != "{_NOT_BEGUN}"'
            await settle(domain_on(client, root / "stuck", queue, query=stuck), size)
            await populate(client, queue, size)
            async with asyncio.timeout(_SETTLED_WITHIN_S):
                while await fast.count_open(Scope()) < size.workflows:  # noqa: ASYNC110 - a server is asked
                    await asyncio.sleep(1)
            rows: list[tuple[str, ...]] = []
            for name, domain in (
                ("the default rate", domain_on(client, root / "default", queue)),
                ("as it answers", fast),
            ):
                found = await look(domain)
                assert {way: found.kinds[way] for way in WAYS} == dict.fromkeys(WAYS, size.stuck // len(WAYS)), (
                    found.kinds
                )
                took, groups = await groups_of(domain, found.records)
                assert len(groups) == len(WAYS), groups
                rows.append(
                    (
                        name,
                        s(found.seconds),
                        f"{found.looked_at / found.seconds:,.0f}",
                        f"{len(found.records):,}",
                        s(took),
                        str(len(groups)),
                        mb(found.memory),
                    )
                )
            took = await bare(client, queue, size)
            rows.append(("bare descriptions", s(took), f"{size.workflows / took:,.0f}", "0", "0 s", "0", "0 MB"))
        yield Table(
            about=f"{size.workflows:,} workflows on an embedded server, of which {size.stuck:,} are stuck in "
            f"{len(WAYS)} ways.",
            columns=("rate", "to find them", "looked at a second", "found", "to plan for all", "groups", "memory"),
            rows=tuple(rows),
        )


if __name__ == "__main__":
    Measurement(
        about=__doc__ or "",
        measure=measure,
        whole=Size(workflows=10_000, stuck=1_000),
        quick=Size(workflows=60, stuck=10),
    ).main()
