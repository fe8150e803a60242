"""What the Temporal UI shows: enough to decide there, with record text as text."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import simplejson
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.testing import WorkflowEnvironment

from daper.core.digests import digest
from daper.core.guard import seal
from daper.core.models import BoundAction, Fallback, Finding, Plan, ProposedAction, Risk, SuppressedFinding
from daper.core.phases import Phase
from daper.workflows.details import MOST_BYTES, details
from tests.workflow.shop import Shop, open_shop
from tests.workflow.wide_shop import install

UNCOMPRESSED = 16 * 1024


async def current_details(shop: Shop, repair_id: str) -> str:
    handle = shop.client.get_workflow_handle(repair_id)
    metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return metadata.current_details


# Any: whatever JSON is shown.
def pasted_from(shown: str) -> Any:
    """What a person copies from there, with a name filled in."""
    found = re.search(r"```json\n(.*)\n```", shown, re.DOTALL)
    assert found is not None
    return simplejson.loads(found.group(1).replace("YOUR NAME", "Minerva McGonagall"))


@pytest.mark.parametrize("sign", ["a", "&", "\u202e", "\U000e0041", "🦉"])
def test_no_message_makes_it_longer_than_the_ui_can_read(sign: str) -> None:
    """A refusal or a tool's words may be of characters that are written out."""
    names = [f"a{number}" for number in range(1, 60)]
    plan = seal(Plan(actions=tuple(proposed(name, note="x" * 300) for name in names)), cycle_id="c")

    shown = details(Phase.PENDING_APPROVAL, plan, sign * 600)

    assert len(shown.encode()) <= MOST_BYTES
    assert pasted_from(shown)["verdicts"]


def suppressed(number: int, reason: str) -> SuppressedFinding:
    finding = Finding(record_id=f"ORD-{number}", kind="never-paid", issue="unpaid", fingerprint=f"f{number}")
    return SuppressedFinding(finding=finding, reason=reason)


def test_what_is_left_alone_is_shown_with_the_reason() -> None:
    plan = Plan(suppressed=(suppressed(1, "tried 3 times | <b>"),))

    shown = details(Phase.NO_REPAIR_NEEDED, plan, "")

    assert shown.splitlines()[-1] == r"- `ORD-1`: `never-paid`: left alone: tried 3 times \| &lt;b&gt;"


@pytest.mark.parametrize("actions", [0, 1, 60])
def test_more_that_is_left_alone_than_the_ui_can_read_is_counted(actions: int) -> None:
    reason = "waits for a decision in r1"
    plan = Plan(
        actions=tuple(proposed(f"a{number}", note=f"{number} " + "x" * 300) for number in range(actions)),
        suppressed=tuple(suppressed(number, reason) for number in range(500)),
    )

    shown = details(Phase.PENDING_APPROVAL, seal(plan, cycle_id="c"), "")

    assert len(shown.encode()) <= MOST_BYTES
    listed = shown.count(reason)
    assert f"- {500 - listed} more problems are left alone: `daper repair show`" in shown
    assert (listed > 50) == (actions < 60)


def proposed(action_id: str, *, note: str) -> ProposedAction:
    text = BoundAction(
        cycle_id="c",
        round=1,
        domain="orders",
        store_id="s",
        tool="order_inventory",
        record_id=f"ORD-{action_id}",
        arguments={"note": note},
        reads={},
        editable={},
        risk=Risk.LOW,
        if_it_does_not_help=Fallback.UNDO,
    ).to_text()
    return ProposedAction(id=action_id, text=text, digest=f"digest-{action_id}", preview=(), rationale="", answers=())


async def test_the_json_shown_there_is_a_decision_that_is_accepted(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        shown = await current_details(shop, repair_id)
        assert "**PENDING-APPROVAL**" in shown
        assert all(action.record_id in shown for action in plan.actions)
        pasted = pasted_from(shown)
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
        named = [line for line in table.splitlines() if "click" in line]
        assert len(named) == 3
        assert named[0].startswith("`a1` `request_payment_update` for `ORD-001-HJP` (Tom ")
        assert named[1].startswith(r"- customer\_name: Tom ")
        assert named[2].startswith("- orders/ORD-001-HJP message: none → Payment of order ORD-001-HJP ↵↵ Dear Tom ")
        await shop.service.stop(repair_id, by="Harry")
        await shop.end(repair_id)


async def test_b7_fifty_equal_actions_are_one_group_that_can_be_decided_there(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    install(tmp_path / "data" / "orders", orders=50, lines=2, name_length=20, mixed=False)
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)

        shown = await current_details(shop, repair_id)

        assert len(plan.actions) == 50
        assert "`a1-a50` 50 × `request_payment_update`" in shown
        assert shown.count("Gringotts Vault Transfer") == 1
        for action in plan.actions:
            [row] = [line for line in shown.splitlines() if line.startswith(f"- `{action.id}` `{action.record_id}`")]
            assert str(action.arguments["customer_id"]) in row
        assert list(pasted_from(shown)["verdicts"]) == [action.id for action in plan.actions]
        assert len(shown.encode()) <= MOST_BYTES
        assert "more: `daper repair show`" not in shown
        await shop.service.stop(repair_id, by="Harry")
        await shop.end(repair_id)


@pytest.mark.parametrize("actions", [50, 500])
def test_b7_a_group_with_much_to_say_of_each_keeps_what_would_run_and_says_how_to_decide_on_the_rest(
    actions: int,
) -> None:
    plan = seal(Plan(actions=tuple(proposed(f"a{n}", note=f"to {n}") for n in range(1, actions + 1))), cycle_id="c")
    findings = {
        f"f{n}": Finding(record_id=f"ORD-{n}", kind="late", issue=f"Order {n} " + "is late " * 30, fingerprint=f"f{n}")
        for n in range(1, actions + 1)
    }
    answering = tuple(
        action.model_copy(update={"answers": (f"f{n}",)}) for n, action in enumerate(plan.actions, start=1)
    )

    shown = details(Phase.PENDING_APPROVAL, plan.model_copy(update={"actions": answering}), "", findings=findings)

    assert len(shown.encode()) <= MOST_BYTES
    pasted = list(pasted_from(shown)["verdicts"])
    assert pasted == [f"a{n}" for n in range(1, 51)]
    assert all(f"note: to {n}" in shown for n in range(1, 51))
    assert "- what is wrong with each, and why: `daper repair show --all`" in shown
    assert ("to decide on all of them: `daper repair approve`, or the console" in shown) == (actions == 500)


async def test_a_wide_plan_is_shown_in_part_small_enough_for_the_ui_to_read_it(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """The UI cannot read what the codec compresses; what is pasted from there decides on what was shown, no more."""
    install(tmp_path / "data" / "orders", orders=48)
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)

        metadata = await shop.client.get_workflow_handle(repair_id).query(
            "__temporal_workflow_metadata", result_type=WorkflowMetadata
        )

        shown = metadata.current_details
        listed = [action.id for action in plan.actions if f"`{action.id}` " in shown]
        assert 1 < len(listed) < len(plan.actions) == 48
        assert f"… and {48 - len(listed)} more: `daper repair show`" in shown
        assert list(pasted_from(shown)["verdicts"]) == listed
        assert len(metadata.SerializeToString()) < UNCOMPRESSED
        await shop.service.stop(repair_id, by="Harry")
        await shop.end(repair_id)


def test_d4_an_action_is_offered_for_pasting_only_with_every_argument_whole() -> None:
    """What was cut was not shown, and so must not be approved from there."""
    said = "every word of this has to be read " * 60
    bound = BoundAction(
        cycle_id="c1",
        round=1,
        domain="alerts",
        store_id="s1",
        tool="tell",
        record_id="A-1",
        arguments={"message": said},
        reads={},
        editable={},
        risk=Risk.LOW,
        spends=Decimal(0),
        if_it_does_not_help=Fallback.HAND_OVER,
    )
    longer = bound.model_copy(update={"arguments": {"message": said * 20}})
    actions = tuple(
        ProposedAction(id=f"a{number}", text=text, digest=digest(text))
        for number, text in enumerate((bound.to_text(), longer.to_text()), start=1)
    )

    shown = details(Phase.PENDING_APPROVAL, Plan(actions=actions, digest="d"), "")

    assert said.strip() in shown
    assert list(pasted_from(shown)["verdicts"]) == ["a1"]
    assert "… and 1 more: `daper repair show`" in shown
