"""A real PgBouncer on 127.0.0.1, from Debian, that pools transactions: each may run on another connection."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg

from tests.ports import free_port
from tests.postgresql import PASSWORD, PostgresqlServer

POOL: Final = 3
"""Connections to the server for each database: fewer than those who want one."""
_USER: Final = "nobody" if os.geteuid() == 0 else None  # it refuses to run as root
_INI: Final = """\
[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = {mode}
default_pool_size = {pool}
server_round_robin = 1
max_client_conn = 500
admin_users = postgres
"""


class PgbouncerServer:
    """Before a server of PostgreSQL. Of its connections each transaction gets the one that rested longest."""

    def __init__(self, folder: Path, server: PostgresqlServer, *, mode: str) -> None:
        self.folder = folder
        self.port = free_port()
        self._server = server
        self._process: subprocess.Popen[bytes] | None = None
        folder.chmod(0o755)
        (folder / "users").write_text(f'"postgres" "{PASSWORD}"\n')
        (folder / "pgbouncer.ini").write_text(
            _INI.format(server=server.port, port=self.port, folder=folder, mode=mode, pool=POOL)
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(
            [_program(), self.folder / "pgbouncer.ini"], stdout=log, stderr=log, user=_USER, start_new_session=True
        )
        log.close()
        while True:
            try:
                psycopg.connect(self.through(self._server.url("postgres")), connect_timeout=5).close()
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
            else:
                return

    def through(self, url: str) -> str:
        """The address of a database of the server, by way of it."""
        return url.replace(f":{self._server.port}/", f":{self.port}/")

    def lead(self, url: str, *, elsewhere: str) -> None:
        """From now on the address of a database leads to another one; who is connected stays so."""
        name, other = (each.rpartition("/")[2] for each in (url, elsewhere))
        ini = self.folder / "pgbouncer.ini"
        line = f"[databases]\n{name} = host=127.0.0.1 port={self._server.port} dbname={other}\n"
        ini.write_text(ini.read_text().replace("[databases]\n", line))
        with psycopg.connect(self.through(self._server.url("pgbouncer")), autocommit=True) as admin:
            admin.execute("RELOAD")

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


@contextmanager
def pgbouncer_server(server: PostgresqlServer, *, mode: str = "transaction") -> Generator[PgbouncerServer]:
    """One that runs until the end of the block; its folder goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="daper-pb-"))
    bouncer = PgbouncerServer(folder, server, mode=mode)
    try:
        bouncer.start()
        yield bouncer
    finally:
        bouncer.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _program() -> str:
    found = shutil.which("pgbouncer", path=f"{os.defpath}:/usr/sbin:/usr/local/sbin:/usr/local/bin")
    assert found, "pgbouncer is not there: make pgbouncer"
    return found
