"""Taking an effect back: exactly, once, and only while nobody has touched what it wrote."""

import asyncio
from abc import abstractmethod

from daper.core.outcomes import Effect, OutcomeStatus
from daper.domains.orders.counterparty import SIMULATED
from daper.domains.orders.job import Job, originals_of, outdated
from daper.domains.orders.transaction import OrderTool
from daper.domains.orders.world import find_order, records_for, world_of
from daper.ports import ToolCall


class UndoableOrderTool(OrderTool):
    """A tool whose effect can be taken back: exactly, and only while nobody has touched what it wrote."""

    async def undo(self, call: ToolCall, effect: Effect, *, key: str) -> Effect:
        """Take the effect back, or say why not: `undone` or `undo-blocked`. Idempotent by `key`."""
        return await asyncio.to_thread(self._undo, call, effect, key)

    @abstractmethod
    def take_back(self, job: Job, effect: Effect, *, key: str) -> None:
        """Undo the change on the rows of a job, which are as the effect left them; its originals are what was there."""

    def _undo(self, call: ToolCall, effect: Effect, key: str) -> Effect:
        store = self.store()
        simulated = store.about().counterparty == SIMULATED
        with store.change() as change:
            recorded = change.row(key)
            if recorded is not None:
                return recorded.effect
            done = change.row(call.key)
            if done is None or done.kind != "effect":
                return _blocked("the ledger has no such effect; there is nothing to take back")
            if effect.wrote != done.effect.wrote:
                return _blocked("the effect is not the one that the ledger recorded")
            if why := outdated(effect.wrote, change.documents, since="the repair wrote it"):
                return _blocked(*why)
            raw = find_order(change.documents, call.record_id)
            if raw is None:
                return _blocked("the order is gone, and the ledger does not say that the effect wrote it")
            order = world_of(records_for(change.documents, [raw])).orders[call.record_id]
            job = Job(call=call, documents=change.documents, raw=raw, order=order, simulated=simulated)
            job.wrote = list(effect.wrote)
            job.originals = originals_of(done, effect)
            before = self.figures(job)
            self.take_back(job, effect, key=key)
            undone = self.finish(change, job, before).model_copy(update={"status": OutcomeStatus.UNDONE})
            self.record(change, call, "undo", undone, key=key)
            return undone


def _blocked(*why: str) -> Effect:
    return Effect(status=OutcomeStatus.UNDO_BLOCKED, evidence=why)
