"""Counts what a console answers to programs."""

from datetime import timedelta
from typing import Protocol

from temporalio.runtime import Runtime

from daper.core.measures import REQUESTS


class Requests(Protocol):
    """What is told of each request."""

    def __call__(self, *, operation: str, status: int, seconds: float) -> None:
        """It was answered."""
        ...


def counted_requests() -> Requests:
    """Counts them where this process counts; it has to be set up to do so before."""
    took = Runtime.default().metric_meter.create_histogram_timedelta(REQUESTS.base, REQUESTS.help, "s")

    def count(*, operation: str, status: int, seconds: float) -> None:
        took.record(timedelta(seconds=seconds), {"operation": operation, "status": str(status)})

    return count
