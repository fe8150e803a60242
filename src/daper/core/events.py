"""Events: somebody says that something is wrong with named records. What is told while one repair runs is the next."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field

from daper.core.base import Wire
from daper.core.messages import RepairRequest
from daper.core.models import Digest, Line, Scope

KEPT_PLACES = 1000  # of what has begun
MOST_PLACES = 5000


class Event(Wire):
    """Records that a repair is asked for, without a search through the others.

    `repair_id`: of the repair that answers it, if it begins one; the same id is the same event. `call`: who tells it,
    so that of two callers with one id only the first made it. `asked`: what for, as a digest.
    """

    repair_id: Line = Field(min_length=1)
    call: Line
    asked: Digest
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
    """A repair for the records of one event or of several.

    `asked`: what the first of them asked for, as a digest; `call`: who told it.
    """

    repair_id: str
    request: RepairRequest
    asked: str
    call: str = ""
    events: int = 1

    @property
    def record_ids(self) -> tuple[str, ...]:
        """The records that it looks at, each once, in the order in which they were told."""
        return self.request.scope.record_ids


class Kept(Wire):
    """An inbox as a workflow hands it on to its next run."""

    waiting: tuple[Batch, ...] = ()
    places: dict[str, Place] = Field(default_factory=dict[str, Place])
    remember_until: datetime | None = None


class Inbox:
    """What was told and has not begun, in order; and which repair answers an event.

    Places are known of all that waits, and of the last `KEPT_PLACES` events that do not; of `MOST_PLACES` at most.
    `remember_until`: when they may be forgotten; None where Temporal knows all that they say.
    """

    def __init__(self, kept: Kept) -> None:
        self.waiting: list[Batch] = list(kept.waiting)
        self.places: dict[str, Place] = dict(kept.places)
        self.remember_until = kept.remember_until

    def take(self, event: Event, *, remember_until: datetime) -> None:
        """One event more. It joins the repair that begins last, if that has the same rights and room for it.

        An event that is known already changes nothing.
        """
        if event.repair_id in self.places or any(batch.repair_id == event.repair_id for batch in self.waiting):
            return
        joined = _joined(self.waiting[-1], event.request) if self.waiting else None
        if joined is not None:
            self.waiting[-1] = joined
            self.remember_until = remember_until
        else:
            self.waiting.append(
                Batch(repair_id=event.repair_id, request=event.request, asked=event.asked, call=event.call)
            )
        self.places[event.repair_id] = Place(repair_id=self.waiting[-1].repair_id, asked=event.asked, call=event.call)
        if len(self.places) > MOST_PLACES:
            del self.places[next(iter(self.places))]

    def begin(self) -> Batch:
        """The repair that is due; it waits no more."""
        batch = self.waiting.pop(0)
        waiting = {each.repair_id for each in self.waiting}
        begun = [event_id for event_id, place in self.places.items() if place.repair_id not in waiting]
        for event_id in begun[:-KEPT_PLACES]:
            del self.places[event_id]
        return batch

    def move(self, old: str, new: str) -> None:
        """A repair got another id: what it answers is found under that."""
        for event_id, place in self.places.items():
            if place.repair_id == old:
                self.places[event_id] = place.model_copy(update={"repair_id": new})

    def place(self, event_id: str, *, running: str) -> Place | None:
        """Which repair answers an event, and behind which one; None for an event that is not known, or not any more."""
        place = self.places.get(event_id)
        if place is None or all(batch.repair_id != place.repair_id for batch in self.waiting):
            return place
        return place.model_copy(update={"behind": running})

    def to_keep(self) -> Kept:
        """All of it, to be handed on."""
        return Kept(waiting=tuple(self.waiting), places=self.places, remember_until=self.remember_until)


class EventDrivenRequest(Wire):
    """Whose events are taken, for which records. Events bring what they ask for with them.

    `repairs_per_run`: after so many repairs, or earlier if Temporal says so, the workflow continues as new.
    """

    user: str
    domain: str
    store_id: str
    repairs_per_run: int = Field(default=100, ge=1, le=1000)
    kept: Kept = Kept()


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
    if not _alike(batch.request, request):
        return None
    known = set(batch.record_ids)
    new = tuple(dict.fromkeys(each for each in request.scope.record_ids if each not in known))
    if not new:
        return batch.model_copy(update={"events": batch.events + 1})
    record_ids = (*batch.record_ids, *new)
    if len(record_ids) > request.scope.limit:
        return None
    scope: Scope = batch.request.scope.model_copy(update={"record_ids": record_ids})
    joined = batch.request.model_copy(update={"scope": scope})
    return batch.model_copy(update={"request": joined, "events": batch.events + 1})


def _alike(one: RepairRequest, other: RepairRequest) -> bool:
    """Whether two requests are the same in all but the records."""
    return _but_records(one) == _but_records(other)


def _but_records(request: RepairRequest) -> Mapping[str, object]:
    scope = request.scope.model_copy(update={"record_ids": ()})
    return {**dict(request), "scope": scope}
