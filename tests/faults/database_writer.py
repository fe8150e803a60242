"""A process with some writers on one store of boxes; it is made to be killed.

`python -m tests.faults.database_writer ADDRESS NUMBER WRITERS SEED`. It says `begun KEY BOX AMOUNT VERSION` before
the first attempt of an effect, `told` and the same when it was told of it as applied; a line on its standard input lets
it end.
"""

import asyncio
import random
import sys
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from daper.core.errors import DaperError
from daper.core.outcomes import Effect, OutcomeStatus
from daper.entrypoints.cli.exits import leave
from daper.ports import ToolCall
from tests.faults.database_boxes import BOXES, boxes_at, call_of
from tests.faults.victims import die_with_parent

T = TypeVar("T")
_GIVES_UP = 0.2
TOOK_EFFECT: Final = (OutcomeStatus.APPLIED, OutcomeStatus.ALREADY_APPLIED)


def words_of(call: ToolCall) -> tuple[str, ...]:
    """What `call_of` makes it from."""
    return call.key, call.record_id, str(call.arguments["amount"]), call.expected[f"boxes/{call.record_id}"]


def _say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


class Writer:
    """Adds to one box after another, each attempt made again for as long as its error says so, as Temporal does."""

    def __init__(self, address: str, name: str, seed: int, *, say: Callable[..., None]) -> None:
        self._say = say
        self._boxes = boxes_at(address)
        self._name = name
        self._rng = random.Random(f"{seed} {name}")
        self._wait = threading.Event()

    def work(self, end: threading.Event) -> None:
        """Until the end; the effect that is under way is finished."""
        number = 0
        while not end.is_set():
            number += 1
            self._one(f"{self._name}-{number}", self._rng.choice(BOXES), self._rng.randint(1, 3))

    def _one(self, key: str, box: str, amount: int) -> None:
        call = call_of(key, box, amount, self._again(lambda: self._boxes.version(box)))
        self._say("begun", *words_of(call))
        if self._attempt(call).status in TOOK_EFFECT:
            self._say("told", *words_of(call))

    def _attempt(self, call: ToolCall) -> Effect:
        """Until there is an answer; or, where somebody gives up, whatever the key says then, which is for good."""
        while True:
            try:
                return asyncio.run(self._boxes.tool.apply(call))
            except DaperError as error:
                if not error.retryable:
                    raise
                if self._rng.random() < _GIVES_UP:
                    settled = self._again(lambda: asyncio.run(self._boxes.tool.settle(call.key)))
                    late = self._again(lambda: asyncio.run(self._boxes.tool.apply(call)))
                    assert (settled is not None) or late.status is OutcomeStatus.FAILED
                    return late
                self._wait.wait(self._rng.uniform(0.01, 0.1))

    def _again(self, attempt: Callable[[], T]) -> T:
        while True:
            try:
                return attempt()
            except DaperError as error:
                if not error.retryable:
                    raise
                self._wait.wait(self._rng.uniform(0.01, 0.1))


def main(arguments: list[str]) -> int:
    """Write until a line comes."""
    die_with_parent()
    address, number, writers, seed = arguments
    end = threading.Event()
    failed: list[BaseException] = []

    def work(each: int) -> None:
        try:
            Writer(address, f"{number}-{each}", int(seed), say=_say).work(end)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is told
            failed.append(error)
            sys.stderr.write(f"{type(error).__name__}: {error}\n")

    threads = [threading.Thread(target=work, args=(each,)) for each in range(int(writers))]
    for thread in threads:
        thread.start()
    sys.stdin.readline()
    end.set()
    for thread in threads:
        thread.join()
    return 1 if failed else 0


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
