"""An approval is valid by Temporal's clock, whatever this machine's says, and whenever it was set."""

import inspect
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from daper_alerts import Alerts
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from tests.contract.boxes import AddToBox, json_shelf
from tests.machine_clock import SetClock, clock_setter
from tests.unit.test_repair_activities import action, ref

from daper.activities.repair import RepairActivities
from daper.activities.server_clock import TOLERANCE, ServerClock
from daper.adapters.memory.tables import MemoryTables
from daper.adapters.spending.tables import SpendingTables
from daper.clock import agreed_now, ahead, timed_by, utc_now
from daper.core.errors import ClockMoved
from daper.core.messages import ActionRef
from daper.core.outcomes import OutcomeStatus
from daper.domains.orders.tools.request_approval import RequestApproval
from daper.stores.once import StoreTool
from daper.stores.outside import OutsideTool
from daper.stores.threads import in_thread

HOURS = timedelta(minutes=90)
SOON = timedelta(minutes=1)


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    return clock_setter(monkeypatch)


class Machine:
    """A worker's machine, and the server that sends it work at times of its own."""

    def __init__(self, home: Path) -> None:
        self.alerts = Alerts(home, ["owl-post"])
        self._activities = RepairActivities(domains={"alerts": self.alerts}, now=agreed_now, ahead=ahead)

    async def given(self, work: ActionRef, *, sent_at: datetime) -> str:
        """What became of one attempt: the status of its outcome, or the type of its error."""
        try:
            with timed_by(sent_at):
                return str((await ActivityEnvironment().run(self._activities.apply_action, work)).status)
        except ApplicationError as error:
            return f"{error.type}{'' if error.non_retryable else ', tried again'}"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


async def test_a8_a_clock_that_is_ahead_lets_nothing_lapse(machine: Machine, set_clock: SetClock) -> None:
    server = utc_now()
    work = ref(action(), valid_until=server + SOON)
    set_clock(HOURS)
    assert await machine.given(work, sent_at=server) == "ClockMoved, tried again"
    assert await machine.given(work, sent_at=server) == "applied"


async def test_a8_once_it_is_known_to_be_ahead_nothing_is_tried_again(machine: Machine, set_clock: SetClock) -> None:
    server = utc_now()
    set_clock(HOURS)
    for _ in range(2):
        await machine.given(ref(action(), valid_until=server + SOON), sent_at=server)
    late = ref(action(arguments={"service": "floo-network"}), valid_until=server - SOON)
    assert await machine.given(late, sent_at=server) == "ApprovalLapsed"


async def test_a8_with_a_clock_that_is_behind_nothing_lapsed_begins(machine: Machine, set_clock: SetClock) -> None:
    server = utc_now()
    set_clock(-HOURS)
    assert await machine.given(ref(action(), valid_until=server - SOON), sent_at=server) == "ApprovalLapsed"
    assert machine.alerts.world.restarts == {}
    assert await machine.given(ref(action(), valid_until=server + SOON), sent_at=server) == "applied"


async def test_a8_what_a_machine_was_sent_before_it_slept_does_not_begin_late(machine: Machine) -> None:
    """Its clock is right; it got the work long after the server had sent it."""
    sent = utc_now() - HOURS
    work = ref(action(), valid_until=sent + SOON)
    assert await machine.given(work, sent_at=sent) == "ClockMoved, tried again"
    assert await machine.given(work, sent_at=utc_now()) == "ApprovalLapsed"
    assert machine.alerts.world.restarts == {}


def test_a8_all_that_came_late_together_vouches_for_nothing() -> None:
    clock = ServerClock()
    for key in ("k1", "k2"):
        with pytest.raises(ClockMoved, match="1:30:00 ahead of Temporal's"):
            clock.check(key, HOURS)
    clock.check("k1", timedelta())
    clock.check("k2", timedelta())


def test_a8_a_clock_that_is_set_right_again_is_believed_at_once() -> None:
    clock = ServerClock()
    clock.check("k1", -HOURS)
    with pytest.raises(ClockMoved):
        clock.check("k2", timedelta())
    clock.check("k2", timedelta())
    clock.check("k3", timedelta())


def test_a8_a_little_more_each_time_is_not_believed() -> None:
    clock = ServerClock()
    clock.check("k1", 0.9 * TOLERANCE)
    with pytest.raises(ClockMoved):
        clock.check("k2", 1.8 * TOLERANCE)


@pytest.mark.parametrize("jump", [HOURS, -HOURS])
async def test_a8_a_clock_that_jumps_meanwhile_changes_no_deadline(set_clock: SetClock, jump: timedelta) -> None:
    server = utc_now() - timedelta(days=30)
    with timed_by(server):
        set_clock(jump)
        passed = await in_thread(agreed_now) - server
    assert timedelta() <= passed < SOON
    assert ahead() is None


async def test_a8_time_goes_on_while_work_waits_for_its_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> None:
    """Counted in seconds that go on while the machine sleeps, also where its clock was set back meanwhile."""
    seconds = 0.0
    monkeypatch.setattr("daper.clock.ticks", lambda: seconds)
    shelf, server = json_shelf(tmp_path, {"A": 10}), utc_now()
    tool = AddToBox(shelf.store, shelf.tool.boxes, clock=agreed_now)
    with timed_by(server):
        seconds = 120.0
        set_clock(-HOURS)
        lapsed = await tool.apply(shelf.call(valid_until=server + SOON))
        fitting = await tool.apply(shelf.call("k2", valid_until=server + 3 * SOON))
    assert (lapsed.status, fitting.status) == (OutcomeStatus.LAPSED, OutcomeStatus.APPLIED)


@pytest.mark.parametrize("user", [StoreTool, OutsideTool, RequestApproval, MemoryTables, SpendingTables])
def test_a8_whatever_is_compared_with_a_deadline_is_by_the_one_clock(user: type) -> None:
    given = inspect.signature(user).parameters
    assert next(given[name].default for name in ("clock", "now") if name in given) is agreed_now


async def test_a8_what_has_lapsed_for_certain_says_so_whatever_the_clock_does(
    machine: Machine, set_clock: SetClock
) -> None:
    server = utc_now()
    work = ref(action(), valid_until=server - SOON)
    for jumped in (1, 2, 3):  # never twice the same: each attempt would ask for another one, for ever
        set_clock(HOURS * jumped)
        assert await machine.given(work, sent_at=server) == "ApprovalLapsed"
