"""A real MariaDB server on 127.0.0.1, from Debian, also where tests run as root; it can be stopped and killed."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pymysql
import trustme

from tests.ports import free_port

PASSWORD = "not-to-be-seen-3f9a"  # noqa: S105
"""Of everybody: no message and no file of daper's may have it."""

_SCRIPTS = ("mysql_system_tables.sql", "mysql_system_tables_data.sql")
_numbers = count(1)


class MariadbServer:
    """A server with an empty data folder of its own, for which nothing waits for the disk; a crash loses nothing.

    Its temporary folder is its own too: one that starts removes the temporary tables of others in the same.

    Whatever its mode is, daper's sessions have one of their own: this is the one that differs most from it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "socket"
        self.port = free_port()
        self.certificate = folder / "ca.pem"
        """Of who vouches for the server."""
        self._process: subprocess.Popen[bytes] | None = None
        _prepare(folder)
        vouches = trustme.CA()
        vouches.cert_pem.write_to_path(self.certificate)
        vouches.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")

    def start(self, *more: str) -> None:
        """Start it, and wait until it answers; also after a stop or a kill, on the same port and data."""
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(
            [
                _program("mariadbd"), "--no-defaults", *_user(), f"--datadir={self.folder / 'data'}",
                f"--tmpdir={self.folder}",
                f"--socket={self.socket}", f"--port={self.port}", "--bind-address=127.0.0.1", "--skip-name-resolve",
                "--skip-log-bin", "--innodb-flush-log-at-trx-commit=2", "--innodb-doublewrite=0",
                "--innodb-flush-method=nosync", "--innodb-log-file-size=4M",
                "--innodb-buffer-pool-size=32M", "--performance-schema=OFF", "--character-set-server=latin1",
                "--sql-mode=ANSI,NO_BACKSLASH_ESCAPES", "--default-time-zone=+05:30",
                f"--ssl-cert={self.folder / 'server.pem'}", f"--ssl-key={self.folder / 'server.pem'}",
                f"--init-file={self.folder / 'users.sql'}", *more,
            ],
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        log.close()
        while True:
            try:
                self.connect("").close()
            except pymysql.OperationalError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
            else:
                return

    def stop(self) -> None:
        """Stop it, as an administrator does."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Let it die as in a crash."""
        self._end(signal.SIGKILL)

    def url(self, database: str, *, user: str = "root") -> str:
        """The address of a database, with name and password."""
        return f"mariadb://{user}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def empty(self) -> str:
        """The address of a new database with nothing in it."""
        name = f"empty_{os.getpid()}_{next(_numbers)}"
        self.run(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        return self.url(name)

    def run(self, *statements: str) -> None:
        """As the administrator."""
        with closing(self.connect("")) as db, db.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    # Any: PyMySQL has no types.
    def connect(self, database: str) -> Any:
        """A connection of somebody else's, by the driver alone."""
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user="root",
            password=PASSWORD,
            database=database or None,
            autocommit=True,
            charset="utf8mb4",
            init_command="SET sql_mode = ''",
        )

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None


@contextmanager
def mariadb_server() -> Generator[MariadbServer]:
    """A server that runs until the end of the block; its folder goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="daper-my-"))
    server = MariadbServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        subprocess.run(["/bin/sh", "-c", 'rm -rf "$1" &', "sh", str(folder)], check=True)


def _prepare(folder: Path) -> None:
    """The server's own tables, without those that mariadb-install-db takes seconds for."""
    (folder / "data").mkdir()
    scripts = next(path for name in ("mysql", "mariadb") if (path := Path("/usr/share") / name / _SCRIPTS[0]).exists())
    made = "\n".join((scripts.parent / name).read_text() for name in _SCRIPTS)
    log = (folder / "log").open("ab")
    subprocess.run(
        [
            _program("mariadbd"), "--no-defaults", *_user(), "--bootstrap", f"--datadir={folder / 'data'}",
            f"--tmpdir={folder}",
            "--innodb-flush-method=nosync", "--innodb-doublewrite=0", "--innodb-log-file-size=4M", "--skip-log-bin",
        ],
        input=f"CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket = NULL;\n{made}".encode(),
        check=True, stdout=subprocess.DEVNULL, stderr=log,
    )  # fmt: skip
    log.close()
    (folder / "users.sql").write_text(
        f"CREATE OR REPLACE USER root@127.0.0.1 IDENTIFIED BY '{PASSWORD}';\n"
        "GRANT ALL ON *.* TO root@127.0.0.1 WITH GRANT OPTION;\n"
    )


def _user() -> tuple[str, ...]:
    return ("--user=root",) if os.geteuid() == 0 else ()


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.defpath}:/usr/sbin:/usr/local/sbin:/usr/local/bin")
    assert found, f"{name} is not there: make mariadb"
    return found
