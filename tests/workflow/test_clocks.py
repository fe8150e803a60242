"""The clock of the worker's machine may be off: every deadline is that of Temporal's clock."""

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.core.phases import Phase
from daper.service.clock_skew import clock_ahead
from tests.machine_clock import clock_setter
from tests.workflow.shop import open_shop

OFF = timedelta(minutes=90)


@pytest.mark.parametrize(("ahead", "words"), [(OFF, "1:30:00 ahead of"), (-OFF, "1:30:00 behind")])
async def test_a8_a_person_is_asked_once_whatever_clock_the_worker_has(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: timedelta, words: str
) -> None:
    clock_setter(monkeypatch)(ahead)
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        await shop.decide(repair_id, await shop.plan(repair_id))
        result = await shop.end(repair_id)
    assert (result.phase, result.counts.applied, len(result.decisions)) == (Phase.REPORT_COMPLETED, 4, 1)
    assert [notice for notice in result.notices if "clock" in notice] == [
        f"the worker's clock is {words} Temporal's, by which every deadline is judged; put it right"
    ]


@pytest.mark.parametrize("ahead", [timedelta(), OFF, -OFF])
async def test_a8_how_far_the_clock_is_off_is_measured(
    temporal_env: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    clock_setter(monkeypatch)(ahead)
    measured = await clock_ahead(temporal_env.client)
    assert measured is not None
    assert abs(measured - ahead) < timedelta(seconds=30)
