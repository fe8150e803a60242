"""A stranger's domain: alerts of services. No record has a version, and a restart shows only after a while."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import BaseModel

from daper.core.limits import Exactly
from daper.core.models import Change, Finding, Proposal, RecordHead, Risk, Scope, StoreInfo
from daper.core.outcomes import Effect, Holding, OutcomeStatus, Postcondition
from daper.ports import ProposalSet, Record, RecordPage, Terms, ToolCall

DELAY = 0.3


class Services:
    """The system of records: which services fire an alert, from when on a restarted one is quiet, what was done."""

    def __init__(self, firing: Sequence[str]) -> None:
        self.services = dict.fromkeys(firing, float("inf"))
        self.done: dict[str, Effect | None] = {}
        self.delay = DELAY

    def firing(self, service: str) -> bool:
        return time.monotonic() < self.services[service]


class Args(BaseModel):
    service: str


class RestartService:
    """Restarts a service; its alert goes away a while later."""

    name = "restart_service"
    risk = Risk.LOW
    args = Args
    settling = timedelta(seconds=2 * DELAY)

    def __init__(self, world: Services) -> None:
        self.world = world

    async def apply(self, call: ToolCall) -> Effect:
        if call.key in self.world.done:
            return self.world.done[call.key] or Effect(status=OutcomeStatus.FAILED)
        self.world.services[call.record_id] = time.monotonic() + self.world.delay
        effect = Effect(status=OutcomeStatus.APPLIED, before={"alert": "firing"}, after={"alert": "restarting"})
        self.world.done[call.key] = effect
        return effect

    async def settle(self, key: str) -> Effect | None:
        return self.world.done.setdefault(key, None)

    async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
        firing = self.world.firing(call.record_id)
        return Postcondition(holding=Holding.NO if firing else Holding.YES, evidence="looked at the alert")


class Alerts:
    """The domain: one record for each service."""

    name = "alerts"

    def __init__(self, folder: Path, firing: Sequence[str]) -> None:
        self.folder = folder
        self.world = Services(firing)
        self.tools = {"restart_service": RestartService(self.world)}

    async def store(self) -> StoreInfo:
        return StoreInfo(store_id="alerts-1", place=str(self.folder))

    async def scan(self, scope: Scope, page: str | None = None) -> RecordPage:
        return RecordPage(records=await self.context(scope.record_ids or tuple(self.world.services)))

    async def context(self, record_ids: Sequence[str]) -> tuple[Record, ...]:
        states = {name: "firing" if self.world.firing(name) else "quiet" for name in self.world.services}
        known = [name for name in record_ids if name in states]
        return tuple(Record(ref=name, record_id=name, version="", data={"alert": states[name]}) for name in known)

    async def count_open(self, scope: Scope) -> int:
        return len(self.world.services)

    def head(self, record: Record) -> RecordHead:
        return RecordHead(record_id=record.record_id, title=record.record_id, status=str(record.data["alert"]))

    def detect(self, records: Sequence[Record], today: datetime) -> tuple[Finding, ...]:
        return tuple(
            Finding(
                record_id=record.record_id,
                kind="firing",
                issue="an alert fires",
                fingerprint=Finding.fingerprint_of(self.name, record.record_id, "firing", {}),
            )
            for record in records
            if record.data["alert"] == "firing"
        )

    def propose(self, findings: Sequence[Finding], records: Sequence[Record]) -> ProposalSet:
        return ProposalSet(
            proposals=tuple(
                Proposal(
                    record_id=finding.record_id,
                    tool="restart_service",
                    arguments={"service": finding.record_id},
                    answers=(finding.fingerprint,),
                )
                for finding in findings
            )
        )

    def terms(self, proposal: Proposal, records: Sequence[Record]) -> Terms:
        preview = Change(record=proposal.record_id, field="alert", before="firing", after="quiet")
        limits = {"service": Exactly(value=proposal.record_id)}
        return Terms(answers=frozenset({"firing"}), limits=limits, preview=(preview,))


def open_domain(folder: Path, options: Mapping[str, str]) -> Alerts:
    """The entry point."""
    return Alerts(folder, options.get("firing", "owl-post floo-network").split())
