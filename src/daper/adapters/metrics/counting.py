"""Counts what activities do: attempts that fail, and what language models take."""

from collections.abc import Collection, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from temporalio import activity
from temporalio.client import Client
from temporalio.common import MetricCounter, MetricMeter
from temporalio.exceptions import ApplicationError
from temporalio.runtime import Runtime
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from daper.core.errors import SpendingCapReached
from daper.core.measures import CALLS, COST, FAILED, OTHER, TOKENS, Measure, known, known_error
from daper.core.usage import Spent, Usage
from daper.ports import Caps, Reservation, Spending

_MOST_OPEN: Final = 10_000
_domain: ContextVar[str] = ContextVar("domain", default=OTHER)


def meter_of(client: Client) -> MetricMeter:
    """What counts for a process; it counts nothing where nobody can ask it."""
    return (client.service_client.config.runtime or Runtime.default()).metric_meter


class CountedAttempts(Interceptor):
    """Of a worker: counts the attempts of its activities that end with an error, by step and error."""

    def __init__(self, meter: MetricMeter, *, domains: Collection[str]) -> None:
        self._meter = meter
        self._domains = domains

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Around each of them."""
        return _Counted(next, self._meter, self._domains)


class _Counted(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, meter: MetricMeter, domains: Collection[str]) -> None:
        super().__init__(next)
        self._meter = meter
        self._domains = domains

    async def execute_activity(self, input: ExecuteActivityInput) -> object:
        domain = known(_domain_in(input.args[0] if input.args else None), self._domains)
        with _working_for(domain):
            try:
                return await super().execute_activity(input)
            except Exception as error:
                kind = (isinstance(error, ApplicationError) and error.type) or OTHER
                labels = {"domain": domain, "step": activity.info().activity_type, "error": known_error(kind)}
                _counter(self._meter, FAILED).add(1, labels)
                raise


class CountedSpending:
    """`daper.ports.Spending`, and what goes through it is counted once: by domain, role and model."""

    def __init__(self, spending: Spending, meter: MetricMeter) -> None:
        self._spending = spending
        self._meter = meter
        self._open: dict[str, Reservation] = {}

    async def reserve(self, reservation: Reservation, caps: Caps) -> None:
        """Raises SpendingCapReached."""
        try:
            await self._spending.reserve(reservation, caps)
        except SpendingCapReached:
            self._count(reservation, "refused")
            raise
        while len(self._open) >= _MOST_OPEN:  # of calls that were cut off, nothing more is heard
            del self._open[next(iter(self._open))]
        self._open[reservation.call_id] = reservation

    async def settle(self, call_id: str, spent: Spent) -> None:
        """What the call took."""
        await self._spending.settle(call_id, spent)
        if (reservation := self._open.pop(call_id, None)) is None:
            return
        self._count(reservation, "answered")
        labels = _labels(reservation)
        tokens = _counter(self._meter, TOKENS)
        for kind, number in (("input", spent.input_tokens), ("output", spent.output_tokens)):
            tokens.add(number, {**labels, "kind": kind})
        if not spent.unpriced:
            self._meter.create_histogram_float(COST.base, COST.help).record(float(spent.cost), labels)

    async def release(self, call_id: str) -> None:
        """The call took nothing."""
        await self._spending.release(call_id)
        if (reservation := self._open.pop(call_id, None)) is not None:
            self._count(reservation, "released")

    async def of_cycle(self, cycle_id: str) -> Usage:
        """What a cycle has spent so far."""
        return await self._spending.of_cycle(cycle_id)

    def _count(self, reservation: Reservation, outcome: str) -> None:
        _counter(self._meter, CALLS).add(1, {**_labels(reservation), "outcome": outcome})


def _counter(meter: MetricMeter, measure: Measure) -> MetricCounter:
    return meter.create_counter(measure.base, measure.help)


def _labels(reservation: Reservation) -> dict[str, str]:
    return {"domain": _domain.get(), "role": str(reservation.call.role), "model": reservation.model}


@contextmanager
def _working_for(domain: str) -> Generator[None]:
    before = _domain.set(domain)
    try:
        yield
    finally:
        _domain.reset(before)


def _domain_in(given: object) -> str:
    """For which domain a step is: its message says so, or what it is about does."""
    for held in (given, getattr(given, "ref", None), getattr(given, "result", None)):
        found = getattr(getattr(held, "cycle", held), "domain", None)
        if isinstance(found, str):
            return found
    return OTHER
