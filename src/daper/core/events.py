"""Events: somebody says that something is wrong with named records. What is told while one repair runs is the next."""

from collections.abc import Iterable
from datetime import datetime
from itertools import islice

from pydantic import Field

from daper.core.base import Wire
from daper.core.messages import RepairRequest, asked_for
from daper.core.models import Line, Scope

KEPT_PLACES = 1000


class Event(Wire):
    """Records that a repair is asked for, without a search through the others.

    `repair_id`: of the repair that answers it, if it begins one; the same id is the same event. `call`: who tells it,
    so that of two callers with one id only the first made it.
    """

    repair_id: Line = Field(min_length=1)
    call: Line
    request: RepairRequest


class Place(Wire):
    """Which repair answers an event. `asked`: for what, as a digest; `call`: the first who told it.

    `behind`: the repair that runs, where this one begins after it; empty where it has begun.
    """

    repair_id: str
    asked: str
    call: str
    behind: str = ""


class Batch(Wire):
    """A repair for the records of one event or of several. `asked`: what the first of them asked for, as a digest."""

    repair_id: str
    request: RepairRequest
    asked: str
    events: int = 1

    @property
    def record_ids(self) -> tuple[str, ...]:
        """The records that it looks at, each once, in the order in which they were told."""
        return self.request.scope.record_ids


class Inbox(Wire):
    """What was told and has not begun, in order; and the places of the last events, `KEPT_PLACES` of them.

    `remember_until`: when the places may be forgotten; None where Temporal knows all that they say.
    """

    waiting: tuple[Batch, ...] = ()
    places: dict[str, Place] = Field(default_factory=dict[str, Place])
    remember_until: datetime | None = None

    def take(self, event: Event, *, remember_until: datetime) -> "Inbox":
        """With one event more. It joins the repair that begins last, if that has the same rights and room for it.

        An event that is known already changes nothing.
        """
        if event.repair_id in self.places:
            return self
        asked = asked_for(event.request)
        joined = _joined(self.waiting[-1], event.request) if self.waiting else None
        batch = joined or Batch(repair_id=event.repair_id, request=event.request, asked=asked)
        place = Place(repair_id=batch.repair_id, asked=asked, call=event.call)
        return Inbox(
            waiting=(*(self.waiting[:-1] if joined else self.waiting), batch),
            places=_newest({**self.places, event.repair_id: place}.items()),
            remember_until=remember_until if joined else self.remember_until,
        )

    def begin(self) -> tuple[Batch, "Inbox"]:
        """The repair that is due, and what is left."""
        return self.waiting[0], self.model_copy(update={"waiting": self.waiting[1:]})


class EventDrivenRequest(Wire):
    """Whose events are taken, for which records. Events bring what they ask for with them.

    `repairs_per_run`: after so many repairs, or earlier if Temporal says so, the workflow continues as new.
    """

    user: str
    domain: str
    store_id: str
    repairs_per_run: int = Field(default=100, ge=1, le=1000)
    inbox: Inbox = Inbox()


class EventDrivenView(Wire):
    """What runs for a user's events, and what begins after it. `repair_id`: empty while nothing runs."""

    user: str
    domain: str
    store_id: str
    repair_id: str = ""
    waiting: tuple[Batch, ...] = ()


def _joined(batch: Batch, request: RepairRequest) -> Batch | None:
    """The repair with the records of one event more; None where that would change what it may, or overfill it."""
    if not (batch.record_ids and request.scope.record_ids):
        return None
    if _without_records(batch.request) != _without_records(request):
        return None
    record_ids = tuple(dict.fromkeys((*batch.record_ids, *request.scope.record_ids)))
    if len(record_ids) > max(request.scope.limit, len(batch.record_ids)):
        return None
    scope = batch.request.scope.model_copy(update={"record_ids": record_ids})
    request = batch.request.model_copy(update={"scope": scope})
    return batch.model_copy(update={"request": request, "events": batch.events + 1})


def _without_records(request: RepairRequest) -> RepairRequest:
    scope: Scope = request.scope.model_copy(update={"record_ids": ()})
    return request.model_copy(update={"scope": scope})


def _newest(places: Iterable[tuple[str, Place]]) -> dict[str, Place]:
    known = tuple(places)
    return dict(islice(known, max(0, len(known) - KEPT_PLACES), None))
