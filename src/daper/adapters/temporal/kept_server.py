"""A Temporal server of our own that keeps repairs in a file: started, found again, restarted, stopped.

Two servers on one file would ruin it, and `temporal` does not look. So the server itself holds a lock beside the file,
from before its first instruction to its death, whatever becomes of the process that started it; the lock's text says
where it answers. It holds the home's folder too: who removes the lock's file makes room for nobody.
"""

import asyncio
import contextlib
import logging
import os
import re
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NoReturn

from daper.adapters.temporal.file_lock import FileLock
from daper.adapters.temporal.program import (
    BECOME_SERVER,
    HOST,
    POLL_S,
    Ports,
    answers,
    find_temporal,
    free_ports,
    has_namespace,
    is_free,
    last_lines,
    log_size,
    port_was_taken,
    server_arguments,
    until_it_answers_or_ends,
)
from daper.adapters.temporal.server_file import EmbeddedServer, announce, from_json, living_server, withdraw
from daper.core.errors import Occupied, Unreachable

log = logging.getLogger(__name__)

DATABASE: Final = "temporal.db"
_WITHIN_S: Final = 20.0
_GRACE_S: Final = 5.0
_TRIES: Final = 3
_LOOK_S: Final = 0.2
_SOON_S: Final = 10.0  # a server that dies sooner than this after its start did not really come up
_LONGEST_LOG: Final = 10 * 1024 * 1024
# The descriptor of the lock is inherited, by this and by the server that it becomes. The text is written by who holds
# the lock, so that it never names another process.
_BECOME_SERVER: Final = (
    """
import json, os, sys
descriptor, about, program, *arguments = sys.argv[1:]
about = json.dumps({**json.loads(about), "pid": os.getpid()}).encode()
os.ftruncate(int(descriptor), 0)
os.pwrite(int(descriptor), about, 0)
"""
    + BECOME_SERVER
)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Ports that a person asked for; None: as the last time, else any free one."""

    port: int | None = None
    ui_port: int | None = None


class KeptServer:
    """The one server on `<home>/temporal.db`. For a single user at a time, who holds the home's `up.lock`."""

    def __init__(self, home: Path, *, namespace: str, wish: Wish | None = None) -> None:
        self._home = home
        self._database = home / DATABASE
        self._lock = FileLock(home / f"{DATABASE}.lock")
        self._log_file = home / "logs" / "temporal.log"
        self._namespace = namespace
        self._wish = wish or Wish()
        self._process: asyncio.subprocess.Process | None = None
        self._server: EmbeddedServer | None = None
        self._refused = False

    async def open(self) -> tuple[EmbeddedServer, bool]:
        """The server that serves the file, and whether it was found running; `server.json` says where it is.

        Raises SettingError if there is no program for it, Occupied if a port or the file is held by somebody who does
        not answer, Unreachable with the log's last lines if it does not come up.
        """
        program = find_temporal()
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        try:
            server = await self._living()
            if server is not None and not await has_namespace(server.address, self._namespace):
                log.info("its server lacks the namespace, starting it anew", extra={"namespace": self._namespace})
                await self._end(server.pid)
                server = None
            found = server is not None
            if server is None:
                await self._look_for_one_without_lock()
                server = await self._start(program)
        except Occupied:
            self._refused = True
            raise
        self._server = server
        announce(self._home, server)
        log.info("Temporal is up", extra={"address": server.address, "pid": server.pid, "found": found})
        return server, found

    async def keep(self) -> NoReturn:
        """Restart the server whenever it dies, on the same port and file, until cancelled.

        Raises what `open` raises, and Unreachable when it dies again and again.
        """
        clock, deaths = asyncio.get_running_loop(), 0
        while True:
            began = clock.time()
            while self._lock.is_held():
                if self._server is not None and living_server(self._home) != self._server:
                    announce(self._home, self._server)  # somebody removed or changed it
                await asyncio.sleep(_LOOK_S)
            deaths = deaths + 1 if clock.time() - began < _SOON_S else 1
            if deaths > _TRIES:
                raise Unreachable(
                    f"the embedded Temporal died {deaths} times within seconds; {last_lines(self._log_file)}"
                )
            log.warning("Temporal is gone, starting it again")
            self._server = server = await self._start(find_temporal(), again=True)
            announce(self._home, server)
            log.info("Temporal is back", extra={"address": server.address, "pid": server.pid})

    async def stop(self) -> None:
        """End the server that holds the file, whoever started it, and take `server.json` away.

        Not if `open` raised Occupied: its message leaves that to a person.
        """
        if self._refused:
            return
        if (pid := self._holder()) is not None:
            await self._end(pid)
        withdraw(self._home)

    def kill(self) -> None:
        """End the server at once; its file stands that. For a process that ends itself now."""
        if (pid := self._holder()) is not None:
            _signal(pid, signal.SIGKILL)
        withdraw(self._home)

    def _holder(self) -> int | None:
        """The process that we started, if it lives; else the one that signed the lock, if that is held."""
        if self._process is not None and self._process.returncode is None:
            return self._process.pid
        server = from_json(self._lock.text()) if self._lock.is_held() else None
        return server.pid if server is not None else None

    async def _living(self) -> EmbeddedServer | None:
        """The server that holds the lock, once it answers; None if nobody holds it."""
        try:
            async with asyncio.timeout(_WITHIN_S):
                while self._lock.is_held():
                    server = from_json(self._lock.text())
                    if server is not None and await answers(server.address):
                        return server
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            server = from_json(self._lock.text())
            holder = f"process {server.pid}, which does not answer at {server.address}" if server else "somebody"
            end_it = f"kill {server.pid}" if server else "end whoever it is"
            raise Occupied(
                f"{str(self._database)!r} is held by {holder} (looked for {_WITHIN_S:g} s); {end_it}, then try again"
            ) from None
        return None

    async def _look_for_one_without_lock(self) -> None:
        """Raises Occupied if a server lives whose lock was removed, for nothing else would keep ours from its file."""
        server = living_server(self._home)
        if server is not None and server.db == str(self._database) and await answers(server.address):
            raise Occupied(
                f"process {server.pid} serves {str(self._database)!r} at {server.address}, but {DATABASE}.lock was "
                f"removed; kill {server.pid}, then try again"
            )

    def _take_folder(self) -> int:
        """Raises Occupied if a server lives whose lock and `server.json` were removed."""
        descriptor = self._lock.take_folder()
        if descriptor is None:
            raise Occupied(
                f"somebody serves {str(self._database)!r}, but {DATABASE}.lock was removed, and nobody can tell who: "
                f"look for a process `temporal server start-dev --db-filename {DATABASE}` and end it, then try again"
            )
        return descriptor

    async def _start(self, program: Path, *, again: bool = False) -> EmbeddedServer:
        for _ in range(_TRIES):
            ports = self._ports(again=again)
            start_of_log = self._turn_log()
            server = await self._try(program, ports)
            if server is not None:
                return server
            if not port_was_taken(self._log_file, start_of_log):
                break
            log.warning("a port was taken meanwhile", extra={"address": ports.address})
        raise Unreachable(
            f"the embedded Temporal on {str(self._database)!r} does not come up; {last_lines(self._log_file)}"
        )

    async def _try(self, program: Path, ports: Ports) -> EmbeddedServer | None:
        """A server on these ports, or None if it ended or did not answer. A server that is not returned is ended."""
        descriptor = self._lock.take()
        if descriptor is None:
            raise Occupied(f"{str(self._database)!r} has been taken by somebody else just now: {self._lock.text()!r}")
        server = EmbeddedServer(address=ports.address, pid=0, ui_url=ports.ui_url, db=str(self._database))
        # In the home, and by its name alone: SQLite takes ?, # and % in a path for something else.
        arguments = [*server_arguments(ports, headless=False), "--db-filename", DATABASE]
        arguments += ["--namespace", self._namespace]
        about = (str(descriptor), server.to_json(), str(program))
        held = [descriptor]
        try:
            held.append(self._take_folder())
            with self._log_file.open("ab") as output:
                # A session of its own: a terminal's Ctrl-C reaches us alone.
                self._lock.sign(descriptor, "")  # who held it last is not to be signalled for this one
                self._lock.is_held()  # seen, and so not lost if the file is removed
                # Kept, so that it is reaped, and ended though it has not signed yet.
                self._process = process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-I", "-S", "-c", _BECOME_SERVER, *about, *arguments),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    cwd=self._home,
                    pass_fds=held,
                )
        finally:
            for each in held:
                os.close(each)  # the server has its own copies
        up = False
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_WITHIN_S):
                    up = await until_it_answers_or_ends(process, ports.address)
        finally:
            if not up:
                await self._end(process.pid)
        return replace(server, pid=process.pid) if up else None

    def _ports(self, *, again: bool) -> Ports:
        """The wished ones, else those of the last time, else free ones. Raises Occupied for a wished one in use.

        `again`: whoever uses this server knows its address, so there is no other choice than the last one.
        """
        last = self._server or from_json(self._lock.text())
        grpc = self._wish.port or (_port(last.address) if last else None)
        ui = self._wish.ui_port or (_port(last.ui_url) if last and last.ui_url else None)
        if grpc == ui and self._wish.ui_port is None:
            ui = None
        elif grpc == ui:
            grpc = None
        return free_ports(
            grpc=_choose(grpc, must=again or bool(self._wish.port)),
            ui=_choose(ui, must=again or bool(self._wish.ui_port)),
        )

    def _turn_log(self) -> int:
        """Where the log goes on; a long one is put aside first."""
        if log_size(self._log_file) > _LONGEST_LOG:
            self._log_file.replace(self._log_file.with_suffix(".log.1"))
        return log_size(self._log_file)

    async def _end(self, pid: int) -> None:
        """SIGTERM, some seconds of grace, SIGKILL; a cancellation shortens the grace, never the end."""
        try:
            _signal(pid, signal.SIGTERM)
            async with asyncio.timeout(_GRACE_S):
                await self._until_free()
        except TimeoutError:
            log.warning("Temporal ignored SIGTERM, killing it", extra={"pid": pid})
        finally:
            if self._lock.is_held():
                _signal(pid, signal.SIGKILL)
                await self._until_free()

    async def _until_free(self) -> None:
        while self._lock.is_held():  # noqa: ASYNC110 - a lock of another process wakes nobody
            await asyncio.sleep(POLL_S)


def _choose(port: int | None, *, must: bool) -> int | None:
    if port is None or is_free(port):
        return port
    if must:
        raise Occupied(f"port {port} of {HOST} is in use by another program; end that one, or choose another port")
    log.warning("the port of the last time is in use, taking another one", extra={"port": port})
    return None


def _port(address: str) -> int | None:
    port = address.rpartition(":")[2]
    return int(port) if re.fullmatch(r"[1-9][0-9]{0,4}", port) and int(port) < 65536 else None


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
