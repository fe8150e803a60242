"""A Temporal server of our own in memory, for a while: started on free ports, ended on every way out."""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from daper.adapters.temporal.program import (
    BECOME_SERVER,
    UNDIVIDED_QUEUES,
    find_temporal,
    free_ports,
    last_lines,
    log_size,
    port_was_taken,
    server_arguments,
    until_it_answers_or_ends,
)
from daper.adapters.temporal.server_file import EmbeddedServer
from daper.core.errors import Unreachable

log = logging.getLogger(__name__)

_TRIES: Final = 3
_GRACE_S: Final = 5.0
# Asks Linux to end the server with its parent, for a parent that is killed outright can end nobody; a parent that was
# gone before is noticed. A preexec_fn could do the same, but runs Python between fork and exec, which is not safe
# beside the SDK's threads.
_BECOME_SERVER: Final = (
    """
import ctypes, os, signal, sys
parent, program, *arguments = sys.argv[1:]
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG; nothing here outlives the memory anyway
if os.getppid() != int(parent):
    sys.exit("the starting process is gone")
"""
    + BECOME_SERVER
)


@asynccontextmanager
async def embedded_server(
    *,
    log_file: Path,
    headless: bool = True,
    extra_args: Sequence[str] = (),
    within: timedelta = timedelta(seconds=15),
) -> AsyncGenerator[EmbeddedServer, None]:
    """An in-memory server on free ports of 127.0.0.1 that answers and knows our search attributes.

    Its output is appended to `log_file`. It is ended on every way out, also when the task is cancelled; on Linux it
    ends as well when this process is killed, and when the thread that entered ends: enter it from a thread that
    lives as long as the server is needed. Raises SettingError if there is no program for it, Unreachable with the
    log's last lines if it does not come up `within` the time given.
    """
    program = find_temporal()
    log_file.parent.mkdir(parents=True, exist_ok=True)
    async with contextlib.AsyncExitStack() as stack:
        server = await _start(stack, program, log_file, headless=headless, extra_args=extra_args, within=within)
        log.info("embedded server is up", extra={"address": server.address, "pid": server.pid})
        yield server


async def _start(
    stack: contextlib.AsyncExitStack,
    program: Path,
    log_file: Path,
    *,
    headless: bool,
    extra_args: Sequence[str],
    within: timedelta,
) -> EmbeddedServer:
    for _ in range(_TRIES):
        ports = free_ports()
        start_of_log = log_size(log_file)
        arguments = [*server_arguments(ports, headless=headless), *UNDIVIDED_QUEUES, *extra_args]
        # What was started is on the stack before anything can fail or be cancelled.
        process = await stack.enter_async_context(_running(program, arguments, log_file))
        try:
            async with asyncio.timeout(within.total_seconds()):
                answers = await until_it_answers_or_ends(process, ports.address)
        except TimeoutError as error:
            waited = f"within {within.total_seconds():g} s"
            raise Unreachable(f"the embedded Temporal did not answer {waited}; {last_lines(log_file)}") from error
        if not answers and port_was_taken(log_file, start_of_log):
            log.warning("a port was taken, trying others", extra={"address": ports.address})
            continue
        if not answers:
            ended = f"ended at once, exit code {process.returncode}"
            raise Unreachable(f"the embedded Temporal {ended}; {last_lines(log_file)}")
        ui_url = None if headless else ports.ui_url
        return EmbeddedServer(address=ports.address, pid=process.pid, ui_url=ui_url)
    raise Unreachable(f"the embedded Temporal found no free ports in {_TRIES} tries; {last_lines(log_file)}")


@asynccontextmanager
async def _running(
    program: Path, arguments: Sequence[str], log_file: Path
) -> AsyncGenerator[asyncio.subprocess.Process, None]:
    command = [sys.executable, "-I", "-S", "-c", _BECOME_SERVER, str(os.getpid()), str(program), *arguments]
    with log_file.open("ab") as output:
        # A session of its own: a terminal's Ctrl-C reaches us alone, and we end the server when we are done with it.
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, some seconds of grace, SIGKILL; a second cancellation shortens the grace, never the end."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    try:
        async with asyncio.timeout(_GRACE_S):
            await process.wait()
    except TimeoutError:
        log.warning("embedded server ignored SIGTERM, killing it", extra={"pid": process.pid})
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
