"""What somebody sends to a workflow by hand: refused in a sentence of ours, or dropped, and it goes on."""

from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowQueryFailedError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from daper.core.phases import Phase
from daper.core.views import RepairView
from tests.workflow.shop import HARRY, Shop, answer, open_shop

WRONG: list[list[Any]] = [  # Any: what has no type of ours
    [],
    [None],
    [7],
    ["yes"],
    [True],
    [[]],
    [{}],
    [{"plan_digest": None, "verdicts": None, "by": None}],
    [{"plan_digest": "x", "verdicts": ["a1"], "by": {"kind": "person", "name": "Mallory"}}],
    [{"plan_digest": "x", "verdicts": {"a1": "maybe"}, "by": {"kind": "person", "name": "Mallory"}}],
    [{"plan_digest": "x", "verdicts": {"a1": "approve"}, "by": "Mallory"}],
    [{}, {}],
    [None, None, None],
]
NO_NUDGE: list[list[Any]] = [
    [7],
    ["stop"],
    [[]],
    [{"by": 7}],
    [{"by": "x"}, {}],
    [None, None],
    [{"event": "plan-waits"}],
]
NO_PAGE: list[list[Any]] = [[7], ["1"], [[]], [{"page": "first"}], [{"page": 0}], [{}, {}]]
NO_EVENT: list[list[Any]] = [[7], [[]], [{"repair_id": 7}], [None, None], [{}, {}]]
NO_TEXT: list[list[Any]] = [[7], [[]], ["a", "b"]]
SDK = ("Failed decoding", "AttributeError", "NoneType", "positional argument", "validation error", "Traceback")


def of_ours(text: str) -> None:
    """One line that says what came, in our words."""
    assert text.startswith(("the input is no ", "this takes one input"))
    assert "\n" not in text
    assert not [word for word in SDK if word in text]


async def test_b5_what_is_no_decision_is_refused_in_a_sentence_and_is_not_in_the_history(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        handle = shop.client.get_workflow_handle(repair_id)
        before = len((await handle.fetch_history()).events)
        for args in WRONG:
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await handle.execute_update("decide", args=args)
            cause = refused.value.cause
            assert isinstance(cause, ApplicationError)
            assert cause.type == "DecisionRefused"
            of_ours(cause.message)
        assert len((await handle.fetch_history()).events) == before
        look = await shop.service.look(repair_id)
        assert isinstance(look, RepairView)
        assert (look.phase, look.decision) == (Phase.PENDING_APPROVAL, None)
        raw = answer(plan).model_dump(mode="json")  # as JSON has it: this one is a decision
        await handle.execute_update("decide", raw)
        assert (await shop.end(repair_id)).phase is Phase.REPORT_COMPLETED


async def test_b5_a_repair_is_stopped_by_no_garbage_and_asked_with_any(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        await shop.plan(repair_id)
        handle = shop.client.get_workflow_handle(repair_id)
        for args in NO_NUDGE:
            await handle.signal("stop", args=args)
        for args in ([], [None]):
            assert (await handle.query("view", args=args))["phase"] == "PENDING-APPROVAL"
        for args in NO_PAGE:
            with pytest.raises(WorkflowQueryFailedError) as refused:
                await handle.query("view", args=args)
            of_ours(refused.value.message)
        await handle.signal("stop", {"by": "Harry", "reason": "enough"})
        result = await shop.end(repair_id)
    assert (result.phase, result.reason) == (Phase.CANCELLED, "stopped by Harry: enough")


async def test_b5_agents_drop_what_is_no_nudge_and_no_event(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    from daper.service.requests import StartProactive, StartRepair

    async with open_shop(temporal_env, tmp_path) as shop:
        with shop.env.with_time_skipping_disabled():
            agent = await shop.proactive.start(StartProactive(requested_by=HARRY, domain="orders"))
        handle = shop.client.get_workflow_handle(agent.agent_id)
        for signal in ("check_now", "stop"):
            for args in NO_NUDGE:
                await handle.signal(signal, args=args)
        view = await handle.query("view", args=[7])
        assert (view["nudges"], view["stopping"]) == (0, "")
        await handle.signal("check_now", {"by": "Harry"})
        assert (await handle.query("view"))["nudges"] == 1
        await handle.signal("stop")
        assert (await handle.result())["phase"] == "STOPPED"

        await _garbage_for_events(shop, StartRepair)


async def _garbage_for_events(shop: Shop, order: Any) -> None:  # Any: imported late
    with shop.env.with_time_skipping_disabled():
        scope = {"record_ids": ["ORD-001-HJP"]}
        begun = await shop.service.start(order(requested_by=HARRY, domain="orders", scope=scope, reported=True))
        listed = shop.client.list_workflows("WorkflowType = 'RepairAgentWorkflowEventDriven'")
        mine = [each.id async for each in listed if shop.settings.task_queue == each.task_queue]
        handle = shop.client.get_workflow_handle(mine[0])
        for signal in ("report", "repair_ended"):
            for args in NO_EVENT:
                await handle.signal(signal, args=args)
        assert (await handle.query("place", begun.repair_id))["repair_id"] == begun.repair_id
        for args in NO_TEXT:
            with pytest.raises(WorkflowQueryFailedError) as refused:
                await handle.query("place", args=args)
            of_ours(refused.value.message)
        assert await handle.query("place", args=[None]) is None
