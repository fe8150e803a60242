"""What an attacker, or bad luck, tried against the rules that never bend, and found shut."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError
from temporalio.client import WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from daper.clock import new_id
from daper.core.errors import DecisionRefused
from daper.core.messages import RepairRequest
from daper.core.models import Finding, Verdict
from daper.core.phases import Phase
from daper.domains.orders.domain import OrdersDomain
from daper.ports import Record
from daper.workflows.queues import activity_queue
from daper.workflows.repair import RepairAgentWorkflow
from tests.workflow.scripted import ScriptedOrders
from tests.workflow.shop import GINNY, HARRY, Shop, answer, open_shop

APPROVE, REJECT = Verdict.APPROVE, Verdict.REJECT


@pytest.mark.long
async def test_what_a_person_rejected_is_not_run_by_policy_when_a_sibling_is_asked_again(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Rules 1 and 2, D3: the second round holds only what lapsed, and a person's cycle is not decided by policy."""
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    await shop.domains["orders"].store()
    shop.add_line("ORD-002-HJG", "DRG-EGG-007", of="ORD-004-RHG")
    shop.edit_order("ORD-002-HJG", subtotal=None, status="payment-denied")
    async with shop.worker():
        repair_id = await shop.start(
            scope={"record_ids": ["ORD-002-HJG"]},
            auto_approve=True,
            policy={"auto_max_actions": 1},
            decision_valid_for=timedelta(seconds=1),
        )
        plan = await shop.plan(repair_id)
        assert [action.tool for action in plan.actions] == ["request_approval", "request_payment_update"]
    async with shop.workflow_worker():
        await shop.decide(repair_id, plan, a1=APPROVE, a2=REJECT)
        await shop.until_lapsed(repair_id)
    async with shop.worker():
        second = await shop.plan(repair_id, round_number=2)
        assert [action.tool for action in second.actions] == ["request_approval"]
        look = await shop.until(repair_id, lambda _: True)
        assert "a person has decided" in look.message
        assert shop.effects() == 0
        await shop.decide(repair_id, second, by=GINNY)
        result = await shop.end(repair_id)
    assert [str(outcome.status) for outcome in result.outcomes] == ["lapsed", "rejected", "applied"]


@pytest.mark.parametrize("size", [20_000, pytest.param(1_200_000, marks=pytest.mark.long)])
async def test_a_huge_raw_decision_is_refused_and_the_repair_goes_on(
    temporal_env: WorkflowEnvironment, tmp_path: Path, size: int
) -> None:
    """D7, D8: the refusal must not echo megabytes, or the workflow task fails for ever."""
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        raw = {
            "plan_digest": plan.digest,
            "verdicts": {"a" * size: "approve"},
            "by": {"kind": "person", "name": "Mallory"},
        }
        with pytest.raises(WorkflowUpdateFailedError):
            await shop.client.get_workflow_handle(repair_id).execute_update("decide", raw)
        await shop.decide(repair_id, plan, a1=APPROVE)
        assert (await shop.end(repair_id)).counts.applied == 1


async def test_a_huge_edit_is_refused_in_few_words(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        given = answer(plan, a2=APPROVE).model_copy(update={"edits": {"a2": {"quantity": "9" * 1_200_000}}})
        with pytest.raises(DecisionRefused) as refused:
            await shop.service.decide(repair_id, given)
        assert len(str(refused.value)) < 500
        await shop.service.stop(repair_id, by="x" * 100_000, reason="y" * 1_200_000)
        result = await shop.end(repair_id)
        assert result.phase is Phase.CANCELLED
        assert len(result.reason) < 1000


@pytest.mark.long
async def test_a_decision_that_arrives_after_the_deadline_is_late_even_if_the_worker_was_away(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    repair_id = await shop.start(approval_timeout=timedelta(seconds=3))
    async with shop.worker():
        plan = await shop.plan(repair_id)
    await shop.until_events(repair_id, "EVENT_TYPE_TIMER_FIRED")
    handle = shop.client.get_workflow_handle(repair_id)
    sending = asyncio.create_task(handle.execute_update("decide", answer(plan)))
    async with shop.worker():
        result = await shop.end(repair_id)
        told = await asyncio.gather(sending, return_exceptions=True)
    assert result.phase is Phase.APPROVAL_EXPIRED
    assert isinstance(told[0], BaseException)
    assert shop.effects() == 0


async def test_only_people_for_whom_something_is_left_starve_nobody(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Rule 9: problems that only a person can mend do not use up the cap of those that tools can."""

    class Crowded(OrdersDomain):
        def detect(self, records: Sequence[Record], today: datetime) -> tuple[Finding, ...]:
            found = super().detect(records, today)
            crowd = tuple(
                Finding(
                    record_id=each.record_id,
                    kind=f"odd-{number}",
                    issue="odd",
                    fingerprint=f"{number}-{each.fingerprint}",
                )
                for each in found
                for number in range(20)
            )
            return crowd + found

    domain = Crowded(folder=tmp_path / "data" / "orders", approvers=("a@b.example",), dataset="hogwarts")
    async with open_shop(temporal_env, tmp_path, domains={"orders": domain}) as shop:
        planned = await shop.end(await shop.start(dry_run=True, scope={"limit": 10}))
        plan = planned.plans[0]
        assert {action.bound.record_id for action in plan.actions} >= {"ORD-001-HJP", "ORD-002-HJG"}
        assert len(plan.for_person) == 10
        assert plan.left_out == 4 * 20 - 10
        assert planned.report is not None
        assert any("over the cap" in line for line in planned.report.left_for_person)


async def test_the_cap_limits_the_actions_of_one_repair_and_says_what_it_left(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        first = await shop.end(await shop.start(scope={"limit": 3}, auto_approve=True))
        assert (first.counts.applied, first.plans[0].left_out) == (3, 1)
        assert first.needs_person
        second = await shop.end(await shop.start(auto_approve=True))
        assert second.counts.applied == 1


@pytest.mark.long
async def test_an_approval_that_is_never_valid_is_no_endless_loop(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Rule 8: no span of zero, and at most three rounds."""
    async with open_shop(temporal_env, tmp_path) as shop:
        with pytest.raises(ValidationError):
            await shop.start(decision_valid_for=timedelta())
        short = timedelta(microseconds=1)
        result = await shop.end(await shop.start(auto_approve=True, decision_valid_for=short))
        assert len(result.plans) == 3
        assert shop.effects() == 0
        assert result.needs_person


@pytest.mark.long
async def test_the_same_input_under_another_id_is_another_repair(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """A repair is what Temporal calls it: "start one like this" can neither end another repair nor free its claims."""
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        await shop.plan(repair_id)
        store = await shop.domains["orders"].store()
        request = RepairRequest(
            requested_by=HARRY,
            domain="orders",
            store_id=store.store_id,
            activity_queue=activity_queue(shop.settings.task_queue, store.store_id),
        )
        twin = new_id()
        with temporal_env.with_time_skipping_disabled():
            await shop.client.start_workflow(
                RepairAgentWorkflow.run, request, id=twin, task_queue=shop.settings.task_queue
            )
        ended = await shop.end(twin)
        assert ended.repair_id == twin
        assert len(ended.plans[0].suppressed) == 4
        third = await shop.end(await shop.start())
        assert len(third.plans[0].suppressed) == 4, "the first repair still waits"
        await shop.service.stop(repair_id, by="Harry")
        await shop.end(repair_id)


@pytest.mark.long
async def test_a_stop_while_findings_are_claimed_holds_none_of_them_back(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Rule 9: a stopped repair leaves no claim behind."""
    orders = ScriptedOrders(tmp_path)
    async with open_shop(temporal_env, tmp_path, domains={"orders": orders}) as shop:
        for _ in range(5):
            repair_id = await shop.start()
            await shop.until(repair_id, lambda look: Phase.ANALYZING_PROBLEMS in look.phases_seen)
            await shop.service.stop(repair_id, by="Harry")
            await shop.end(repair_id)
        assert (await shop.end(await shop.start(auto_approve=True))).counts.applied == 4
