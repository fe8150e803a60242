"""What a worker counts: once each, by labels that do not grow, and as the docs have it."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from daper.adapters.metrics.counting import CountedAttempts, CountedSpending
from daper.adapters.metrics.exporter import Exporter, free_port, shown_at
from daper.core.errors import SpendingCapReached
from daper.core.measures import CALLS, COST, FAILED, MEASURES, TOKENS, known_door, known_error
from daper.core.messages import AnalyzeInput, CycleRef, RepairIds
from daper.core.usage import CallSpent, Role, Spent, Usage
from daper.entrypoints.cli.evaluation_run import DOOR as EVALUATION
from daper.entrypoints.cli.questions import DOOR as CLI
from daper.entrypoints.mcp.door import NAME as MCP
from daper.entrypoints.web.api.decisions import DOOR as API
from daper.entrypoints.web.console import DOOR as CONSOLE
from daper.ports import Caps, Reservation

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
DOORS = (CLI, MCP, EVALUATION, CONSOLE, API, "policy")
CYCLE = CycleRef(repair_id="r", cycle_id="c", domain="orders", store_id="s", today=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def counting() -> tuple[Runtime, MetricBuffer]:
    """The SDK's own meter, and what it is told."""
    told = MetricBuffer(10_000)
    return Runtime(telemetry=TelemetryConfig(metrics=told, attach_service_name=False)), told


def counted(told: MetricBuffer) -> Counter[tuple[str, str]]:
    """What was counted since the last look, by name and labels."""
    found = Counter[tuple[str, str]]()
    for update in told.retrieve_updates():
        labels = ",".join(f"{name}={value}" for name, value in sorted(update.attributes.items()))
        found[update.metric.name, labels] += update.value  # type: ignore[assignment]
    return found


def test_the_operations_page_has_every_figure_with_its_labels_and_no_other() -> None:
    rows = re.findall(r"^\| `(daper_\w+)` \| ([^|]*) \| ([^|]*) \|$", OPERATIONS.read_text("utf-8"), re.MULTILINE)

    assert rows == [(each.name, ", ".join(f"`{label}`" for label in each.labels), each.help) for each in MEASURES]


async def test_a_scraper_sees_each_figure_under_its_name_and_with_its_buckets() -> None:
    """As activities and workflows make them."""
    port = free_port()
    runtime = Runtime(telemetry=TelemetryConfig(metrics=shown_at(port), attach_service_name=False))
    meter = runtime.metric_meter
    for each in MEASURES:
        labels = dict.fromkeys(each.labels, 'a "label"\n')
        if each.name.endswith("_total"):
            meter.create_counter(each.base, each.help).add(2, labels)
        elif each.name.endswith("_seconds"):
            meter.create_histogram_timedelta(each.base, each.help, "s").record(timedelta(hours=2), labels)
        else:
            meter.create_histogram_float(each.base, each.help).record(0.5, labels)

    text = (await Exporter(port).text()).decode()

    assert {(found[0], found[1]) for found in re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE)} == {
        (each.name, "histogram" if each.buckets else "counter") for each in MEASURES
    }
    for each in MEASURES:
        assert f"# HELP {each.name} {each.help}\n" in text
        told = re.findall(rf'^{each.name}_bucket{{.*le="([^"]+)"}} ', text, re.MULTILINE)
        assert [float(bucket) for bucket in told] == [*each.buckets, float("inf")][: len(told)]
        assert bool(told) == bool(each.buckets)
    assert "daper_decision_delay_seconds_sum{" in text
    assert re.search(r"^daper_decision_delay_seconds_sum{.*} 7200$", text, re.MULTILINE)


async def test_an_exporter_that_is_not_there_is_an_error_that_is_expected() -> None:
    with pytest.raises(OSError, match="Connect call failed"):
        await Exporter(free_port()).text()


def test_names_of_doors_and_errors_are_those_we_know_and_no_others() -> None:
    assert [known_door(name) for name in DOORS] == [*DOORS]
    assert known_door("x" * 10_000) == "other"
    assert known_door("") == "other"
    assert known_error("StoreUnavailable") == "StoreUnavailable"
    assert known_error("CommandLine") == "other"
    assert known_error("Hermione's order") == "other"


class _Ends(ActivityInboundInterceptor):
    """An activity that ends so."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    async def execute_activity(self, input: ExecuteActivityInput) -> object:
        if self._error is not None:
            raise self._error
        return None


async def attempt(counting: tuple[Runtime, MetricBuffer], given: object, error: Exception | None) -> None:
    """One attempt of an activity."""
    interceptor = CountedAttempts(counting[0].metric_meter, domains={"orders"})
    around = interceptor.intercept_activity(_Ends(error))
    input = ExecuteActivityInput(fn=attempt, args=[given], executor=None, headers={})
    await ActivityEnvironment().run(around.execute_activity, input)


async def test_an_attempt_that_fails_is_counted_by_its_error_and_one_that_does_not_is_not(
    counting: tuple[Runtime, MetricBuffer],
) -> None:
    counted(counting[1])
    given = AnalyzeInput(cycle=CYCLE, record_ids=("ORD-1",))
    strange = given.model_copy(update={"cycle": CYCLE.model_copy(update={"domain": "x" * 1000})})
    disk = ApplicationError("full", type="StoreUnavailable")

    await attempt(counting, given, None)
    for message, error in (
        (given, disk),
        (given, disk),
        (given, ApplicationError("a bug", type="KeyError")),
        (strange, disk),
        (RepairIds(repair_ids=("r",)), ValueError("no")),
    ):
        with pytest.raises(type(error)):
            await attempt(counting, message, error)

    assert counted(counting[1]) == {
        (FAILED.base, "domain=orders,error=StoreUnavailable,step=unknown"): 2,
        (FAILED.base, "domain=orders,error=other,step=unknown"): 1,
        (FAILED.base, "domain=other,error=StoreUnavailable,step=unknown"): 1,
        (FAILED.base, "domain=other,error=other,step=unknown"): 1,
    }


class _Spending:
    """Keeps nothing; refuses the call that is told to be too much."""

    async def reserve(self, reservation: Reservation, caps: Caps) -> None:
        if reservation.call_id == "too much":
            raise SpendingCapReached("too much")

    async def settle(self, call_id: str, spent: Spent) -> None: ...

    async def release(self, call_id: str) -> None: ...

    async def of_cycle(self, cycle_id: str) -> Usage:
        return Usage()


async def test_what_models_take_is_counted_once_however_often_it_is_told(
    counting: tuple[Runtime, MetricBuffer],
) -> None:
    counted(counting[1])
    spending = CountedSpending(_Spending(), counting[0].metric_meter)

    async def reserve(call_id: str) -> None:
        call = CallSpent(role=Role.PLAN, record_ids=("ORD-1",))
        await spending.reserve(Reservation(call_id=call_id, cycle_id="c", call=call, model="gpt-4o", cost=None), Caps())

    for call_id in ("one", "two", "three", "never ended"):
        await reserve(call_id)
    with pytest.raises(SpendingCapReached):
        await reserve("too much")
    for _ in range(2):
        await spending.settle("one", Spent(calls=1, input_tokens=100, output_tokens=7, cost=Decimal("0.25")))
        await spending.settle("two", Spent(calls=1, input_tokens=10, output_tokens=1, unpriced=1))
        await spending.release("three")
    await spending.settle("of another process", Spent(calls=1, input_tokens=1000))

    who = "domain=other,"
    assert counted(counting[1]) == {
        (CALLS.base, f"{who}model=gpt-4o,outcome=answered,role=plan"): 2,
        (CALLS.base, f"{who}model=gpt-4o,outcome=released,role=plan"): 1,
        (CALLS.base, f"{who}model=gpt-4o,outcome=refused,role=plan"): 1,
        (TOKENS.base, f"{who}kind=input,model=gpt-4o,role=plan"): 110,
        (TOKENS.base, f"{who}kind=output,model=gpt-4o,role=plan"): 8,
        (COST.base, f"{who}model=gpt-4o,role=plan"): 0.25,
    }
