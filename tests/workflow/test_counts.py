"""What repairs count of themselves: each thing once, also by a worker that goes through every history anew."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from daper import workers
from daper.adapters.temporal.codec import data_converter
from daper.core.errors import StoreUnavailable
from daper.core.measures import ACTIONS, DECISIONS, FAILED, HELD, MEASURES, PHASES, WAITS
from daper.core.models import Verdict
from daper.core.phases import Phase
from daper.ports import ToolCall
from daper.workers import working
from tests.workflow.events import BADGES, EGG, named
from tests.workflow.scripted import ScriptedOrders
from tests.workflow.shop import HARRY, Shop

NAMES = {measure.base: measure.name for measure in MEASURES}
OURS = {label for measure in MEASURES for label in measure.labels}
Counted = Counter[tuple[str, frozenset[str]]]


class Told:
    """What a worker counted so far: how often, whatever was measured each time."""

    def __init__(self) -> None:
        self._buffer = MetricBuffer(100_000)
        self.runtime = Runtime(telemetry=TelemetryConfig(metrics=self._buffer))
        self._counted = Counted()

    def of(self, name: str, **labels: str) -> int:
        """How often something with these labels was."""
        for update in self._buffer.retrieve_updates():
            if update.metric.name in NAMES:
                told = frozenset(f"{key}={value}" for key, value in update.attributes.items() if key in OURS)
                number = int(update.value) if update.metric.kind == 0 else 1
                self._counted[NAMES[update.metric.name], told] += number
        wanted = {f"{key}={value}" for key, value in labels.items()}
        return sum(number for (found, told), number in self._counted.items() if found == name and wanted <= told)


@asynccontextmanager
async def forgetful(shop: Shop, told: Told, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[None]:
    """A worker that keeps no repair in memory: each task goes through the whole history."""
    monkeypatch.setattr(workers, "Worker", partial(Worker, max_cached_workflows=0))
    target = shop.client.service_client.config.target_host
    client = await Client.connect(target, data_converter=data_converter(), runtime=told.runtime)
    async with working(client, shop.settings, domains=shop.domains):
        yield


async def test_each_thing_is_counted_once_by_a_worker_that_goes_through_each_history_anew(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain, told = ScriptedOrders(tmp_path), Told()
    full = [StoreUnavailable("the disk is full")]

    async def refuses(_: ToolCall) -> None:
        if full:
            raise full.pop()

    for name in domain.tools:
        domain.script(name, before=refuses)
    shop = Shop(temporal_env, tmp_path, domains={"orders": domain}, indexed=True)
    async with forgetful(shop, told, monkeypatch):
        first = (await named(shop, BADGES, EGG)).repair_id
        plan = await shop.plan(first)
        second = await shop.end((await named(shop, BADGES, again=True)).repair_id)
        kept = next(action for action in plan.actions if action.record_id == BADGES)
        rejected = {action.id: Verdict.REJECT for action in plan.actions if action.record_id != BADGES}
        await shop.decide(first, plan, by=HARRY, **{kept.id: Verdict.APPROVE, **rejected})
        result = await shop.end(first)

    assert (result.phase, second.phase) == (Phase.REPORT_COMPLETED, Phase.NO_REPAIR_NEEDED)
    assert told.of(PHASES.name, domain="orders", phase="REPORT-COMPLETED") == 1
    assert told.of(PHASES.name, domain="orders", phase="NO-REPAIR-NEEDED") == 1
    assert told.of(PHASES.name, phase="ANALYZING-PROBLEMS") == 2
    assert told.of(PHASES.name, phase="PENDING-APPROVAL") == 1
    assert told.of(PHASES.name, phase="INITIALIZING") == 0
    assert told.of(DECISIONS.name) == told.of(
        DECISIONS.name, domain="orders", door="other", by="person", answer="both" if rejected else "approve"
    )
    assert told.of(DECISIONS.name) == 1
    assert told.of(ACTIONS.name, domain="orders", outcome="applied", tool=kept.tool) == 1
    assert told.of(ACTIONS.name, outcome="rejected") == len(rejected)
    assert told.of(ACTIONS.name) == len(result.outcomes)
    assert told.of(HELD.name, domain="orders") == 1
    assert told.of(WAITS.name, domain="orders", error="StoreUnavailable") == told.of(WAITS.name) == 1
    assert told.of(FAILED.name, domain="orders", step="apply_action", error="StoreUnavailable") == 1


async def test_a_repair_whose_store_never_answered_counts_under_no_name_that_somebody_wrote(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    async with forgetful(shop, told, monkeypatch):
        started = await named(shop, "ORD-NONE")
        result = await shop.end(started.repair_id)

    assert result.phase is Phase.REPAIR_FAILED
    assert told.of(PHASES.name, domain="other", phase="REPAIR-FAILED") == 1
    assert told.of(PHASES.name, domain="orders") == 0
