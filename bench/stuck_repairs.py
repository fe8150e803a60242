"""Repairing stuck workflows among many of a Temporal cluster: one of each group first, the others once that helped.

The cluster is a server on this machine, whose workflows have a worker of their own; `daper worker` is one process, as
it comes: at the default rate, and looking afterwards as late as it does. A person approves each plan as a whole.
"""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from temporalio.client import Client
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.testing import WorkflowEnvironment
from tests.stuck import StuckWorld, stuck_world
from tests.stuck_crowd import (
    ENVIRON,
    HOPELESS,
    WAYS,
    WORKFLOWS,
    Crowd,
    Way,
    acted_once,
    crowd,
    pasts,
    tried_since,
    well,
)
from tests.workflow.repair_story import Story, groups_of, story_of, went_first
from tests.workflow.shop import HARRY, Shop, answer
from tests.workflow.wide_shop import Weight, weigh

from bench import memory
from bench.bare import open_bare, shape_of
from bench.figures import Table, mb, s
from bench.measurement import Measurement
from bench.places import SQLITE, Place
from bench.server import loopback
from bench.worker_processes import workers
from daper.bootstrap import open_domains
from daper.core.models import MOST_PROBLEMS
from daper.core.outcomes import ActionOutcome, OutcomeStatus, RepairResult, VerificationStatus
from daper.core.phases import Phase
from daper.core.views import ActionView, RepairView
from daper.service.whole_plan import look_at_whole_plan
from daper.settings import load_settings

_FAST: Final = "10000"
_RUNNING_AND_WELL: Final = 0.1
_ENDS_WITHIN_S: Final = 1200
_NOTHING_DONE: Final = {OutcomeStatus.STALE, OutcomeStatus.SKIPPED, OutcomeStatus.LAPSED, OutcomeStatus.BLOCKED}
_MIXED: Final = (WAYS[0], HOPELESS, WAYS[4])


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many workflows there are, how many of them are stuck, how many problems a plan has, and how many are stuck in
    each way where one of the ways is not repaired.
    """

    workflows: int
    stuck: int
    problems: int
    each_beside: int


@dataclass(frozen=True, kw_only=True)
class ClusterPlace(Place):
    """A home, and which workflows are looked at from there."""

    given: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def environ(self) -> dict[str, str]:
        """What a person sets for that."""
        return {**super().environ, **self.given}


@dataclass(frozen=True, kw_only=True)
class Repaired:
    """One repair: its actions, how it ended, when what was done, what it weighs, and seconds until its plan waited.

    `bare`: seconds of a bare workflow with as many activities.
    """

    actions: Sequence[ActionView]
    result: RepairResult
    story: Story
    weight: Weight
    to_plan: float
    took: float
    bare: float

    @property
    def groups(self) -> Mapping[tuple[str, str], Sequence[str]]:
        """The ids of its actions, of each group that of the one that was tried first before the others."""
        return groups_of(self.actions)


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Who repairs: the service, and the process of the worker."""

    shop: Shop
    pid: int

    async def repair(self, problems: int) -> Repaired | None:
        """One repair, all of whose plan a person approves; None where there was nothing to do."""
        began = time.perf_counter()
        repair_id = await self.shop.start(domain="temporal", scope={"limit": problems})
        if not await self._waits(repair_id):
            return None
        to_plan = time.perf_counter() - began
        look = await look_at_whole_plan(self.shop.service, repair_id)
        assert isinstance(look, RepairView), look
        assert look.plan is not None, look
        await self.shop.service.decide(repair_id, answer(look.plan, by=HARRY))
        result = await self.shop.end(repair_id, within=_ENDS_WITHIN_S)
        took = time.perf_counter() - began
        assert result.phase is Phase.REPORT_COMPLETED, (result.phase, result.reason)
        return Repaired(
            actions=look.plan.actions,
            result=result,
            story=await story_of(self.shop.client, repair_id),
            weight=await weigh(self.shop.client, repair_id),
            to_plan=to_plan,
            took=took,
            bare=await self._bare(repair_id),
        )

    async def _bare(self, repair_id: str) -> float:
        client = self.shop.client
        async with open_bare(client) as bare:
            return await bare.run(await shape_of(client, repair_id))

    async def _waits(self, repair_id: str) -> bool:
        """Whether a plan of it waits for a person, once it does; else it has ended without one."""
        async with aclosing(self.shop.service.follow(repair_id)) as looks:
            async for look in looks:
                if isinstance(look, RepairResult):
                    assert look.phase is Phase.NO_REPAIR_NEEDED, (look.phase, look.reason)
                    return False
                if isinstance(look, RepairView) and look.phase is Phase.PENDING_APPROVAL and look.plan is not None:
                    return True
        raise AssertionError("it was not followed to its end")


@asynccontextmanager
async def on_shift(client: Client, home: Path, world: StuckWorld) -> AsyncGenerator[Shift]:
    """A worker process for the workflows of a world."""
    address = client.service_client.config.target_host
    given = {**ENVIRON, "TEMPORAL_ADDRESS": address, "DAPER_TEMPORAL_QUERY": f'TaskQueue = "{world.queue}"'}
    place = ClusterPlace(store=SQLITE, home=home, given=given)
    domain = open_domains(load_settings(environ={"DAPER_HOME": str(home), **place.environ}, folder=home))["temporal"]
    env = WorkflowEnvironment.from_client(client)
    shop = Shop(env, home, domains={"temporal": domain}, indexed=True, environ=place.environ)
    async with workers(place, shop, address, number=1) as [pid]:
        yield Shift(shop=shop, pid=pid)


def row_of(number: int, repaired: Repaired) -> tuple[str, ...]:
    """How long each part of a repair took, and what it weighs."""
    story, several = repaired.story, [group for group in repaired.groups.values() if len(group) > 1]
    firsts = [first for first in map(story.tried_first, several) if first]
    seen = [verified.ended_at for verified in map(story.verified, firsts) if verified]
    others = [done for action_id, done in story.effects.items() if action_id not in firsts]
    began = min(done.asked_at for done in story.effects.values())
    last = max((done.ended_at for done in others), default=began)
    went = (last - min((done.asked_at for done in others), default=began)).total_seconds()
    looked = max((done.ended_at for done in story.verifications), default=began)
    return (
        str(number),
        f"{len(repaired.actions):,}",
        s(repaired.to_plan),
        f"{len(firsts)} in {s((max(seen, default=began) - began).total_seconds())}",
        f"{len(others):,} in {s(went)}",
        f"{len(others) / went:,.0f}" if went else "-",
        str(story.at_once),
        s((looked - last).total_seconds()) if others else "-",
        s(repaired.took),
        s(repaired.bare),
        f"{repaired.weight.events:,}",
        f"{repaired.weight.history / 1e6:.2f} MB",
        f"{repaired.weight.largest / 1e3:,.0f} kB",
    )


def ways_of(many: Crowd, repairs: Sequence[Repaired], once: Counter[Way]) -> Iterator[tuple[str, ...]]:
    """For each way of being stuck which were tried first, how long that took, and what became of all."""
    tried: dict[Way, list[tuple[str, str, str]]] = defaultdict(list)
    done = Counter[Way]()
    for each in repairs:
        records = {action.id: action.record_id for action in each.actions}
        for group in each.groups.values():
            first = each.story.tried_first(group) if len(group) > 1 else None
            verified = each.story.verified(first) if first else None
            if first is None or verified is None:
                continue
            began = [other.asked_at for other in each.story.others(group)]
            seen = (verified.ended_at - each.story.effects[first].asked_at).total_seconds()
            waited = s((min(began) - verified.ended_at).total_seconds()) if began else f"none of {len(group) - 1}"
            tried[many.ways[records[first]]].append((records[first].rpartition("-")[2], s(seen), waited))
        resolved = {
            found.record_id
            for found in (each.result.verification.findings if each.result.verification else ())
            if found.status is VerificationStatus.RESOLVED
        }
        done.update(many.ways[record_id] for record_id in resolved)
    for way in dict.fromkeys(many.ways.values()):
        yield (
            f"{way.kind}, by {way.tool}",
            f"{len(many.stuck_by(way)):,}",
            ", ".join(f"no. {number}" for number, _, _ in tried[way]),
            ", ".join(seen for _, seen, _ in tried[way]),
            ", ".join(waited for _, _, waited in tried[way]),
            f"{done[way]:,}",
            f"{once[way]:,}",
        )


_WAYS_COLUMNS: Final = (
    "stuck as",
    "workflows",
    "tried first in a plan",
    "seen to help or not after",
    "first other after that",
    "repaired",
    "acted on, once",
)


async def acted_on(many: Crowd, repairs: Sequence[Repaired], tried: int) -> tuple[Counter[Way], list[str]]:
    """How many of each way were acted on once, and those that were acted on otherwise than once, or than was told.

    By outcomes, by what is in their histories, and by what their worker did.
    """
    outcomes: dict[str, list[ActionOutcome]] = defaultdict(list)
    for each in repairs:
        for outcome in each.result.outcomes:
            if outcome.status not in _NOTHING_DONE:
                outcomes[outcome.record_id].append(outcome)
    found, ran = await pasts(many.world, many.ways), tried_since(many.world, tried)
    once, odd = Counter[Way](), list[str]()
    for workflow_id, way in many.ways.items():
        told, past = outcomes[workflow_id], found[workflow_id]
        key = told[0].key if told else ""
        if len(told) <= 1 and acted_once(way, past, key=key, tried=ran[workflow_id]):
            once[way] += len(told)
        else:
            did = ", ".join(f"{each.tool} {each.status}" for each in told) or "nothing"
            odd.append(f"{workflow_id}: {did}; tried {ran[workflow_id]} times; {past}")
    return once, odd


async def all_of_them(client: Client, root: Path, size: Size) -> AsyncGenerator[Table]:
    """All that are stuck in five ways, until nothing is left."""
    async with stuck_world(client, root / "world", workflows=WORKFLOWS, calls_per_second=_FAST) as world:
        many = await crowd(world, WAYS, each=size.stuck // len(WAYS))
        number = size.workflows - len(many.ways)
        waiting = int(number * _RUNNING_AND_WELL)
        others = await well(world, waiting=waiting, not_begun=number - waiting)
        before = await pasts(world, others)
        tried = many.mend()
        repairs: list[Repaired] = []
        began = time.perf_counter()
        async with on_shift(client, root / "home", world) as shift:
            while (repaired := await shift.repair(size.problems)) is not None:
                assert went_first(repaired.story, repaired.groups), "another one was begun before the first had helped"
                repairs.append(repaired)
            took, most = time.perf_counter() - began, memory.most(shift.pid)
        once, odd = await acted_on(many, repairs, tried)
        assert await pasts(world, others) == before, "others were touched"
        assert not any(past.ours for past in before.values()), "there were traces before"
    yield Table(
        about=f"{size.workflows:,} workflows, of which {len(many.ways):,} are stuck in {len(WAYS)} ways: all repaired "
        f"after {s(took)}, with a last look that finds nothing; the other {len(others):,} have histories as before. "
        f"The worker had {mb(most)} at most.",
        columns=(
            "repair",
            "actions",
            "to its plan",
            "those tried first",
            "the others",
            "a second",
            "at once",
            "looking afterwards",
            "in all",
            "bare workflow",
            "events",
            "history",
            "largest payload",
        ),
        rows=tuple(row_of(place, each) for place, each in enumerate(repairs, start=1)),
    )
    yield Table(
        about="Who was tried first, and what became of the others.",
        columns=_WAYS_COLUMNS,
        rows=tuple(ways_of(many, repairs, once)),
    )
    assert once.total() == len(many.ways), odd


async def but_one_group(client: Client, root: Path, size: Size) -> AsyncGenerator[Table]:
    """Three groups, of which one is not repaired by what is done."""
    async with stuck_world(client, root / "world", workflows=WORKFLOWS, calls_per_second=_FAST) as world:
        many = await crowd(world, _MIXED, each=size.each_beside)
        tried = many.mend()
        async with on_shift(client, root / "home", world) as shift:
            repaired = await shift.repair(MOST_PROBLEMS)
        assert repaired is not None, "nothing was found"
        once, odd = await acted_on(many, [repaired], tried)
    skipped = Counter(
        many.ways[each.record_id] for each in repaired.result.outcomes if each.status is OutcomeStatus.SKIPPED
    )
    assert skipped == {HOPELESS: size.each_beside - 1}, skipped
    assert repaired.result.needs_person, "nobody was told"
    yield Table(
        about=f"{len(many.ways):,} stuck workflows in {len(_MIXED)} groups, of which one fails again by what is not "
        f"mended: its other {size.each_beside - 1:,} are left as they are, for a person. In all {s(repaired.took)}.",
        columns=_WAYS_COLUMNS,
        rows=tuple(ways_of(many, [repaired], once)),
    )
    assert not odd, odd


async def measure(root: Path, size: Size) -> AsyncGenerator[Table]:
    """All of them on one server, and then those of which one group is not repaired."""
    # Each failure of a workflow is logged, by the library and by what it is built on.
    logging.disable(logging.WARNING)
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=None)))
    async with loopback(root / "server.log") as client:
        async for table in all_of_them(client, root / "all", size):
            yield table
        async for table in but_one_group(client, root / "some", size):
            yield table


if __name__ == "__main__":
    Measurement(
        about=__doc__ or "",
        measure=measure,
        whole=Size(workflows=10_000, stuck=1_000, problems=MOST_PROBLEMS, each_beside=50),
        quick=Size(workflows=60, stuck=20, problems=14, each_beside=3),
    ).main()
