"""The edge between our activities and Temporal: errors are translated here and nowhere else, and heartbeats sent."""

import asyncio
import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypeVar

from pydantic import ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from daper.core.errors import DaperError, NotFound, WrongStore
from daper.core.messages import CycleRef
from daper.core.text import visible
from daper.ports import Domain
from daper.ports.entry import why_absent

S = TypeVar("S")
I = TypeVar("I")  # noqa: E741 - the input of an activity
R = TypeVar("R")

_HEARTBEATS_PER_TIMEOUT = 4


@asynccontextmanager
async def _heartbeats() -> AsyncGenerator[None]:
    """Heartbeat in the background, so that a slow answer is not taken for a dead worker."""
    limit = activity.info().heartbeat_timeout
    if limit is None:
        yield
        return

    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(limit.total_seconds() / _HEARTBEATS_PER_TIMEOUT)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()


def at_edge(method: Callable[[S, I], Awaitable[R]]) -> Callable[[S, I], Awaitable[R]]:
    """Heartbeat while it runs, and turn our errors into Temporal's.

    The type is the class name; `retryable` decides about another attempt, and `retry_after` when it may come.
    """
    return _at_edge(method, tried_again=_worth_it)


def at_lasting_edge(
    lasting: type[DaperError],
) -> Callable[[Callable[[S, I], Awaitable[R]]], Callable[[S, I], Awaitable[R]]]:
    """The same, where an error of this kind is no end: what may have happened is asked for until it is known."""

    def decorated(method: Callable[[S, I], Awaitable[R]]) -> Callable[[S, I], Awaitable[R]]:
        return _at_edge(method, tried_again=lambda error: isinstance(error, lasting) or _worth_it(error))

    return decorated


async def let_through(acting: Coroutine[object, object, R]) -> R:
    """The result of what acts, also where the repair was stopped meanwhile: cut off, nobody could say what came of it.

    A worker that is shut down still ends it.
    """
    task = asyncio.create_task(acting)
    try:
        while True:
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                asked = activity.cancellation_details()
                if task.cancelled() or asked is None or not asked.cancel_requested:
                    raise
    finally:
        task.cancel()


def _worth_it(error: DaperError) -> bool:
    return error.retryable and (error.most_attempts is None or activity.info().attempt < error.most_attempts)


def _at_edge(
    method: Callable[[S, I], Awaitable[R]], *, tried_again: Callable[[DaperError], bool]
) -> Callable[[S, I], Awaitable[R]]:
    @functools.wraps(method)
    async def translated(self: S, input: I) -> R:
        async with _heartbeats():
            try:
                return await method(self, input)
            except DaperError as error:
                raise _ours(error, str(error), tried_again=tried_again(error), after=error.retry_after) from error
            except ValidationError as error:  # the same input would fail again
                raise _ours(error, f"a value does not fit: {error}", tried_again=False) from error
            except Exception as error:  # a bug, ours or of somebody's tool: told in words that a person can act on
                raise _ours(error, f"unexpected {type(error).__name__}: {error}", tried_again=True) from error

    return translated


def _ours(error: Exception, text: str, *, tried_again: bool, after: timedelta | None = None) -> ApplicationError:
    told = visible(text, longest=1000)
    return ApplicationError(told, type=type(error).__name__, non_retryable=not tried_again, next_retry_delay=after)


def known_domain(domains: Mapping[str, Domain], name: str) -> Domain:
    """The domain by that name. Raises NotFound."""
    domain = domains.get(name)
    if domain is None:
        if absent := why_absent(domains, name):
            raise NotFound(f"this worker lacks a setting: {absent}")
        raise NotFound(f"this worker has no domain {name!r}; it has: {', '.join(sorted(domains)) or 'none'}")
    return domain


async def domain_of(domains: Mapping[str, Domain], cycle: CycleRef) -> Domain:
    """The domain of a cycle, after making sure that its store is the cycle's own. Raises NotFound, WrongStore."""
    domain = known_domain(domains, cycle.domain)
    store = await domain.store()
    if store.store_id != cycle.store_id:
        raise WrongStore(
            f"repair {cycle.repair_id!r} is for store {cycle.store_id!r}, but this worker holds {store.store_id!r}"
            f" at {store.place}; start a worker with the DAPER_HOME that the repair was started with"
        )
    return domain
