"""ScheduleService: repairs that Temporal starts at their times. Each is a repair like any other, and asks a person."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Final, TypeVar

from temporalio.client import (
    Client,
    ScheduleActionResult,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from daper.activities.scopes import unknown_status
from daper.clock import utc_now
from daper.core.commands import CommandLine, Said
from daper.core.errors import NotFound, Occupied, Unreachable, UserError
from daper.core.ids import SCHEDULED
from daper.core.messages import Nudge, RepairRequest
from daper.core.nearness import did_you_mean, misspelt
from daper.core.policy import ApprovalPolicy
from daper.core.proactive import words_of
from daper.core.text import visible
from daper.ports import Domain
from daper.service.inquiry import ANSWER_WITHIN
from daper.service.launch import Launch, launch_of
from daper.service.records import find_domain
from daper.service.repairs import RepairService
from daper.service.requests import Times
from daper.service.rpc_errors import SCHEDULE, Over, temporal_errors
from daper.service.schedule_orders import (
    PutSchedule,
    ScheduleDeleted,
    ScheduledRun,
    ScheduleLine,
    ScheduleRef,
    ScheduleView,
    Triggered,
)
from daper.service.schedule_parts import (
    open_repairs,
    repair_id_of,
    schedule_line,
    schedule_of,
    starts_repairs,
    when_of,
    words_of_spec,
)
from daper.workflows.labels import DOMAIN_MEMO, USER_MEMO

NEXT_RUNS: Final = 5
_UPSERT: Final = CommandLine("schedule", "upsert")
_LOOK_EVERY: Final = 0.05
_MOST_PUTS: Final = 3  # of one that is deleted at the same moment
_SECOND: Final = timedelta(seconds=1)
_MOST_OFF: Final = timedelta(days=1)  # a clock

T = TypeVar("T")


class ScheduleService:
    """Schedules on one Temporal namespace, of repairs on one task queue."""

    def __init__(
        self,
        *,
        client: Client,
        queue: str,
        times: Times | None = None,
        domains: Mapping[str, Domain],
        repairs: RepairService,
        indexed: bool,
        policy: ApprovalPolicy | None = None,
    ) -> None:
        self._client = client
        self._queue = queue
        self._times = times or Times()
        self._domains = domains
        self._repairs = repairs
        self._indexed = indexed
        self._policy = policy or ApprovalPolicy()

    async def create(self, order: PutSchedule) -> ScheduleView:
        """Make a schedule for the local store of a domain.

        Raises UserError where there is one by that id, or Temporal takes a time of it otherwise than we do; Occupied
        where the id is that of another one's schedule, NotFound for an unknown domain, Unreachable.
        """
        schedule_id = order.ref.schedule_id
        try:
            await self._create(order, schedule_id, await self._launch(order))
        except ScheduleAlreadyRunningError:
            await self._found(order.ref)
            raise UserError(
                f"there is already a schedule {schedule_id!r}; see it: ",
                CommandLine("schedule", "describe", schedule_id),
                "; change it: ",
                _UPSERT,
                ", with all that it is to be",
            ) from None
        return await self._made(order)

    async def upsert(self, order: PutSchedule) -> tuple[ScheduleView, bool]:
        """Make a schedule, or change all of the one that is there to what is asked for; and whether it was made.

        What runs already goes on as it began. Raises as `create`, and Occupied for what somebody else asked for.
        """
        schedule_id = order.ref.schedule_id
        launch = await self._launch(order)

        def change(given: ScheduleUpdateInput) -> ScheduleUpdate:
            before = given.description.schedule.state
            return ScheduleUpdate(schedule=schedule_of(order, launch, queue=self._queue, before=before))

        for left in reversed(range(_MOST_PUTS)):
            try:
                await self._create(order, schedule_id, launch)
            except ScheduleAlreadyRunningError:
                try:
                    await self._refuse_of_another(order)
                    with _refused_spec():
                        await self._tell(schedule_id, lambda handle: handle.update(change, rpc_timeout=ANSWER_WITHIN))
                except NotFound:  # deleted meanwhile
                    if not left:
                        raise
                    continue
                return await self._made(order), False
            break
        return await self._made(order), True

    async def _made(self, order: PutSchedule) -> ScheduleView:
        domain = find_domain(self._domains, order.domain)
        finds_nothing = await unknown_status(domain, order.scope)
        return (await self.describe(order.ref)).model_copy(update={"finds_nothing": finds_nothing})

    async def describe(self, ref: ScheduleRef) -> ScheduleView:
        """A schedule with its next and last runs. Raises NotFound, Occupied, Unreachable."""
        described = await self._found(ref)
        request, schedule, info = await self._request(described), described.schedule, described.info
        runs = await asyncio.gather(*(self._run(each) for each in reversed(info.recent_actions)))
        action = schedule.action
        return ScheduleView(
            schedule_id=described.id,
            user=request.requested_by.name,
            domain=request.domain,
            store_id=request.store_id,
            queue=action.task_queue if isinstance(action, ScheduleActionStartWorkflow) else "",
            words=words_of_spec(schedule.spec),
            when=when_of(schedule.spec),
            scope=request.scope,
            dry_run=request.dry_run,
            approval_timeout=request.approval_timeout,
            catch_up=schedule.policy.catchup_window or timedelta(),
            overlap=schedule.policy.overlap.name.lower(),
            paused=schedule.state.paused,
            note=schedule.state.note or "",
            next_runs=() if schedule.state.paused else tuple(info.next_action_times[:NEXT_RUNS]),
            runs=tuple(runs),
            started=info.num_actions,
            skipped=info.num_actions_skipped_overlap,
            missed=info.num_actions_missed_catchup_window,
            created_at=info.created_at,
            updated_at=info.last_updated_at,
            trouble=_auto_approves(described.id) if _approves_by_policy(request) else "",
            lacking=await self._repairs.unserved(request.store_id),
        )

    async def list(self, *, limit: int = 100) -> tuple[ScheduleLine, ...]:
        """Schedules of repairs, by id. Temporal's list lags behind by up to a second. Raises Unreachable."""
        lines: list[ScheduleLine] = []
        with temporal_errors("", queue=self._queue, of=SCHEDULE):
            async for each in await self._client.list_schedules(rpc_timeout=ANSWER_WITHIN):
                if line := await schedule_line(each):
                    lines.append(line)
                if len(lines) == limit:
                    break
        return tuple(sorted(lines, key=lambda line: line.schedule_id))

    async def trigger(self, ref: ScheduleRef) -> Triggered:
        """Start a run now, also of a paused schedule, unless another run is open; says which.

        Raises NotFound, Occupied, UserError where it was set from outside to approve by policy, Unreachable.
        """
        before = await self._found(ref)
        await self._refuse_auto_approve(before)
        await _until_ids_differ(before)
        await self._tell(
            before.id, lambda handle: handle.trigger(overlap=ScheduleOverlapPolicy.SKIP, rpc_timeout=ANSWER_WITHIN)
        )
        try:
            async with asyncio.timeout(ANSWER_WITHIN.total_seconds()):
                while True:
                    after = await self._found(ref)
                    if after.info.num_actions > before.info.num_actions:
                        return Triggered(schedule_id=before.id, repair_id=repair_id_of(after.info.recent_actions[-1]))
                    if after.info.num_actions_skipped_overlap > before.info.num_actions_skipped_overlap:
                        return Triggered(schedule_id=before.id, skipped=True, open_repairs=open_repairs(after))
                    await asyncio.sleep(_LOOK_EVERY)
        except TimeoutError:
            return Triggered(schedule_id=before.id)

    async def pause(self, ref: ScheduleRef, *, by: str, reason: str = "") -> str:
        """Let no run begin until it is resumed; what is open goes on. Says the id. Raises NotFound, Unreachable."""
        note = f"paused by {words_of(Nudge(by=by, reason=reason))}"
        found = await self._found(ref)
        await self._tell(found.id, lambda handle: handle.pause(note=note, rpc_timeout=ANSWER_WITHIN))
        return found.id

    async def resume(self, ref: ScheduleRef, *, by: str, reason: str = "") -> str:
        """Let runs begin again; those of the pause are not made up for. Says the id.

        Raises NotFound, UserError where it was set from outside to approve by policy, Unreachable.
        """
        note = f"resumed by {words_of(Nudge(by=by, reason=reason))}"
        found = await self._found(ref)
        await self._refuse_auto_approve(found)
        await self._tell(found.id, lambda handle: handle.unpause(note=note, rpc_timeout=ANSWER_WITHIN))
        return found.id

    async def delete(self, ref: ScheduleRef) -> ScheduleDeleted:
        """Delete a schedule; its repairs go on. Raises NotFound, Occupied, Unreachable."""
        found = await self._found(ref)
        await self._tell(found.id, lambda handle: handle.delete(rpc_timeout=ANSWER_WITHIN))
        return ScheduleDeleted(
            schedule_id=found.id, words=words_of_spec(found.schedule.spec), open_repairs=open_repairs(found)
        )

    async def _launch(self, order: PutSchedule) -> Launch:
        store = await find_domain(self._domains, order.domain).store()
        return launch_of(order.repair.under(self._policy, self._times), store, queue=self._queue, indexed=self._indexed)

    async def _create(self, order: PutSchedule, schedule_id: str, launch: Launch) -> None:
        with temporal_errors(schedule_id, queue=self._queue, of=SCHEDULE), _refused_spec():
            await self._client.create_schedule(
                schedule_id,
                schedule_of(order, launch, queue=self._queue),
                memo={USER_MEMO: order.requested_by.name, DOMAIN_MEMO: order.domain},
                rpc_timeout=ANSWER_WITHIN,
            )

    async def _found(self, ref: ScheduleRef) -> ScheduleDescription:
        """Raises NotFound also for a schedule of something else, Occupied where two names make one id."""
        schedule_id = ref.schedule_id
        found = await self._tell(schedule_id, lambda handle: handle.describe(rpc_timeout=ANSWER_WITHIN))
        if not starts_repairs(found.schedule.action):
            raise NotFound(f"schedule {schedule_id!r} does not start repairs; ", SCHEDULE.way_out)
        if not ref.name:
            memo = await found.memo()
            whose, where = str(memo.get(USER_MEMO, ref.user)), str(memo.get(DOMAIN_MEMO, ref.domain))
            if (whose, where) != (ref.user, ref.domain):
                raise Occupied(
                    f"{schedule_id!r} is the schedule of {whose!r} for {where!r}; for {ref.user!r} and "
                    f"{ref.domain!r}, give it a name of its own"
                )
        return found

    async def _refuse_of_another(self, order: PutSchedule) -> None:
        """Who changes a schedule would ask in the name of whoever made it, or take it away from them."""
        found = await self._found(order.ref)
        whose = str((await found.memo()).get(USER_MEMO, order.requested_by.name))
        if whose != order.requested_by.name:
            raise Occupied(
                f"schedule {found.id!r} is that of {whose!r}, and you are {order.requested_by.name!r}; take another "
                "name, or delete it first: ",
                CommandLine("schedule", "delete", found.id),
            )

    async def _request(self, described: ScheduleDescription) -> RepairRequest:
        action = described.schedule.action
        given = action.args if isinstance(action, ScheduleActionStartWorkflow) else ()
        try:
            # As Temporal gives it back, the input is still encoded.
            (request,) = await self._client.data_converter.decode(given, [RepairRequest])
        except (ValueError, RuntimeError) as error:
            raise UserError(
                f"schedule {described.id!r} has an input that is none of ours; make it anew: ",
                _UPSERT,
                ", or delete it: ",
                CommandLine("schedule", "delete", described.id),
            ) from error
        return request

    async def _refuse_auto_approve(self, described: ScheduleDescription) -> None:
        if _approves_by_policy(await self._request(described)):
            raise UserError(_auto_approves(described.id))

    async def _run(self, result: ScheduleActionResult) -> ScheduledRun:
        repair_id = repair_id_of(result)
        try:
            line = await self._repairs.line(repair_id)
        except (NotFound, Unreachable):
            return ScheduledRun(
                repair_id=repair_id, started_at=result.started_at, phase="not kept any more", open=False
            )
        return ScheduledRun(
            repair_id=repair_id, started_at=result.started_at, phase=line.phase, open=line.ended_at is None
        )

    async def _tell(self, schedule_id: str, call: Callable[[ScheduleHandle], Awaitable[T]]) -> T:
        try:
            with temporal_errors(schedule_id, queue=self._queue, of=SCHEDULE):
                return await call(self._client.get_schedule_handle(schedule_id))
        except Over as error:  # deleted a moment ago
            raise NotFound(f"there is no schedule {schedule_id!r}; ", SCHEDULE.way_out) from error
        except NotFound as error:
            asked = did_you_mean(
                misspelt(schedule_id, [line.schedule_id for line in await self.list()], after=SCHEDULED)
            )
            raise (NotFound(error.said, f"; {asked}") if asked else error) from None


async def _until_ids_differ(before: ScheduleDescription) -> None:
    """The id of a run has its second: another one in the same second would have the same id, and the same report.

    Temporal alone knows its second, and this machine's clock may be off: so a whole one passes after a late run.
    """
    if before.info.recent_actions and abs(utc_now() - before.info.recent_actions[-1].scheduled_at) < _MOST_OFF:
        await asyncio.sleep(_SECOND.total_seconds())


def _approves_by_policy(request: RepairRequest) -> bool:
    return request.auto_approve or request.may_act_alone


def _auto_approves(schedule_id: str) -> Said:
    return Said(
        f"schedule {schedule_id!r} was set from outside to approve by policy, which no schedule of daper does; "
        "to have it ask: ",
        _UPSERT,
    )


@contextmanager
def _refused_spec() -> Generator[None]:
    """Raises UserError where Temporal itself does not take the times of a schedule."""
    try:
        yield
    except RPCError as error:
        if error.status is not RPCStatusCode.INVALID_ARGUMENT:
            raise
        raise UserError(f"Temporal does not take this schedule: {visible(error.message)}") from error
