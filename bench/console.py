"""The console of a shop in which a thousand repairs wait: how long a page takes, and what open tabs cost Temporal.

The server is warm. Its board is full of repairs that no worker made, each asked for its plan as real ones are; the page
of one repair is that of a real one, which its worker answers. Beside it is a bare page: a text that was made before.
Then tabs listen to the inbox of real repairs, and the calls of the console's client are counted.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import httpx2
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from temporalio.client import Client

from bench.figures import Table, Times, ms, ratio
from bench.full_board import FullBoard
from bench.measurement import Measurement
from bench.server import loopback
from bench.temporal_calls import CountedCalls, counted_calls
from daper.bootstrap import Services, open_services
from daper.core.models import IdentityProof, Person, Scope
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.entrypoints.http import Address, Connections, serve_until_cancelled
from daper.entrypoints.web.app import console_app
from daper.entrypoints.web.console import Console
from daper.service.board import Board
from daper.service.listing import ended_repairs
from daper.service.repair_list import RepairList
from daper.service.requests import StartRepair
from daper.settings import Settings, load_settings
from daper.workers import working

HARRY: Final = Person(name="Harry", how=IdentityProof.OS_USER)
ORDERS: Final = ("ORD-001-HJP", "ORD-002-HJG", "ORD-003-RBW")
WITHIN_S: Final = 600
LISTS: Final = "ListWorkflowExecutions"


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many repairs wait, with how many actions each; how often a page is read; how many tabs listen, how long."""

    repairs: int
    actions: int
    rounds: int
    tabs: int
    listen_s: float


@asynccontextmanager
async def served(settings: Settings, services: Services) -> AsyncGenerator[httpx2.AsyncClient]:
    """The console over loopback, and somebody who reads it; `/bare` is a page that costs nothing."""
    address = Address(host="127.0.0.1", port=0)
    with address.listen() as listening:
        port = listening.getsockname()[1]
        console = Console(
            settings=settings,
            services=services,
            url=address.url(port),
            hosts=address.hosts(port),
            guarded=False,
        )
        app, text = console_app(console), "x" * 20_000

        async def bare(request: Request) -> Response:
            return PlainTextResponse(text)

        app.router.routes.append(Route("/bare", bare))
        async with services.board.open():
            serving = asyncio.create_task(serve_until_cancelled(app, listening, Connections(1000), began=lambda: None))
            limits = httpx2.Limits(max_connections=1000)
            async with httpx2.AsyncClient(base_url=console.url, trust_env=False, timeout=60, limits=limits) as reader:
                yield reader
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving


async def began(services: Services) -> tuple[str, ...]:
    """Some real repairs, once their plans wait."""
    ids: list[str] = []
    for order in ORDERS:
        asked = StartRepair(requested_by=HARRY, domain="orders", scope=Scope(record_ids=(order,)))
        ids.append((await services.repairs.start(asked)).repair_id)
    for repair_id in ids:
        async for look in services.repairs.follow(repair_id):
            assert not isinstance(look, RepairResult), look
            if getattr(look, "phase", None) is Phase.PENDING_APPROVAL:
                break
    return tuple(ids)


def full(services: Services, client: Client, settings: Settings, size: Size) -> Services:
    """The same services with a board on which so many repairs wait."""
    made = FullBoard(size.repairs, actions=size.actions)
    board = Board(service=made, listing=made.listing, policy=settings.policy)
    ended = ended_repairs(client, queue=settings.task_queue)
    return replace(services, board=board, listed=RepairList(board, ended=ended, reports=settings.state.reports()))


async def until_read(board: Board, number: int) -> None:
    """Until all plans are on the board."""
    view = await board.snapshot()
    while len(view.waiting) < number:
        view = await board.changed_since(view.version)


async def read(reader: httpx2.AsyncClient, path: str) -> float:
    """How long a page takes to come."""
    at = time.perf_counter()
    answer = await reader.get(path)
    took = time.perf_counter() - at
    assert answer.status_code == 200, answer.text
    return took


async def pages(settings: Settings, services: Services, repair_id: str, size: Size) -> Table:
    """Each page in turn."""
    async with served(settings, services) as reader:
        await until_read(services.board, size.repairs)
        group = (await services.board.snapshot()).groups[0].key
        asked = {
            "bare page": "/bare",
            "inbox": "/",
            "inbox, one group": f"/?group={group}",
            "repairs": "/repairs",
            "repairs, by a text": "/repairs?q=00042",
            "a repair": f"/repairs/{repair_id}",
            "records": "/records",
            "overview": "/overview",
        }
        for path in asked.values():
            while (await reader.get(path)).status_code != 200:  # its worker shares this process, and was not heard
                pass
        took: dict[str, list[float]] = {name: [] for name in asked}
        for _ in range(size.rounds):
            for name, path in asked.items():
                took[name].append(await read(reader, path))
    bare = Times.of(took["bare page"])
    return Table(
        about=f"{size.repairs:,} repairs wait with {size.repairs * size.actions:,} actions; "
        f"each page read {size.rounds} times, in turn, one at a time.",
        columns=("page", "median", "p99", "median, of bare"),
        rows=tuple(
            (name, ms((times := Times.of(each)).p50), ms(times.p99), ratio(times.p50, bare.p50))
            for name, each in took.items()
        ),
    )


async def listen(reader: httpx2.AsyncClient, heard: asyncio.Semaphore) -> None:
    """A tab: it reads the inbox, and goes on listening to it."""
    await read(reader, "/")
    async with reader.stream("GET", "/inbox/events", timeout=None) as stream:
        async for line in stream.aiter_lines():
            if line.startswith("data:"):
                heard.release()


async def listened(reader: httpx2.AsyncClient, calls: CountedCalls, tabs: int, seconds: float) -> Counter[str]:
    """What so many tabs cost, from the moment at which all of them listen."""
    heard = asyncio.Semaphore(0)
    listening = [asyncio.create_task(listen(reader, heard)) for _ in range(tabs)]
    for _ in range(tabs):
        await heard.acquire()
    calls.since()
    await asyncio.sleep(seconds)
    cost = calls.since()
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    return cost


async def bare_lists(calls: CountedCalls, tabs: int, seconds: float) -> Counter[str]:
    """What so many cost that each list the repairs once a second."""

    async def ask() -> None:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            async for _ in calls.client.list_workflows("ExecutionStatus = 'Running'", limit=50):
                pass
            await asyncio.sleep(1)

    calls.since()
    await asyncio.gather(*(ask() for _ in range(tabs)))
    return calls.since()


async def tabs(settings: Settings, services: Services, calls: CountedCalls, size: Size) -> Table:
    """One tab, and many."""
    async with served(settings, services) as reader:
        await until_read(services.board, len(ORDERS))
        one = await listened(reader, calls, 1, size.listen_s)
        many = await listened(reader, calls, size.tabs, size.listen_s)
        bare = await bare_lists(calls, size.tabs, size.listen_s)
    costs = {"1 tab": one, f"{size.tabs} tabs": many, f"bare: {size.tabs} that each list once a second": bare}
    return Table(
        about=f"Calls of Temporal in {size.listen_s:g} s, while {len(ORDERS)} real repairs wait.",
        columns=("listening", "lists", "other calls", "of one tab"),
        rows=tuple(
            (name, f"{cost[LISTS]:,}", f"{cost.total() - cost[LISTS]:,}", ratio(cost.total(), max(1, one.total())))
            for name, cost in costs.items()
        ),
    )


async def measure(root: Path, size: Size) -> AsyncGenerator[Table]:
    """The pages, then the tabs."""
    async with asyncio.timeout(WITHIN_S), AsyncExitStack() as stack:
        client = await stack.enter_async_context(loopback(root / "server.log"))
        environ = {
            "DAPER_HOME": str(root / "daper"),
            "USER_NAME": "Harry",
            "TEMPORAL_ADDRESS": client.service_client.config.target_host,
        }
        settings = load_settings(environ=environ, folder=root)
        await stack.enter_async_context(working(client, settings))
        calls = await counted_calls(client)
        services = await open_services(settings, client=calls.client)
        repair_id, *_ = await began(services)
        yield await pages(settings, full(services, client, settings, size), repair_id, size)
        yield await tabs(settings, services, calls, size)


if __name__ == "__main__":
    Measurement(
        about=__doc__ or "",
        measure=measure,
        whole=Size(repairs=1000, actions=10, rounds=200, tabs=100, listen_s=20),
        quick=Size(repairs=40, actions=3, rounds=3, tabs=5, listen_s=2),
    ).main()
