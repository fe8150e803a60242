"""The document of the API is the API: what is generated from it meets no fault of ours, and nothing undocumented."""

import asyncio
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.entrypoints.web.api.table import DOCUMENT, OPERATIONS
from tests.console.served import served
from tests.workflow.shop import open_shop

EXAMPLES = 20


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_nothing_that_is_sent_meets_a_fault_or_what_the_document_does_not_have(
    real_time: WorkflowEnvironment, tmp_path: Path
) -> None:
    """On a server of its own: what is sent begins agents and schedules, as often as it likes."""
    from tests.console.generated_calls import attack  # whose library takes long to load

    names = [each.name for each in OPERATIONS if each.path != DOCUMENT]
    async with open_shop(real_time, tmp_path) as shop, served(shop) as url:
        failed = await asyncio.to_thread(attack, url, names, examples=EXAMPLES)
    assert not failed, "\n\n".join(failed)
