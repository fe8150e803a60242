"""Writers on one database, killed with -9 at random moments, and the server itself, while they write; then a reckoning.

`python -m tests.faults.database_harness --seconds 30 [--kind KIND] [--writers 50] [--seed S]`.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from daper.ports import ToolCall
from daper.ports.store import LedgerRow
from tests.faults.database_boxes import BOXES, START, boxes_at, declared_at, leave_databases
from tests.faults.database_team import Writers
from tests.faults.database_writer import TOOK_EFFECT
from tests.mariadb import MariadbServer, mariadb_server
from tests.postgresql import PostgresqlServer, postgresql_server

Server = MariadbServer | PostgresqlServer
_SERVERS: Final[dict[str, Callable[[], AbstractContextManager[Server]]]] = {
    "postgresql": postgresql_server,
    "mariadb": mariadb_server,
}
KINDS: Final = ("sqlite", "postgresql", "declared in sqlite", "declared in postgresql", "declared in mariadb")
_PATIENCE = 60.0


@dataclass(kw_only=True)
class Outcome:
    """What a run did, and what is wrong with what it left."""

    seed: int
    kind: str
    seconds: float
    kills: int
    restarts: Counter[str]
    told: int
    left: int
    rows: Counter[str]
    problems: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        ends = ", ".join(f"{count} {how}" for how, count in sorted(self.restarts.items())) or "none"
        rows = ", ".join(f"{count} {status}" for status, count in sorted(self.rows.items()))
        return "\n".join(
            (
                f"seed {self.seed}, {self.kind}: {self.seconds:.1f} s, {self.kills} processes of writers killed, ends "
                f"of the server: {ends}; {self.left} attempts, also killed ones, made again by another one",
                f"{rows}; {self.told} told as applied, {self.rows['applied'] / self.seconds:.0f} effects a second",
                *(f"WRONG: {problem}" for problem in self.problems),
                "nothing twice, nothing lost" if not self.problems else "",
            )
        )


def run(
    *,
    kind: str,
    seed: int,
    folder: Path,
    seconds: float,
    writers: int = 50,
    processes: int = 5,
    restart_every: float = 4,
) -> Outcome:
    """Write for so long, and until each kind of trouble was there; then look what is left."""
    with ExitStack() as stack:
        server = stack.enter_context(_SERVERS[name]()) if (name := kind.split()[-1]) in _SERVERS else None
        address = _address(kind, folder, server)
        boxes_at(address).begin()
        team = Writers(address, writers=-(-writers // processes), seed=seed, folder=folder)
        stack.callback(leave_databases)
        stack.callback(team.abandon)
        for _ in range(processes):
            team.start()
        _until(lambda: len(team.told) >= processes)
        trouble = Trouble(team, server, random.Random(seed), every=restart_every)
        began = time.monotonic()
        while time.monotonic() < began + seconds or not trouble.seen:
            trouble.strike()
        team.end()
        lasted = time.monotonic() - began
        left = _finish(address, team)
        rows, problems = reckon(address, team.told)
        return Outcome(
            seed=seed,
            kind=kind,
            seconds=lasted,
            kills=trouble.kills,
            restarts=trouble.restarts,
            told=len(team.told),
            left=left,
            rows=rows,
            problems=(*team.wrong, *problems),
        )


class Trouble:
    """Kills a process of writers after some more effects, and now and then the server."""

    def __init__(self, team: Writers, server: Server | None, rng: random.Random, *, every: float) -> None:
        self._team = team
        self._server = server
        self._rng = rng
        self._every = every
        self._restart_at = time.monotonic() + every * rng.uniform(0, 0.5)
        self.kills = 0
        self.restarts = Counter[str]()

    @property
    def seen(self) -> bool:
        """Whether all that can go wrong has, once at least."""
        return bool(self.kills and (self.restarts or not self._server))

    def strike(self) -> None:
        """Wait for some more effects, and do something."""
        _some_more(self._team, self._rng.randint(1, 20), within=self._rng.uniform(0.2, 1))
        if self._server and time.monotonic() >= self._restart_at:
            how = self._rng.choice(("stop", "crash"))
            self.restarts[how] += 1
            _restart(self._server, how)
            self._restart_at = time.monotonic() + self._every * self._rng.uniform(0.5, 1.5)
        elif self._rng.random() < 0.4:
            self.kills += 1
            self._team.kill(self._rng.choice(self._team.running))


def _finish(address: str, team: Writers) -> int:
    """Make the attempts anew of which nobody was told, as on another machine; how many there were."""
    tool = boxes_at(address).tool
    known = {call.key for call in team.told}
    left = [call for key, call in team.begun.items() if key not in known]
    for call in left:
        if asyncio.run(tool.apply(call)).status in TOOK_EFFECT:
            team.told.append(call)
    return len(left)


def reckon(address: str, told: Sequence[ToolCall]) -> tuple[Counter[str], tuple[str, ...]]:
    """How many rows the ledger has of each status, and what contradicts it: stock, outbox, or what was told."""
    boxes = boxes_at(address)
    ledger = boxes.ledger()
    effects = {row.key: row for row in ledger if row.kind == "effect"}
    sent, wrong = boxes.sent(), list[str]()
    for box in BOXES:
        added = sum(_amount(row) for row in effects.values() if row.record_id == box)
        held = boxes.held(box)
        if held != START + added:
            wrong.append(f"box {box} holds {held}, and the ledger says {START} + {added}")
    if sent is not None:
        wrong += [f"{key} sent {count} messages" for key, count in sent.items() if count != 1 or key not in effects]
        wrong += [f"{key} took effect and sent nothing" for key in effects if key not in sent]
    wrong += [f"{key} has an effect that is {row.effect.status}" for key, row in effects.items() if not _took(row)]
    for call in told:
        row = effects.get(call.key)
        if row is None or (row.record_id, _amount(row)) != (call.record_id, call.arguments["amount"]):
            wrong.append(f"{call.key} was told as {call}, and the ledger says {row}")
    wrong += [f"{key} was told {n} times" for key, n in Counter(call.key for call in told).items() if n > 1]
    return Counter(str(row.effect.status) for row in ledger), tuple(wrong)


def _took(row: LedgerRow) -> bool:
    return row.effect.status in TOOK_EFFECT


def _amount(row: LedgerRow) -> int:
    before, after = row.effect.before.get("held"), row.effect.after.get("held")
    assert isinstance(before, int)
    assert isinstance(after, int)
    return after - before


def _address(kind: str, folder: Path, server: Server | None) -> str:
    if kind.startswith("declared"):
        return declared_at(folder, server.empty() if server else f"sqlite:///{folder / 'boxes.db'}")
    return server.empty() if server else str(folder / "boxes.db")


def _restart(server: Server, how: str) -> None:
    if how == "stop":
        server.stop()
    else:
        server.kill()
    server.start()


def _some_more(team: Writers, count: int, *, within: float) -> None:
    wanted, end = len(team.told) + count, time.monotonic() + within
    while len(team.told) < wanted and time.monotonic() < end:
        time.sleep(0.005)


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("no writer was told of anything")
        time.sleep(0.01)


def main() -> int:
    """Run once and say what happened; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=KINDS, default="postgresql")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--writers", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    given = parser.parse_args()
    sys.stdout.write(f"seed {given.seed}\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(
            kind=given.kind, seconds=given.seconds, seed=given.seed, folder=Path(folder), writers=given.writers
        )
    sys.stdout.write(f"{outcome}\n")
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main())
