"""What the doors ask of schedules, and what they are told."""

from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import Field

from daper.core.base import Wire
from daper.core.errors import UserError
from daper.core.ids import LONGEST_SCHEDULE_ID, fits_schedule_id, schedule_id
from daper.core.messages import Span
from daper.core.models import Line, Person, Scope
from daper.core.people import Targets
from daper.core.schedules import DAY, When
from daper.service.requests import StartRepair

EVERY_DAY: Final = When(every=DAY)
# A person's machine sleeps at night: what was missed then begins in the morning, and not close to the next one.
CATCH_UP: Final = timedelta(hours=12)

# Temporal takes less for ten seconds, and says nothing.
CatchUp = Annotated[timedelta, Field(ge=timedelta(seconds=10), le=timedelta(days=366))]


def unfit_name(name: str) -> str:
    """What to say of a name that cannot be the id of a schedule."""
    return (
        f"{name!r:.80} cannot be the name of a schedule: letters, digits, and - _ . between them, "
        f"at most {LONGEST_SCHEDULE_ID} characters"
    )


class ScheduleRef(Wire):
    """Which schedule: by its name, which is its id; without one, that of a user in a domain."""

    user: str
    domain: str
    name: str = ""

    @property
    def schedule_id(self) -> str:
        """The id. Raises UserError for a name that cannot be one."""
        if self.name and not fits_schedule_id(self.name):
            raise UserError(unfit_name(self.name))
        return self.name or schedule_id(self.user, self.domain)


class PutSchedule(Wire):
    """A schedule somebody asks for. Its repairs approve nothing by themselves, and there is nothing to ask it with.

    `note`: None keeps what is there. `paused`: no run begins before it is resumed; False leaves it as it is.
    `tell`: who is told of each run. Times that it does not say are the service's.
    """

    requested_by: Person
    domain: str
    name: str = ""
    when: When = EVERY_DAY
    scope: Scope = Scope()
    dry_run: bool = False
    approval_timeout: Span | None = None
    decision_valid_for: Span | None = None
    catch_up: CatchUp = CATCH_UP
    note: Line | None = None
    paused: bool = False
    tell: Targets = ()

    @property
    def ref(self) -> ScheduleRef:
        """Which schedule it is to be."""
        return ScheduleRef(user=self.requested_by.name, domain=self.domain, name=self.name)

    @property
    def repair(self) -> StartRepair:
        """What each run is asked for. What was rejected stays rejected: nobody asks again."""
        return StartRepair(
            requested_by=self.requested_by,
            domain=self.domain,
            scope=self.scope,
            dry_run=self.dry_run,
            approval_timeout=self.approval_timeout,
            decision_valid_for=self.decision_valid_for,
            tell=self.tell,
        )


class ScheduledRun(Wire):
    """A repair that a schedule started, and its phase now: the one it ended in, or where it stands."""

    repair_id: str
    started_at: datetime
    phase: str
    open: bool


class ScheduleView(Wire):
    """A schedule. `next_runs`: none while it is paused. `runs`: the last of them, the newest first.

    `started` counts its runs; `skipped` those that were due while another was open; `missed` those that were due while
    Temporal was away for longer than `catch_up`. `trouble`: what was done to it from outside that daper never does.
    `finds_nothing`: why a run would look at no record now, said of one that was just made or changed.
    `lacking`: a queue that its runs would wait on, and on which nobody works now.
    """

    schedule_id: str
    user: str
    domain: str
    store_id: str
    queue: str
    words: str
    when: When | None
    scope: Scope
    dry_run: bool
    approval_timeout: timedelta
    catch_up: timedelta
    overlap: str
    paused: bool
    note: str
    next_runs: tuple[datetime, ...] = ()
    runs: tuple[ScheduledRun, ...] = ()
    started: int = 0
    skipped: int = 0
    missed: int = 0
    created_at: datetime
    updated_at: datetime | None = None
    trouble: str = ""
    finds_nothing: str = ""
    lacking: str = ""


class ScheduleLine(Wire):
    """One schedule in a list."""

    schedule_id: str
    user: str
    domain: str
    words: str
    paused: bool
    next_run: datetime | None


class Triggered(Wire):
    """What became of asking for a run now. `repair_id`: what began.

    `skipped`: nothing did, because `open_repairs` of this schedule are not over. Neither: Temporal did not say in time.
    """

    schedule_id: str
    repair_id: str | None = None
    skipped: bool = False
    open_repairs: tuple[str, ...] = ()


class ScheduleDeleted(Wire):
    """A schedule that is gone, and its repairs that go on without it."""

    schedule_id: str
    words: str
    open_repairs: tuple[str, ...] = ()
