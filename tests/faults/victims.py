"""Programs made to be killed: a worker, a worker that dies at its nth write, a holder of the store, an applier.

`python -m tests.faults.victims worker [OPERATION]`, `… hold FOLDER KEY OPERATION`, `… apply`, and one in trouble, whose
clock is as far off as a file says, and whose disk obeys another one: `… worker CLOCK WORD`. Of a domain that a file
declares: a worker that dies at its nth step to a database or to another system, `… worker step NUMBER`, a holder, `…
hold-rows FILE KEY OPERATION`, and an applier, `… apply-rows FILE`, whose attempts die at such a step. Of workflows: a
worker that dies at its nth step to a change of the cluster, before it or behind, `… worker change NUMBER`.
"""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, tzinfo
from itertools import count
from pathlib import Path

from google.protobuf.message import Message
from pydantic import TypeAdapter
from sqlalchemy import Engine, event, text
from sqlalchemy.pool import Pool

from daper import clock
from daper.core.base import Wire
from daper.core.errors import DaperError
from daper.domains.declared import http_tool
from daper.domains.declared.domain import DeclaredDomain
from daper.domains.declared.exchange import Answer
from daper.domains.declared.request import Request
from daper.domains.declared.set_tool import SetTool
from daper.domains.declared.tool import DeclaredTool
from daper.domains.orders import shipped
from daper.domains.orders.domain import open_domain
from daper.entrypoints.cli.app import run
from daper.entrypoints.cli.exits import leave
from daper.ports import ToolCall
from daper.stores.jsonfiles import store
from daper.stores.jsonfiles.store import JsonStore
from tests.faults.generated_payments import HOLD, held_row
from tests.faults.generated_shop import AS_OF, hold
from tests.faults.small_disk import ObedientDisk
from tests.faults.stopping_disk import StoppingDisk

STOPPED, DONE = "stopped", "done"
CALL: TypeAdapter[ToolCall] = TypeAdapter(ToolCall)
GO_ON = signal.SIGUSR1  # blocked from the start, so that it is never missed, as SIGCONT before SIGSTOP would be


class RowsAttempt(Wire):
    """One attempt of a tool that a file declares, or of its undo, to be killed at step `die_at`."""

    tool: str
    call: str
    undo: bool = False
    die_at: int


class Attempt(Wire):
    """One attempt of a tool, to be stopped before change number `stop_at` of the disk."""

    folder: Path
    tool: str
    key: str
    record_id: str
    arguments: dict[str, str | int]
    expected: dict[str, str]
    stop_at: int


def main(arguments: list[str]) -> int:
    """Be one of the victims; ends with whoever started it, also when that one is killed."""
    die_with_parent()
    signal.pthread_sigmask(signal.SIG_BLOCK, {GO_ON})
    match arguments:
        case ["worker", *how]:
            return _work(how)
        case ["hold-rows", file, key, operation]:
            return _hold_rows(Path(file), key, int(operation))
        case ["hold", folder, key, operation]:
            return _hold(Path(folder), key, int(operation))
        case ["apply"]:
            return _serve(lambda line: _attempt(Attempt.model_validate_json(line)))
        case ["apply-rows", file]:
            tools = DeclaredDomain(Path(file), variables=os.environ.get).tools  # read once, and not by each child
            return _serve(lambda line: _attempt_rows(tools, RowsAttempt.model_validate_json(line)))
        case _:
            sys.stderr.write(f"no such victim: {arguments!r}\n")
            return 2


def _work(how: list[str]) -> int:
    match how:
        case ["step", number]:
            _break_steps(int(number))
        case ["change", number]:
            _break_changes(int(number))
        case [operation]:
            _break_disk(int(operation), stop=_die)
        case [seconds, word]:
            _move_clock(Path(seconds))
            _obey(Path(word))
        case _:
            pass
    return run(["worker"])


def die_with_parent() -> None:
    """End with whoever started this process, also when that one is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG; a fork does not inherit it


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stand_still() -> None:
    _say(f"{STOPPED} {os.getpid()}")
    signal.sigwait({GO_ON})


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _break_disk(operation: int, *, stop: Callable[[], None]) -> None:
    disk = StoppingDisk(at=operation, stop=stop)
    # The domain makes its own store; this is the one place where it says which disk.
    store.PosixDisk = lambda: disk  # type: ignore[assignment,misc]  # pyright: ignore[reportAttributeAccessIssue]


def _obey(word: Path) -> None:
    disk = ObedientDisk(word)
    store.PosixDisk = lambda: disk  # type: ignore[assignment,misc]  # pyright: ignore[reportAttributeAccessIssue]


def _move_clock(seconds: Path) -> None:
    """From now on this process sees the clock of a machine that is off, by as much as the file says at each look."""

    class Off(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + timedelta(seconds=float(seconds.read_text("ascii") or 0))

    clock.datetime = Off  # type: ignore[misc]  # pyright: ignore[reportPrivateImportUsage]


def _break_steps(number: int) -> None:
    """Die at a step of that number: before or after a statement, before a commit or behind it, or around a request.

    At none of them but behind the first commit where it is 0.
    """
    if number == 0:
        event.listen(Pool, "checkin", lambda *_: _die())
        return
    steps = count(1)

    def step(*_: object) -> None:
        if next(steps) == number:
            _die()

    for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
        event.listen(Engine, name, step)
    event.listen(Pool, "checkin", step)
    send = http_tool.exchange

    def exchange(sent: Request, *, within: timedelta) -> Answer:
        step()
        answer = send(sent, within=within)
        step()
        return answer

    http_tool.exchange = exchange  # pyright: ignore[reportPrivateImportUsage]


def _break_changes(number: int) -> None:
    """Die at a change of a Temporal cluster of that number: before it is asked for, or behind the answer."""
    from daper.domains.temporal.cluster import Cluster  # with Temporal's client, which others need not load

    steps = count(1)
    change = Cluster.change

    def step() -> None:
        if next(steps) == number:
            _die()

    async def changing(self: Cluster, call: str, request: Message) -> Message:
        step()
        answer = await change(self, call, request)
        step()
        return answer

    Cluster.change = changing


def _hold_rows(file: Path, key: str, operation: int) -> int:
    steps = count(1)

    def step() -> None:
        if next(steps) == operation:
            _stand_still()

    with DeclaredDomain(file, variables=os.environ.get).now().store.change() as change:
        step()
        change.write_row(held_row(key))
        step()
        change.records.db.execute(text(HOLD))
        step()
    _say(DONE)
    return 0


def _hold(folder: Path, key: str, operation: int) -> int:
    disk = StoppingDisk(at=operation, stop=_stand_still)
    with JsonStore(folder, documents=shipped.DOCUMENTS, disk=disk).change() as change:
        hold(change, key)
    _say(DONE)
    return 0


def _serve(attempt: Callable[[str], None]) -> int:
    """Each line is an attempt, made by a child of its own; answers what became of it, then that the child is gone."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            die_with_parent()
            attempt(line)
            os._exit(0)
        os.waitpid(child, 0)
        _say(DONE)
    return 0


def _attempt(attempt: Attempt) -> None:
    _break_disk(attempt.stop_at, stop=_stand_still)
    call = ToolCall(
        key=attempt.key,
        record_id=attempt.record_id,
        arguments=attempt.arguments,
        expected=attempt.expected,
        today=AS_OF,
    )
    try:
        effect = asyncio.run(open_domain(attempt.folder, {}).tools[attempt.tool].apply(call))
    except DaperError as error:
        _say(f"raised {error}")
    else:
        _say(f"effect {effect.model_dump_json()}")


def _attempt_rows(tools: Mapping[str, DeclaredTool], attempt: RowsAttempt) -> None:
    call, tool = CALL.validate_json(attempt.call), tools[attempt.tool]
    assert isinstance(tool, SetTool)
    done = asyncio.run(tool.settle(call.key)) if attempt.undo else None
    _break_steps(attempt.die_at)
    found = asyncio.run(tool.undo(call, done, key=f"{call.key} undone") if done else tool.apply(call))
    _say(f"effect {found.model_dump_json()}")


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
