"""A large cycle stays far below Temporal's limits. The full cap is measured by bench/at_the_cap.py."""

from decimal import Decimal
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.core.models import MOST_PROBLEMS
from daper.core.phases import Phase
from tests.workflow.shop import open_shop
from tests.workflow.wide_shop import install, weigh

pytestmark = pytest.mark.long

PROBLEMS = 60
SHARE = PROBLEMS / MOST_PROBLEMS
MOST_EVENTS = 10_000
MOST_BYTES = 10_000_000
MOST_ON_THE_WIRE = 1_000_000  # half of what Temporal takes; uncompressed, a cycle at the cap would be above it
MOST_IN_A_VIEW = 256_000


async def test_many_wide_problems_fit_into_one_cycle(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    """D8: its share of what a cycle at the cap may weigh, each effect done, and no payload near the limit."""
    install(tmp_path / "data" / "orders", orders=PROBLEMS)
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start(
            auto_approve=True,
            scope={"limit": PROBLEMS},
            policy={"auto_max_actions": PROBLEMS, "auto_max_spend": Decimal(10**9)},
        )
        result = await shop.end(repair_id)
        assert result.phase is Phase.REPORT_COMPLETED
        assert result.counts.applied == shop.effects() == PROBLEMS

        weight = await weigh(shop.client, repair_id)
        assert weight.events < MOST_EVENTS * SHARE
        assert weight.history < MOST_BYTES * SHARE
        assert weight.largest < MOST_ON_THE_WIRE * SHARE
        assert weight.view < MOST_IN_A_VIEW
