"""The document of the API is the API: what is generated from it meets no fault of ours, and nothing undocumented."""

import asyncio

import pytest

from daper.entrypoints.web.api.table import DOCUMENT, OPERATIONS
from tests.console.served import served
from tests.workflow.shop import Shop

EXAMPLES = 20


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_nothing_that_is_sent_meets_a_fault_or_what_the_document_does_not_have(shop: Shop) -> None:
    from tests.console.generated_calls import attack  # whose library takes long to load

    names = [each.name for each in OPERATIONS if each.path != DOCUMENT]
    async with served(shop) as url:
        with shop.env.with_time_skipping_disabled():
            failed = await asyncio.to_thread(attack, url, names, examples=EXAMPLES)
    assert not failed, "\n\n".join(failed)
