"""A thousand workflows that are stuck alike are one thing to read and to decide, and no plan has all of them."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.clock import utc_now
from daper.core.action_groups import grouped
from daper.core.models import MOST_PROBLEMS, Scope
from daper.core.views import RepairView
from daper.domains.temporal.entry import open_domain
from daper.domains.temporal.reading import WorkflowReading
from daper.domains.temporal.workflow import Failure, PendingActivity, WorkflowState, workflow_record
from daper.entrypoints.cli.plan_lines import plan_lines
from daper.ports.domain import Record, RecordPage
from daper.service.whole_plan import look_at_whole_plan
from tests.workflow.shop import open_shop

NUMBER = 1000


def stuck(number: int) -> WorkflowState:
    """A parcel whose activity has failed twelve times, or somewhat more often, and waits for hours."""
    now = utc_now()
    activity = PendingActivity(
        id="owl",
        type="book_owl",
        state="scheduled",
        attempt=12 + number % 7,
        most_attempts=0,
        scheduled_at=now - timedelta(hours=3),
        started_at=None,
        next_at=now + timedelta(hours=2),
        paused=False,
        failures=(Failure(sort="application", type="OwleryClosed", message=f"no owl for parcel {number}"),),
    )
    return WorkflowState(
        workflow_id=f"parcels/2026/{number}",
        run_id=f"run-{number}",
        type="SendParcel",
        queue="owl-post",
        status="Running",
        started_at=now - timedelta(days=1),
        closed_at=None,
        history_length=20,
        activities=(activity,),
    )


async def test_a_thousand_stuck_alike_are_one_group_of_at_most_five_hundred(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = {state.workflow_id: workflow_record(state, {}) for state in map(stuck, range(NUMBER))}

    async def page(self: WorkflowReading, *_: object) -> RecordPage:
        return RecordPage(records=tuple(records.values()))

    async def named(self: WorkflowReading, ids: Sequence[str]) -> tuple[Record, ...]:
        return tuple(records[each] for each in ids if each in records)

    async def count(self: WorkflowReading, scope: Scope) -> int:
        return NUMBER

    async def connect(place: Mapping[str, str]) -> object:
        return temporal_env.client

    for name, replaced in (("page", page), ("named", named), ("count", count)):
        monkeypatch.setattr(WorkflowReading, name, replaced)
    domain = open_domain(tmp_path / "books", {"query": "*"})
    domain.reach_by(connect)
    async with open_shop(temporal_env, tmp_path / "home", domains={"temporal": domain}) as shop:
        repair_id = await shop.start(domain="temporal", scope={"limit": MOST_PROBLEMS})
        await shop.plan(repair_id)
        look = await look_at_whole_plan(shop.service, repair_id)
    assert isinstance(look, RepairView)
    assert look.plan is not None
    whole = look.plan
    assert (whole.total_actions, whole.left_out) == (MOST_PROBLEMS, NUMBER - MOST_PROBLEMS)
    [group] = grouped(whole)
    assert len(group.ids) == MOST_PROBLEMS
    lines = list(plan_lines(whole, domain="temporal", more="daper repair show --all"))
    assert len(lines) < 40
