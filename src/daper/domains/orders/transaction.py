"""One effect, one transaction: the ledger first, then the versions, the limits, the change, its row and its message."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, JsonValue

from daper.clock import utc_now
from daper.core.errors import NotFound
from daper.core.guard import refuse_arguments
from daper.core.models import Risk
from daper.core.outcomes import Effect, Holding, OutcomeStatus, Postcondition
from daper.domains.orders.arguments import ToolName
from daper.domains.orders.changes import summarize
from daper.domains.orders.counterparty import SIMULATED
from daper.domains.orders.ledger import LedgerRow, Message
from daper.domains.orders.models import Order
from daper.domains.orders.rules import shown
from daper.domains.orders.store import JsonStore, StoreChange
from daper.domains.orders.terms import limits, obstacle
from daper.domains.orders.world import (
    Raw,
    World,
    current_version,
    find,
    raw_orders,
    raw_stock,
    records_for,
    world_of,
)
from daper.ports import ToolCall

SETTLED = "settled as not applied"


@dataclass(kw_only=True)
class Job:
    """What one effect works on, and what it leaves behind. Rows are the raw ones: changed in place."""

    call: ToolCall
    documents: dict[str, dict[str, object]]
    raw: Raw
    order: Order
    simulated: bool
    wrote: list[str] = field(default_factory=list[str])
    evidence: list[str] = field(default_factory=list[str])
    messages: list[Message] = field(default_factory=list[Message])

    def stock_row(self, item_id: str) -> Raw:
        """The raw inventory row. Raises NotFound when it is gone."""
        row = find(raw_stock(self.documents), "item_id", item_id)
        if row is None:
            raise NotFound(f"item {item_id!r} is no longer in the inventory; nothing was changed")
        return row

    def world(self) -> World:
        """The order and the rows of its items as they are at this point."""
        return world_of(records_for(self.documents, [self.raw]))

    def send(self, *, to: str, subject: str, body: str, key: str = "") -> None:
        """Put a message beside the effect."""
        message = Message(
            key=key or self.call.key,
            to=to,
            subject=subject,
            body=body,
            record_id=self.call.record_id,
            at=self.call.today,
            simulated=self.simulated,
        )
        self.messages.append(message)


class OrderTool(ABC):
    """What the repair tools of this domain share. Subclasses say what they change and how it is seen."""

    name: ToolName
    risk: Risk
    args: type[BaseModel]
    settling: timedelta = timedelta(0)

    def __init__(self, *, store: Callable[[], JsonStore], approvers: Sequence[str]) -> None:
        self.store = store
        self._approvers = tuple(approvers)

    async def apply(self, call: ToolCall) -> Effect:
        """Do it once, or say why not. Raises a StoreError when the records could not be read or changed."""
        return await asyncio.to_thread(self._apply, call)

    async def settle(self, key: str) -> Effect | None:
        """The recorded effect; or None, after a tombstone that makes a late attempt with this key change nothing."""
        return await asyncio.to_thread(self._settle, key)

    async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
        """Whether the effect is there, on freshly read records."""
        return await asyncio.to_thread(self._holds, call)

    @abstractmethod
    def carry_out(self, job: Job) -> None:
        """Change the rows of a job that fits; note refs written, messages and evidence in it."""

    @abstractmethod
    def judge(self, order: Order, call: ToolCall) -> Postcondition:
        """Whether the effect shows in the order."""

    def figures(self, job: Job) -> dict[str, JsonValue]:
        """What the effect is about, before and after."""
        return {"status": str(job.raw.get("status", ""))}

    def _apply(self, call: ToolCall) -> Effect:
        store = self.store()
        simulated = store.about().counterparty == SIMULATED
        with store.change() as change:
            recorded = change.row(call.key)
            if recorded is not None:
                return replayed(recorded)
            job = self._prepare(call, change, simulated=simulated)
            if isinstance(job, Effect):
                return job
            before = self.figures(job)
            self.carry_out(job)
            effect = self.finish(change, job, before)
            self.record(change, call, "effect", effect, key=call.key)
            return effect

    def _prepare(self, call: ToolCall, change: StoreChange, *, simulated: bool) -> Job | Effect:
        """The job, or why there is none: a record that is gone or changed, or terms that it does not meet."""
        if changed := outdated(call.expected, change.documents, since="the plan read it"):
            return Effect(status=OutcomeStatus.STALE, evidence=changed)
        raw = find(raw_orders(change.documents), "order_id", call.record_id)
        if raw is None:
            return _no(OutcomeStatus.FAILED, f"there is no order {call.record_id!r} in the store; nothing was changed")
        world = world_of(records_for(change.documents, [raw]))
        order = world.orders[call.record_id]
        if why := self._refusal(call, order, world):
            return _no(OutcomeStatus.BLOCKED, why)
        return Job(call=call, documents=change.documents, raw=raw, order=order, simulated=simulated)

    def _refusal(self, call: ToolCall, order: Order, world: World) -> str | None:
        item = call.arguments.get("inventory_to_order")
        if why := obstacle(self.name, order, world, item=item):
            return why
        allowed = limits(self.name, order, world, approvers=self._approvers, item=item)
        return refuse_arguments(call.arguments, self.args, allowed)

    def finish(self, change: StoreChange, job: Job, before: dict[str, JsonValue]) -> Effect:
        """Bring the summary up to date, send the messages, and say what happened."""
        summarize(change.documents)
        for message in job.messages:
            change.send(message)
        return Effect(
            status=OutcomeStatus.APPLIED,
            before=before,
            after=self.figures(job),
            wrote={ref: current_version(change.documents, ref) or "" for ref in job.wrote},
            evidence=tuple(job.evidence),
            simulated=job.simulated and bool(job.messages),
        )

    def record(
        self, change: StoreChange, call: ToolCall, kind: Literal["effect", "undo"], effect: Effect, *, key: str
    ) -> None:
        """Put the ledger row of a key beside its effect."""
        row = LedgerRow(
            key=key,
            kind=kind,
            tool=self.name,
            record_id=call.record_id,
            at=call.today,
            effect=effect,
        )
        change.write_row(row)

    def _settle(self, key: str) -> Effect | None:
        with self.store().change() as change:
            row = change.row(key)
            if row is None:
                never = Effect(status=OutcomeStatus.FAILED, evidence=(SETTLED,))
                change.write_row(LedgerRow(key=key, kind="tombstone", tool=self.name, at=utc_now(), effect=never))
                return None
        return None if row.kind == "tombstone" else row.effect

    def _holds(self, call: ToolCall) -> Postcondition:
        documents = self.store().read()
        raw = find(raw_orders(documents), "order_id", call.record_id)
        if raw is None:
            return Postcondition(holding=Holding.NO, evidence=f"there is no order {call.record_id!r} any more")
        return self.judge(world_of(records_for(documents, [raw])).orders[call.record_id], call)


def replayed(row: LedgerRow) -> Effect:
    """What a second attempt with the key of this row is told."""
    if row.kind != "effect":
        return row.effect
    return row.effect.model_copy(update={"status": OutcomeStatus.ALREADY_APPLIED})


def outdated(
    versions: Mapping[str, str], documents: Mapping[str, Mapping[str, object]], *, since: str
) -> tuple[str, ...]:
    """The refs that are gone or have another version now, each in a sentence."""
    found: list[str] = []
    for ref, version in versions.items():
        now = current_version(documents, ref)
        if now is None:
            found.append(f"{shown(ref)} is gone since {since}")
        elif now != version:
            found.append(f"{shown(ref)} was changed since {since}")
    return tuple(found)


def _no(status: OutcomeStatus, why: str) -> Effect:
    return Effect(status=status, evidence=(why,))
