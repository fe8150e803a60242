"""A process that looks for problems among all orders of a place, and then reads the same rows with a plain driver.

`python -m bench.programs.detecting STORE HOME URL`; it says how far it is, and at the end what it took, as JSON.
"""

import asyncio
import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg

from bench import memory
from bench.big_shop import AS_OF
from bench.places import JSON, SQLITE, Place
from daper.core.models import Scope
from daper.entrypoints.cli.exits import leave

_TOLD_EVERY = 50_000
_AT_ONCE = 500
_OPEN = "SELECT {data} FROM daper_orders WHERE status <> 'completed' ORDER BY position"


@dataclass(frozen=True, kw_only=True)
class Detected:
    """Seconds, and the most memory in bytes: of the rules, and of a plain read of the same rows."""

    problems: int
    looked_at: int
    seconds: float
    memory: int
    bare_seconds: float
    bare_memory: int


async def detect(place: Place) -> Detected:
    """Look through all orders that are not closed, a page at a time."""
    domain, found, seen, page = place.domain(), set[str](), 0, None
    await domain.store()
    memory.forget_most()
    began = time.perf_counter()
    while True:
        records = await domain.scan_open(Scope(), page)
        heads = sum(domain.head(record) is not None for record in records.records)
        found |= {finding.record_id for finding in domain.detect(records.records, AS_OF)}
        if (seen + heads) // _TOLD_EVERY > seen // _TOLD_EVERY:
            print(f"{seen + heads:,} orders, {time.perf_counter() - began:.1f} s", file=sys.stderr, flush=True)
        seen, page = seen + heads, records.next_page
        if page is None:
            break
    seconds, most = time.perf_counter() - began, memory.most()
    memory.forget_most()
    began = time.perf_counter()
    rows = sum(isinstance(json.loads(text), dict) for text in texts(place))
    assert place.store == JSON or rows == seen, (rows, seen)
    return Detected(
        problems=len(found),
        looked_at=seen,
        seconds=seconds,
        memory=most,
        bare_seconds=time.perf_counter() - began,
        bare_memory=memory.most(),
    )


def texts(place: Place) -> Iterator[str]:
    """The documents of the same orders as they are kept, by a plain driver."""
    if place.store == JSON:
        yield from (path.read_text("utf-8") for path in place.folder.glob("*.json"))
    elif place.store == SQLITE:
        with closing(sqlite3.connect(place.file)) as db:
            rows = db.execute(_OPEN.format(data="data"))
            while part := rows.fetchmany(_AT_ONCE):
                yield from (str(data) for (data,) in part)
    else:
        with psycopg.connect(place.url) as connection, connection.cursor("bare") as cursor:
            cursor.execute(_OPEN.format(data="data::text").encode())
            while part := cursor.fetchmany(_AT_ONCE):
                yield from (str(data) for (data,) in part)


def main(store: str, home: str, url: str) -> None:
    """Say it, and end."""
    print(json.dumps(asdict(asyncio.run(detect(Place(store=store, home=Path(home), url=url))))))
    leave(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
