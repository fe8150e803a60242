"""What all tests share: one Temporal server whose clock can be moved, per workflow."""

import gc
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from temporalio import workflow
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment
from temporalio.worker._workflow import _WorkflowWorker  # pyright: ignore[reportPrivateUsage]
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from daper.adapters.temporal.codec import data_converter
from daper.adapters.temporal.connection import SEARCH_ATTRIBUTES
from daper.adapters.temporal.embedded import embedded_server
from daper.adapters.temporal.program import QUEUE_PACE, UNDIVIDED_QUEUES, find_temporal
from tests.cases import keep_one_soon, try_few_soon

if TYPE_CHECKING:
    from tests.mariadb import MariadbServer
    from tests.postgresql import PostgresqlServer

_TESTS = Path(__file__).parent
_FOLDERS = {
    name: place for place, name in enumerate(("contract", "workflow", "e2e", "console", "faults", "llm", "replay"))
}

PATIENCE = timedelta(minutes=1)  # with a server that starts: it may lack a core to start on
SKIPPING = ("--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true")
# How often a server notes how far its queues have come. It deletes a workflow no sooner than its end is noted: with the
# server's own figure, 30 s, each test that has one forgotten would wait for that.
FORGETTING = tuple(
    argument
    for queue in ("transfer", "visibility")
    for argument in ("--dynamic-config-value", f'history.{queue}ProcessorUpdateAckInterval="200ms"')
)

# The same examples on every machine, however slow: a test that fails for one fails for all.
settings.register_profile("daper", deadline=None, derandomize=True)
settings.load_profile("daper")

# A server of a test lives for minutes and has memory: it need not collect its garbage at each doubling. The servers are
# programs in Go, and a tenth of their work was that.
os.environ.setdefault("GOGC", "400")
os.environ.setdefault("GOMAXPROCS", "1")  # two cores for all of them: what one server spins on, another lacks


_PREPARED: set[type] = set()
_prepare = SandboxedWorkflowRunner.prepare_workflow


def _prepare_once(self: SandboxedWorkflowRunner, defn: workflow._Definition) -> None:  # pyright: ignore[reportPrivateUsage]
    """Each worker tries its workflows in the sandbox as it begins: once for each of them is enough for a process."""
    if defn.cls not in _PREPARED:
        _prepare(self, defn)
        _PREPARED.add(defn.cls)


SandboxedWorkflowRunner.prepare_workflow = _prepare_once

_begin = _WorkflowWorker.__init__


def _begin_patiently(self: _WorkflowWorker, *args: object, **kwargs: object) -> None:
    """The SDK takes a workflow that does not yield for 2 s for a deadlock: here it may only lack a core to run on."""
    _begin(self, *args, **kwargs)  # pyright: ignore[reportArgumentType] - handed on
    self._deadlock_timeout_seconds = 20  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]


_WorkflowWorker.__init__ = _begin_patiently


gc.disable()  # until all is collected: nothing of it is ever garbage


@pytest.hookimpl(tryfirst=True)  # before it is looked which have the marker
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """First the folders whose files take long: what is left at the end are many that take a moment."""
    items.sort(key=lambda item: _FOLDERS.get(item.path.relative_to(_TESTS).parts[0], len(_FOLDERS)))
    keep_one_soon(items)
    try_few_soon(items, str(config.option.markexpr))


def pytest_collection_finish() -> None:
    """Whatever was imported and collected lives to the end: nobody need look through it again and again."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def postgresql() -> "Iterator[PostgresqlServer]":
    """A real server of PostgreSQL, for all tests of a process; take a database of your own in it."""
    from tests.postgresql import postgresql_server  # with psycopg, which few tests need

    with postgresql_server() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> "Iterator[MariadbServer]":
    """A real server of MariaDB, for all tests of a process; take a database of your own in it."""
    from tests.mariadb import mariadb_server  # with its driver, which few tests need

    with mariadb_server() as server:
        yield server


@pytest.fixture(scope="session")
async def temporal_env() -> AsyncIterator[WorkflowEnvironment]:
    """A real server that skips time, with our search attributes; use a task queue of your own on it.

    A wait for a person is skipped as well: start such workflows inside `with env.with_time_skipping_disabled():`, and
    move the clock with `env.fast_forward(handle, timedelta)`.
    """
    async with _time_skipping_server() as env:
        yield env


@pytest.fixture(scope="session")
async def real_time(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkflowEnvironment]:
    """A server whose clock is everybody's: schedules know no other. Use a task queue of your own on it."""
    log_file = tmp_path_factory.mktemp("server") / "temporal.log"
    async with embedded_server(log_file=log_file, extra_args=FORGETTING, within=PATIENCE) as server:
        client = await Client.connect(server.address, data_converter=data_converter())
        yield WorkflowEnvironment.from_client(client)


@pytest.fixture(scope="module")
async def future_env() -> AsyncIterator[WorkflowEnvironment]:
    """The same, for one module alone: whose repairs begin in what is the future elsewhere, and would lead every list.

    A workflow that is started by one whose clock was moved begins at that one's time, and its clock skips too.
    """
    async with _time_skipping_server() as env:
        yield env


@asynccontextmanager
async def _time_skipping_server() -> AsyncGenerator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_time_skipping_v2(
        dev_server_existing_path=str(find_temporal()),
        dev_server_startup_timeout=PATIENCE,
        dev_server_extra_args=[*SKIPPING, *FORGETTING, *QUEUE_PACE, *UNDIVIDED_QUEUES],
        data_converter=data_converter(),
        search_attributes=[SearchAttributeKey.for_keyword(name) for name in SEARCH_ATTRIBUTES],
    ) as env:
        yield env
