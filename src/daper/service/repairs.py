"""RepairService: the one way to start, see, follow, decide, stop and list repairs."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from functools import partial

from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowUpdateStage,
)
from temporalio.service import RPCError

from daper.core.commands import CommandLine, Said
from daper.core.decisions import decision_id, refuse_identity
from daper.core.errors import DecisionRefused, NotBegun, NotFound, StoreError, Unreachable
from daper.core.events import Gathering
from daper.core.messages import MOST_PER_PAGE, Nudge, PageArgs
from daper.core.models import Decision
from daper.core.nearness import did_you_mean
from daper.core.outcomes import RepairResult
from daper.core.policy import ApprovalPolicy
from daper.core.short_ids import REPAIR_ID, is_whole, meant, misspelt, the_one
from daper.core.text import visible
from daper.core.views import RepairView
from daper.ports import Domain, Reports
from daper.service.answers import ANYBODY, Authority, DecisionAnswer, Shown, answer_of
from daper.service.attendance import Attendance
from daper.service.events import Events
from daper.service.inquiry import ANSWER_WITHIN, Asking
from daper.service.listing import ids_that_begin, line_of, newest_ids, newest_repairs, reported_line
from daper.service.receipts import after_the_end, refuse_form
from daper.service.requests import Collected, DecisionReceipt, RepairLine, Silence, Started, StartRepair, Times
from daper.service.rpc_errors import AGENT, EVENTS, REPAIR, Over, temporal_errors
from daper.service.starter import Starter
from daper.service.watch import Watch, Watches
from daper.workflows.labels import EVENT_DRIVEN_NAME, PROACTIVE_NAME, WORKFLOW_NAME
from daper.workflows.repair import RepairAgentWorkflow

Handle = WorkflowHandle[RepairAgentWorkflow, RepairResult]

_SUBJECTS = {WORKFLOW_NAME: REPAIR, PROACTIVE_NAME: AGENT, EVENT_DRIVEN_NAME: EVENTS}
_ALL_TYPES = ", ".join(f"'{name}'" for name in _SUBJECTS)


_LOOK_AGAIN_S = 0.5  # whether a repair has begun


class RepairService:
    """Repairs on one Temporal namespace and task queue. A repair is addressed by its id alone."""

    def __init__(
        self,
        *,
        client: Client,
        queue: str,
        times: Times | None = None,
        domains: Mapping[str, Domain],
        reports: Reports,
        indexed: bool,
        policy: ApprovalPolicy | None = None,
        gathering: Gathering | None = None,
    ) -> None:
        """`gathering`: how what is reported is gathered."""
        self._client = client
        self._queue = queue
        self._reports = reports
        self._events = Events(client, queue=queue, gathering=gathering or Gathering())
        self._starter = Starter(
            client=client,
            events=self._events,
            queue=queue,
            times=times or Times(),
            domains=domains,
            reports=reports,
            indexed=indexed,
            policy=policy or ApprovalPolicy(),
        )
        self._watches = Watches[RepairView](client)
        self._asking = Asking(client, queue=queue)
        self._attendance = Attendance(client, queue=queue, domains=domains)

    async def start(self, order: StartRepair) -> Started:
        """Start a repair on the local store of its domain, or find the one that the order names or joins.

        Raises NotFound for an unknown domain, UserError where the key belongs to another request, Unreachable.
        """
        return await self._starter.start(order)

    async def look(self, repair_id: str, page: PageArgs | None = None) -> RepairView | RepairResult:
        """An open repair as it stands, or the result of an ended one.

        Raises NotFound, or Unreachable when no worker answers or the repair is stuck.
        """
        if (ended := await self.ended(repair_id)) is not None:
            return ended
        try:
            return await self._view(repair_id, page or PageArgs())
        except (NotFound, Unreachable):
            # It may have ended, and even be forgotten, since it was seen to be open.
            if (ended := await self.ended(repair_id)) is not None:
                return ended
            raise

    async def ended(self, repair_id: str) -> RepairResult | None:
        """The result of an ended repair, None while it is open. Raises NotFound.

        Where Temporal keeps the repair no longer, or without a result because it was ended from outside, its report on
        this machine answers.
        """
        try:
            return await self._result(repair_id)
        except NotFound:
            if (written := await self._reports.read(repair_id)) is not None:
                return written
            await self._refuse_not_begun(repair_id)
            try:
                return await self._result(repair_id)  # which may have begun meanwhile
            except NotFound as error:
                raise await self._meant_by(repair_id, error) from None

    async def _result(self, repair_id: str) -> RepairResult | None:
        """What Temporal says: the result, or None while it is open. Raises NotFound, Unreachable."""
        handle = self._handle(repair_id)
        with temporal_errors(repair_id, queue=self._queue):
            described = await handle.describe(rpc_timeout=ANSWER_WITHIN)
            _refuse_foreign(described)
            if described.status is WorkflowExecutionStatus.RUNNING:
                return None
            if described.status is WorkflowExecutionStatus.COMPLETED:
                return await handle.result(rpc_timeout=ANSWER_WITHIN)
        if (written := await self._reports.read(repair_id)) is not None:
            return written
        status = described.status.name.lower() if described.status else "gone"
        raise Unreachable(
            f"repair {repair_id!r} was {status} from outside and left no result; its effects are in the records' ledger"
        )

    async def follow(self, repair_id: str) -> AsyncGenerator[RepairView | RepairResult | Silence]:
        """Every look at a repair that shows something new, and at last its result.

        Raises Unreachable if no worker answers at the beginning; later silence is reported and waited out, and so is
        what a repair of what was reported waits for before it begins, and a queue on which nobody works.
        """
        async for wait in self._until_begun(repair_id):
            yield wait
        if (result := await self.ended(repair_id)) is not None:
            yield result  # needs no worker, nor Temporal's history
            return
        seen, answered, quiet = 0, False, self._attendance.quiet(repair_id)
        async with self._watches.on(repair_id) as watch:
            while True:
                while lacking := await quiet.lacking(partial(watch.changes_within, seen)):
                    yield Silence(message=lacking)
                with temporal_errors(repair_id, queue=self._queue):
                    seen = await watch.changed_since(seen)
                if watch.closed:
                    break
                look = await self._looked(repair_id, watch, seen, answered=answered)
                answered = answered or isinstance(look, RepairView)
                yield look
        result = await self.ended(repair_id)
        if result is not None:
            yield result

    async def decide(self, repair_id: str, decision: Decision) -> DecisionReceipt:
        """Answer the plan of a repair. Raises DecisionRefused with the reason, NotFound, Unreachable."""
        if refusal := refuse_identity(decision) or refuse_form(decision):
            raise DecisionRefused(refusal)
        show = CommandLine("repair", "show", repair_id)
        before = await self.look(repair_id)
        if isinstance(before, RepairResult):
            return after_the_end(before, decision)
        if before.decision is not None and decision_id(before.decision.decision) == decision_id(decision):
            return DecisionReceipt(recorded=before.decision, repeated=True)
        try:
            with temporal_errors(repair_id, queue=self._queue, asks_worker=True):
                update = await self._handle(repair_id).start_update(
                    RepairAgentWorkflow.decide,
                    decision,
                    id=decision_id(decision),
                    wait_for_stage=WorkflowUpdateStage.COMPLETED,
                    rpc_timeout=ANSWER_WITHIN,
                )
                recorded = await update.result(rpc_timeout=ANSWER_WITHIN)
        except (Over, NotFound) as error:
            # The repair was there a moment ago: what Temporal does not find is the update, gone with the repair's end.
            ended = await self.ended(repair_id)
            if ended is None:
                raise Unreachable("the decision got no answer; see: ", show) from error
            return after_the_end(ended, decision)
        except Unreachable as error:
            # Sent, but not answered: Temporal may still hand it to the next worker that comes.
            raise Unreachable(error.said, ". The decision was sent and may still be recorded: ", show) from error
        elsewhere = before.plan is None or before.plan.digest != decision.plan_digest
        return DecisionReceipt(recorded=recorded, repeated=elsewhere)

    async def answer(
        self, repair_id: str, decision: Decision, *, shown: Shown, authority: Authority = ANYBODY
    ) -> DecisionAnswer:
        """Answer a plan as somebody saw it, and say what became of that: always one of `AnswerKind`, with a sentence.

        `authority`: whether this person may decide at this door, as the door knows. Raises DecisionRefused only for
        what is wrong with the decision itself while its plan waits: it is about what was not shown or is not there, or
        goes over a limit. Raises NotFound, Unreachable.
        """
        return await answer_of(self, repair_id, decision, seen=shown, authority=authority)

    async def stop(self, repair_id: str, *, by: str, reason: str = "") -> None:
        """Ask a repair to end; effects in flight are settled first.

        Raises NotFound, NotBegun, Unreachable; DecisionRefused if it is over, also where only its report knows that.
        """
        over = DecisionRefused(f"repair {repair_id!r} is already over; see: ", CommandLine("repair", "show", repair_id))
        try:
            with temporal_errors(repair_id, queue=self._queue):
                _refuse_foreign(await self._handle(repair_id).describe(rpc_timeout=ANSWER_WITHIN))
                await self._handle(repair_id).signal(
                    RepairAgentWorkflow.stop, Nudge(by=by, reason=reason), rpc_timeout=ANSWER_WITHIN
                )
        except Over as error:
            raise over from error
        except NotFound as error:
            if await self._reports.read(repair_id) is not None:
                raise over from error
            await self._refuse_not_begun(repair_id)
            raise await self._meant_by(repair_id, error) from None

    async def list(
        self, *, limit: int = 20, wanted: Callable[[RepairLine], bool] | None = None
    ) -> tuple[RepairLine, ...]:
        """The newest repairs first, also those of which only a report on this machine is left; only `wanted` ones.

        Temporal's list lags behind by up to a second.
        """
        return await newest_repairs(
            self._client, self._reports, queue=self._queue, limit=limit, within=ANSWER_WITHIN, wanted=wanted
        )

    async def whole_id(self, said: str) -> str:
        """The id of the repair that a text means, whole or in short; the text itself where it means none.

        Raises UserError with all that it could mean, Unreachable.
        """
        if is_whole(said):
            return said
        listed = await ids_that_begin(self._client, said, queue=self._queue, within=ANSWER_WITHIN)
        return the_one(said, meant(said, (*listed, *await self._reports.ids(said))))

    async def collected(self) -> tuple[tuple[Collected, ...], Said]:
        """What was reported and has not begun, of every user; and why some of it cannot be told.

        Needs a worker where something waits. Temporal's list lags behind by up to a second. Raises Unreachable.
        """
        return await self._events.collected()

    async def line(self, repair_id: str) -> RepairLine:
        """One repair as the list has it; needs no worker. Raises NotFound, Unreachable."""
        try:
            with temporal_errors(repair_id, queue=self._queue):
                described = await self._handle(repair_id).describe(rpc_timeout=ANSWER_WITHIN)
                _refuse_foreign(described)
                return await line_of(described)
        except NotFound:
            if (written := await self._reports.read(repair_id)) is not None:
                return reported_line(written)
            raise

    async def stuck(self, *, limit: int = 20) -> tuple[str, ...]:
        """Open repairs and agents that a worker tries to go on with, and cannot; each with the reason."""
        with temporal_errors("", queue=self._queue):
            listed = self._client.list_workflows(
                f"WorkflowType IN ({_ALL_TYPES}) AND ExecutionStatus = 'Running'",
                limit=limit,
                rpc_timeout=ANSWER_WITHIN,
            )
            running = [execution async for execution in listed]
        found = await asyncio.gather(*(self._stuck(execution) for execution in running))
        return tuple(why for why in found if why)

    async def _stuck(self, execution: WorkflowExecution) -> str | None:
        subject = _SUBJECTS[execution.workflow_type]
        why = await self._asking.stuck(execution.id, subject)
        return why or await self._asking.unreplayable(execution.id, subject)

    async def workers(self, queue: str) -> tuple[str, ...]:
        """Who polled a queue for workflow or activity tasks lately. A killed worker stays listed for some seconds."""
        return await self._asking.workers(queue)

    async def unattended(self, repair_id: str) -> Said:
        """On which queue the repair waits without anybody working there, and what to start; else nothing."""
        return await self._attendance.of_repair(repair_id)

    async def unserved(self, store_id: str) -> Said:
        """The same of whatever is started for a store."""
        return await self._attendance.of_store(store_id)

    async def _looked(
        self, repair_id: str, watch: Watch[RepairView], seen: int, *, answered: bool
    ) -> RepairView | Silence:
        """The repair after a change; or why nobody can say, if somebody could before. Raises Unreachable."""
        try:
            return await watch.look(seen, lambda: self._view(repair_id, PageArgs(size=MOST_PER_PAGE)))
        except Unreachable as error:
            if not answered:
                raise
            return Silence(message=error.said)

    async def _until_begun(self, repair_id: str) -> AsyncGenerator[Silence]:
        """What a repair of what was reported waits for, each time that this changes, until it is there."""
        told = Said()
        while True:
            try:
                await self.ended(repair_id)
            except NotBegun as error:
                if error.said != told:
                    told = error.said
                    yield Silence(message=told)
                await asyncio.sleep(_LOOK_AGAIN_S)
            else:
                return

    async def _meant_by(self, said: str, error: NotFound) -> NotFound:
        """The error, with the repairs that may have been meant."""
        try:
            ids = (*await newest_ids(self._client, within=ANSWER_WITHIN), *await self._reports.ids(REPAIR_ID))
        except (RPCError, StoreError):
            return error
        asked = did_you_mean(misspelt(said, ids))
        return NotFound(f"there is no {REPAIR.noun} {said!r}; ", asked, " ", REPAIR.way_out) if asked else error

    async def _refuse_not_begun(self, repair_id: str) -> None:
        """Raises NotBegun for a repair of what was reported that waits."""
        with suppress(Unreachable):
            if waits_for := await self._events.waits_for(repair_id):
                raise NotBegun(repair_id, waits_for=waits_for)

    async def _view(self, repair_id: str, page: PageArgs) -> RepairView:
        handle = self._handle(repair_id)
        return await self._asking.ask(
            repair_id, REPAIR, lambda within: handle.query(RepairAgentWorkflow.view, page, rpc_timeout=within)
        )

    def _handle(self, repair_id: str) -> Handle:
        return self._client.get_workflow_handle_for(RepairAgentWorkflow.run, repair_id)


def _refuse_foreign(described: WorkflowExecutionDescription) -> None:
    """Raises NotFound for another workflow of the namespace: it may know signals by our names."""
    if described.workflow_type != WORKFLOW_NAME:
        kind = visible(described.workflow_type, longest=100)
        raise NotFound(f"{described.id!r} is a workflow of type {kind}, and no repair; ", REPAIR.way_out)
