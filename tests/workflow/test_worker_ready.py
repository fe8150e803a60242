"""A whole worker beside a real server: when it says that it is ready, and what it says when it is not."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from daper.adapters.spending.tables import SpendingTables
from daper.core.errors import StoreUnavailable
from daper.core.models import StoreInfo
from daper.domains.orders.domain import OrdersDomain
from daper.entrypoints.worker import work_until_cancelled
from daper.service.inquiry import Asking
from tests.workflow.shop import DEADLINE, Shop

Ask = Callable[[str], Awaitable[tuple[int, dict[str, object]]]]


@asynccontextmanager
async def telling_worker(env: WorkflowEnvironment, home: Path) -> AsyncGenerator[tuple[Ask, "asyncio.Task[None]"]]:
    """A worker, and how to ask what it tells of itself."""
    shop, told = Shop(env, home, domains=None, indexed=True), asyncio.get_running_loop().create_future()

    def ready(_: tuple[str, ...], address: str | None) -> None:
        told.set_result(address)

    async def ask(path: str) -> tuple[int, dict[str, object]]:
        host, _, port = (await told).rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET {path} HTTP/1.1\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        return int(head.split()[1]), json.loads(body)

    working = asyncio.create_task(work_until_cancelled(env.client, shop.settings, ready=ready))
    try:
        await asyncio.wait({working, told}, return_when=asyncio.FIRST_COMPLETED, timeout=DEADLINE)
        yield ask, working
    finally:
        working.cancel()
        await asyncio.wait({working}, timeout=DEADLINE)


async def until_ready(ask: Ask) -> None:
    """Wait until the server has seen the worker on all its queues."""
    async with asyncio.timeout(DEADLINE):
        while (said := await ask("/ready"))[0] != 200:
            assert str(said[1]["reason"]).startswith("Temporal: it has not seen this worker on queue 'shop-"), said
            await asyncio.sleep(0)


async def test_a_worker_is_ready_once_temporal_has_seen_it_and_not_while_something_is_away(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> NoReturn:
        raise RPCError("hands off: sk-secret", RPCStatusCode.UNAVAILABLE, b"")

    async def unmounted(_: OrdersDomain) -> StoreInfo:
        raise StoreUnavailable("'/mnt/orders' is not there")

    async def another(_: OrdersDomain) -> StoreInfo:
        return StoreInfo(store_id="another", place="here")

    async def full(*_: object) -> NoReturn:
        raise StoreUnavailable("spending: the disk is full")

    async with telling_worker(temporal_env, tmp_path) as (ask, working):
        await until_ready(ask)
        assert await ask("/ready") == (200, {"ready": True})
        for what, name, instead, reason in (
            (OrdersDomain, "store", unmounted, "records of orders: '/mnt/orders' is not there"),
            (OrdersDomain, "store", another, "records of orders: they are store 'another' by now, for which this "),
            (SpendingTables, "of_cycle", full, "what is kept: spending: the disk is full"),
            (Asking, "workers", away, "Temporal: RPCError"),
        ):
            with monkeypatch.context() as patched:
                patched.setattr(what, name, instead)
                status, said = await ask("/ready")
            assert (status, said["ready"]) == (503, False)
            assert str(said["reason"]).startswith(reason)
            assert "secret" not in str(said)
            assert (await ask("/health"))[0] == 200
            assert await ask("/ready") == (200, {"ready": True})
        assert not working.done()


async def test_a_worker_says_that_it_drains_before_its_queues_are_left(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaving, may_leave = asyncio.Event(), asyncio.Event()

    async def slowly(workers: object) -> None:
        leaving.set()
        await may_leave.wait()

    monkeypatch.setattr("daper.workers._shut_down", slowly)
    async with telling_worker(temporal_env, tmp_path) as (ask, working):
        await until_ready(ask)
        working.cancel()
        await leaving.wait()

        status, said = await ask("/ready")

        assert (status, said["ready"]) == (503, False)
        assert str(said["reason"]).startswith("it was told to stop: ")
        assert (await ask("/health"))[0] == 200
        may_leave.set()
    assert working.cancelled()
