"""Lets everything go wrong at once while repairs are started and decided on, and counts what came of it.

`python -m tests.faults.chaos_harness --seed 11 12 13 --faults 100 --repairs 30`, or `--quick`; see docs/reliability.md.
"""

import argparse
import asyncio
import itertools
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from daper.adapters.state import StatePlace
from daper.adapters.temporal.connection import connect
from daper.bootstrap import open_service
from daper.core.errors import StoreError
from daper.core.outcomes import RepairResult
from daper.entrypoints.cli.exits import leave
from daper.settings import load_settings
from tests.faults.cases import Case, Desk, draw_case
from tests.faults.checks import Evidence, gather
from tests.faults.generated_shop import GeneratedShop
from tests.faults.kill_harness import hanging
from tests.faults.reckoning import Fault, Wrong, reckon
from tests.faults.site import Site
from tests.faults.troubles import Chaos, draw_troubles

AT_ONCE: Final = 4
_PATIENCE_S: Final = 150.0
_PROGRESS_S: Final = 15.0
_NEAR_S: Final = 2.0
_MOST_NEAR: Final = 15


@dataclass
class Journal:
    """What happened, and when."""

    began: float = field(default_factory=time.monotonic)
    lines: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])

    def tell(self, line: str) -> None:
        """Note it, with the time."""
        self.lines.append((time.monotonic(), line))

    def near(self, case: Case | None, *, most: int = _MOST_NEAR) -> list[str]:
        """The last of what happened while a repair was open, or at all."""
        first, last = (case.began - _NEAR_S, (case.ended or time.monotonic()) + _NEAR_S) if case else (0, float("inf"))
        found = [f"  {at - self.began:6.1f} s  {line}" for at, line in self.lines if first <= at <= last]
        return found[-most:]


@dataclass(kw_only=True)
class Outcome:
    """What a run did, and what is wrong with what it left."""

    seed: int
    disk: str
    seconds: float
    tail: float
    chaos: Chaos
    ended: Counter[str]
    told: Counter[str]
    shop: GeneratedShop
    cases: Sequence[Case]
    evidence: Evidence
    reports: Mapping[str, RepairResult | None]
    beside: str
    wrong: tuple[Wrong, ...]
    journal: Journal

    @property
    def counts(self) -> Counter[Fault]:
        """How often the promise was broken, in each way."""
        return Counter(one.fault for one in self.wrong)

    def __str__(self) -> str:
        statuses = Counter(str(outcome.status) for outcome in self.evidence.outcomes)
        phases = Counter(str(case.result.phase) for case in self.cases if case.result)
        return "\n".join(
            (
                f"seed {self.seed}: {self.chaos.done.total()} faults ({_counted(self.chaos.done)}), on {self.disk}",
                f"{self.seconds:.1f} s, of which {self.tail:.1f} s after the last fault; "
                f"{self.chaos.recoveries} recoveries; {self.chaos.edited_again} edits made again; "
                f"workers ended: {_counted(self.ended) or 'none'}",
                f"{len(self.cases)} repairs: {_counted(phases)}; "
                f"the person was told: {_counted(self.told) or 'nothing'}",
                f"{len(self.evidence.effects)} effects in the records; outcomes: {_counted(statuses)}",
                ", ".join(f"{fault}: {self.counts[fault]}" for fault in Fault),
                *(line for one in self.wrong for line in self._explained(one)),
            )
        )

    def _explained(self, one: Wrong) -> list[str]:
        case = next((case for case in self.cases if one.case and one.case in (case.repair_id, case.key)), None)
        return [f"WRONG ({one.fault}) {one.case} with seed {self.seed}: {one.what}", *self.journal.near(case)]


async def run(*, seed: int, faults: int, repairs: int, folder: Path) -> Outcome:
    """Start repairs until so many faults have come and gone, and at least so many repairs; wait; look what is left."""
    journal = Journal()
    site = Site(folder, queue="chaos", tell=journal.tell)
    try:
        return await _run(site, journal, seed=seed, faults=faults, repairs=repairs)
    finally:
        await site.end()
        await asyncio.to_thread(site.disk.end)


async def _run(site: Site, journal: Journal, *, seed: int, faults: int, repairs: int) -> Outcome:
    shop, cases = GeneratedShop(folder=site.records), list[Case]()
    shop.install()
    await site.open()
    settings = load_settings(environ=site.environment, folder=site.folder)
    client = await connect(settings)
    desk = Desk(await open_service(settings, client=client))
    chaos = Chaos(site, shop=shop, cases=cases, tell=journal.tell)
    began = time.monotonic()
    striking = asyncio.create_task(chaos.run(draw_troubles(faults, random.Random(seed))))
    beside = [asyncio.create_task(chaos.recover()), asyncio.create_task(_progress(journal, chaos, cases, faults))]
    try:
        going = await _start_all(desk, shop, cases, striking, seed=seed, repairs=repairs)
        await striking
        last = time.monotonic()
        if going:
            await asyncio.wait(going, timeout=_PATIENCE_S)
        stuck = [case.repair_id for case in cases if case.repair_id and case.result is None]
        if stuck:
            journal.tell(await hanging(client, stuck))
        for task in going:
            task.cancel()
        for task in going:
            with suppress(asyncio.CancelledError):
                await task
    finally:
        for task in (striking, *beside):
            task.cancel()
    ended = sum((post.ended for post in site.posts), Counter[str]())
    await site.end()
    results = [case.result for case in cases if case.result is not None]
    reports: dict[str, RepairResult | None] = {
        result.repair_id: await StatePlace(home=site.home).reports().read(result.repair_id) for result in results
    }
    # Its disk goes with the site; what is left of it stays to be looked at.
    shop.folder = await asyncio.to_thread(shutil.copytree, site.records, site.folder / "left")
    evidence = gather(shop, results)
    aside = "".join(path.read_text("utf-8", "replace") for path in shop.folder.glob("*.edited-*"))
    return Outcome(
        seed=seed,
        disk=site.disk.name,
        seconds=time.monotonic() - began,
        tail=time.monotonic() - last,
        chaos=chaos,
        ended=ended,
        told=desk.told,
        shop=shop,
        cases=cases,
        evidence=evidence,
        reports=reports,
        beside=aside,
        wrong=reckon(shop, evidence, cases=cases, reports=reports, others=chaos.others, beside=aside),
        journal=journal,
    )


async def _start_all(
    desk: Desk, shop: GeneratedShop, cases: list[Case], striking: asyncio.Task[None], *, seed: int, repairs: int
) -> set[asyncio.Task[None]]:
    """Repairs, a few at once, until there are enough and all faults have come; those that are still going on."""
    going, numbers = set[asyncio.Task[None]](), itertools.count()
    for wave in itertools.count():
        for records in await _wave(shop, wave):
            if striking.done() and len(cases) >= repairs:
                return going
            number = next(numbers)
            case = draw_case(f"{seed}-{number}", records, random.Random(f"{seed}-{number}"))
            cases.append(case)
            going.add(asyncio.create_task(desk.see_to(case)))
            while len(going) >= AT_ONCE:
                ended, going = await asyncio.wait(going, timeout=1, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    task.result()
                if striking.done():
                    striking.result()
                    if len(cases) >= repairs:
                        return going
    raise AssertionError  # pragma: no cover - never counted to the end


async def _wave(shop: GeneratedShop, wave: int) -> tuple[tuple[str, ...], ...]:
    """New orders for some repairs. A disk that refuses in the middle of it may have taken them all the same."""
    wanted = tuple(
        tuple(f"ORD-{wave}-{number}-{kind}" for kind in ("PAY", "OWN", "RST", "SHR")) for number in range(AT_ONCE)
    )
    while True:
        try:
            text = (shop.folder / "orders.json").read_text("utf-8")
            if f'"{wanted[0][0]}"' in text:
                return wanted
            return await asyncio.to_thread(shop.add_wave, wave, AT_ONCE)
        except StoreError:
            await asyncio.sleep(0.5)
            with suppress(StoreError):  # finishes what is half done
                await asyncio.to_thread(shop.store().read)


async def _progress(journal: Journal, chaos: Chaos, cases: Sequence[Case], faults: int) -> None:
    while True:
        await asyncio.sleep(_PROGRESS_S)
        ended = sum(case.result is not None for case in cases)
        sys.stdout.write(
            f"{time.monotonic() - journal.began:6.0f} s: {chaos.done.total()} of {faults} faults, "
            f"{ended} of {len(cases)} repairs ended\n"
        )
        sys.stdout.flush()


def _counted(what: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(what.items()))


def main() -> int:
    """Run once for each seed and say what happened; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, nargs="+", default=[random.SystemRandom().randrange(2**32)])
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--repairs", type=int, default=30)
    parser.add_argument("--log", action="store_true", help="say what went wrong, and when")
    parser.add_argument("--quick", action="store_true", help="20 faults, 8 repairs")
    given = parser.parse_args()
    faults, repairs = (20, 8) if given.quick else (given.faults, given.repairs)
    wrong = False
    for seed in given.seed:
        sys.stdout.write(f"seed {seed}\n")
        sys.stdout.flush()
        with tempfile.TemporaryDirectory() as folder:
            outcome = asyncio.run(run(seed=seed, faults=faults, repairs=repairs, folder=Path(folder)))
        if given.log:
            sys.stdout.write("\n".join([*outcome.journal.near(None, most=sys.maxsize), ""]))
        sys.stdout.write(f"{outcome}\n")
        wrong = wrong or bool(outcome.wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    leave(main())
