"""Events: a system says that something is wrong with named records. What comes within a short while is one repair."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from daper.core.base import Wire
from daper.core.messages import RepairRequest
from daper.core.models import MOST_PROBLEMS, Digest, Line, Scope

KEPT_PLACES = 1000  # of what has begun
MOST_PLACES = 5000
LONGEST_WINDOW = timedelta(hours=1)
MOST_OPEN = 100
# Compared field by field: thousands of reports may come with one task, which has two seconds.
_OF_REQUEST = tuple(RepairRequest.model_fields.keys() - {"scope"})
_OF_SCOPE = tuple(Scope.model_fields.keys() - {"record_ids"})
_LOOKED_AT = 20  # of the repairs that wait, for one that an event joins: rights differ in a few ways only


class Gathering(Wire):
    """How reports become repairs: gathered for a `window` from the first one, then begun beside those that are open.

    `most_records`: a repair that has so many begins without waiting for more. `most_open`: what is over it waits until
    one has ended.
    """

    window: Annotated[timedelta, Field(ge=timedelta(), le=LONGEST_WINDOW)] = timedelta(seconds=10)
    most_records: int = Field(default=100, ge=1, le=MOST_PROBLEMS)
    most_open: int = Field(default=20, ge=1, le=MOST_OPEN)


class Event(Wire):
    """Records that a repair is asked for, without a search through the others.

    `repair_id`: of the repair that answers it, if it begins one; the same id is the same event. `call`: who tells it,
    so that of two callers with one id only the first made it. `asked`: what for, as a digest. `gathering`: how whoever
    tells it wants reports gathered; None from a release that did not.
    """

    repair_id: Line = Field(min_length=1)
    call: Line
    asked: Digest
    request: RepairRequest
    gathering: Gathering | None = None


class Place(Wire):
    """Which repair answers an event. `asked`: for what, as a digest; `call`: the first who told it.

    `waits_for`: what comes before it begins; empty where it has begun.
    """

    repair_id: str
    asked: str
    call: str
    waits_for: str = ""


class Batch(Wire):
    """A repair for the records of one event or of several.

    `asked`: what the first of them asked for, as a digest; `call`: who told it. `closes_at`: until then it is gathered;
    None where it is due.
    """

    repair_id: str
    request: RepairRequest
    asked: str
    call: str = ""
    events: int = 1
    closes_at: datetime | None = None

    @property
    def record_ids(self) -> tuple[str, ...]:
        """The records that it looks at, each once, in the order in which they were told."""
        return self.request.scope.record_ids

    @property
    def whole(self) -> RepairRequest:
        """What is asked for, with room for as many problems as each event would have had."""
        scope = self.request.scope
        limit = min(MOST_PROBLEMS, scope.limit * self.events)
        return self.request.model_copy(update={"scope": scope.model_copy(update={"limit": limit})})


class Waiting(Batch):
    """A repair that has not begun, and what comes before it begins."""

    waits_for: str


class Kept(Wire):
    """An inbox as a workflow hands it on to its next run."""

    waiting: tuple[Batch, ...] = ()
    places: dict[str, Place] = Field(default_factory=dict[str, Place])
    remember_until: datetime | None = None


class Inbox:
    """What was told and has not begun, what is due before what is still gathered; and which repair answers an event.

    Places are known of all that waits, and of the last `KEPT_PLACES` events that do not; of `MOST_PLACES` at most.
    `remember_until`: when they may be forgotten; None where Temporal knows all that they say.
    """

    def __init__(self, kept: Kept) -> None:
        self.waiting: list[Batch] = list(kept.waiting)
        self.places: dict[str, Place] = dict(kept.places)
        self.remember_until = kept.remember_until

    @property
    def due(self) -> bool:
        """Whether a repair may begin."""
        return bool(self.waiting) and self.waiting[0].closes_at is None

    @property
    def closes_at(self) -> datetime | None:
        """When the next repair is gathered; None where none is being gathered."""
        return min((batch.closes_at for batch in self.waiting if batch.closes_at), default=None)

    def take(self, event: Event, *, remember_until: datetime) -> None:
        """One event more, which is due. It joins the repair that begins last, if that has the same rights and room.

        So agents of earlier releases go on to their end. An event that is known already changes nothing.
        """
        if self._knows(event):
            return
        most = event.request.scope.limit
        joined = _joined(self.waiting[-1], event.request, most=most) if self.waiting else None
        at = len(self.waiting) - 1 if joined is not None else None
        self._put(joined or _batch(event), at=at, event=event, remember_until=remember_until)

    def gather(self, event: Event, how: Gathering, *, now: datetime, remember_until: datetime) -> None:
        """One event more. It joins a repair that waits, has the same rights, and has room for it; else it is a new one.

        An event that is known already changes nothing.
        """
        if self._knows(event):
            return
        for at in range(max(0, len(self.waiting) - _LOOKED_AT), len(self.waiting)):
            joined = _joined(self.waiting[at], event.request, most=how.most_records)
            if joined is not None:
                self._put(joined, at=at, event=event, remember_until=remember_until)
                break
        else:
            at = len(self.waiting)
            batch = _batch(event).model_copy(update={"closes_at": now + how.window})
            self._put(batch, at=None, event=event, remember_until=remember_until)
        batch = self.waiting[at]
        full = len(batch.record_ids) >= how.most_records
        if batch.closes_at and (full or batch.closes_at <= now):
            self.waiting[at] = batch.model_copy(update={"closes_at": None})
            self.close(now)

    def close(self, now: datetime) -> None:
        """What was gathered for as long as it should is due, after all that already is."""
        closed = [
            batch.model_copy(update={"closes_at": None}) if batch.closes_at and batch.closes_at <= now else batch
            for batch in self.waiting
        ]
        self.waiting = sorted(closed, key=lambda batch: batch.closes_at is not None)

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

    def place(self, event_id: str, *, due_waits_for: str) -> Place | None:
        """Which repair answers an event, and what it waits for; None for an event that is not known, or not any more.

        `due_waits_for`: what a repair waits for that may begin.
        """
        place = self.places.get(event_id)
        if place is None:
            return None
        for batch in self.waiting:
            if batch.repair_id == place.repair_id:
                return place.model_copy(update={"waits_for": _waits_for(batch, due_waits_for)})
        return place

    def listed(self, *, due_waits_for: str) -> tuple[Waiting, ...]:
        """All that waits, in order, each with what it waits for."""
        return tuple(Waiting(**dict(batch), waits_for=_waits_for(batch, due_waits_for)) for batch in self.waiting)

    def to_keep(self) -> Kept:
        """All of it, to be handed on."""
        return Kept(waiting=tuple(self.waiting), places=self.places, remember_until=self.remember_until)

    def _knows(self, event: Event) -> bool:
        return event.repair_id in self.places or any(batch.repair_id == event.repair_id for batch in self.waiting)

    def _put(self, batch: Batch, *, at: int | None, event: Event, remember_until: datetime) -> None:
        """A new repair, or one that an event joined, in its place."""
        if at is None:
            self.waiting.append(batch)
        else:
            self.waiting[at] = batch
            self.remember_until = remember_until
        self.places[event.repair_id] = Place(repair_id=batch.repair_id, asked=event.asked, call=event.call)
        if len(self.places) > MOST_PLACES:
            del self.places[next(iter(self.places))]


class EventDrivenRequest(Wire):
    """Whose events are taken, for which records. Events bring what they ask for with them.

    `repairs_per_run`: after so many repairs, or earlier if Temporal says so, the workflow continues as new. `open`:
    repairs of earlier runs that may run still. `gathering`: as the last event had it.
    """

    user: str
    domain: str
    store_id: str
    repairs_per_run: int = Field(default=100, ge=1, le=1000)
    kept: Kept = Kept()
    open: tuple[str, ...] = ()
    gathering: Gathering = Gathering()


class EventDrivenView(Wire):
    """Which repairs run for a user's events, and what begins later."""

    user: str
    domain: str
    store_id: str
    open: tuple[str, ...] = ()
    most_open: int = 1
    waiting: tuple[Waiting, ...] = ()


def _batch(event: Event) -> Batch:
    return Batch(repair_id=event.repair_id, request=event.request, asked=event.asked, call=event.call)


def _waits_for(batch: Batch, due_waits_for: str) -> str:
    if batch.closes_at is None:
        return due_waits_for
    return f"more reports, until {batch.closes_at:%H:%M:%S} UTC"


def _joined(batch: Batch, request: RepairRequest, *, most: int) -> Batch | None:
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
    if len(record_ids) > most:
        return None
    scope = batch.request.scope.model_copy(update={"record_ids": record_ids})
    joined = batch.request.model_copy(update={"scope": scope})
    return batch.model_copy(update={"request": joined, "events": batch.events + 1})


def _alike(one: RepairRequest, other: RepairRequest) -> bool:
    """Whether two requests are the same in all but the records."""
    return all(getattr(one, name) == getattr(other, name) for name in _OF_REQUEST) and all(
        getattr(one.scope, name) == getattr(other.scope, name) for name in _OF_SCOPE
    )
