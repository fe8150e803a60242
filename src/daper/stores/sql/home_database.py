"""The one SQLite file of a home, which takes in the files that former versions kept."""

import logging
import os
from pathlib import Path
from typing import Final

from daper.stores.locks import alone
from daper.stores.sql.engine import Branch
from daper.stores.sql.former_files import FORMER, move_away, opened, take_in
from daper.stores.sql.sqlite_database import SqliteDatabase
from daper.stores.sql.state_schema import STATE

log = logging.getLogger(__name__)

STATE_FILE: Final = "daper.db"


class HomeDatabase(SqliteDatabase):
    """What is kept in a home beside records, reports and transcripts, in the file at `path`.

    The first use takes in what former versions wrote into files of their own, and gives those another name. Where one
    of them cannot be read, each use raises what a database raises, with its name, and all stays as it is.
    """

    def __init__(self, path: Path, *more: Branch) -> None:
        """`more`: branches that it is to have beside those of state."""
        super().__init__(path, [STATE, *more], what="state")

    def is_there(self) -> bool:
        """Whether there is anything by its name, or by that of a former file."""
        return super().is_there() or bool(self.former())

    def former(self) -> list[Path]:
        """The files of former versions that the next use takes in."""
        paths = (self.path.with_name(name) for name in FORMER)
        return [path for path in paths if os.path.lexists(path)]

    def _make_ready(self, known: tuple[int, int] | None) -> None:
        super()._make_ready(known)
        if self.former():
            with alone(self._lock):
                for path in self.former():  # what nobody else took in meanwhile
                    self._take_in(path)

    def _take_in(self, path: Path) -> None:
        """All of its rows, or none; again from the start where somebody was killed before it had another name.

        Nobody writes to either file in between: whoever uses the new one comes through here first.
        """
        with opened(path) as former:
            with self._changing() as db:
                take_in(former, path.name, db)
            away = move_away(path)
        log.info("a file of a former version was taken in", extra={"path": str(path), "kept_as": away.name})
