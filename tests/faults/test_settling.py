"""D1, S2: settling an effect while another process applies it, or is killed doing so; both ends always agree."""

import asyncio
import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from daper.core.outcomes import Effect, OutcomeStatus
from daper.domains.orders.domain import open_domain
from daper.ports import Settleable
from daper.stores.ledger import SETTLED
from tests.faults.checks import files
from tests.faults.victims import GO_ON, STOPPED, Attempt
from tests.faults.victims_run import Victims
from tests.unit.orders_shop import BADGES, Shop, shipped_shop

KEY = "5e771e" * 8
INTERLEAVINGS = 60
NEVER = 10_000  # changes of the disk: more than one effect makes


@dataclass(frozen=True, kw_only=True)
class Applier:
    """A process that makes attempts."""

    process: asyncio.subprocess.Process

    async def begin(self, shop: Shop, *, stop_at: int) -> None:
        call = await shop.call(BADGES, KEY)
        attempt = Attempt(
            folder=shop.folder,
            tool="order_inventory",
            key=KEY,
            record_id=call.record_id,
            arguments=dict(BADGES),
            expected=dict(call.expected),
            stop_at=stop_at,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(attempt.model_dump_json().encode() + b"\n")
        await self.process.stdin.drain()

    async def said(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(30):
            return (await self.process.stdout.readline()).decode().strip()


@pytest.fixture
async def applier(tmp_path: Path) -> AsyncIterator[Applier]:
    victims = Victims(tmp_path, {"HOME": str(tmp_path)})
    try:
        yield Applier(process=await victims.applier())
    finally:
        await victims.end()


async def test_an_attempt_after_the_tombstone_changes_nothing(tmp_path: Path) -> None:
    shop = await shipped_shop(tmp_path / "store")
    call, before = await shop.call(BADGES, KEY), shop.files()
    assert await settle(shop) is None
    late = await shop.tool("order_inventory").apply(call)
    assert (late.status, late.evidence) == (OutcomeStatus.FAILED, (SETTLED,))
    assert (shop.files(), await shop.domain.outbox()) == (before, ())


async def test_settling_after_the_effect_gives_the_effect(tmp_path: Path) -> None:
    shop = await shipped_shop(tmp_path / "store")
    applied = await shop.run("order_inventory", BADGES, KEY)
    assert await settle(shop) == applied
    assert applied.status is OutcomeStatus.APPLIED


@pytest.mark.long
async def test_both_ends_agree_whatever_settling_meets(tmp_path: Path, applier: Applier) -> None:
    """Another process applies: raced, or stopped between two writes and then let go on, or killed there."""
    template = await shipped_shop(tmp_path / "template")
    seen: Counter[str] = Counter()
    for seed in range(INTERLEAVINGS):
        folder = tmp_path / f"store-{seed}"
        shutil.copytree(template.folder, folder)
        shop = Shop(domain=open_domain(folder, {}), folder=folder)
        await shop.domain.adopt()
        seen[await interleave(shop, applier, random.Random(seed), template)] += 1
    for ending in ("killed: settled as never", "killed: the effect", "let go on: the effect"):
        assert seen[ending], f"no interleaving ended as {ending!r}: {dict(seen)}"


async def interleave(shop: Shop, applier: Applier, rng: random.Random, template: Shop) -> str:
    """One interleaving from its seed; says how it went."""
    raced = rng.random() < 0.3
    await applier.begin(shop, stop_at=NEVER if raced else rng.randint(0, 45))
    said = "" if raced else await applier.said()
    settling = asyncio.create_task(settle(shop))
    how = "raced"
    if said.startswith(STOPPED):
        await asyncio.sleep(0)  # settling begins, and finds the store held
        victim = int(said.split()[1])
        how = rng.choice(("killed", "let go on"))
        os.kill(victim, signal.SIGKILL if how == "killed" else GO_ON)
        said = ""
    answer = said or await applier.said()
    if answer.startswith("effect "):
        assert (await applier.said()) == "done"
    settled = await settling
    await agree(shop, settled, None if answer == "done" else answer, template)
    return f"{how}: {'settled as never' if settled is None else 'the effect'}"


async def agree(shop: Shop, settled: Effect | None, answer: str | None, template: Shop) -> None:
    """What settling said, what the other process said, what a late attempt is told, and what is in the files."""
    told = None if answer is None else Effect.model_validate_json(answer.removeprefix("effect "))
    call = await template.call(BADGES, KEY)
    late = await shop.tool("order_inventory").apply(call)
    if settled is None:
        assert told is None or (told.status, told.evidence) == (OutcomeStatus.FAILED, (SETTLED,))
        assert late.status is OutcomeStatus.FAILED
        assert shop.files() == template.files()
        assert await shop.domain.outbox() == ()
    else:
        assert told is None or told == settled
        assert late == settled.model_copy(update={"status": OutcomeStatus.ALREADY_APPLIED})
        assert shop.stock("STP-ORG-001")["current_stock"] == 247 + 200 - 300
        assert len(await shop.domain.outbox()) == 1
    assert await settle(shop) == settled
    assert list(files(shop.folder)) == []


async def settle(shop: Shop) -> Effect | None:
    tool = shop.tool("order_inventory")
    assert isinstance(tool, Settleable)
    return await tool.settle(KEY)
