"""What a worker logs of activities that failed: one line, once, where a person can mend it; of a bug all lines."""

import io
import logging
import sys

import pytest
from temporalio.exceptions import ApplicationError

from daper.core.errors import StoreUnavailable
from daper.entrypoints.cli import logs
from daper.entrypoints.cli.logs import Lines


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


def failed(handler: logging.Handler, cause: Exception, *, repair: str = "repair-1", at: float = 1000.0) -> None:
    """An activity that ended with an error, as the SDK logs that."""
    try:
        try:
            raise cause  # noqa: TRY301 - as an activity does
        except Exception as error:
            raise ApplicationError(str(error), type=type(error).__name__) from error
    except ApplicationError:
        record = logging.LogRecord(
            "temporalio.activity",
            logging.WARNING,
            __file__,
            1,
            "Completing activity as failed (%s)",
            ({},),
            sys.exc_info(),
        )
    record.created = at
    record.temporal_activity = {"workflow_id": repair, "activity_type": "scan_records"}
    handler.handle(record)


def test_what_a_person_can_mend_is_one_line_and_told_once_for_each_repair(written: io.StringIO) -> None:
    handler = Lines(written)
    for _ in range(3):
        failed(handler, StoreUnavailable("PAYMENTS_URL is not set\x1b[31m"))
    [line] = written.getvalue().splitlines()
    assert line.endswith("WARNING temporalio.activity: repair-1: scan_records: PAYMENTS_URL is not set<U+001B>[31m")
    failed(handler, StoreUnavailable("PAYMENTS_URL is not set"), repair="repair-2")
    failed(handler, StoreUnavailable("the disk is full"))
    assert len(written.getvalue().splitlines()) == 3
    failed(handler, StoreUnavailable("the disk is full"), at=1000 + logs.TOLD_FOR + 1)
    assert len(written.getvalue().splitlines()) == 4, "it lasts"


def test_a_bug_keeps_its_traceback_each_time(written: io.StringIO) -> None:
    handler = Lines(written)
    for _ in range(2):
        failed(handler, KeyError("x"))
    assert written.getvalue().count("Traceback") == 4


def test_what_else_is_logged_stays_as_it_is_and_no_memory_grows(written: io.StringIO) -> None:
    handler = Lines(written)
    for at in range(logs.MOST_TOLD + 10):
        failed(handler, StoreUnavailable("away"), repair=f"repair-{at}")
    assert handler.remembered == logs.MOST_TOLD
    handler.handle(logging.LogRecord("daper.x", logging.INFO, __file__, 1, "all is %s", ("well",), None))
    assert written.getvalue().endswith("INFO daper.x: all is well\n")
