"""Keeps a row of numbers for each report, so that pages about many of them read none: `daper.ports.ReportFigures`."""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Protocol

from sqlalchemy import Connection, delete, func, select

from daper.clock import ticks
from daper.core.errors import StoreDamaged
from daper.core.figures import DayFigures, Figures, RecordRepair, line_of
from daper.core.outcomes import RepairResult
from daper.stores.sql.engine import Database
from daper.stores.sql.state_schema import COUNTED, REPORT_FIGURES, REPORT_RECORDS, time_text
from daper.stores.sql.upserts import put

log = logging.getLogger(__name__)

_LOOK_AGAIN_S: Final = 5.0
_READ_FOR_S: Final = 2.0  # reports that were not counted yet, for one look
_AT_ONCE: Final = 50
_NANO: Final = 1_000_000_000
_FIGURES: Final = REPORT_FIGURES.c


class ReportSource(Protocol):
    """The reports themselves, wherever they are. Methods block, and may raise a StoreError."""

    def stamps(self) -> Mapping[str, str]:
        """Each report's place, and what changes when it is written anew."""
        ...

    def result_at(self, place: str) -> RepairResult:
        """The report there. Raises StoreDamaged for one that cannot be read."""
        ...


class ReportFigureRows:
    """In a database: the one that has the reports, or that of the home whose files they are."""

    def __init__(self, database: Callable[[], Database], source: ReportSource) -> None:
        self._open = database
        self._source = source
        self._alone = threading.Lock()
        self._looked: float | None = None
        self._left_out = 0

    async def since(self, day: date, *, domain: str = "") -> Figures:
        """The repairs that ended on that day (UTC) or later."""
        return await asyncio.to_thread(self._since, day, domain)

    async def of_record(self, domain: str, record_id: str, *, limit: int) -> Sequence[RecordRepair]:
        """The repairs in which a record was, the newest first."""
        return await asyncio.to_thread(self._of_record, domain, record_id, limit)

    def _since(self, day: date, domain: str) -> Figures:
        self._catch_up()
        wanted = [_FIGURES.ended >= day.isoformat(), _FIGURES.phase != ""]
        wanted += [_FIGURES.domain == domain] if domain else []
        on = func.substr(_FIGURES.ended, 1, 10)
        sums = [func.sum(_FIGURES[name]).label(name) for name in COUNTED]
        with self._open().reading() as db:
            days = db.execute(
                select(on.label("day"), func.count().label("repairs"), *sums).where(*wanted).group_by(on).order_by(on)
            ).mappings()
            found = tuple(_day(dict(row)) for row in days)
            phases = db.execute(
                select(_FIGURES.phase, func.count()).where(*wanted).group_by(_FIGURES.phase).order_by(_FIGURES.phase)
            ).all()
            waits = db.execute(
                select(_FIGURES.waited).where(*wanted, _FIGURES.waited.is_not(None)).order_by(_FIGURES.waited)
            ).scalars()
            ordered = tuple(int(each) for each in waits)
        return Figures(
            days=found, phases={phase: int(n) for phase, n in phases}, waits=ordered, left_out=self._left_out
        )

    def _of_record(self, domain: str, record_id: str, limit: int) -> tuple[RecordRepair, ...]:
        self._catch_up()
        repairs = (
            select(_FIGURES.repair_id, _FIGURES.phase, _FIGURES.ended, REPORT_RECORDS.c.came_to)
            .join(REPORT_RECORDS, REPORT_RECORDS.c.repair_id == _FIGURES.repair_id)
            .where(REPORT_RECORDS.c.domain == domain, REPORT_RECORDS.c.record_id == record_id)
            .order_by(_FIGURES.ended.desc(), _FIGURES.repair_id)
            .limit(limit)
        )
        with self._open().reading() as db:
            return tuple(
                RecordRepair(
                    repair_id=row.repair_id,
                    phase=row.phase,
                    ended_at=datetime.fromisoformat(row.ended),
                    came_to=row.came_to,
                )
                for row in db.execute(repairs)
            )

    def _catch_up(self) -> None:
        """Count what is there and was not counted, and forget what is gone; not at every look, and not for long."""
        with self._alone:
            if self._looked is not None and not self._left_out and ticks() - self._looked < _LOOK_AGAIN_S:
                return
            there, database = self._source.stamps(), self._open()
            if not there and not database.is_there():
                return
            with database.reading() as db:
                known = {row.place: row.stamp for row in db.execute(select(_FIGURES.place, _FIGURES.stamp))}
            gone = [place for place in known if place not in there]
            new = sorted(place for place, stamp in there.items() if known.get(place) != stamp)
            until = ticks() + _READ_FOR_S
            for some in _batches(gone):
                with database.transaction() as db:
                    _forget(db, some)
            for some in _batches(new):
                counted = [(place, self._read(place)) for place in some]
                with database.transaction() as db:
                    _forget(db, some)
                    for place, result in counted:
                        _count(db, place, there[place], result)
                new = new[len(some) :]
                if ticks() > until:
                    break
            self._left_out, self._looked = len(new), ticks()

    def _read(self, place: str) -> RepairResult | None:
        try:
            return self._source.result_at(place)
        except StoreDamaged as error:
            log.warning("a report is not counted", extra={"reason": str(error)})
            return None


def _forget(db: Connection, places: Sequence[str]) -> None:
    repairs = select(_FIGURES.repair_id).where(_FIGURES.place.in_(places))
    db.execute(delete(REPORT_RECORDS).where(REPORT_RECORDS.c.repair_id.in_(repairs)))
    db.execute(delete(REPORT_FIGURES).where(_FIGURES.place.in_(places)))


def _count(db: Connection, place: str, stamp: str, result: RepairResult | None) -> None:
    row: dict[str, object] = {"place": place, "stamp": stamp, "repair_id": "", "domain": "", "phase": "", "ended": ""}
    row |= dict.fromkeys(COUNTED, 0) | {"waited": None}
    if result is not None:
        line = line_of(result)
        row |= {name: value for name, value in line if name in row}
        row |= {"ended": time_text(line.ended_at), "cost_nano": int(line.cost * _NANO)}
        fates = [
            {"domain": line.domain, "record_id": each.record_id, "repair_id": line.repair_id, "came_to": each.came_to}
            for each in line.records
        ]
        put(db, REPORT_RECORDS, fates, replacing=("came_to",))
    put(db, REPORT_FIGURES, [row], replacing=[name for name in row if name != "place"])


def _day(row: dict[str, object]) -> DayFigures:
    nano = Decimal(str(row.pop("cost_nano")))
    return DayFigures.model_validate({**{name: str(value) for name, value in row.items()}, "cost": nano / _NANO})


def _batches(places: Sequence[str]) -> list[Sequence[str]]:
    return [places[at : at + _AT_ONCE] for at in range(0, len(places), _AT_ONCE)]
