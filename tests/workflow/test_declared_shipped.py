"""Whole repairs of the shipped domains in a file: some of a plan is done, once, on what was seen, and taken back."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.core.models import Verdict
from daper.core.outcomes import OutcomeStatus, VerificationStatus
from daper.core.phases import Phase
from daper.stores.rows.engine import disconnect
from tests.declared_examples import EACH_SOON, Example, example_in
from tests.workflow.shop import HARRY, Shop, open_shop


@pytest.fixture
def example(request: pytest.FixtureRequest, tmp_path: Path, name: str, kind: str) -> Iterator[Example]:
    made = example_in(name, kind, tmp_path, request)
    yield made
    made.engine.dispose()
    disconnect()


@pytest.fixture
async def shop(temporal_env: WorkflowEnvironment, tmp_path: Path, example: Example) -> AsyncIterator[Shop]:
    async with open_shop(temporal_env, tmp_path / "home", domains={example.name: example.domain()}) as opened:
        yield opened


@pytest.mark.parametrize(("name", "kind"), EACH_SOON)
async def test_some_of_what_is_found_is_done_and_what_a_stranger_changed_is_not(shop: Shop, example: Example) -> None:
    """Of two alike one was changed in its own row, the other in a row that is joined to it."""
    sample = example.sample
    repair_id = await shop.start(domain=example.name)
    plan = await shop.plan(repair_id)
    assert {action.record_id: action.tool for action in plan.actions} == sample.planned
    example.run(sample.row, sample.joined)
    done, rejected = sorted(set(sample.planned) - set(sample.records))
    verdicts = {
        action.id: Verdict.REJECT if action.record_id == rejected else Verdict.APPROVE for action in plan.actions
    }
    before = {record_id: example.row(record_id) for record_id in sample.planned}
    await shop.decide(repair_id, plan, by=HARRY, **verdicts)
    result = await shop.end(repair_id)
    assert result.phase is Phase.REPORT_COMPLETED
    assert {each.record_id: each.kind for each in result.findings} == sample.found
    assert {each.record_id: each.status for each in result.outcomes} == {
        done: OutcomeStatus.APPLIED,
        rejected: OutcomeStatus.REJECTED,
        **dict.fromkeys(sample.records, OutcomeStatus.STALE),
    }
    changed = {record_id for record_id, row in before.items() if example.row(record_id) != row}
    assert changed == {done}


@pytest.mark.parametrize(("name", "kind"), EACH_SOON)
async def test_what_did_not_help_is_taken_back_but_where_somebody_wrote_since(shop: Shop, example: Example) -> None:
    sample = example.sample
    example.never_helps()
    repair_id = await shop.start(domain=example.name, scope={"record_ids": list(sample.records)})
    await shop.decide(repair_id, await shop.plan(repair_id))
    await shop.until(repair_id, lambda look: look.phase is Phase.VERIFYING_REPAIR)
    assert [example.row(each) for each in sample.records] == [sample.after] * 2
    example.run(sample.row)
    await shop.env.fast_forward(shop.client.get_workflow_handle(repair_id), timedelta(minutes=15))
    result = await shop.end(repair_id)
    touched, alone = sample.records
    assert {each.record_id: each.status for each in result.outcomes} == {
        touched: OutcomeStatus.UNDO_BLOCKED,
        alone: OutcomeStatus.UNDONE,
    }
    assert example.row(alone) == sample.before
    assert example.row(touched)[0] == sample.after[0]
    assert result.report is not None
    left = [each.split(":")[0] for each in result.report.left_for_person]
    assert sorted(left) == sorted([alone, touched, touched]), "both problems, and what could not be taken back"


@pytest.mark.parametrize(("name", "kind"), EACH_SOON)
async def test_what_is_up_to_others_afterwards_waits_and_stays_as_it_was_set(shop: Shop, example: Example) -> None:
    """It is neither called repaired nor taken back."""
    sample = example.sample
    repair_id = await shop.start(domain=example.name, scope={"record_ids": list(sample.records)})
    await shop.decide(repair_id, await shop.plan(repair_id))
    result = await shop.end(repair_id)
    assert result.verification is not None
    assert {each.record_id: each.status for each in result.verification.findings} == dict.fromkeys(
        sample.records, VerificationStatus.WAITING_ON_OTHER
    )
    assert result.report is not None
    assert "took effect; 2 waiting for somebody else." in result.report.summary
    assert [example.row(each) for each in sample.records] == [sample.after] * 2
