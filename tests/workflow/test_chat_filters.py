"""Filters in a chat and elsewhere: blank is not given, and what no record has is said, with what there is."""

from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.clock import utc_now
from daper.core.access import Access
from daper.core.errors import UserError
from daper.core.models import Scope
from daper.core.phases import Phase
from daper.service.records import RecordsService
from daper.service.requests import StartRepair
from daper.service.schedule_orders import PutSchedule
from daper.service.selection import RecordFilter
from tests.workflow.chat import chat_with
from tests.workflow.shop import HARRY, open_shop

UNKNOWN = "no record has the status 'no-such'; there are: "


async def test_b1_b2_a_chat_that_leaves_out_by_blanks_gets_all_and_a_filter_for_nothing_is_told(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop) as chat:
        every = await chat.call("list_records")
        blanks: dict[str, Any] = dict.fromkeys(("problem", "search", "status", "domain", "page", "with_problems"), "")
        assert await chat.call("list_records", **blanks) == every
        assert (every["total"], every["message"]) == (6, "")
        for given, words in (
            ({"status": "no-such"}, UNKNOWN),
            ({"problem": "no-such"}, "no record like that has the problem 'no-such'; the problems here are: "),
            ({"search": "no-such"}, "no record like that has 'no-such' in its id or title"),
            ({"with_problems": True, "status": "completed"}, "no record like that has a problem"),
        ):
            found = await chat.call("list_records", **given)
            assert found["total"] == 0
            assert found["message"].startswith(words)
        told = await chat.refused("list_records", domain="no-such")
        assert told.startswith("there is no domain 'no-such'; installed: ")

        assert (await chat.refused("start_repair", status="no-such")).startswith(UNKNOWN)
        with shop.env.with_time_skipping_disabled():
            begun = await chat.call("start_repair", status="", record_ids="", request_key=" ", limit=None, domain="")
            state = await chat.call("wait_for_repair", repair_id=begun["repair_id"], seconds=25, seen_plan="")
        assert state["phase"] == Phase.PENDING_APPROVAL
        seen = await chat.call("get_repair", repair_id=begun["repair_id"], page=None)
        assert seen["plan"]["total_actions"] == 4

        assert (await chat.call("list_repairs", phase=" ", limit=None))["repairs"]
        assert (await chat.call("list_repairs", phase="pending_approval"))["message"].startswith("1 plan waits")
        none = await chat.call("list_repairs", phase="REJECTED", limit="")
        if not none["repairs"]:
            assert none["message"].startswith("no repair is in phase REJECTED; there are: ")
        told = await chat.refused("list_repairs", phase="broken")
        assert told.startswith("there is no phase 'broken'; there are: FOR-ME, INITIALIZING, ")


async def test_b2_a_status_that_no_record_has_begins_nothing_and_a_key_still_finds_its_repair(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        order = StartRepair(requested_by=HARRY, domain="orders", scope=Scope(status="no-such"))
        with pytest.raises(UserError, match="no record has the status 'no-such'; there are: "):
            await shop.service.start(order)
        denied = order.model_copy(update={"scope": Scope(status="payment-denied"), "request_key": "k"})
        first = await shop.service.start(denied)
        shop.edit_order("ORD-003-RBW", status="completed")
        assert (await shop.service.start(denied)).repair_id == first.repair_id
        with pytest.raises(UserError, match="no record has the status 'payment-denied'"):
            await shop.service.start(denied.model_copy(update={"request_key": "other"}))


async def test_b2_a_schedule_for_a_status_that_no_record_has_says_so(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        put = PutSchedule(requested_by=HARRY, domain="orders", name=shop.settings.task_queue, paused=True)
        made = await shop.schedules.create(put.model_copy(update={"scope": Scope(status="no-such")}))
        changed, _ = await shop.schedules.upsert(put.model_copy(update={"scope": Scope(status="completed")}))
        assert made.finds_nothing.startswith(UNKNOWN)
        assert changed.finds_nothing == ""
        await shop.schedules.delete(put.ref)


async def test_b2_a_list_of_no_records_says_why(tmp_path: Path) -> None:
    from daper.bootstrap import open_domains
    from daper.settings import load_settings

    settings = load_settings(environ={"DAPER_HOME": str(tmp_path)}, folder=tmp_path)
    records = RecordsService(domains=open_domains(settings))

    async def why(scope: Scope, **wanted: Any) -> str:
        return (await records.list("orders", scope, now=utc_now(), wanted=RecordFilter(**wanted))).why_nothing

    assert await why(Scope()) == ""
    assert (await why(Scope(status="no-such"), problem="no-such")).startswith(UNKNOWN)
    assert (await why(Scope(), problem="no-such")).startswith("no record like that has the problem 'no-such'; ")


async def test_b7_a_chat_lists_what_its_person_may_decide_with_counts_money_and_deadline(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop) as chat:
        with shop.env.with_time_skipping_disabled():
            seen = await chat.begin()
            listed = await chat.call("list_repairs", phase="for_me")
            while not any(each["repair_id"] == seen["repair_id"] for each in listed["repairs"]):
                listed = await chat.call("list_repairs", phase="for_me")  # Temporal's list lags behind
            [line] = [each for each in listed["repairs"] if each["repair_id"] == seen["repair_id"]]
            assert (line["actions"], line["spends"], line["decide_by"], line["kept_from"]) == (
                seen["plan"]["total_actions"],
                seen["plan"]["spends"],
                seen["decide_by"],
                "",
            )
            assert "for Harry: " in listed["message"]

            chat.access = frozenset({Access.READ})
            none = await chat.call("list_repairs", phase="FOR-ME")
            every = await chat.call("list_repairs", phase="PENDING-APPROVAL")
    why = "Harry may not decide here: that needs approve"
    assert (none["repairs"], none["message"]) == ([], f"No plan waits for Harry. Others wait: {why}.")
    assert [each["kept_from"] for each in every["repairs"] if each["repair_id"] == seen["repair_id"]] == [why]
