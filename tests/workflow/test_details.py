"""What the Temporal UI shows: enough to decide there, with record text as text."""

import re
from pathlib import Path

import simplejson
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.testing import WorkflowEnvironment

from daper.core.phases import Phase
from tests.workflow.shop import Shop, open_shop


async def current_details(shop: Shop, repair_id: str) -> str:
    handle = shop.client.get_workflow_handle(repair_id)
    metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return metadata.current_details


async def test_the_json_shown_there_is_a_decision_that_is_accepted(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        shown = await current_details(shop, repair_id)
        assert "**PENDING-APPROVAL**" in shown
        assert all(action.record_id in shown for action in plan.actions)
        found = re.search(r"```json\n(.*)\n```", shown)
        assert found is not None
        pasted = simplejson.loads(found.group(1).replace("YOUR NAME", "Minerva McGonagall"))
        await shop.client.get_workflow_handle(repair_id).execute_update("decide", pasted)
        result = await shop.end(repair_id)
        assert result.phase is Phase.REPORT_COMPLETED
        assert result.counts.applied == 4
        by = result.decisions[0].decision.by
        assert (by.kind, getattr(by, "name", ""), getattr(by, "how", "")) == ("person", "Minerva McGonagall", "claimed")


async def test_record_text_there_is_neither_markup_nor_a_way_out_of_its_cell(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """D13: a customer's name that draws links, closes code fences and turns the text around."""
    name = "Tom ```\n| [click](http://evil.example) | <b>x</b> \u202e\u001b[31m"
    async with open_shop(temporal_env, tmp_path) as shop:
        shop.edit_order("ORD-001-HJP", customer_name=name)
        repair_id = await shop.start(scope={"record_ids": ["ORD-001-HJP"]})
        await shop.plan(repair_id)
        shown = await current_details(shop, repair_id)
        table = shown.split("```json")[0]
        assert "\u202e" not in shown
        assert "\u001b" not in shown
        assert "[click](" not in table
        assert "<b>" not in table
        assert "```" not in table
        rows = [line for line in table.splitlines() if line.startswith("| `a")]
        assert len(rows) == 1
        assert len(re.findall(r"(?<!\\)\|", rows[0])) == 8
        await shop.service.stop(repair_id, by="Harry")
        await shop.end(repair_id)
