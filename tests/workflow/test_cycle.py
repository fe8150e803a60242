"""One whole cycle on the shipped shop, on a real server."""

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import simplejson
from temporalio.testing import WorkflowEnvironment

from daper.adapters.memory.recollection import TRIES_MOST as TRIES
from daper.adapters.state import StatePlace
from daper.clock import new_id
from daper.core.messages import RepairRequest
from daper.core.outcomes import OutcomeStatus, VerificationStatus
from daper.core.phases import Phase, may_follow
from daper.service.records import RecordsService
from daper.workflows.queues import activity_queue
from daper.workflows.repair import RepairAgentWorkflow
from tests.workflow.shop import HARRY, open_shop

FOUR = {"ORD-001-HJP", "ORD-002-HJG", "ORD-003-RBW", "ORD-004-RHG"}


async def test_the_shipped_six_have_four_problems_that_are_planned_done_and_verified(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        result = await shop.end(await shop.start(auto_approve=True))

        assert result.phase is Phase.REPORT_COMPLETED
        assert {finding.record_id for finding in result.findings} == FOUR
        assert {outcome.record_id: str(outcome.status) for outcome in result.outcomes} == dict.fromkeys(FOUR, "applied")
        assert result.verification is not None
        assert {each.record_id: each.status for each in result.verification.findings} == {
            "ORD-001-HJP": VerificationStatus.WAITING_ON_OTHER,
            "ORD-002-HJG": VerificationStatus.RESOLVED,
            "ORD-003-RBW": VerificationStatus.WAITING_ON_OTHER,
            "ORD-004-RHG": VerificationStatus.RESOLVED,
        }
        assert (result.counts.repaired, result.counts.requested, result.counts.for_person) == (2, 2, 0)
        assert not result.needs_person
        assert {order: shop.status(order) for order in sorted(FOUR)} == {
            "ORD-001-HJP": "payment_update_requested",
            "ORD-002-HJG": "completed",
            "ORD-003-RBW": "payment_update_requested",
            "ORD-004-RHG": "approved-preparing-shipment",
        }


async def test_a_second_cycle_finds_nothing_and_ends(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    """S8: nothing to repair is an end like any other, and everybody who waits learns of it."""
    async with open_shop(temporal_env, tmp_path) as shop:
        await shop.end(await shop.start(auto_approve=True))
        again = await shop.end(await shop.start())
        assert again.phase is Phase.NO_REPAIR_NEEDED
        assert again.findings == ()
        assert again.report is not None
        assert again.report.summary == "Nothing had to be repaired."


@pytest.mark.long
async def test_records_that_a_person_restored_are_repaired_however_often(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Only what comes back by itself is left alone after the third time."""
    async with open_shop(temporal_env, tmp_path) as shop:
        records = RecordsService(domains=shop.domains, memory=StatePlace(home=tmp_path).memory)
        for _ in range(TRIES + 1):
            result = await shop.end(await shop.start(auto_approve=True))
            assert result.counts.applied == 4
            await records.reset("orders", replace_own=True)


async def test_every_ended_cycle_leaves_a_report_that_says_what_its_result_says(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        result = await shop.end(await shop.start(auto_approve=True))
        assert result.paths is not None
        written = simplejson.loads(Path(result.paths.json_path).read_text(encoding="utf-8"))
        assert written["phase"] == "REPORT-COMPLETED"
        assert [outcome["key"] for outcome in written["outcomes"]] == [outcome.key for outcome in result.outcomes]
        assert "ORD-004-RHG" in Path(result.paths.markdown_path).read_text(encoding="utf-8")


async def test_the_phases_come_in_the_order_of_the_design(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    """D21: what a person is shown is where the repair is."""
    async with open_shop(temporal_env, tmp_path) as shop:
        result = await shop.end(await shop.start(auto_approve=True))
        phases = [Phase(name) for name in result.durations]
        assert all(span >= timedelta() for span in result.durations.values())
        assert phases[0] is Phase.INITIALIZING
        assert phases[-1] is Phase.REPORT_COMPLETED
        assert all(may_follow(now, then) for now, then in pairwise(phases)), phases


async def test_a_dry_run_plans_and_changes_nothing(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        before = shop.home / "data" / "orders" / "orders.json"
        text = before.read_bytes()
        planned = await shop.end(await shop.start(dry_run=True, auto_approve=True))
        assert planned.phase is Phase.PLAN_ONLY
        assert planned.counts.proposed == 4
        assert before.read_bytes() == text
        afterwards = await shop.end(await shop.start(auto_approve=True))
        assert afterwards.counts.applied == 4, "a dry run must not hold its findings back from others"


async def test_a_record_that_does_not_exist_is_no_repair(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    """S5: repairing an order that does not exist is refused, not reported as repaired."""
    async with open_shop(temporal_env, tmp_path) as shop:
        result = await shop.end(await shop.start(scope={"record_ids": ["ORD-999-TMR"]}, auto_approve=True))
        assert result.phase is Phase.REPAIR_FAILED
        assert "'ORD-999-TMR'" in result.reason
        assert result.counts.applied == 0
        assert result.needs_person


async def test_named_records_skip_detection(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        result = await shop.end(await shop.start(scope={"record_ids": ["ORD-004-RHG"]}, auto_approve=True))
        assert str(Phase.DETECTING_PROBLEMS) not in result.durations
        assert [outcome.record_id for outcome in result.outcomes] == ["ORD-004-RHG"]


async def test_a_problem_that_no_tool_fits_is_left_for_a_person(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        shop.edit_order("ORD-006-DLM", order_date="2025-05-01T10:00:00Z")
        result = await shop.end(await shop.start(auto_approve=True))
        assert result.phase is Phase.REPORT_COMPLETED
        assert result.needs_person
        assert result.report is not None
        assert [line for line in result.report.left_for_person if line.startswith("ORD-006-DLM")]
        assert shop.status("ORD-006-DLM") == "priority_processing"


async def test_a_repair_for_one_store_is_refused_by_another(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        mine = await shop.domains["orders"].store()
        request = RepairRequest(
            requested_by=HARRY,
            domain="orders",
            store_id="somebody-elses",
            activity_queue=activity_queue(shop.settings.task_queue, mine.store_id),
            auto_approve=True,
        )
        repair_id = new_id()
        with temporal_env.with_time_skipping_disabled():
            await shop.client.start_workflow(
                RepairAgentWorkflow.run, request, id=repair_id, task_queue=shop.settings.task_queue
            )
        result = await shop.end(repair_id)
        assert result.phase is Phase.REPAIR_FAILED
        assert "somebody-elses" in result.reason
        assert shop.effects() == 0


async def test_a_repair_is_seen_where_search_attributes_are_not_registered(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path, indexed=False) as shop:
        repair_id = await shop.start(auto_approve=True)
        result = await shop.end(repair_id)
        assert result.phase is Phase.REPORT_COMPLETED
        described = await shop.client.get_workflow_handle(repair_id).describe()
        assert (await described.memo())["daper_phase"] == "REPORT-COMPLETED"
        assert OutcomeStatus.APPLIED in {outcome.status for outcome in result.outcomes}
