"""Runs a worker until it is cancelled, and lets it tell of itself meanwhile; then it drains."""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial

from temporalio.client import Client

from daper.adapters.metrics.exporter import Exporter, open_exporter
from daper.adapters.metrics.pages import pages_at
from daper.adapters.metrics.readiness import Look, Readiness
from daper.adapters.metrics.worker_pages import worker_pages
from daper.bootstrap import open_domains
from daper.core.commands import CommandLine
from daper.core.errors import NoWorker, StoreUnavailable, Unreachable, WrongStore
from daper.ports import Domain, Spending
from daper.ports.entry import absent
from daper.service.inquiry import Asking
from daper.settings import Settings
from daper.workers import MENDED_WITHIN, working
from daper.workflows.queues import activity_queue, models_queue, people_queue

log = logging.getLogger(__name__)


def exporter_for(settings: Settings) -> Exporter | None:
    """What counts for this process, if it is to tell of itself. Has to come before its first connection."""
    return None if settings.worker.pages is None else open_exporter()


async def work_until_cancelled(
    client: Client,
    settings: Settings,
    *,
    ready: Callable[[tuple[str, ...], str | None], None],
    exporter: Exporter | None = None,
) -> None:
    """Work on the settings' queue and the queues of the local stores; `ready` is told of them once it does.

    `ready` is told the queues, and where the worker tells of itself, if it does. Raises Unreachable when Temporal does
    not let it work (any more): a key was withdrawn, a namespace is gone. Raises Occupied, SettingError where it cannot
    serve its pages.
    """
    readiness = Readiness()
    try:
        async with AsyncExitStack() as stack:
            where = settings.worker.pages
            address = where and await stack.enter_async_context(
                pages_at(where.host, where.port, worker_pages(readiness, exporter))
            )
            queues = await stack.enter_async_context(working(client, settings))
            readiness.begun(await _looks(client, settings, queues), notes=partial(outdated, settings))
            ready(queues, address)
            try:
                await _watch(settings)
            finally:
                readiness.drain()  # first of all: whoever looks is to send nothing more here
    except RuntimeError as error:
        # The SDK tries for a minute, and then raises a bare RuntimeError around what it was answered.
        answer = re.search(r"Status \{ code: (\w+)", f"{error} {error.__cause__}")
        if answer is None:
            raise
        where = f"Temporal at {settings.address!r} ({settings.address_source}), namespace {settings.namespace!r}"
        raise Unreachable(
            f"{where} does not let this worker work ({answer[1]}); see: ", CommandLine("doctor")
        ) from error


def unserved(settings: Settings) -> tuple[str, ...]:
    """The domains that are installed and not worked for, each with the setting that it lacks, as a line."""
    return tuple(f"Not served: {why}" for why in absent(open_domains(settings)).values())


def outdated(settings: Settings) -> tuple[str, ...]:
    """What has changed of that which a worker reads only when it starts. It blocks."""
    if not settings.people_file.changed:
        return ()
    return (
        f"{settings.people_file.path} has changed since this worker was started, and it goes by what stood there then: "
        "end it and start it again",
    )


async def _watch(settings: Settings) -> None:
    """Until cancelled, say once of each such change that it happened."""
    told: tuple[str, ...] = ()
    while True:
        await asyncio.sleep(MENDED_WITHIN.total_seconds())
        now = await asyncio.to_thread(outdated, settings)
        for line in set(now) - set(told):
            log.warning("%s", line)
        told = now


async def _looks(client: Client, settings: Settings, queues: tuple[str, ...]) -> Mapping[str, Look]:
    """What a worker on these queues cannot do without: Temporal, the records of each domain, and what is kept.

    Not those of a domain for which it did no work from the start.
    """
    looks: dict[str, Look] = {"Temporal": _Polls(client, settings.task_queue, queues).look}
    for name, domain in open_domains(settings).items():
        try:
            await domain.store()
        except StoreUnavailable:
            continue
        looks[f"records of {name}"] = partial(_its_store, domain, settings.task_queue, queues)
    looks["what is kept"] = partial(_kept, settings.state.spending())
    return looks


class _Polls:
    """Whether Temporal answers, and has seen this process ask for work on every queue."""

    def __init__(self, client: Client, queue: str, stores: tuple[str, ...]) -> None:
        self._client = client
        self._asking = Asking(client, queue=queue)
        beside = (name for store in stores if store != queue for name in (models_queue(store), people_queue(store)))
        self._unseen = list(dict.fromkeys((queue, *stores, *beside)))
        self._queue = queue

    async def look(self) -> None:
        """Raises Unreachable, NoWorker. What was seen once is not asked for again: a worker that stops polling ends."""
        for queue in list(self._unseen) or [self._queue]:
            polled = await self._asking.workers(queue)
            if queue in self._unseen:
                if self._client.identity not in polled:
                    raise NoWorker(f"it has not seen this worker on queue {queue!r} yet")
                self._unseen.remove(queue)


async def _its_store(domain: Domain, queue: str, queues: tuple[str, ...]) -> None:
    """Raises a StoreError where the store does not answer, or is another one than this worker works for."""
    store = await domain.store()
    if activity_queue(queue, store.store_id) not in queues:
        raise WrongStore(
            f"they are store {store.store_id!r} by now, for which this worker does no work; start it again"
        )


async def _kept(spending: Spending) -> None:
    """Raises a StoreError where the database of what is kept does not answer; memory and spending are in one."""
    await spending.of_cycle("")
