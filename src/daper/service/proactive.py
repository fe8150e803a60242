"""ProactiveService: start, see, nudge and stop the proactive agents, one for each user and domain."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from daper.core.commands import Said
from daper.core.errors import NotFound, Occupied, Unreachable, UserError
from daper.core.ids import PROACTIVE, agent_command
from daper.core.ids import agent_id as make_agent_id
from daper.core.messages import Nudge
from daper.core.models import StoreInfo
from daper.core.nearness import did_you_mean, misspelt
from daper.core.outcomes import RepairResult
from daper.core.policy import ApprovalPolicy
from daper.core.proactive import AgentPhase, ProactiveRequest, ProactiveView
from daper.core.views import RepairView
from daper.ports import Domain
from daper.service.inquiry import ANSWER_WITHIN, Asking
from daper.service.records import find_domain
from daper.service.repairs import RepairService
from daper.service.requests import ProactiveLine, ProactiveStarted, ProactiveStatus, StartProactive, Times
from daper.service.rpc_errors import AGENT, Over, agent_of, temporal_errors
from daper.workflows.labels import (
    DOMAIN_MEMO,
    PHASE_ATTRIBUTE,
    PHASE_MEMO,
    PLACE_MEMO,
    PROACTIVE_NAME,
    STORE_MEMO,
    USER_MEMO,
    repairs_what,
    summary,
    user_attributes,
)
from daper.workflows.proactive import RepairAgentWorkflowProactive
from daper.workflows.queues import activity_queue

Handle = WorkflowHandle[RepairAgentWorkflowProactive, ProactiveView]

_MOST_STARTS = 3  # of one that ends at the same moment


class ProactiveService:
    """Proactive agents on one Temporal namespace and task queue. An agent is addressed by its user and domain."""

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
        self._asking = Asking(client, queue=queue)

    async def start(self, order: StartProactive) -> ProactiveStarted:
        """Start the agent of a user for the local store of a domain, or find that it runs already.

        Raises NotFound for an unknown domain, UserError while the agent is being stopped, Occupied where the id is that
        of another one's agent, Unreachable.
        """
        store = await find_domain(self._domains, order.domain).store()
        user = order.requested_by.name
        agent_id = make_agent_id(user, order.domain)
        policy, order = self._policy.of(order.domain), order.under(self._policy, self._times)
        request = ProactiveRequest(
            store_id=store.store_id,
            activity_queue=activity_queue(self._queue, store.store_id),
            indexed=self._indexed,
            policy=policy.model_copy(update={"alone": None}) if order.asks_always else policy,
            **{name: value for name, value in dict(order).items() if name in ProactiveRequest.model_fields},
        )
        for _ in range(_MOST_STARTS):
            if started := await self._start(agent_id, request, store):
                return started
        see = agent_command("status", order.domain)
        raise Unreachable(f"proactive agent {agent_id!r} ends and begins all the time; see: ", see)

    async def _start(self, agent_id: str, request: ProactiveRequest, store: StoreInfo) -> ProactiveStarted | None:
        """An agent that was started or runs; None where one that ran ended meanwhile."""
        user, domain = request.requested_by.name, request.domain
        try:
            with temporal_errors(agent_id, queue=self._queue, of=agent_of(domain)):
                await self._client.start_workflow(
                    RepairAgentWorkflowProactive.run,
                    request,
                    id=agent_id,
                    task_queue=self._queue,
                    id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,  # of one that has ended
                    memo={
                        USER_MEMO: user,
                        DOMAIN_MEMO: domain,
                        STORE_MEMO: store.store_id,
                        PLACE_MEMO: store.place,
                    },
                    search_attributes=user_attributes(user, indexed=self._indexed),
                    static_summary=summary(repairs_what("Always repairing", request.scope), domain, user),
                )
        except WorkflowAlreadyStartedError:
            return await self._running(user, domain)
        return ProactiveStarted(
            agent_id=agent_id, already_running=False, queue=self._queue, store_id=store.store_id, place=store.place
        )

    async def status(self, user: str, domain: str) -> ProactiveStatus:
        """Where the agent stands, or stood when it ended, and the cycle that runs.

        Raises NotFound where it was never started, Unreachable when no worker answers or the agent is stuck.
        """
        described = await self._describe(user, domain)
        handle = self._handle(user, domain)
        if described.status is WorkflowExecutionStatus.COMPLETED:
            with temporal_errors(handle.id, queue=self._queue, of=agent_of(domain)):
                return ProactiveStatus(agent=await handle.result(rpc_timeout=ANSWER_WITHIN), ended="stopped")
        agent = await self._asking.ask(
            handle.id,
            agent_of(domain),
            lambda within: handle.query(RepairAgentWorkflowProactive.view, rpc_timeout=within),
        )
        repair, trouble = await self._look(agent.repair_id) if agent.repair_id else (None, Said())
        if isinstance(repair, RepairView):
            trouble = await self._repairs.unattended(repair.repair_id)
        return ProactiveStatus(agent=agent, repair=repair, trouble=trouble, ended=_ended(described))

    async def list(self, *, limit: int = 50) -> tuple[ProactiveLine, ...]:
        """The agents that run on this queue, of every user, by id; needs no worker. Raises Unreachable.

        Temporal's list lags behind by up to a second.
        """
        found: list[ProactiveLine] = []
        query = f"WorkflowType = '{PROACTIVE_NAME}' AND ExecutionStatus = 'Running'"
        with temporal_errors("", queue=self._queue, of=AGENT):
            async for each in self._client.list_workflows(query, rpc_timeout=ANSWER_WITHIN):
                if each.task_queue != self._queue:
                    continue
                memo = await each.memo()
                found.append(
                    ProactiveLine(
                        agent_id=each.id,
                        user=str(memo.get(USER_MEMO, "")),
                        domain=str(memo.get(DOMAIN_MEMO, "")),
                        phase=str(each.typed_search_attributes.get(PHASE_ATTRIBUTE) or memo.get(PHASE_MEMO, "")),
                        place=str(memo.get(PLACE_MEMO, "")),
                        started_at=each.start_time,
                    )
                )
                if len(found) == limit:
                    break
        return tuple(sorted(found, key=lambda line: line.agent_id))

    async def unserved(self, store_id: str) -> Said:
        """Where nobody works on the agent's queue, or for the records of its store: which, and what to start."""
        return await self._repairs.unserved(store_id)

    async def check_now(self, user: str, domain: str, *, by: str, reason: str = "") -> str:
        """Ask for a cycle: at once, or right after the one that runs; needs no worker. Says the agent's id.

        Raises NotFound where no agent runs, UserError while it is being stopped, Unreachable.
        """
        described = await self._describe(user, domain)
        _refuse_if_stopping(await _phase(described), described.id, domain)
        nudge = Nudge(by=by, reason=reason)
        with self._only_while_it_runs(described, domain):
            await self._handle(user, domain).signal(
                RepairAgentWorkflowProactive.check_now, nudge, rpc_timeout=ANSWER_WITHIN
            )
        return described.id

    async def stop(self, user: str, domain: str, *, by: str, reason: str = "") -> str:
        """Ask the agent to end; a cycle that runs is stopped, and settled first. Says the agent's id.

        Raises NotFound where no agent runs, Unreachable.
        """
        described = await self._describe(user, domain)
        nudge = Nudge(by=by, reason=reason)
        with self._only_while_it_runs(described, domain):
            await self._handle(user, domain).signal(RepairAgentWorkflowProactive.stop, nudge, rpc_timeout=ANSWER_WITHIN)
        return described.id

    async def _running(self, user: str, domain: str) -> ProactiveStarted | None:
        described = await self._describe(user, domain)
        if described.status is not WorkflowExecutionStatus.RUNNING:
            return None
        _refuse_if_stopping(await _phase(described), described.id, domain)
        memo = await described.memo()
        return ProactiveStarted(
            agent_id=described.id,
            already_running=True,
            queue=described.task_queue,
            store_id=str(memo.get(STORE_MEMO, "")),
            place=str(memo.get(PLACE_MEMO, "")),
        )

    async def _describe(self, user: str, domain: str) -> WorkflowExecutionDescription:
        """What Temporal knows of the agent's last run, which needs no worker. Two names may make one id."""
        agent_id = make_agent_id(user, domain)
        try:
            with temporal_errors(agent_id, queue=self._queue, of=agent_of(domain)):
                described = await self._handle(user, domain).describe(rpc_timeout=ANSWER_WITHIN)
                memo = await described.memo()
        except NotFound as error:
            asked = did_you_mean(misspelt(agent_id, [line.agent_id for line in await self.list()], after=PROACTIVE))
            raise (NotFound(error.said, f"; {asked}") if asked else error) from None
        whose, where = str(memo.get(USER_MEMO, user)), str(memo.get(DOMAIN_MEMO, domain))
        if (whose, where) != (user, domain):
            raise Occupied(
                f"{agent_id!r} is the proactive agent of {whose!r} for {where!r}; for {user!r} and {domain!r}, "
                "choose a name (USER_NAME) that makes another id"
            )
        return described

    async def _look(self, repair_id: str) -> tuple[RepairView | RepairResult | None, Said]:
        try:
            return await self._repairs.look(repair_id), Said()
        except (NotFound, Unreachable) as error:
            return None, error.said

    @contextmanager
    def _only_while_it_runs(self, described: WorkflowExecutionDescription, domain: str) -> Generator[None]:
        over = NotFound(f"proactive agent {described.id!r} is not running any more; ", agent_of(domain).way_out)
        if described.status is not WorkflowExecutionStatus.RUNNING:
            raise over
        try:
            with temporal_errors(described.id, queue=self._queue, of=agent_of(domain)):
                yield
        except Over as error:
            raise over from error

    def _handle(self, user: str, domain: str) -> Handle:
        return self._client.get_workflow_handle_for(RepairAgentWorkflowProactive.run, make_agent_id(user, domain))


async def _phase(described: WorkflowExecutionDescription) -> str:
    memo = await described.memo()
    return str(described.typed_search_attributes.get(PHASE_ATTRIBUTE) or memo.get(PHASE_MEMO, ""))


def _refuse_if_stopping(phase: str, agent_id: str, domain: str) -> None:
    if phase == AgentPhase.STOPPING:
        raise UserError(
            f"proactive agent {agent_id!r} is being stopped, and ends when its cycle is settled; "
            "once it says STOPPED (",
            agent_command("status", domain),
            "), start it again: ",
            agent_command("start", domain),
        )


def _ended(described: WorkflowExecutionDescription) -> str:
    if described.status is WorkflowExecutionStatus.RUNNING:
        return ""
    return described.status.name.lower() if described.status else "gone"
