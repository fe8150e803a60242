"""A stranger's domain: alerts of services. No record has a version, and a restart shows only after a while.

The services know nothing of our ledger, which is in a file of its own.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from sqlite3 import Connection

from pydantic import BaseModel, JsonValue

from daper.core.limits import Exactly
from daper.core.models import Change, Finding, RecordHead, Risk, StoreInfo
from daper.core.outcomes import Effect, Holding, Postcondition
from daper.ports import Record, Store, Terms, ToolCall
from daper.stores.once import Deed
from daper.stores.outside import OutsideTool, Trace
from daper.stores.sql.sqlite import SqliteStore
from daper.stores.storedomain import StoreDomain

DELAY = 0.3
RESTARTED = Deed(before={"alert": "firing"}, after={"alert": "restarting"}, evidence=("restarted",))


class Services:
    """The outside system: which services fire an alert, from when on a restarted one is quiet, what was asked."""

    def __init__(self, firing: Sequence[str]) -> None:
        self.services = dict.fromkeys(firing, float("inf"))
        self.restarts: dict[str, str] = {}
        self.delay = DELAY

    def firing(self, service: str) -> bool:
        return time.monotonic() < self.services[service]

    def restart(self, service: str, *, request_id: str) -> None:
        self.services[service] = time.monotonic() + self.delay
        self.restarts[request_id] = service

    def records(self, names: Iterable[str]) -> tuple[Record, ...]:
        states = {name: "firing" if self.firing(name) else "quiet" for name in names if name in self.services}
        return tuple(
            Record(ref=name, record_id=name, version="", data={"alert": state}) for name, state in states.items()
        )


class Args(BaseModel):
    service: str


class RestartService(OutsideTool):
    """Restarts a service; its alert goes away a while later. The request carries the key: that is its trace."""

    name = "restart_service"
    risk = Risk.LOW
    args = Args
    settling = timedelta(seconds=2 * DELAY)

    def __init__(self, world: Services, books: Callable[[], Store[object]]) -> None:
        super().__init__(books)
        self.world = world

    def terms(self, record_id: str, arguments: Mapping[str, JsonValue], records: Sequence[Record]) -> Terms:
        preview = Change(record=record_id, field="alert", before="firing", after="quiet")
        limits = {"service": Exactly(value=record_id)}
        return Terms(answers=frozenset({"firing"}), limits=limits, preview=(preview,))

    async def look(self, record_id: str) -> tuple[Record, ...]:
        return self.world.records([record_id])

    async def act(self, call: ToolCall) -> Deed:
        self.world.restart(call.record_id, request_id=call.key)
        return RESTARTED

    async def probe(self, call: ToolCall, *, key: str) -> Trace:
        return Trace(deed=RESTARTED if key in self.world.restarts else None)

    def judge(self, call: ToolCall, effect: Effect, records: Sequence[Record]) -> Postcondition:
        quiet = bool(records) and records[0].data["alert"] == "quiet"
        return Postcondition(holding=Holding.YES if quiet else Holding.NO, evidence="looked at the alert")


class Alerts(StoreDomain[Connection]):
    """The domain: one record for each service."""

    name = "alerts"

    def __init__(self, folder: Path, firing: Sequence[str]) -> None:
        self.world = Services(firing)
        self.books = SqliteStore(folder / "ledger.db", tables={})
        super().__init__(self.books, [RestartService(self.world, lambda: self.books)])
        self.place = str(folder)

    async def store(self) -> StoreInfo:
        return StoreInfo(store_id="alerts-1", place=self.place)

    def read(self, records: Connection, record_ids: Iterable[str] | None = None) -> tuple[Record, ...]:
        return self.world.records(tuple(self.world.services) if record_ids is None else record_ids)

    def head(self, record: Record) -> RecordHead:
        return RecordHead(record_id=record.record_id, title=record.record_id, status=str(record.data["alert"]))

    def detect(self, records: Sequence[Record], today: datetime) -> tuple[Finding, ...]:
        firing = (record.record_id for record in records if record.data["alert"] == "firing")
        return tuple(self.finding(service, "firing", issue="an alert fires") for service in firing)


def open_domain(folder: Path, options: Mapping[str, str]) -> Alerts:
    """The entry point."""
    return Alerts(folder, options.get("firing", "owl-post floo-network").split())
