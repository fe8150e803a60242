"""A process that looks for problems among the rows of a declared database, and then reads them with a plain driver.

`python -m bench.programs.detecting_rows KIND URL FOLDER SCOPED`; at the end it says what it took, as JSON.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from bench import memory
from bench.big_table import AS_OF, QUERY, SCOPE, Database
from bench.programs.detecting import Detected
from daper.core.models import Scope
from daper.entrypoints.cli.exits import leave


async def detect(database: Database, *, scoped: bool) -> Detected:
    """Look through all rows that are looked at, a page at a time, as a cycle does."""
    domain, found, seen, page = database.domain(scoped=scoped), set[str](), 0, None
    await domain.store()
    memory.forget_most()
    began = time.perf_counter()
    while True:
        records = await domain.scan(Scope(), page)
        seen += sum(domain.head(record) is not None for record in records.records)
        found |= {finding.record_id for finding in domain.detect(records.records, AS_OF)}
        page = records.next_page
        if page is None:
            break
    seconds, most = time.perf_counter() - began, memory.most()
    memory.forget_most()
    with database.bare() as bare:
        began = time.perf_counter()
        where = f" WHERE {SCOPE}" if scoped else ""
        rows = sum(len(row) > 0 for row in bare.rows(f"{QUERY}{where} ORDER BY p.id"))
        bare_seconds = time.perf_counter() - began
    assert rows == seen, (rows, seen)
    return Detected(
        problems=len(found),
        looked_at=seen,
        seconds=seconds,
        memory=most,
        bare_seconds=bare_seconds,
        bare_memory=memory.most(),
    )


def main(kind: str, url: str, folder: str, scoped: str) -> None:
    """Say it, and end."""
    database = Database(kind=kind, url=url, folder=Path(folder))
    print(json.dumps(asdict(asyncio.run(detect(database, scoped=scoped == "scoped")))))
    leave(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
