"""A cluster that has no room, is older, or lets nobody in: what is looked at all the same, and what is told."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.message import Message
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from daper.clock import utc_now
from daper.core.errors import StoreError, StoreUnavailable
from daper.core.models import Scope
from daper.domains.temporal.domain import TemporalDomain
from daper.domains.temporal.entry import open_domain
from daper.domains.temporal.pace import Pace
from tests.contract.test_temporal_findings import scanned, until_found
from tests.stuck import StuckWorld, stuck_world

LOOKS: dict[str, Callable[[TemporalDomain], Awaitable[object]]] = {
    "the store": lambda domain: domain.store(),
    "a scan": lambda domain: domain.scan(Scope()),
    "a count": lambda domain: domain.count_open(Scope()),
    "a workflow": lambda domain: domain.context(["errand-1"]),
    "a task queue": lambda domain: domain.context(["task-queue:errands"]),
}


@pytest.fixture
async def world(real_time: WorkflowEnvironment, tmp_path: Path) -> AsyncGenerator[StuckWorld]:
    """On a connection of its own, whose calls a test may answer itself."""
    client = await Client.connect(real_time.client.service_client.config.target_host)
    async with stuck_world(client, tmp_path) as made:
        yield made


# Any: each call has a request and an answer of its own.
def answered(
    monkeypatch: pytest.MonkeyPatch, world: StuckWorld, call: str, refuse: Callable[[Any], RPCStatusCode | None]
) -> list[Any]:
    """Let a call be refused where `refuse` says how; the requests that came."""
    service, came = world.client.workflow_service, list[Any]()
    really: Callable[..., Awaitable[Any]] = getattr(service, call)

    async def answer(request: Message, **options: Any) -> Any:
        came.append(request)
        status = refuse(request)
        if status is not None:
            raise RPCError("no \x1b[2J", status, b"")
        return await really(request, **options)

    monkeypatch.setattr(service, call, answer)
    return came


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """For how long all calls were held back; nobody waits for it here."""
    told = list[float]()

    def rest(self: Pace, seconds: float) -> None:
        told.append(seconds)

    monkeypatch.setattr(Pace, "rest", rest)
    return told


async def test_where_the_server_has_no_room_all_calls_wait_longer_each_time_and_it_is_asked_again(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch, rests: list[float]
) -> None:
    handle = await world.start(["wait"])
    left = [RPCStatusCode.RESOURCE_EXHAUSTED] * 3
    came = answered(monkeypatch, world, "describe_workflow_execution", lambda request: left.pop() if left else None)
    assert (await world.state(handle.id)).status == "Running"
    assert len(came) == 4
    assert rests == [0.5, 1.0, 2.0]
    await handle.terminate()


@pytest.mark.parametrize("status", [RPCStatusCode.CANCELLED, RPCStatusCode.UNAVAILABLE])
async def test_a_look_that_is_lost_is_asked_for_again_and_not_for_ever(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch, rests: list[float], status: RPCStatusCode
) -> None:
    handle = await world.start(["wait"])
    left = [status] * 2
    came = answered(monkeypatch, world, "describe_workflow_execution", lambda request: left.pop() if left else None)
    assert (await world.state(handle.id)).status == "Running"
    left += [status] * 9
    with pytest.raises(StoreUnavailable, match=status.name):
        await world.state(handle.id)
    assert len(came) == 6
    await handle.terminate()


async def test_where_it_has_none_at_all_that_is_told(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch, rests: list[float]
) -> None:
    full = RPCStatusCode.RESOURCE_EXHAUSTED
    came = answered(monkeypatch, world, "count_workflow_executions", lambda request: full)
    with pytest.raises(StoreUnavailable, match="RESOURCE_EXHAUSTED"):
        await world.domain.count_open(Scope())
    assert len(came) == 6


async def test_an_older_server_that_lacks_attributes_is_looked_at_by_descriptions(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(request: Any) -> RPCStatusCode | None:
        unknown = "TemporalReportedProblems" in request.query or "TemporalPauseInfo" in request.query
        return RPCStatusCode.INVALID_ARGUMENT if unknown else None

    counts = answered(monkeypatch, world, "count_workflow_executions", refuse)
    answered(monkeypatch, world, "list_workflow_executions", refuse)
    world.outside.wedged = True
    handle = await world.start(["pay"])
    assert (await until_found(world, "task-failing")).record_id == handle.id
    assert await world.domain.count_open(Scope()) == 1
    asked = [str(request.query) for request in counts]
    assert sum("TemporalReportedProblems" in query for query in asked) == 1
    await handle.terminate()


async def test_what_may_not_be_done_is_told_and_a_look_that_is_refused_says_so(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = RPCStatusCode.PERMISSION_DENIED
    came = answered(monkeypatch, world, "request_cancel_workflow_execution", lambda request: denied)
    assert await world.domain.lacks() == ["daper may not change workflows there: give its key or certificate the right"]
    [request] = came
    assert str(request.workflow_execution.workflow_id).startswith("daper-")
    answered(monkeypatch, world, "describe_workflow_execution", lambda request: denied)
    with pytest.raises(StoreUnavailable, match=r"does not let daper look at .*PERMISSION_DENIED.*give it the right"):
        await world.domain.context([f"errand-{uuid4()}\x1b"])
    assert "daper may not describe workflows there" in (await world.domain.lacks())[0]


async def test_a_workflow_that_is_gone_in_the_middle_of_a_scan_is_left_out(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    handles = [await world.start(["wait"]) for _ in range(2)]
    gone = handles[0].id

    def refuse(request: Any) -> RPCStatusCode | None:
        return RPCStatusCode.NOT_FOUND if request.execution.workflow_id == gone else None

    await world.until(handles[1].id, lambda state: state.task is None)
    answered(monkeypatch, world, "describe_workflow_execution", refuse)
    assert {each.record_id for each in await scanned(world)} <= {handles[1].id}
    assert world.domain.detect(await world.domain.context([gone]), utc_now()) == ()
    for handle in handles:
        await handle.terminate()


@pytest.mark.parametrize("look", LOOKS)
async def test_a_namespace_that_is_gone_is_told_and_no_workflow_is_taken_for_gone(
    real_time: WorkflowEnvironment, tmp_path: Path, look: str
) -> None:
    """It was there when the connection was made."""
    target = real_time.client.service_client.config.target_host
    client = await Client.connect(target, namespace="closed")
    domain = open_domain(tmp_path, {"query": "*"})

    async def connect(place: Mapping[str, str]) -> object:
        return client

    domain.reach_by(connect)
    with pytest.raises(StoreError, match="no such namespace any more"):
        await LOOKS[look](domain)


async def test_what_the_server_knows_nothing_of_is_told(world: StuckWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy need not say of what."""
    gone = RPCStatusCode.NOT_FOUND
    answered(monkeypatch, world, "count_workflow_executions", lambda request: gone)
    with pytest.raises(StoreError, match=r"Temporal knows nothing of the list filter.*NOT_FOUND"):
        await world.domain.count_open(Scope())
