"""What a cycle does where its disk refuses for now: it waits, says what for, and goes on by itself."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from itertools import count
from typing import Final, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.workflow import ActivityConfig

with workflow.unsafe.imports_passed_through():
    from daper.core.errors import (
        ClockMoved,
        RecoveryNeeded,
        StoreBusy,
        StoreChanged,
        StoreDamaged,
        StoreError,
        StoreUnavailable,
        WrongStore,
    )
    from daper.workflows import counts, options
    from daper.workflows.activity_failures import ended_by, why
    from daper.workflows.state import CycleState

T = TypeVar("T")
Kinds = frozenset[str]

FOR_NOW: Final[Kinds] = frozenset({StoreUnavailable.__name__, RecoveryNeeded.__name__, StoreBusy.__name__})
"""What is waited for by whoever has not begun: what is damaged, or not allowed, ends a cycle that has done nothing."""

MENDED: Final[Kinds] = FOR_NOW | {StoreDamaged.__name__, ClockMoved.__name__}
"""What is waited for by what was approved, while the approval is valid: somebody may mend a file or a clock until then.
"""

ANY: Final[Kinds] = FOR_NOW | {StoreError.__name__, StoreDamaged.__name__, StoreChanged.__name__, WrongStore.__name__}
"""What is waited for where effects may have happened: until the records can be asked, nobody knows."""

_SOON_OVER: Final[Kinds] = frozenset({StoreBusy.__name__, StoreChanged.__name__, ClockMoved.__name__})
_PATCH: Final = "a disk that refuses is waited for"


class Patience:
    """Runs the activities of one cycle that use a disk. Its state has, meanwhile, what each of them waits for.

    A stop ends a wait: at once, or, where it is for the last word on an effect or on the cycle, after some time that
    all such waits share.
    """

    def __init__(self, *, state: CycleState, stopping: Callable[[], bool], tell: Callable[[], None]) -> None:
        self._state = state
        self._stopping = stopping
        self._tell = tell
        self._numbers = count()

    async def run(
        self,
        step: Callable[[ActivityConfig], Awaitable[T]],
        config: Callable[[], ActivityConfig],
        *,
        kinds: Kinds = FOR_NOW,
        last_word: bool = False,
        acts: bool = False,
        paid: bool = False,
    ) -> T:
        """The result of an activity, for however long an error of these kinds keeps it from having one.

        `config` is asked again for each round. An attempt that `acts` when a stop comes is let through to its end, and
        none begins after it. What is `paid` for is tried in a round no more often than without a wait. Raises
        ActivityError for all else, and when a stop ended the wait.
        """
        # A last word may be tried a hundred times: what a stop is to end is waited for here, and not by Temporal.
        at_once = kinds if last_word else kinds - _SOON_OVER
        try:
            return await step(options.ended_by(config(), at_once))
        except ActivityError as error:
            if not ended_by(error, kinds) or not workflow.patched(_PATCH):
                raise

            def lasting(rounds: int) -> ActivityConfig:
                how = config() if paid else options.outlasting(config(), rounds)
                return options.let_through(how) if acts else how

            after_a_stop = options.AFTER_A_STOP if last_word else timedelta()
            return await self._counted(
                _kind(error), self._outlast(step, lasting, error, kinds, after_a_stop, acts=acts)
            )

    async def _outlast(
        self,
        step: Callable[[ActivityConfig], Awaitable[T]],
        lasting: Callable[[int], ActivityConfig],
        error: ActivityError,
        kinds: Kinds,
        after_a_stop: timedelta,
        *,
        acts: bool,
    ) -> T:
        number, rounds = next(self._numbers), 0
        try:
            while True:
                self._state.waits[number] = why(error)
                self._tell()
                if rounds:
                    await self._pause(rounds)
                # Whatever else keeps it from going on is told too, but not for ever: each telling is a round.
                told = rounds < options.REASONS_TOLD
                others = kinds - _SOON_OVER - {_kind(error)} if told else Kinds()
                how = options.ended_by(lasting(rounds), others)
                task = asyncio.ensure_future(step(how))
                try:
                    if not await self._done(task, after_a_stop):
                        if not acts:
                            raise error
                        return await self._let_through(task, error)
                    return task.result()
                except ActivityError as again:
                    if again is error or not ended_by(again, kinds):
                        raise
                    error, rounds = again, rounds + 1
                finally:
                    task.cancel()
        finally:
            del self._state.waits[number]
            self._tell()

    async def _counted(self, kind: str, wait: Coroutine[object, object, T]) -> T:
        """What was waited for. A wait that is only put aside, with its workflow, is not over."""
        since = workflow.now()
        try:
            got = await wait
        except ActivityError:
            counts.waited(kind, self._state, since=since)
            raise
        counts.waited(kind, self._state, since=since)
        return got

    @staticmethod
    async def _let_through(task: asyncio.Future[T], error: ActivityError) -> T:
        """What came of an attempt that was under way; else raises what was waited for."""
        task.cancel()
        with suppress(ActivityError):
            return await task
        raise error  # as it is: its cause says what was waited for

    async def _pause(self, rounds: int) -> None:
        """Between two rounds, so that reasons that take turns do not fill the history."""
        with suppress(TimeoutError):
            await workflow.wait_condition(self._stopping, timeout=options.between_rounds(rounds))

    async def _done(self, task: asyncio.Future[T], after_a_stop: timedelta) -> bool:
        """Whether it came to an end; False where a stop has ended the wait before."""
        await workflow.wait_condition(lambda: task.done() or self._stopping())
        if not task.done() and after_a_stop:
            last = self._state.waits_until = self._state.waits_until or workflow.now() + after_a_stop
            left = last - workflow.now()
            if left > timedelta():
                self._tell()
                with suppress(TimeoutError):
                    await workflow.wait_condition(task.done, timeout=left, timeout_summary="a last word, after a stop")
        return task.done()


def _kind(error: ActivityError) -> str:
    return (isinstance(error.cause, ApplicationError) and error.cause.type) or ""
