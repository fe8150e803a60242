"""What pages, a plan's records, an effect and an undo cost without daper: the same statements by the plain driver."""

import time
from collections.abc import Sequence
from typing import Final

from bench.bare_rows import BareRows
from bench.big_table import QUERY, SCOPE
from daper.stores.rows.address import SQLITE

_PAGE: Final = 50
_KEPT: Final = "SELECT written FROM daper_ledger WHERE domain = ? AND effect_key = ?"
_KEEP: Final = "INSERT INTO daper_ledger (domain, effect_key, written) VALUES (?, ?, ?)"
_DO: Final = (
    "UPDATE payments SET status = 'queued', attempts = attempts + 1, failure_code = NULL WHERE id = ? AND attempts < 4"
)
_UNDO: Final = "UPDATE payments SET status = ?, attempts = ?, failure_code = ? WHERE id = ?"


class BarePayments:
    """One connection; each method gives the seconds that it took."""

    def __init__(self, bare: BareRows) -> None:
        self._bare = bare
        self._number = 0
        self._written: object = None
        self._payment = 0
        self._before: Sequence[object] = ()

    def records(self, ids: Sequence[int]) -> float:
        """The rows with these ids."""
        began = time.perf_counter()
        self._bare.run(f"{QUERY} WHERE p.id IN ({', '.join('?' * len(ids))}) ORDER BY p.id", *ids)
        return time.perf_counter() - began

    def page(self, *, scoped: bool, after: int | None = None, search: str = "") -> float:
        """Fifty rows, and how many there are in all."""
        conditions, values = ([SCOPE] if scoped else []), list[object]()
        if search:
            conditions.append("lower(o.customer) LIKE ?")
            values.append(f"%{search.lower()}%")
        total = f"SELECT count(*) FROM ({QUERY}{_where(conditions)}) AS r"  # noqa: S608 - ours
        rows = f"{QUERY}{_where([*conditions, *([] if after is None else ['p.id > ?'])])} ORDER BY p.id LIMIT {_PAGE}"
        began = time.perf_counter()
        self._bare.run(total, *values)
        self._bare.run(rows, *values, *([] if after is None else [after]))
        return time.perf_counter() - began

    def effect(self, payment: int) -> float:
        """One change of a row, with a row of the ledger as long as daper's, until it is on the disk."""
        self._number += 1
        self._payment = payment
        if self._written is None:
            [[self._written]] = self._bare.run("SELECT written FROM daper_ledger LIMIT 1")
        began = time.perf_counter()
        self._bare.begin()
        self._bare.run(_KEPT, "bare", f"bare-{self._number}")
        [self._before] = self._row(payment)
        self._bare.run(_DO, payment)
        self._row(payment)
        self._bare.run(_KEEP, "bare", f"bare-{self._number}", self._written)
        self._bare.run("COMMIT")
        return time.perf_counter() - began

    def undo(self) -> float:
        """Take the last effect back."""
        began = time.perf_counter()
        self._bare.begin()
        self._bare.run(_KEPT, "bare", f"bare-{self._number}")
        self._row(self._payment)
        self._bare.run(_UNDO, *self._before, self._payment)
        self._row(self._payment)
        self._bare.run(_KEEP, "bare", f"bare-{self._number}-undo", self._written)
        self._bare.run("COMMIT")
        return time.perf_counter() - began

    def _row(self, payment: int) -> list[tuple[object, ...]]:
        lock = "" if self._bare.kind == SQLITE else " FOR UPDATE"
        return self._bare.run(f"SELECT status, attempts, failure_code FROM payments WHERE id = ?{lock}", payment)  # noqa: S608 - ours


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""
