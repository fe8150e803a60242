"""One Temporal server for all tests of the command line, and workers that live beside it in one thread."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from temporalio.worker import Worker

from daper.adapters.temporal.connection import connect
from daper.adapters.temporal.embedded import embedded_server
from daper.adapters.temporal.sandbox import SANDBOX
from daper.bootstrap import open_service
from daper.core.errors import NoWorker
from daper.core.models import IdentityProof, Person
from daper.core.phases import Phase
from daper.core.views import PlanView, RepairView
from daper.service.requests import StartRepair
from daper.settings import Settings, load_settings
from daper.workers import working
from daper.workflows.repair import RepairAgentWorkflow
from tests.e2e.shell import GENEROUS, Ran, Shell, until
from tests.workflow.shop import only_orders

T = TypeVar("T")


class Beside:
    """An event loop in a thread beside the tests: they block, what runs here goes on."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="beside the tests")
        self._thread.start()

    def do(self, coroutine: Coroutine[object, object, T]) -> T:
        """The result of a coroutine that runs over there."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(2 * GENEROUS)

    @contextmanager
    def inside(self, context: Callable[[], AbstractAsyncContextManager[T]]) -> Generator[T]:
        """Enter and leave over there, in one task."""
        leave = asyncio.Event()
        ready: asyncio.Future[T] = self.loop.create_future()

        async def stay() -> None:
            try:
                async with context() as value:
                    ready.set_result(value)
                    await leave.wait()
            except BaseException as error:
                if not ready.done():
                    ready.set_exception(error)
                raise

        staying = asyncio.run_coroutine_threadsafe(stay(), self.loop)
        try:
            yield self.do(_wait(ready))
        finally:
            self.loop.call_soon_threadsafe(leave.set)
            staying.result(60)

    def end(self) -> None:
        """Stop the loop and the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


async def _wait(future: "asyncio.Future[T]") -> T:
    return await future


@pytest.fixture(scope="session")
def beside() -> Generator[Beside]:
    """The thread beside the tests."""
    beside = Beside()
    yield beside
    beside.end()


@pytest.fixture(scope="session")
def address(beside: Beside, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Where a real server answers."""
    log_file = tmp_path_factory.mktemp("server") / "temporal.log"
    with beside.inside(lambda: embedded_server(log_file=log_file)) as server:
        yield server.address


@dataclass(frozen=True, kw_only=True)
class Shop(Shell):
    """A shell on the server, with a task queue and records of its own, and the workers for it."""

    beside: Beside

    def settings(self) -> Settings:
        """What the shell's commands are configured with."""
        return load_settings(environ=self.variables(), folder=self.cwd)

    def begin(self) -> str:
        """A repair that Minerva started; its id."""
        return self.beside.do(self._begin())

    def waiting_plan(self, repair_id: str) -> PlanView:
        """The plan of a repair, as soon as it waits."""
        return self.beside.do(self._waiting_plan(repair_id))

    def auto_approved(self) -> Ran:
        """What is told of a repair that policy approves, up to its end; a worker that is slow to answer is waited for.

        A command that meets one says how to go on, and so does this.
        """
        ran = self.run("repair", "start", "--auto-approve")
        if "The repair is started, and goes on then" not in ran.err:
            return ran
        repair_id = ran.value("started with ID: ")

        def follow() -> Ran | None:
            followed = self.run("repair", "show", repair_id, "--follow")
            return None if "no worker answered" in followed.err else followed

        return until(follow, what="an answer of the worker")

    async def _begin(self) -> str:
        service = await open_service(self.settings())
        minerva = Person(name="Minerva", how=IdentityProof.CLAIMED)
        return (await service.start(StartRepair(requested_by=minerva, domain="orders"))).repair_id

    async def _waiting_plan(self, repair_id: str) -> PlanView:
        service = await open_service(self.settings())
        async with asyncio.timeout(GENEROUS):
            while True:
                with suppress(NoWorker):  # it may be too busy to answer
                    looked = await service.look(repair_id)
                    if isinstance(looked, RepairView) and looked.phase is Phase.PENDING_APPROVAL and looked.plan:
                        return looked.plan
                await asyncio.sleep(0.05)

    @contextmanager
    def worker(self) -> Generator[None]:
        """A worker on the shop's queues."""
        settings = self.settings()
        client = self.beside.do(connect(settings))
        with self.beside.inside(lambda: working(client, settings, domains=only_orders(settings))):
            yield

    @contextmanager
    def worker_without_hands(self) -> Generator[None]:
        """A worker that runs workflows and no activities: repairs begin and answer, and nothing happens in them."""
        settings = self.settings()
        client = self.beside.do(connect(settings))
        with self.beside.inside(
            lambda: Worker(
                client, task_queue=settings.task_queue, workflows=[RepairAgentWorkflow], workflow_runner=SANDBOX
            )
        ):
            yield


def make_shop(root: Path, address: str, beside: Beside) -> Shop:
    """A shop in a folder of its own."""
    env = {"TEMPORAL_ADDRESS": address, "TEMPORAL_TASK_QUEUE": f"e2e-{root.parent.name}-{root.name}"}
    return Shop(root=root, env=env, beside=beside)


@pytest.fixture
def shop(tmp_path: Path, address: str, beside: Beside) -> Shop:
    """A shop with nobody at work."""
    return make_shop(tmp_path, address, beside)


@pytest.fixture
def open_shop(shop: Shop) -> Generator[Shop]:
    """A shop with a worker."""
    with shop.worker():
        yield shop


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell with nothing configured."""
    return Shell(root=tmp_path)
