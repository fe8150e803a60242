"""The repairs and agents whose histories are kept: one for each way through them.

Each says the id of the workflow it ran; and, after a space, of its run, if that is not the last one. One whose
workflows only make sense together says that of each, by the name of its history: `TOGETHER` has these names.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from pydantic import JsonValue
from temporalio.testing import WorkflowEnvironment

from daper.core.errors import ActionFailed
from daper.core.events import Gathering
from daper.core.models import Verdict
from daper.core.outcomes import Effect, Holding, OutcomeStatus, Postcondition
from daper.core.phases import Phase
from daper.ports import PlanCaps, Record, Terms, ToolCall
from daper.workflows.event_driven import RepairAgentWorkflowEventDriven
from tests.llm.shops import GOOD, model_shop
from tests.receiving import SECRET, hook, webhook_lines, write_people
from tests.strangers.daper_alerts import Alerts
from tests.workflow.agents import Agent
from tests.workflow.delivering import APPROVERS, bring_own
from tests.workflow.events import agent_of, approved, begun, event_of, report, report_to_short_runs
from tests.workflow.scripted import ScriptedOrders, UndoableScript
from tests.workflow.shop import Shop, answer, open_shop
from tests.workflow.timetable import EVERY_YEAR, Timetable

APPROVE, REJECT = Verdict.APPROVE, Verdict.REJECT
APPLIED, REJECTED, NOT_APPROVED = OutcomeStatus.APPLIED, OutcomeStatus.REJECTED, OutcomeStatus.NOT_APPROVED
LAPSED, UNDONE, FAILED = OutcomeStatus.LAPSED, OutcomeStatus.UNDONE, OutcomeStatus.FAILED
SKIPPED = OutcomeStatus.SKIPPED
BADGES = {"record_ids": ["ORD-002-HJG"]}
EGG = {"record_ids": ["ORD-004-RHG"]}
LETS_ASK_FOR_APPROVALS = """
[alone]
max_share = 1.0

[alone.allow]
request_approval = ["restricted-without-approval"]
"""

_COMPLETED = "EVENT_TYPE_ACTIVITY_TASK_COMPLETED"
_TASK_COMPLETED = "EVENT_TYPE_WORKFLOW_TASK_COMPLETED"

Scenario = Callable[[WorkflowEnvironment, Path], Awaitable[str | Mapping[str, str]]]


async def auto_approved(env: WorkflowEnvironment, home: Path) -> str:
    """The shipped six, approved by policy."""
    async with open_shop(env, home) as shop:
        return await _ended(shop, await shop.start(auto_approve=True), Phase.REPORT_COMPLETED, *[APPLIED] * 4)


async def approved_with_edit(env: WorkflowEnvironment, home: Path) -> str:
    """A person approves all, with another quantity."""
    async with open_shop(env, home) as shop:
        repair_id = await shop.start()
        given = answer(await shop.plan(repair_id)).model_copy(update={"edits": {"a2": {"quantity": 250}}})
        await shop.service.decide(repair_id, given)
        return await _ended(shop, repair_id, Phase.REPORT_COMPLETED, *[APPLIED] * 4)


async def mixed_verdicts(env: WorkflowEnvironment, home: Path) -> str:
    """Rejected, approved, not named, approved."""
    async with open_shop(env, home) as shop:
        repair_id = await shop.start()
        await shop.decide(repair_id, await shop.plan(repair_id), a1=REJECT, a2=APPROVE, a4=APPROVE)
        return await _ended(shop, repair_id, Phase.REPORT_COMPLETED, REJECTED, APPLIED, NOT_APPROVED, APPLIED)


async def rejected(env: WorkflowEnvironment, home: Path) -> str:
    """A person rejects everything."""
    async with open_shop(env, home) as shop:
        repair_id = await shop.start()
        await shop.decide(repair_id, await shop.plan(repair_id), a1=REJECT, a2=REJECT, a3=REJECT, a4=REJECT)
        return await _ended(shop, repair_id, Phase.REJECTED, *[REJECTED] * 4)


async def expired(env: WorkflowEnvironment, home: Path) -> str:
    """Nobody answers."""
    async with open_shop(env, home) as shop:
        repair_id = await shop.start(approval_timeout=timedelta(seconds=1))
        return await _ended(shop, repair_id, Phase.APPROVAL_EXPIRED)


async def parked_at_approval(env: WorkflowEnvironment, home: Path) -> str:
    """Still open: it waits for a person."""
    async with open_shop(env, home) as shop:
        repair_id = await shop.start()
        await shop.plan(repair_id)
        return repair_id


async def parked_where_auto_approval_does_not_reach(env: WorkflowEnvironment, home: Path) -> str:
    """Still open: the grant that was asked for does not cover the plan."""
    async with open_shop(env, home) as shop:
        repair_id = await shop.start(auto_approve=True, policy={"auto_max_risk": "low"})
        await shop.plan(repair_id)
        return repair_id


async def parked_for_named_records(env: WorkflowEnvironment, home: Path) -> str:
    """Still open: the record was named, so nothing was detected."""
    async with open_shop(env, home) as shop:
        repair_id = await shop.start(scope=BADGES, at_once=True)
        await shop.plan(repair_id)
        return repair_id


async def parked_without_search_attributes(env: WorkflowEnvironment, home: Path) -> str:
    """Still open, in a namespace that does not know our search attributes."""
    async with open_shop(env, home, indexed=False) as shop:
        repair_id = await shop.start()
        await shop.plan(repair_id)
        return repair_id


async def parked_on_a_schedule(env: WorkflowEnvironment, home: Path) -> str:
    """Still open: a schedule began it."""
    async with open_shop(env, home) as shop:
        made = Timetable(shop)
        await made.create(when=EVERY_YEAR)
        repair_id = (await shop.schedules.trigger(made.ref)).repair_id
        assert repair_id is not None
        await shop.plan(repair_id)
        await shop.schedules.delete(made.ref)
        return repair_id


async def parked_with_a_model(env: WorkflowEnvironment, home: Path) -> str:
    """Still open: a language model had its say in the analysis and in the plan."""
    async with model_shop(env, home, GOOD) as (shop, _):
        repair_id = await shop.start()
        await shop.plan(repair_id)
        return repair_id


async def parked_again_after_a_lapse(env: WorkflowEnvironment, home: Path) -> str:
    """Still open: it was approved once, nobody acted in time, and it asks again."""
    shop = Shop(env, home, domains=None, indexed=True)
    repair_id = await shop.start(scope=EGG, at_once=True, decision_valid_for=timedelta(seconds=1))
    async with shop.worker():
        first = await shop.plan(repair_id)
    async with shop.workflow_worker():
        await shop.decide(repair_id, first)
        await shop.until_lapsed(repair_id)
    async with shop.worker():
        await shop.plan(repair_id, round_number=2)
        return repair_id


async def stopped_while_waiting(env: WorkflowEnvironment, home: Path) -> str:
    """Stopped by a signal, before anybody decided."""
    async with open_shop(env, home) as shop:
        repair_id = await shop.start()
        await shop.plan(repair_id)
        await shop.service.stop(repair_id, by="Harry", reason="wrong shop")
        return await _ended(shop, repair_id, Phase.CANCELLED)


async def stopped_during_execution(env: WorkflowEnvironment, home: Path) -> str:
    """Stopped by a signal, with an effect in flight."""
    async with _holding_a_restock(env, home) as (shop, repair_id, go_on):
        await shop.service.stop(repair_id, by="Harry")
        go_on.set()
        return await _ended(shop, repair_id, Phase.CANCELLED, APPLIED)


async def cancelled(env: WorkflowEnvironment, home: Path) -> str:
    """Cancelled from outside, before anybody decided."""
    async with open_shop(env, home) as shop:
        repair_id = await shop.start()
        await shop.plan(repair_id)
        await shop.client.get_workflow_handle(repair_id).cancel()
        return await _ended(shop, repair_id, Phase.CANCELLED)


async def cancelled_during_execution(env: WorkflowEnvironment, home: Path) -> str:
    """Cancelled from outside, with an effect in flight."""
    async with _holding_a_restock(env, home) as (shop, repair_id, go_on):
        await shop.client.get_workflow_handle(repair_id).cancel()
        go_on.set()
        return await _ended(shop, repair_id, Phase.CANCELLED, APPLIED)


async def lapsed_two_rounds(env: WorkflowEnvironment, home: Path) -> str:
    """An approval that nobody acted on in time, asked for again and given again."""
    shop = Shop(env, home, domains=None, indexed=True)
    repair_id = await shop.start(scope=EGG, at_once=True, decision_valid_for=timedelta(seconds=1))
    async with shop.worker():
        first = await shop.plan(repair_id)
    async with shop.workflow_worker():
        await shop.decide(repair_id, first)
        await shop.until_lapsed(repair_id)
    async with shop.worker():
        await shop.decide(repair_id, await shop.plan(repair_id, round_number=2))
        return await _ended(shop, repair_id, Phase.REPORT_COMPLETED, LAPSED, APPLIED)


async def told_and_decided(env: WorkflowEnvironment, home: Path) -> str:
    """Somebody is told, decides, and is told of the end; a workflow that is to be called back is gone."""
    async with _owl_shop(env, home) as shop:
        callback = {"workflow_id": "long-gone", "name": "daper_says"}
        repair_id = await shop.start(tell=["owl"], callback=callback)
        plan = await shop.plan(repair_id)
        await shop.until(repair_id, lambda look: len(look.notices) == 1)
        await shop.decide(repair_id, plan)
        return await _ended(shop, repair_id, Phase.REPORT_COMPLETED, *[APPLIED] * 4)


async def told_and_expired(env: WorkflowEnvironment, home: Path) -> str:
    """Somebody is told, reminded, and told that it is over."""
    async with _owl_shop(env, home) as shop:
        repair_id = await shop.start(tell=["owl"], approval_timeout=timedelta(seconds=2))
        return await _ended(shop, repair_id, Phase.APPROVAL_EXPIRED)


async def told_and_cancelled(env: WorkflowEnvironment, home: Path) -> str:
    """Cancelled from outside while it waits, and that is told too."""
    async with _owl_shop(env, home) as shop:
        repair_id = await shop.start(tell=["owl"])
        await shop.plan(repair_id)
        await shop.client.get_workflow_handle(repair_id).cancel()
        return await _ended(shop, repair_id, Phase.CANCELLED)


async def parked_and_told(env: WorkflowEnvironment, home: Path) -> str:
    """Still open: it waits for a person, who was told so."""
    async with _owl_shop(env, home) as shop:
        repair_id = await shop.start(tell=["owl"])
        await shop.until_events(repair_id, *[_COMPLETED] * 6, "EVENT_TYPE_WORKFLOW_TASK_COMPLETED")
        return repair_id


async def parked_and_reminded(env: WorkflowEnvironment, home: Path) -> str:
    """Still open: whoever was told was reminded, too."""
    async with _owl_shop(env, home) as shop:
        repair_id = await shop.start(tell=["owl"], policy={"reminders": [0.00002, 0.9]})
        await shop.until_events(repair_id, *[_COMPLETED] * 7, "EVENT_TYPE_WORKFLOW_TASK_COMPLETED")
        return repair_id


async def delivered(env: WorkflowEnvironment, home: Path) -> str:
    """What own orders have to be asked for is sent: one message is taken, one is refused, one at the second try."""
    bring_own(home)
    async with hook(503, 400) as server:
        write_people(home, outbox=webhook_lines(server.url))
        async with open_shop(env, home, environ={"OWL_SECRET": SECRET} | APPROVERS) as shop:
            repair_id = await shop.start(scope={"record_ids": ["ORD-001-HJP", "ORD-004-RHG"]}, auto_approve=True)
            return await _ended(shop, repair_id, Phase.REPORT_COMPLETED, APPLIED, APPLIED)


async def dry_run(env: WorkflowEnvironment, home: Path) -> str:
    """Planned, and left at that."""
    async with open_shop(env, home) as shop:
        return await _ended(shop, await shop.start(dry_run=True), Phase.PLAN_ONLY)


async def nothing_to_repair(env: WorkflowEnvironment, home: Path) -> str:
    """Detection finds nothing."""
    async with open_shop(env, home) as shop:
        for order_id in ("ORD-001-HJP", "ORD-002-HJG", "ORD-003-RBW", "ORD-004-RHG"):
            shop.edit_order(order_id, status="completed")
        return await _ended(shop, await shop.start(), Phase.NO_REPAIR_NEEDED)


async def failed_unknown_record(env: WorkflowEnvironment, home: Path) -> str:
    """Asked about an order that does not exist."""
    async with open_shop(env, home) as shop:
        repair_id = await shop.start(scope={"record_ids": ["ORD-999-TMR"]}, at_once=True)
        return await _ended(shop, repair_id, Phase.REPAIR_FAILED)


async def undone(env: WorkflowEnvironment, home: Path) -> str:
    """It did not help, and was taken back."""

    class Unhelpful(UndoableScript):
        async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
            return Postcondition(holding=Holding.NO, evidence="the badges never came")

    orders = ScriptedOrders(home)
    orders.replaced["order_inventory"] = Unhelpful(orders.script("order_inventory").tool)
    async with open_shop(env, home, domains={"orders": orders}) as shop:
        repair_id = await shop.start(scope=BADGES, at_once=True, auto_approve=True)
        return await _ended(shop, repair_id, Phase.REPORT_COMPLETED, UNDONE)


async def settled_failed(env: WorkflowEnvironment, home: Path) -> str:
    """One of four fails; the ledger has the last word on it."""
    orders = ScriptedOrders(home)

    async def fail(_: ToolCall) -> None:
        raise ActionFailed("the supplier is closed")

    orders.script("order_inventory", before=fail)
    async with open_shop(env, home, domains={"orders": orders}) as shop:
        return await _ended(
            shop, await shop.start(auto_approve=True), Phase.REPORT_COMPLETED, APPLIED, FAILED, APPLIED, APPLIED
        )


async def memo_instead_of_search_attributes(env: WorkflowEnvironment, home: Path) -> str:
    """A namespace that does not know our search attributes."""
    async with open_shop(env, home, indexed=False) as shop:
        return await _ended(shop, await shop.start(auto_approve=True), Phase.REPORT_COMPLETED, *[APPLIED] * 4)


async def strangers_domain(env: WorkflowEnvironment, home: Path) -> str:
    """Records without versions, and effects that show only after a while."""
    async with open_shop(env, home, domains={"alerts": Alerts(home, ["owl-post", "floo-network"])}) as shop:
        return await _ended(
            shop, await shop.start(domain="alerts", auto_approve=True), Phase.REPORT_COMPLETED, APPLIED, APPLIED
        )


async def tried_first_and_the_rest(env: WorkflowEnvironment, home: Path) -> str:
    """Of a tool that wants it, one action first; it helped, and the others ran."""
    return await _with_canary(env, home, APPLIED, APPLIED, APPLIED)


async def tried_first_in_vain(env: WorkflowEnvironment, home: Path) -> str:
    """Of a tool that wants it, one action first; it did not help, and the others did not run."""
    return await _with_canary(env, home, APPLIED, SKIPPED, SKIPPED, delay=float("inf"))


async def tried_first_side_by_side(env: WorkflowEnvironment, home: Path) -> str:
    """Of each of two sorts one action first, side by side; both helped, and the others ran.

    The kept history `tried_first_in_turn` is of the same, by a release that tried one after the other.
    """
    alerts = Alerts(home, ["owl-post", "floo-network", "owl-nests", "floo-gates"])
    tool = alerts.tools["restart_service"]
    terms_of = tool.terms

    def terms(record_id: str, arguments: Mapping[str, JsonValue], records: Sequence[Record]) -> Terms:
        return replace(terms_of(record_id, arguments, records), alike=record_id.partition("-")[0])

    setattr(tool, "caps", PlanCaps(canary=1))  # noqa: B010 - the stranger has none
    setattr(tool, "terms", terms)  # noqa: B010 - nor is anything alike in its services
    async with open_shop(env, home, domains={"alerts": alerts}) as shop:
        repair_id = await shop.start(domain="alerts", auto_approve=True)
        return await _ended(shop, repair_id, Phase.REPORT_COMPLETED, APPLIED, APPLIED, APPLIED, APPLIED)


async def proactive_three_cycles(env: WorkflowEnvironment, home: Path) -> str:
    """An agent: rejected, nudged meanwhile, failed, and stopped while it waits."""
    async with open_shop(env, home) as shop:
        agent = Agent(shop, user="Harry-three")
        await agent.start()
        repair_id = await agent.cycle()
        await agent.check_now("more badges")
        await agent.reject(repair_id)
        await agent.waits(after=2)
        (home / "data" / "orders" / "orders.json").write_text("{", encoding="utf-8")
        await agent.check_now()
        await agent.waits(after=3)
        await agent.stop("it is summer")
        return await _stopped(agent, Phase.REPAIR_FAILED, Phase.NO_REPAIR_NEEDED, Phase.REJECTED)


async def proactive_stopped_in_a_cycle(env: WorkflowEnvironment, home: Path) -> str:
    """An agent that is stopped, and stops its repair."""
    async with open_shop(env, home) as shop:
        agent = Agent(shop, user="Harry-stopped")
        await agent.start()
        await shop.plan(await agent.cycle())
        await agent.stop("it is summer")
        return await _stopped(agent, Phase.CANCELLED)


async def proactive_cancelled_in_a_cycle(env: WorkflowEnvironment, home: Path) -> str:
    """An agent whose workflow is cancelled from outside, while a repair of it runs."""
    async with open_shop(env, home) as shop:
        agent = Agent(shop, user="Harry-cancelled")
        await agent.start()
        await shop.plan(await agent.cycle())
        await agent.handle.cancel()
        return await _stopped(agent, Phase.CANCELLED)


async def proactive_repair_terminated(env: WorkflowEnvironment, home: Path) -> str:
    """Still open: its repair was terminated, so it waits for the next try; without our search attributes."""
    async with open_shop(env, home, indexed=False) as shop:
        agent = Agent(shop, user="Harry-terminated")
        await agent.start()
        repair_id = await agent.cycle()
        await shop.plan(repair_id)
        await shop.client.get_workflow_handle(repair_id).terminate()
        return (await agent.waits(after=1)).agent_id


async def proactive_continues_as_new(env: WorkflowEnvironment, home: Path) -> str:
    """The first run of an agent, which ends after its second cycle."""
    async with open_shop(env, home) as shop:
        agent = Agent(shop, user="Harry-first")
        run_id = await agent.start_with_short_runs(cycles=2)
        await agent.reject(await agent.cycle())
        await agent.waits(after=1)
        await agent.check_now()
        view = await agent.waits(after=2)
        return f"{view.agent_id} {run_id}"


async def proactive_continued_as_new(env: WorkflowEnvironment, home: Path) -> str:
    """Still open: the second run of an agent, which waits, is nudged, and waits for its repair."""
    async with open_shop(env, home) as shop:
        agent = Agent(shop, user="Harry-second")
        await agent.start_with_short_runs(cycles=1)
        first = await agent.cycle()
        await shop.decide(first, await shop.plan(first), a1=APPROVE)
        await agent.waits(after=1)
        await agent.check_now("look again")
        await shop.plan(await agent.cycle(2))
        return agent.handle.id


async def acted_alone(env: WorkflowEnvironment, home: Path) -> str:
    """A repair of an agent that nobody was asked about: the policy lets it run alone."""
    (home / "policy.toml").write_text(LETS_ASK_FOR_APPROVALS, encoding="utf-8")
    async with open_shop(env, home) as shop:
        for order_id in ("ORD-001-HJP", "ORD-002-HJG", "ORD-003-RBW"):
            shop.edit_order(order_id, status="completed")
        agent = Agent(shop, user="Harry-alone")
        await agent.start()
        [ended] = (await agent.waits(after=1)).results
        await agent.stop()
        await agent.ended()
        return await _ended(shop, ended.repair_id, Phase.REPORT_COMPLETED, APPLIED)


async def parked_where_acting_alone_does_not_reach(env: WorkflowEnvironment, home: Path) -> str:
    """Still open: a repair of an agent that may do some things alone, and not all of this."""
    (home / "policy.toml").write_text(LETS_ASK_FOR_APPROVALS, encoding="utf-8")
    async with open_shop(env, home) as shop:
        agent = Agent(shop, user="Harry-not-alone")
        await agent.start()
        repair_id = await agent.cycle()
        await shop.plan(repair_id)
        return repair_id


async def parked_under_an_agent(env: WorkflowEnvironment, home: Path) -> Mapping[str, str]:
    """Still open: a repair of an agent that waits for a person, and the agent that waits for the repair."""
    async with open_shop(env, home) as shop:
        agent = Agent(shop, user="Harry-parked")
        await agent.start()
        repair_id = await agent.cycle()
        await shop.plan(repair_id)
        return dict(zip(TOGETHER["parked_under_an_agent"], (repair_id, agent.handle.id), strict=True))


async def event_driven_two_repairs(env: WorkflowEnvironment, home: Path) -> str:
    """What was reported while one ran, with another right, became the next one; then nothing was left."""
    async with open_shop(env, home) as shop:
        first = await report(shop, "ORD-002-HJG")
        second = await report(shop, "ORD-004-RHG", auto_approve=True)
        await approved(shop, first.repair_id)
        await begun(shop, second.repair_id)
        await _ended(shop, second.repair_id, Phase.REPORT_COMPLETED, APPLIED)
        agent = await agent_of(shop)
        await agent.result()
        return agent.id


async def event_driven_remembers(env: WorkflowEnvironment, home: Path) -> str:
    """Still open: two events became one repair, and the agent knows for a day which one."""
    async with open_shop(env, home) as shop:
        first = await report(shop, "ORD-002-HJG")
        second = await report(shop, "ORD-004-RHG")
        await report(shop, "ORD-001-HJP")
        await approved(shop, first.repair_id)
        await approved(shop, second.repair_id)
        agent = await agent_of(shop)
        await shop.until_events(agent.id, "EVENT_TYPE_TIMER_STARTED")
        return agent.id


async def event_driven_continues_as_new(env: WorkflowEnvironment, home: Path) -> str:
    """Its first run, which ends after one repair and hands on what waits."""
    async with open_shop(env, home) as shop:
        events = [await event_of(shop, hours=number) for number in (1, 2)]
        run_id = await report_to_short_runs(shop, *events)
        agent = await agent_of(shop)
        await agent.result()
        return f"{agent.id} {run_id}"


async def parked_and_reported(env: WorkflowEnvironment, home: Path) -> Mapping[str, str]:
    """Still open: a repair of what was reported, and the agent that has collected the next one."""
    async with open_shop(env, home) as shop:
        first = await report(shop, "ORD-002-HJG")
        await shop.plan(first.repair_id)
        await report(shop, "ORD-004-RHG")
        return dict(zip(TOGETHER["parked_and_reported"], (first.repair_id, (await agent_of(shop)).id), strict=True))


async def event_driven_gathers(env: WorkflowEnvironment, home: Path) -> str:
    """Two repairs beside each other, and a third one when the first has ended; then nothing was left."""
    async with open_shop(env, home, gathering=Gathering(window=timedelta(seconds=1), most_open=2)) as shop:
        first = await report(shop, "ORD-002-HJG")
        second = await report(shop, "ORD-004-RHG", auto_approve=True)
        third = await report(shop, "ORD-001-HJP", approval_timeout=timedelta(hours=1))
        await begun(shop, second.repair_id)
        await approved(shop, first.repair_id)
        await approved(shop, third.repair_id)
        agent = await agent_of(shop)
        await agent.result()
        return agent.id


async def event_driven_carries_open_repairs(env: WorkflowEnvironment, home: Path) -> str:
    """Its second run, still open: it looks for the ends of repairs that its first run began, and begins another one."""
    async with open_shop(env, home) as shop:
        first, second, third = [await event_of(shop, hours=number, dry_run=False) for number in (1, 2, 3)]
        first_run = await report_to_short_runs(shop, first, second, per_run=2)
        agent = await agent_of(shop)
        while (await agent.describe()).run_id == first_run:
            pass
        await shop.until_events(agent.id, "EVENT_TYPE_TIMER_STARTED")
        await agent.signal(RepairAgentWorkflowEventDriven.report, third)
        await shop.until_events(agent.id, "EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED", _TASK_COMPLETED)
        return agent.id


TOGETHER: Mapping[str, Sequence[str]] = {
    "parked_and_reported": ("parked_and_reported", "event_driven_has_collected"),
    "parked_under_an_agent": ("parked_under_an_agent", "proactive_parked_in_a_cycle"),
}
SCENARIOS: Mapping[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        auto_approved,
        approved_with_edit,
        mixed_verdicts,
        rejected,
        expired,
        parked_at_approval,
        parked_where_auto_approval_does_not_reach,
        parked_for_named_records,
        parked_without_search_attributes,
        parked_on_a_schedule,
        parked_with_a_model,
        parked_again_after_a_lapse,
        stopped_while_waiting,
        stopped_during_execution,
        cancelled,
        cancelled_during_execution,
        lapsed_two_rounds,
        told_and_decided,
        told_and_expired,
        told_and_cancelled,
        parked_and_told,
        parked_and_reminded,
        delivered,
        dry_run,
        nothing_to_repair,
        failed_unknown_record,
        undone,
        settled_failed,
        memo_instead_of_search_attributes,
        strangers_domain,
        tried_first_and_the_rest,
        tried_first_in_vain,
        tried_first_side_by_side,
        proactive_three_cycles,
        proactive_stopped_in_a_cycle,
        proactive_cancelled_in_a_cycle,
        proactive_repair_terminated,
        proactive_continues_as_new,
        proactive_continued_as_new,
        acted_alone,
        parked_where_acting_alone_does_not_reach,
        parked_under_an_agent,
        event_driven_two_repairs,
        event_driven_remembers,
        event_driven_continues_as_new,
        event_driven_gathers,
        event_driven_carries_open_repairs,
        parked_and_reported,
    )
}


async def _ended(shop: Shop, repair_id: str, phase: Phase, *statuses: OutcomeStatus) -> str:
    """Wait for the end, which must be the one that the scenario is about: what is kept is kept for good."""
    result = await shop.end(repair_id)
    assert result.phase is phase, f"{repair_id} ended as {result.phase}, not as {phase}: {result.reason}"
    outcomes = sorted(result.outcomes, key=lambda outcome: outcome.action_id)
    assert [outcome.status for outcome in outcomes] == list(statuses), outcomes
    return repair_id


async def _with_canary(
    env: WorkflowEnvironment, home: Path, *statuses: OutcomeStatus, delay: float | None = None
) -> str:
    """A repair of three services by a tool of which one action is tried first; `delay`: until its effects show."""
    alerts = Alerts(home, ["owl-post", "floo-network", "portkeys"])
    setattr(alerts.tools["restart_service"], "caps", PlanCaps(canary=1))  # noqa: B010 - the stranger has none
    alerts.world.delay = alerts.world.delay if delay is None else delay
    async with open_shop(env, home, domains={"alerts": alerts}) as shop:
        repair_id = await shop.start(domain="alerts", auto_approve=True)
        return await _ended(shop, repair_id, Phase.REPORT_COMPLETED, *statuses)


async def _stopped(agent: Agent, *phases: Phase) -> str:
    """Wait for the end of an agent; its cycles, the newest first, must have ended like this."""
    view = await agent.ended()
    assert [each.phase for each in view.results] == list(phases), view.results
    return view.agent_id


@asynccontextmanager
async def _owl_shop(env: WorkflowEnvironment, home: Path) -> AsyncGenerator[Shop]:
    """A shop in which `owl` can be told."""
    async with hook() as server:
        write_people(home, owl=webhook_lines(server.url))
        async with open_shop(env, home, environ={"OWL_SECRET": SECRET}) as shop:
            yield shop


@asynccontextmanager
async def _holding_a_restock(
    env: WorkflowEnvironment, home: Path
) -> AsyncGenerator[tuple[Shop, str, asyncio.Event], None]:
    """A repair whose one effect has begun and waits for the event."""
    orders = ScriptedOrders(home)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def hold(_: ToolCall) -> None:
        begun.set()
        await go_on.wait()

    orders.script("order_inventory", before=hold)
    async with open_shop(env, home, domains={"orders": orders}) as shop:
        repair_id = await shop.start(scope=BADGES, at_once=True, auto_approve=True)
        async with asyncio.timeout(30):
            await begun.wait()
        yield shop, repair_id, go_on
