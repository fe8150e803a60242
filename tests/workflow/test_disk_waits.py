"""A disk that refuses for a while is waited for, in every phase: told, stoppable, and then each effect once."""

import asyncio
import errno
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from temporalio.common import RetryPolicy
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer
from temporalio.workflow import ActivityConfig

from daper.activities.server_clock import ServerClock
from daper.adapters.reports import archive
from daper.adapters.temporal.codec import data_converter
from daper.core.errors import CannotSettle, StoreBusy, StoreDamaged, StoreError, StoreUnavailable, WrongStore
from daper.core.outcomes import Effect, OutcomeStatus, RepairResult
from daper.core.phases import Phase
from daper.core.views import PlanView, RepairView
from daper.entrypoints.cli.repair_view import look_lines
from daper.entrypoints.mcp.presentation import details_of
from daper.ports import ToolCall
from daper.stores.jsonfiles.disk import PosixDisk
from daper.stores.sql.sqlite_database import SqliteDatabase
from daper.workflows import options
from daper.workflows.repair import RepairAgentWorkflow
from tests.workflow.scripted import ScriptedOrders, ScriptedTool
from tests.workflow.shop import Shop, open_shop, outcome_of
from tests.workflow.test_details import current_details

BADGES = "ORD-002-HJG"
ONE = {"record_ids": [BADGES]}
FOREVER = 10_000


def soon_again(_: int) -> timedelta:
    return timedelta(milliseconds=20)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test need not wait for long until the disk is asked again."""
    monkeypatch.setattr(options, "AGAIN_AFTER", timedelta(milliseconds=20))
    monkeypatch.setattr(options, "between_rounds", soon_again)


class Disk:
    """What a test makes of the disk under the records: `refuses` is the error of each write, while there is one."""

    def __init__(self) -> None:
        self.refuses: int | None = None
        self.left = 0

    def fill(self, code: int = errno.ENOSPC, *, times: int = FOREVER) -> None:
        self.refuses, self.left = code, times

    def mend(self) -> None:
        self.refuses = None

    def ask(self, path: Path) -> None:
        if self.refuses is not None and self.left > 0:
            self.left -= 1
            raise OSError(self.refuses, os.strerror(self.refuses), str(path))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The disk of the records, of memory and of reports."""
    disk, write_new, transaction, replace_file = (
        Disk(),
        PosixDisk.write_new,
        SqliteDatabase.transaction,
        archive.replace_file,
    )

    def write(self: PosixDisk, path: Path, data: bytes, *, mode: int | None = None) -> None:
        disk.ask(path)
        write_new(self, path, data, mode=mode)

    @contextmanager
    def begin(self: SqliteDatabase, *, busy_seconds: float = 10) -> Generator[object]:
        try:
            disk.ask(self.path)
        except OSError as error:
            raise StoreUnavailable(f"{self.named}: {error.strerror}") from error
        with transaction(self, busy_seconds=busy_seconds) as db:
            yield db

    def replace(path: Path, data: bytes) -> None:
        disk.ask(path)
        replace_file(path, data)

    monkeypatch.setattr(PosixDisk, "write_new", write)
    monkeypatch.setattr(SqliteDatabase, "transaction", begin)
    monkeypatch.setattr(archive, "replace_file", replace)
    return disk


async def waiting(shop: Shop, repair_id: str, *words: str, phase: Phase | None = None) -> RepairView:
    """The first look at a repair that waits, and says so in these words."""
    return await shop.until(
        repair_id,
        lambda look: phase in {None, look.phase} and "waits" in look.message and all(w in look.message for w in words),
    )


async def approved(shop: Shop, *, decision_valid_for: timedelta = timedelta(hours=1)) -> tuple[str, PlanView]:
    repair_id = await shop.start(scope=ONE, decision_valid_for=decision_valid_for)
    return repair_id, await shop.plan(repair_id)


async def replays(shop: Shop, repair_id: str) -> None:
    """Its history, with the wait in it, is gone through again: another worker could take it up at any moment of it."""
    history = await shop.client.get_workflow_handle(repair_id).fetch_history()
    await Replayer(workflows=[RepairAgentWorkflow], data_converter=data_converter()).replay_workflow(history)


def tombstones(shop: Shop) -> int:
    rows = (shop.home / "data" / "orders" / "ledger").glob("*.json")
    return sum('"tombstone"' in path.read_text() for path in rows)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        pytest.param(errno.EROFS, "the disk is read-only", marks=pytest.mark.long),
        pytest.param(errno.EIO, "the disk fails", marks=pytest.mark.long),
    ],
)
async def test_a3_a_disk_that_refuses_after_an_approval_is_waited_for_and_told_at_every_door(
    temporal_env: WorkflowEnvironment, tmp_path: Path, disk: Disk, code: int, words: str
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id, plan = await approved(shop)
        disk.fill(code)
        await shop.decide(repair_id, plan)
        look = await waiting(shop, repair_id, words, str(tmp_path), phase=Phase.PENDING_REPAIR)
        assert any(words in line for line in look_lines(look)), "daper repair show, and --follow"
        assert words in details_of(look, page=1).message, "a chat client"
        assert words in await current_details(shop, repair_id), "the Temporal UI"
        assert "unless it is stopped" in look.message
        disk.mend()
        result = await shop.end(repair_id)
        await replays(shop, repair_id)
    assert outcome_of(result, BADGES).status is OutcomeStatus.APPLIED
    assert (result.phase, result.reason, shop.effects()) == (Phase.REPORT_COMPLETED, "", 1)
    assert shop.status(BADGES) == "completed"


@pytest.mark.long
async def test_a3_what_waits_for_a_disk_is_stopped_by_a_person_and_never_runs(
    temporal_env: WorkflowEnvironment, tmp_path: Path, disk: Disk
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id, plan = await approved(shop)
        disk.fill()
        await shop.decide(repair_id, plan)
        await waiting(shop, repair_id)
        await shop.service.stop(repair_id, by="Harry")
        await waiting(shop, repair_id, "being stopped", "the disk is full")
        disk.mend()
        result = await shop.end(repair_id)
        outcome = outcome_of(result, BADGES)
        assert (outcome.status, outcome.evidence) == (
            OutcomeStatus.LAPSED,
            ("the repair was stopped before this began",),
        )
        assert (result.phase, shop.effects(), tombstones(shop)) == (Phase.CANCELLED, 0, 1)
        await replays(shop, repair_id)
        assert shop.status(BADGES) == "pending-inventory"


@pytest.mark.long
async def test_a3_a_stop_ends_also_where_the_disk_never_comes_back_and_says_what_nobody_knows(
    temporal_env: WorkflowEnvironment, tmp_path: Path, disk: Disk
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id, plan = await approved(shop)
        disk.fill()
        await shop.decide(repair_id, plan)
        await waiting(shop, repair_id)
        await shop.service.stop(repair_id, by="Harry")
        await waiting(shop, repair_id, "being stopped")
        await temporal_env.fast_forward(shop.client.get_workflow_handle(repair_id), options.AFTER_A_STOP)
        result = await shop.end(repair_id)
        assert result.phase is Phase.CANCELLED
        assert outcome_of(result, BADGES).status is OutcomeStatus.UNKNOWN
        assert "the disk is full" in " ".join(outcome_of(result, BADGES).evidence)
        assert any("the report could not be written" in trouble for trouble in result.troubles)
        await replays(shop, repair_id)


@pytest.mark.long
async def test_a3_an_approval_lapses_while_its_disk_refuses_and_is_never_called_unknown(
    temporal_env: WorkflowEnvironment, tmp_path: Path, disk: Disk
) -> None:
    orders, calls = ScriptedOrders(tmp_path), list[ToolCall]()

    async def refuse(call: ToolCall) -> None:
        calls.append(call)

    orders.script("order_inventory", before=refuse)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        repair_id, plan = await approved(shop, decision_valid_for=timedelta(seconds=2))
        disk.fill()
        await shop.decide(repair_id, plan)
        await waiting(shop, repair_id)
        # The attempt that comes too late says so without the disk; then the ledger is asked, which waits for it.
        await shop.until_events(repair_id, *["EVENT_TYPE_ACTIVITY_TASK_FAILED"] * 2)
        disk.mend()
        again = await shop.plan(repair_id, round_number=2)
        assert shop.effects() == 0
        assert tombstones(shop) == 1
        await shop.decide(repair_id, again)
        result = await shop.end(repair_id)
        assert [outcome.status for outcome in result.outcomes] == [OutcomeStatus.LAPSED, OutcomeStatus.APPLIED]
        assert (shop.effects(), len({call.key for call in calls})) == (1, 2)


@pytest.mark.parametrize(
    "error",
    [
        StoreDamaged,
        *(pytest.param(each, marks=pytest.mark.long) for each in (StoreError, StoreUnavailable, WrongStore)),
    ],
)
async def test_a3_settling_asks_until_the_ledger_answers_whatever_kept_it_from_that(
    temporal_env: WorkflowEnvironment, tmp_path: Path, error: type[StoreError]
) -> None:
    orders, well = ScriptedOrders(tmp_path), False

    async def refuse(_: ToolCall) -> None:
        raise StoreError("not allowed")

    class Unsettled(ScriptedTool):
        async def settle(self, key: str) -> Effect | None:
            if not well:
                raise error("the ledger cannot be asked")
            return await super().settle(key)

    orders.replaced["order_inventory"] = Unsettled(orders.script("order_inventory").tool, before=refuse)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        repair_id, plan = await approved(shop)
        await shop.decide(repair_id, plan)
        await waiting(shop, repair_id, "the ledger cannot be asked")
        well = True
        result = await shop.end(repair_id)
        assert (outcome_of(result, BADGES).status, tombstones(shop)) == (OutcomeStatus.FAILED, 1)


@pytest.mark.parametrize("phase", [Phase.PLANNING_REPAIR, pytest.param(Phase.PENDING_REPORT, marks=pytest.mark.long)])
async def test_a3_memory_and_reports_wait_for_their_disk_too(
    temporal_env: WorkflowEnvironment, tmp_path: Path, disk: Disk, phase: Phase
) -> None:
    orders = ScriptedOrders(tmp_path)

    async def fill(_: ToolCall) -> None:
        disk.fill()

    orders.script("order_inventory", after=fill)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        if phase is Phase.PLANNING_REPAIR:
            disk.fill()
        repair_id = await shop.start(scope=ONE, auto_approve=True)
        await waiting(shop, repair_id, "No space left", phase=phase)
        disk.fill(times=0)
        orders.replaced.clear()
        result = await shop.end(repair_id)
        assert (result.troubles, result.counts.repaired) == ((), 1)
        assert result.paths is not None
        assert await shop.reports.read(repair_id) is not None


async def test_a3_a_repair_that_waits_for_its_memory_is_stopped_at_once(
    temporal_env: WorkflowEnvironment, tmp_path: Path, disk: Disk
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        disk.fill()
        repair_id = await shop.start(scope=ONE)
        await waiting(shop, repair_id, phase=Phase.PLANNING_REPAIR)
        await shop.service.stop(repair_id, by="Harry")
        await waiting(shop, repair_id, "being stopped", phase=Phase.PENDING_REPORT)
        disk.mend()
        result = await shop.end(repair_id)
        assert (result.phase, result.troubles) == (Phase.CANCELLED, ())


async def test_a4_a_repair_that_was_approved_outlasts_a_file_that_somebody_writes_in_place(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    path = tmp_path / "data" / "orders" / "orders.json"
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id, plan = await approved(shop)
        whole = path.read_bytes()
        path.write_bytes(whole[:100])
        await shop.decide(repair_id, plan)
        await waiting(shop, repair_id, "orders.json", "The file was left untouched")
        path.write_bytes(whole)
        result = await shop.end(repair_id)
        assert (outcome_of(result, BADGES).status, shop.effects()) == (OutcomeStatus.APPLIED, 1)


def half_done(monkeypatch: pytest.MonkeyPatch, *, edit: Callable[[], object]) -> None:
    """The first change that puts the stock in place is stopped there, and somebody edits the orders meanwhile."""
    rename, met = PosixDisk.rename, list[Path]()

    def stop(self: PosixDisk, source: Path, target: Path) -> None:
        if target.name == "inventory.json" and not met:
            met.append(target)
            edit()
            raise OSError(errno.EIO, "Input/output error", str(target))
        rename(self, source, target)

    monkeypatch.setattr(PosixDisk, "rename", stop)


@pytest.mark.long
@pytest.mark.parametrize("keep_edited", [True, False])
async def test_a5_while_records_must_be_recovered_repairs_wait_and_end_as_the_ledger_says(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep_edited: bool
) -> None:
    orders = ScriptedOrders(tmp_path)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        repair_id, plan = await approved(shop)
        other = await shop.start(scope={"record_ids": ["ORD-004-RHG"]})
        await shop.plan(other)
        half_done(monkeypatch, edit=lambda: shop.edit_order("ORD-006-DLM", notes="by hand"))
        await shop.decide(repair_id, plan)
        await waiting(shop, repair_id, "edited while a change was half done", "--keep-edited", "--finish")
        await shop.decide(other, await shop.plan(other))
        await waiting(shop, other, "edited while a change was half done")
        await orders.recover(keep_edited=keep_edited)
        results = [await shop.end(each) for each in (repair_id, other)]
        assert {result.phase for result in results} == {Phase.REPORT_COMPLETED}
        assert_as_the_ledger_says(shop, results)
        await replays(shop, repair_id)
        [badges] = [row for row in shop.document("inventory")["inventory"] if row["item_id"] == "STP-ORG-001"]
        happened = outcome_of(results[0], BADGES).status.took_effect
        assert badges["current_stock"] == (247 + 200 - 300 if happened else 247)
        assert happened is not keep_edited, "dropped, and its order is no more what the plan read; or finished"


def assert_as_the_ledger_says(shop: Shop, results: list[RepairResult]) -> None:
    for outcome in (outcome for result in results for outcome in result.outcomes):
        row = shop.home / "data" / "orders" / "ledger" / f"{outcome.key}.json"
        assert outcome.status is not OutcomeStatus.UNKNOWN
        assert outcome.status.took_effect == (row.exists() and '"kind": "effect"' in row.read_text())


def settles_with(orders: ScriptedOrders, word: Callable[[int], StoreError | None]) -> None:
    """The order of stock always fails, and its settling says these words one after another, counted from 1."""
    asked = count(1)

    async def refuse(_: ToolCall) -> None:
        raise StoreError("not allowed")

    class Settles(ScriptedTool):
        async def settle(self, key: str) -> Effect | None:
            if (error := word(next(asked))) is not None:
                raise error
            return await super().settle(key)

    orders.replaced["order_inventory"] = Settles(orders.script("order_inventory").tool, before=refuse)


@pytest.mark.long
async def test_a3_a_stop_also_ends_the_wait_for_records_that_somebody_holds(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    orders = ScriptedOrders(tmp_path)
    settles_with(orders, lambda _: StoreBusy("the records are held by a backup"))
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        repair_id, plan = await approved(shop)
        await shop.decide(repair_id, plan)
        await waiting(shop, repair_id, "held by a backup")
        await shop.service.stop(repair_id, by="Harry")
        await waiting(shop, repair_id, "being stopped")
        await temporal_env.fast_forward(shop.client.get_workflow_handle(repair_id), options.AFTER_A_STOP)
        result = await shop.end(repair_id)
        assert (result.phase, outcome_of(result, BADGES).status) == (Phase.CANCELLED, OutcomeStatus.UNKNOWN)


@pytest.mark.long
async def test_a3_reasons_that_take_turns_do_not_fill_the_history(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "REASONS_TOLD", 2)
    orders, last = ScriptedOrders(tmp_path), 9
    kinds = (StoreUnavailable, StoreDamaged)
    settles_with(orders, lambda asked: kinds[asked % 2](f"reason {asked}") if asked < last else None)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        repair_id, plan = await approved(shop)
        await shop.decide(repair_id, plan)
        result = await shop.end(repair_id)
        history = await shop.client.get_workflow_handle(repair_id).fetch_history()
        began = [event.activity_task_scheduled_event_attributes.activity_type.name for event in history.events]
        assert outcome_of(result, BADGES).status is OutcomeStatus.FAILED
        assert began.count("settle_action") == 4, "the first, two rounds that told their reason, and one for all others"
        await replays(shop, repair_id)


@pytest.mark.parametrize("rounds", [0, 1])
def test_a3_a_disk_that_is_back_is_asked_once_more_before_a_stop_gives_up(rounds: int) -> None:
    retry = options.outlasting({}, rounds).get("retry_policy")
    assert retry is not None
    longest = retry.maximum_interval
    assert longest is not None
    assert longest + timedelta(seconds=10) <= options.AFTER_A_STOP, "an attempt may wait ten seconds for a lock"


@pytest.mark.long
async def test_a8_what_a_clock_that_jumps_keeps_from_beginning_begins_while_its_approval_is_valid(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    effect, check, jumps = options.effect, ServerClock.check, count(1)

    def tried_twice(queue: str, *, begin_within: timedelta) -> ActivityConfig:
        how = effect(queue, begin_within=begin_within)
        return {**how, "retry_policy": RetryPolicy(initial_interval=timedelta(milliseconds=1), maximum_attempts=2)}

    def jumping(self: ServerClock, key: str, shown: timedelta) -> None:
        check(self, key, timedelta(minutes=jumped) if (jumped := next(jumps)) < 5 else shown)

    monkeypatch.setattr(options, "effect", tried_twice)
    monkeypatch.setattr(ServerClock, "check", jumping)
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id, plan = await approved(shop)
        await shop.decide(repair_id, plan)
        result = await shop.end(repair_id)
        assert (outcome_of(result, BADGES).status, shop.effects()) == (OutcomeStatus.APPLIED, 1)
        await replays(shop, repair_id)


@pytest.mark.long
async def test_a3_a_stop_lets_an_effect_end_that_is_under_way_after_a_wait(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    orders, acting, may_end, ended = ScriptedOrders(tmp_path), asyncio.Event(), asyncio.Event(), asyncio.Event()

    class Outside(ScriptedTool):
        """As an outside system: there is no trace of what was begun before it is through."""

        async def apply(self, call: ToolCall) -> Effect:
            self.calls.append(call)
            if len(self.calls) == 1:
                raise StoreUnavailable("the disk is full")
            acting.set()
            await may_end.wait()
            effect = await self.tool.apply(call)
            ended.set()
            return effect

        async def settle(self, key: str) -> Effect | None:
            if acting.is_set() and not ended.is_set():
                raise CannotSettle("asked, and no trace")
            return await super().settle(key)

    orders.replaced["order_inventory"] = Outside(orders.script("order_inventory").tool)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        repair_id, plan = await approved(shop)
        await shop.decide(repair_id, plan)
        await acting.wait()
        await shop.service.stop(repair_id, by="Harry")
        asyncio.get_running_loop().call_later(1, may_end.set)
        result = await shop.end(repair_id)
        assert outcome_of(result, BADGES).status is OutcomeStatus.APPLIED
