"""Blocking work beside the event loop."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the work gives back, done in a thread.

    A StopIteration of it becomes a RuntimeError, as in any coroutine: a future cannot carry one, and whoever awaits it
    would wait for ever.
    """

    def done() -> T:
        try:
            return work(*args, **kwargs)
        except StopIteration as error:
            raise RuntimeError(f"it came to an end of what it looks through: {error!r}") from error

    return await asyncio.to_thread(done)
