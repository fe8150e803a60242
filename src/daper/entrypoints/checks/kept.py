"""What `daper doctor` finds of all that is kept under DAPER_HOME: each is opened, and nothing is changed."""

import os
import shlex
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

from daper.adapters.form_key import FORM_KEY
from daper.adapters.regular_file import is_there
from daper.adapters.reports.archive import broken_reports
from daper.adapters.state import StatePlace
from daper.adapters.temporal.kept_server import DATABASE
from daper.adapters.tokens.files import TOKENS
from daper.core.errors import StoreDamaged, StoreError
from daper.core.text import counted
from daper.entrypoints.checks.check import Check, checked, in_thread

_NONE_YET: Final = "none yet"
_NAMED: Final = 3


async def check_kept(home: Path, state: StatePlace | None) -> list[Check]:
    """The state, reports, transcripts, logs, tokens, the key of forms, and what Temporal keeps.

    `state` is None where nobody can tell in which database it is; a shared one is looked at beside this.
    """
    kept: list[Check] = []
    if state is not None:
        kept = [
            *([] if state.shared else [*await _state(state), *await _files(home)]),
            await _quick(_called(state, "access tokens", TOKENS), partial(_tokens, state), needed=False),
            await _quick(_called(state, "key of forms", FORM_KEY), partial(_form_key, state), needed=False),
        ]
    return [
        await _quick(f"privacy of {home}", partial(_privacy, home), needed=False),
        *kept,
        await _quick(f"logs {home / 'logs'}", partial(_folder, home / "logs"), needed=False),
        await _quick(f"Temporal's file {home / DATABASE}", partial(_temporal, home / DATABASE), needed=False),
    ]


def _called(state: StatePlace, what: str, name: str) -> str:
    return f"{what} in the database" if state.shared else f"{what} {state.home / name}"


async def _files(home: Path) -> list[Check]:
    """What is in the database where that is shared."""
    return [
        await _quick(f"reports {home / 'reports'}", partial(_reports, home / "reports")),
        await _quick(f"transcripts {home / 'transcripts'}", partial(_folder, home / "transcripts"), needed=False),
    ]


async def _state(state: StatePlace) -> list[Check]:
    """Memory, spending and answers in their database; and what the next use of it takes in."""
    from daper.stores.sql import former_files  # SQL, which few commands need

    database = state.database()
    return [
        await _quick(database.named, lambda: "can be used" if database.look_over() else _NONE_YET),
        *[
            await _quick(f"former {path.name} {path}", partial(_former, path, former_files.look_over))
            for path in state.former_files()
        ],
    ]


def _former(path: Path, look_over: Callable[[Path], None]) -> str:
    look_over(path)
    return f"the next use takes it in, and keeps it as {path.name}.taken-in"


async def _quick(name: str, look: Callable[[], str], *, needed: bool = True) -> Check:
    return await checked(name, partial(in_thread, look), needed=needed)


def _privacy(home: Path) -> str:
    """Whether others can look into the folder."""
    if is_there(home) and (mode := stat.S_IMODE(home.stat().st_mode)) & 0o077:
        raise StoreError(
            f"others may look into it ({mode:o}); a worker makes it private where all in it is daper's; where that is "
            f"not so, unless you mean it: chmod 700 {shlex.quote(str(home))}"
        )
    return "its owner alone can read it" if is_there(home) else _NONE_YET


def _reports(folder: Path) -> str:
    said = _folder(folder)
    if said == _NONE_YET:
        return said
    number, broken = broken_reports(folder)
    if broken:
        named = ", ".join(broken[:_NAMED])
        named += f" and {len(broken) - _NAMED} more" if len(broken) > _NAMED else ""
        raise StoreDamaged(
            f"{counted(len(broken), 'report')} of {number} cannot be read: {named}; "
            "bring them back from a copy, or move them away; the other repairs are listed without them"
        )
    return counted(number, "report")


def _folder(folder: Path) -> str:
    """Raises StoreDamaged for a folder that is none, or in which nobody of us may write."""
    if not is_there(folder):
        return _NONE_YET
    if not folder.is_dir():
        raise StoreDamaged(f"{str(folder)!r} is no folder; move it away, and a new one is made")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise StoreDamaged(f"{str(folder)!r} cannot be read and written; mend its rights")
    return "can be used"


def _tokens(state: StatePlace) -> str:
    tokens = state.tokens()
    return counted(len(tokens.grants()), "token") if tokens.in_use else _NONE_YET


def _form_key(state: StatePlace) -> str:
    return _NONE_YET if state.form_key().read() is None else "can be used"


def _temporal(path: Path) -> str:
    """Read without a lock, beside a server that may run."""
    if not is_there(path):
        return f"{_NONE_YET}; daper up makes it"
    if not path.is_file():
        raise StoreDamaged(f"{str(path)!r} is no file; move it away, and daper up makes a new one")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        raise StoreDamaged(
            f"{str(path)!r} is damaged ({error}); move it away, and daper up makes a new one. Open repairs are gone "
            "then, ended ones are still in reports"
        ) from error
    return "can be used"
