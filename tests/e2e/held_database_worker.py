"""`daper worker` that stands still for good at its first effect in a database: `within` its transaction, or `after` it.

`python -m tests.e2e.held_database_worker within|after`; it is made to be killed.
"""

import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from daper.entrypoints.cli.app import run
from daper.entrypoints.cli.exits import leave
from daper.ports.store import LedgerRow
from daper.stores.sql import documents
from daper.stores.sql.documents import DocumentChange, DocumentStore
from tests.faults.victims import die_with_parent

HELD: Final = "an effect stands still"
_change = DocumentStore.change


class HeldChange(DocumentChange):
    """Stands still when all of an effect is written, and nothing of it is to be seen."""

    def write_row(self, row: LedgerRow) -> None:
        super().write_row(row)
        if row.kind == "effect":
            stand_still()


@contextmanager
def held_after(store: DocumentStore) -> Generator[DocumentChange]:
    """A change that nobody is told of."""
    with _change(store) as made:
        yield made
    stand_still()


def stand_still() -> None:
    """Until the end of the process."""
    sys.stderr.write(f"{HELD}\n")
    sys.stderr.flush()
    threading.Event().wait()


def main(arguments: list[str]) -> int:
    die_with_parent()
    if arguments == ["within"]:
        documents.DocumentChange = HeldChange  # type: ignore[misc]
    else:
        DocumentStore.change = held_after  # type: ignore[method-assign,assignment]
    return run(["worker"])


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
