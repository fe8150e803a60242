"""One effect, one transaction: the ledger first, then the versions, the limits, the change, its row and its message."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import BaseModel, JsonValue

from daper.clock import utc_now
from daper.core.guard import refuse_arguments
from daper.core.models import Risk
from daper.core.outcomes import Effect, Holding, OutcomeStatus, Postcondition
from daper.domains.orders.arguments import ToolName
from daper.domains.orders.changes import summarize
from daper.domains.orders.counterparty import SIMULATED
from daper.domains.orders.fields import LONGEST_ID
from daper.domains.orders.job import Job, originals_text, outdated
from daper.domains.orders.jsonstore.drafts import StoreChange
from daper.domains.orders.jsonstore.ledger import LedgerRow
from daper.domains.orders.jsonstore.store import JsonStore
from daper.domains.orders.models import Order
from daper.domains.orders.obstacles import obstacle
from daper.domains.orders.terms import limits
from daper.domains.orders.wording import said, shown
from daper.domains.orders.world import World, current_version, find_order, records_for, world_of
from daper.ports import ToolCall

SETTLED = "settled as not applied"


class OrderTool(ABC):
    """What the repair tools of this domain share. Subclasses say what they change and how it is seen."""

    name: ToolName
    risk: Risk
    args: type[BaseModel]
    settling: timedelta = timedelta(0)

    def __init__(
        self, *, store: Callable[[], JsonStore], approvers: Sequence[str], clock: Callable[[], datetime] = utc_now
    ) -> None:
        self.store = store
        self._approvers = tuple(approvers)
        self._clock = clock

    async def apply(self, call: ToolCall) -> Effect:
        """Do it once, or say why not; either is the last word on the call's key.

        Raises a StoreError when the records could not be read or changed.
        """
        return await asyncio.to_thread(self._apply, call)

    async def settle(self, key: str) -> Effect | None:
        """The recorded effect, also one that says why nothing was done.

        Or None, after a tombstone that makes a late attempt with this key change nothing.
        """
        return await asyncio.to_thread(self._settle, key)

    async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
        """Whether the effect is there, on freshly read records."""
        return await asyncio.to_thread(self._holds, call)

    @abstractmethod
    def carry_out(self, job: Job) -> None:
        """Change the rows of a job that fits; note refs written, messages and evidence in it."""

    @abstractmethod
    def judge(self, order: Order, call: ToolCall) -> Postcondition:
        """Whether this very effect shows in the order; what another way brought is no evidence of it."""

    def figures(self, job: Job) -> dict[str, JsonValue]:
        """What the effect is about, before and after."""
        return {"status": shown(job.raw.get("status") or "", longest=LONGEST_ID)}

    def keep_originals(self, job: Job) -> None:
        """Note the fields that the effect overwrites, for undoing it exactly."""
        job.keep(job.raw, "status")

    def _apply(self, call: ToolCall) -> Effect:
        store = self.store()
        simulated = store.about().counterparty == SIMULATED
        with store.change() as change:
            recorded = change.row(call.key)
            if recorded is not None:
                return replayed(recorded)
            # Only here: who waited for the store may have waited too long.
            job = self._lapsed(call) or self._prepare(call, change, simulated=simulated)
            if isinstance(job, Effect):
                self.record(change, call, "tombstone", job, key=call.key)
                return job
            before = self.figures(job)
            self.keep_originals(job)
            self.carry_out(job)
            effect = self.finish(change, job, before)
            self.record(change, call, "effect", effect, key=call.key, originals=originals_text(job.originals))
            return effect

    def _lapsed(self, call: ToolCall) -> Effect | None:
        if call.valid_until is None or self._clock() <= call.valid_until:
            return None
        end = call.valid_until.astimezone(UTC)
        return _no(OutcomeStatus.LAPSED, f"not begun by {end:%Y-%m-%d %H:%M:%S} UTC; nothing was changed")

    def _prepare(self, call: ToolCall, change: StoreChange, *, simulated: bool) -> Job | Effect:
        """The job, or why there is none: a record that is gone or changed, or terms that it does not meet."""
        if changed := outdated(call.expected, change.documents, since="the plan read it"):
            return Effect(status=OutcomeStatus.STALE, evidence=changed)
        raw = find_order(change.documents, call.record_id)
        if raw is None:
            return _no(
                OutcomeStatus.FAILED, f"there is no order {shown(call.record_id)!r} in the store; nothing was changed"
            )
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
            evidence=tuple(said(line) for line in job.evidence),
            simulated=job.simulated and bool(job.messages),
        )

    def record(
        self,
        change: StoreChange,
        call: ToolCall,
        kind: Literal["effect", "undo", "tombstone"],
        effect: Effect,
        *,
        key: str,
        originals: str = "",
    ) -> None:
        """Put the ledger row of a key beside its effect."""
        row = LedgerRow(
            key=key,
            kind=kind,
            tool=self.name,
            record_id=call.record_id,
            at=call.today,
            effect=effect,
            originals=originals,
        )
        change.write_row(row)

    def _settle(self, key: str) -> Effect | None:
        with self.store().change() as change:
            row = change.row(key)
            if row is None:
                never = Effect(status=OutcomeStatus.FAILED, evidence=(SETTLED,))
                change.write_row(LedgerRow(key=key, kind="tombstone", tool=self.name, at=self._clock(), effect=never))
                return None
        return None if row.effect.evidence == (SETTLED,) else row.effect

    def _holds(self, call: ToolCall) -> Postcondition:
        documents = self.store().read()
        raw = find_order(documents, call.record_id)
        if raw is None:
            return word(Holding.NO, f"there is no order {shown(call.record_id)!r} any more")
        found = self.judge(world_of(records_for(documents, [raw])).orders[call.record_id], call)
        return found.model_copy(update={"evidence": said(found.evidence)})


def replayed(row: LedgerRow) -> Effect:
    """What a second attempt with the key of this row is told."""
    if row.kind != "effect":
        return row.effect
    return row.effect.model_copy(update={"status": OutcomeStatus.ALREADY_APPLIED})


def word(holding: Holding, evidence: str) -> Postcondition:
    """What a tool says of its own effect."""
    return Postcondition(holding=holding, evidence=evidence)


def _no(status: OutcomeStatus, why: str) -> Effect:
    return Effect(status=status, evidence=(said(why),))
