"""A domain that a file declares over a table of ever more rows: looking for problems, a plan's records, pages, effects.

Beside each the same statements of a plain driver.
"""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Final

from bench.bare_payments import BarePayments
from bench.big_table import AS_OF, DOMAIN, KINDS, NAMES, BigTable, Database, Databases, open_databases
from bench.figures import Table, Times, mb, ms, ratio, s
from bench.measurement import Measurement
from bench.programs.detecting import Detected
from daper.core.models import Scope
from daper.core.outcomes import Effect, OutcomeStatus
from daper.domains.declared.domain import DeclaredDomain
from daper.domains.declared.set_tool import SetTool
from daper.ports import ToolCall, Window
from daper.service.records import RecordsService

_PAGE: Final = 50
_PLANNED: Final = 50


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many rows there are, at most how many without a scope, how many have a problem; how often each is timed."""

    rows: tuple[int, ...]
    problems: int
    most_looked_at: int
    rounds: int


@dataclass(kw_only=True)
class Timed:
    """One thing, done by daper and bare in turn."""

    ours: Callable[[], Awaitable[float]]
    bare: Callable[[], float]
    took: list[float] = field(default_factory=list[float])
    beside: list[float] = field(default_factory=list[float])

    async def once(self) -> None:
        """Do it, both ways."""
        self.took.append(await self.ours())
        self.beside.append(self.bare())


class Repairs:
    """Effects on one payment after another, each taken back."""

    def __init__(self, domain: DeclaredDomain, ids: list[int]) -> None:
        self._domain = domain
        self._ids = ids
        self._number = 0
        self._done: tuple[SetTool, ToolCall, Effect] | None = None

    @property
    def payment(self) -> int:
        """The one whose turn it is."""
        return self._ids[self._number % len(self._ids)]

    async def effect(self) -> float:
        """Seconds that one takes, as the rules propose it, until it is on the disk."""
        records = await self._domain.context([str(self.payment)])
        [proposal] = self._domain.propose(self._domain.detect(records, AS_OF), records).proposals
        tool = self._domain.tools[proposal.tool]
        assert isinstance(tool, SetTool)
        reads = self._domain.terms(proposal, records).reads
        call = ToolCall(
            key=f"bench-{self._number}",
            record_id=proposal.record_id,
            arguments=proposal.arguments,
            expected=reads,
            today=AS_OF,
        )
        began = perf_counter()
        effect = await tool.apply(call)
        took = perf_counter() - began
        assert effect.status is OutcomeStatus.APPLIED, effect
        self._done = (tool, call, effect)
        return took

    async def undo(self) -> float:
        """Seconds until the last one is taken back."""
        assert self._done is not None
        tool, call, effect = self._done
        began = perf_counter()
        undone = await tool.undo(call, effect, key=f"{call.key}-undo")
        took = perf_counter() - began
        assert undone.status is OutcomeStatus.UNDONE, undone
        self._number += 1
        return took


async def detect(database: Database, *, scoped: bool) -> Detected:
    """In a process of its own. Raises RuntimeError."""
    where = (database.kind, database.url, str(database.folder), "scoped" if scoped else "whole")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.programs.detecting_rows", *where),
        stdout=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.DEVNULL,
    )
    said, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"it ended with {process.returncode}")
    return Detected(**json.loads(said))


def timed(database: Database, table: BigTable, bare: BarePayments) -> dict[str, Timed]:
    """What is timed, by name; an undo follows its effect."""
    domain, ids = database.domain(scoped=True), table.ids()
    planned, repairs = [str(each) for each in ids[:_PLANNED]], Repairs(domain, ids)

    async def records() -> float:
        began = perf_counter()
        await domain.context(planned)
        return perf_counter() - began

    def page(*, scoped: bool, after: int | None = None, search: str = "") -> Timed:
        service = RecordsService(domains={DOMAIN: database.domain(scoped=scoped)})
        window = Window(most=_PAGE, after="" if after is None else str(after), search=search)

        async def read() -> float:
            began = perf_counter()
            await service.page(DOMAIN, Scope(), window, now=AS_OF)
            return perf_counter() - began

        return Timed(ours=read, bare=lambda: bare.page(scoped=scoped, after=after, search=search))

    far = ids[-min(_PAGE, len(ids) // 2)]
    # Bare, another payment: nobody may have written to the one that is taken back.
    return {
        "records of a plan": Timed(ours=records, bare=lambda: bare.records(ids[:_PLANNED])),
        "first page": page(scoped=True),
        "far page": page(scoped=True, after=far),
        "page by a text": page(scoped=True, search=f"Customer {far // 10}"),
        "first page of all": page(scoped=False),
        "far page of all": page(scoped=False, after=table.rows - _PAGE - 1),
        "page of all by a text": page(scoped=False, search=f"Customer {far // 10}"),
        "effect": Timed(ours=repairs.effect, bare=lambda: bare.effect(repairs.payment + 1)),
        "undo": Timed(ours=repairs.undo, bare=bare.undo),
    }


async def measure(root: Path, size: Size) -> AsyncGenerator[Table]:
    """Looking for problems in each kind of database, with a scope and without one; and the rest by kind."""
    with open_databases(root) as databases:
        found: dict[bool, list[tuple[str, ...]]] = {True: [], False: []}
        tables: list[Table] = []
        for kind in KINDS:
            fewest: dict[bool, Detected] = {}
            smallest: dict[str, Times] = {}
            rows: list[tuple[str, ...]] = []
            for number in size.rows:
                database, table = _made(databases, kind, BigTable(rows=number, problems=size.problems))
                for scoped in (True, False) if number <= size.most_looked_at else (True,):
                    one = await detect(database, scoped=scoped)
                    assert one.problems == size.problems, one
                    name = f"{NAMES[kind]}, {number:,}"
                    found[scoped].append(_detected(name, one, fewest.setdefault(scoped, one)))
                rows += [
                    _row(f"{number:,}: {name}", each, smallest)
                    for name, each in (await _all_timed(database, table, size.rounds)).items()
                ]
            tables.append(_table(f"{NAMES[kind]}: each {size.rounds} times, in turn, one at a time.", rows))
        for scoped, told in ((True, "found by an index of their status"), (False, "no scope: each row is looked at")):
            yield Table(
                about=f"{size.problems} problems, {told}.",
                columns=("rows", "looked at", "time", "bare", "of bare", "memory, at most", "of the fewest", "bare"),
                rows=tuple(found[scoped]),
            )
        for each in tables:
            yield each


def _made(databases: Databases, kind: str, table: BigTable) -> tuple[Database, BigTable]:
    database = databases.new(kind)
    database.install(table)
    return database, table


async def _all_timed(database: Database, table: BigTable, rounds: int) -> dict[str, Timed]:
    with database.bare() as bare:
        things = timed(database, table, BarePayments(bare))
        for _ in range(rounds + 1):
            for each in things.values():
                await each.once()
    for each in things.values():  # the first time does not count, in which they read from the disk
        each.took, each.beside = each.took[1:], each.beside[1:]
    return things


def _detected(name: str, found: Detected, fewest: Detected) -> tuple[str, ...]:
    return (
        name,
        f"{found.looked_at:,}",
        s(found.seconds),
        s(found.bare_seconds),
        ratio(found.seconds, found.bare_seconds),
        mb(found.memory),
        ratio(found.memory, fewest.memory),
        mb(found.bare_memory),
    )


def _row(name: str, each: Timed, smallest: dict[str, Times]) -> tuple[str, ...]:
    ours, bare = Times.of(each.took), Times.of(each.beside)
    fewest = smallest.setdefault(name.partition(": ")[2], ours)
    figures = (ms(ours.p50), ms(ours.p99), ms(bare.p50), ratio(ours.p50, bare.p50), ratio(ours.p50, fewest.p50))
    return (name, *figures)


def _table(about: str, rows: list[tuple[str, ...]]) -> Table:
    columns = ("rows: what", "p50", "p99", "bare, p50", "of bare", "of the fewest rows")
    return Table(about=about, columns=columns, rows=tuple(rows))


if __name__ == "__main__":
    Measurement(
        about=__doc__ or "",
        measure=measure,
        whole=Size(rows=(10_000, 100_000, 1_000_000), problems=500, most_looked_at=100_000, rounds=5),
        quick=Size(rows=(200, 700), problems=8, most_looked_at=700, rounds=2),
    ).main()
