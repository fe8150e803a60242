"""`server.json`: where a home's own server answers, for every other command on this machine."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, cast

from daper.adapters.regular_file import read_if_there
from daper.clock import new_id

SERVER_FILE: Final = "server.json"


@dataclass(frozen=True, kw_only=True)
class EmbeddedServer:
    """A server of ours: where it answers, which process it is, where its UI is, in which file it keeps repairs."""

    address: str
    pid: int
    ui_url: str | None = None
    db: str | None = None

    def to_json(self) -> str:
        """As it stands in a file."""
        return json.dumps(asdict(self), indent=2) + "\n"


def from_json(text: str | bytes) -> EmbeddedServer | None:
    """What a file says, or None if it says nothing that we wrote."""
    try:
        said: object = json.loads(text)
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    # Parsed text: a table of anything by anything, which isinstance cannot say.
    fields = cast("dict[object, object]", said)
    address, pid, ui_url, db = (fields.get(name) for name in ("address", "pid", "ui_url", "db"))
    if not isinstance(address, str) or type(pid) is not int or pid <= 0:
        return None
    return EmbeddedServer(
        address=address,
        pid=pid,
        ui_url=ui_url if isinstance(ui_url, str) else None,
        db=db if isinstance(db, str) else None,
    )


def announced_server(home: Path) -> EmbeddedServer | None:
    """The server in a home's `server.json`, if it is on this machine and the process that it names still lives.

    Raises OSError where something is there that cannot be read.
    """
    said = read_if_there(home / SERVER_FILE)
    server = None if said is None else from_json(said)
    here = server is not None and server.address.startswith("127.0.0.1:")
    return server if server is not None and here and _lives(server.pid) else None


def living_server(home: Path) -> EmbeddedServer | None:
    """The same, for whoever keeps that file: what cannot be read names none."""
    try:
        return announced_server(home)
    except OSError:
        return None


def announce(home: Path, server: EmbeddedServer) -> None:
    """Write a home's `server.json`, whole or not at all."""
    draft = home / f".{SERVER_FILE}.{new_id()}"
    draft.write_text(server.to_json(), encoding="utf-8")
    draft.replace(home / SERVER_FILE)


def withdraw(home: Path) -> None:
    """Remove a home's `server.json`."""
    (home / SERVER_FILE).unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:  # somebody else's, but there
        return True
    except (OSError, OverflowError):
        return False
    return True
