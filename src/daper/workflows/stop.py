"""A person's word that a repair is to end: why, and which steps that ends at once."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from temporalio import workflow

T = TypeVar("T")


class Stopped(Exception):
    """Somebody stopped the repair."""


class Stop:
    """Whether somebody stopped a repair. Its first reason is the one that stays."""

    def __init__(self) -> None:
        self.reason = ""

    def ask(self, reason: str) -> None:
        """Stop it, unless it is stopped already."""
        self.reason = self.reason or reason

    def asked(self) -> bool:
        """Whether it is to end."""
        return bool(self.reason)

    async def unless_asked(self, step: Coroutine[object, object, T]) -> T:
        """The step's result, or raises Stopped as soon as somebody stops it. Only for steps that change nothing."""
        task = asyncio.create_task(step)
        await workflow.wait_condition(lambda: task.done() or self.asked())
        if task.done():
            return task.result()
        task.cancel()
        raise Stopped  # noqa: TPL010 - caught by the repair, where it ends the cycle as CANCELLED
