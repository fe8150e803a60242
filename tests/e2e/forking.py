"""A process that has imported what commands import, and lets a copy of itself become a command when it is asked to.

Most of what a short command takes is Python's start and the imports. A copy has streams, environment, folder, session
and exit code of its own, as any process. Run as a script, it serves the socket that it is given as descriptor 0.
"""

import atexit
import fcntl
import gc
import importlib
import json
import os
import pkgutil
import select
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Final, NoReturn, TypedDict

LENGTH: Final = struct.Struct("!I")
STREAMS: Final = 4  # of the command: stdin, stdout, stderr; and one on which its pid and its end are told


class Wish(TypedDict):
    """A command, its whole environment, and its current folder."""

    command: list[str]
    env: dict[str, str]
    cwd: str
    terminal: bool


class OnTerminal:
    """A command that runs on a terminal: as much of `subprocess.Popen` as is used of it."""

    def __init__(self, command: Sequence[str], told: IO[bytes]) -> None:
        self._command = list(command)
        self._told = told
        self._code: int | None = None
        self.pid = int(told.readline())

    def poll(self) -> int | None:
        """The exit code, if it has ended."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended."""
        if self._code is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self._command, timeout or 0)
            with self._told:
                self._code = int(self._told.readline())
        return self._code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class Copies:
    """Commands as copies of one process, which is started with the first of them and ends with the tests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server: socket.socket | None = None

    def run(
        self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, within: float
    ) -> tuple[int, bytes, bytes]:
        """A command to its end, with nothing to read; its exit code, and what it printed."""
        pipes = [os.pipe() for _ in range(STREAMS - 1)]
        with open(os.devnull) as nothing, ExitStack() as open_pipes:
            readers = [open_pipes.enter_context(open(reader, "rb", buffering=0)) for reader, _ in pipes]
            try:
                wish = Wish(command=list(command), env=dict(env), cwd=str(cwd), terminal=False)
                self._ask(wish, [nothing.fileno(), *(writer for _, writer in pipes)])
            finally:
                for _, writer in pipes:
                    os.close(writer)
            out, err, told = _read_all(readers, within)
        pid, _, code = told.partition(b"\n")
        if not code:
            os.killpg(int(pid), signal.SIGKILL)
            raise subprocess.TimeoutExpired(list(command), within, out, err)
        return int(code), out, err

    def begin(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, terminal: int) -> OnTerminal:
        """A command on a terminal, in a session of its own that the terminal controls."""
        reader, writer = os.pipe()
        try:
            wish = Wish(command=list(command), env=dict(env), cwd=str(cwd), terminal=True)
            self._ask(wish, [terminal, terminal, terminal, writer])
        finally:
            os.close(writer)
        return OnTerminal(command, open(reader, "rb", buffering=0))

    def _ask(self, wish: Wish, streams: list[int]) -> None:
        written = json.dumps(wish).encode()
        with self._lock:
            server = self._server = self._server or _start()
            socket.send_fds(server, [LENGTH.pack(len(written))], streams)
            server.sendall(written)


def takes(env: Mapping[str, str]) -> bool:
    """Whether Python, started with this environment, would begin as the process here did."""
    return env.get("LANG") == "C.UTF-8" and not any(name.startswith(("PYTHON", "LC_")) for name in env)


def _start() -> socket.socket:
    ours, theirs = socket.socketpair()
    with theirs:
        env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        process = subprocess.Popen([sys.executable, __file__], stdin=theirs.fileno(), env=env, start_new_session=True)

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _read_all(readers: Sequence[IO[bytes]], within: float) -> list[bytes]:
    """What each of them says to its end, or until the time is over."""
    said = dict.fromkeys(readers, b"")
    deadline = time.monotonic() + within
    with selectors.DefaultSelector() as selector:
        for reader in readers:
            selector.register(reader, selectors.EVENT_READ, reader)
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                part = key.data.read(1 << 16)
                said[key.data] += part
                if not part:
                    selector.unregister(key.data)
    return list(said.values())


def serve(server: socket.socket) -> None:
    """Begin what is asked for, until nobody can ask any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the watchers are nobody's concern
    while True:
        head, streams, _, _ = socket.recv_fds(server, LENGTH.size, STREAMS)
        if not head:
            return
        wish = _read(server, *LENGTH.unpack(head))
        if not os.fork():
            server.close()
            _watch(json.loads(wish), streams)
        for stream in streams:
            os.close(stream)


def _read(server: socket.socket, size: int) -> bytes:
    parts: list[bytes] = []
    while size:
        parts.append(server.recv(size))
        size -= len(parts[-1])
    return b"".join(parts)


def _watch(wish: Wish, streams: list[int]) -> NoReturn:
    """Begin the command, tell its pid, wait for its end, and tell that."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *own, told = streams
    pid = os.fork()
    if not pid:
        os.close(told)
        _become(wish, own)
    for stream in own:
        os.close(stream)
    os.write(told, f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    with suppress(BrokenPipeError):
        os.write(told, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _become(wish: Wish, streams: list[int]) -> NoReturn:
    """Be the command, as if Python had just been started for it."""
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    if wish["terminal"]:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.environ.clear()
    os.environ.update(wish["env"])
    os.chdir(wish["cwd"])
    sys.argv = wish["command"]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    tempfile.tempdir = None
    sys.stdin = open(0, encoding="utf-8")  # noqa: SIM115 - as long as the process lives
    sys.stdout = open(1, "w", encoding="utf-8", errors="surrogateescape")  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115
    from daper.entrypoints.cli.app import main

    main()
    os._exit(70)  # it never comes back


def _import_all() -> None:
    import daper.entrypoints.cli

    for module in pkgutil.iter_modules(daper.entrypoints.cli.__path__, "daper.entrypoints.cli."):
        if not module.name.endswith((".mcp", ".mcp_clients")):  # whose library takes as long again
            importlib.import_module(module.name)
    for name in ("daper.workers", "daper.adapters.temporal.connection", "rich.live", "rich.table"):
        importlib.import_module(name)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asking = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    _import_all()
    assert len(list(Path("/proc/self/task").glob("*"))) <= 1, "a copy has no thread but one"
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.freeze()
    serve(asking)
