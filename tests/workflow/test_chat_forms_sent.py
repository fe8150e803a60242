"""Forms as they go over the wire, what a client brings back of them, and what is told of a decision afterwards."""

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import mcp.types as types
import pytest
from temporalio.testing import WorkflowEnvironment

from daper.core.models import Confirmation, IdentityProof, Person
from daper.core.outcomes import RepairResult
from daper.entrypoints.mcp import open_forms
from daper.entrypoints.mcp.form_states import REFUSED
from tests.workflow.chat import ERAS, Answers, Era, chat_with, closes, declines, no, yes
from tests.workflow.shop import HARRY, open_shop
from tests.workflow.test_chat_forms_attacked import RONS, YES, answered, form, started, undecided

both_eras = pytest.mark.parametrize("era", ERAS)
LUNA = Person(name="Luna", how=IdentityProof.TOKEN)
KEY, OTHER_KEY = b"k" * 32, b"o" * 32


@both_eras
async def test_d1_a_form_goes_out_with_what_the_protocol_has_for_it_and_no_more(
    temporal_env: WorkflowEnvironment, tmp_path: Path, era: Era
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop, era=era, answers=no) as chat:
        quoted = await started(shop, chat, RONS)
        for tool in ("approve_repair", "reject_repair"):
            await chat.call(tool, **quoted)
    assert len(chat.schemas) == 2
    for schema in chat.schemas:
        assert set(schema) <= {"$schema", "type", "properties", "required"}
        assert (schema["type"], schema["required"]) == ("object", ["confirm"])


async def test_d8_forms_and_answers_go_by_names_of_ours(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop, answers=yes) as chat:
        quoted = await started(shop, chat, RONS)
        assert (await form(chat, "approve_repair", quoted)).key == "approval"
        assert (await form(chat, "reject_repair", quoted)).key == "rejection"


async def test_d3_a_form_is_good_as_long_as_any_plan_can_wait(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop, answers=yes) as chat:
        quoted = await started(shop, chat, RONS)
        asked = await form(chat, "approve_repair", quoted)
        later = time.time() + timedelta(days=366).total_seconds()
        monkeypatch.setattr("mcp.server.request_state.time.time", lambda: later)
        await answered(chat, "approve_repair", quoted, {asked.key: YES}, asked.state)
        result = await shop.end(quoted["repair_id"])
        assert [each.decision.confirmed for each in result.decisions] == [Confirmation.FORM]


@pytest.mark.long
async def test_d3_a_form_outlives_its_server_for_the_person_and_the_call_that_it_was_for(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        async with chat_with(shop, answers=yes, form_key=KEY) as chat:
            quoted = await started(shop, chat, RONS)
            asked = await form(chat, "approve_repair", quoted)
        answer = {asked.key: YES}
        async with chat_with(shop, answers=yes, form_key=KEY) as chat:
            other = {**quoted, "comment": "Dumbledore agrees"}
            assert await answered(chat, "approve_repair", other, answer, asked.state) == REFUSED
            assert await answered(chat, "reject_repair", quoted, {"rejection": YES}, asked.state) == REFUSED
        async with chat_with(shop, answers=yes, form_key=KEY, person=LUNA) as chat:
            assert await answered(chat, "approve_repair", quoted, answer, asked.state) == "asked again"
        async with chat_with(shop, answers=yes, form_key=OTHER_KEY) as chat:
            assert await answered(chat, "approve_repair", quoted, answer, asked.state) == REFUSED
        await undecided(shop, quoted["repair_id"])
        async with chat_with(shop, answers=yes, form_key=KEY) as chat:
            for _ in range(3):
                await answered(chat, "approve_repair", quoted, answer, asked.state)
        result = await shop.end(quoted["repair_id"])
        assert [each.decision.by for each in result.decisions] == [HARRY]
        assert shop.effects() == 1


async def test_d3_what_a_seal_refuses_is_an_error_of_the_tool_that_says_the_way_on(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop, answers=yes) as chat:
        quoted = await started(shop, chat, RONS)
        said = await chat.client.session.call_tool(
            "approve_repair", quoted, input_responses={"approval": YES}, request_state="v1.AAAA"
        )
        assert said.is_error
        assert isinstance(said.content[0], types.TextContent)
        assert said.content[0].text == REFUSED
        assert "get_repair" in REFUSED
        assert "nothing was decided by this call" in REFUSED
        await undecided(shop, quoted["repair_id"])


@both_eras
@pytest.mark.parametrize(("answers", "action"), [(closes, "cancel"), (declines, "decline")])
async def test_d4_nobody_is_said_to_have_seen_a_form_and_the_same_is_not_sent_again_at_once(
    temporal_env: WorkflowEnvironment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    era: Era,
    answers: Answers,
    action: str,
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop, era=era, answers=answers) as chat:
        quoted = await started(shop, chat, RONS)
        asked, silent = "nothing was decided: ", "nothing was decided: no form was sent, for a moment ago "
        said = (
            f"the client answered the form with {action}; perhaps it showed nobody the form. "
            "The person can say it in a terminal, which shows the plan and asks: daper repair "
        )
        for tool, before in (("approve", asked), ("approve", silent), ("reject", silent)):
            told = await chat.call(f"{tool}_repair", **quoted)
            assert told["message"] == f"{before}{said}{tool} {quoted['repair_id']}"
            assert "person closed" not in str(told)
        assert len(chat.asked) == 1
        monkeypatch.setattr(open_forms, "AGAIN_AFTER_S", 0.0)
        await chat.call("approve_repair", **quoted)
        assert len(chat.asked) == 2
        await undecided(shop, quoted["repair_id"])


async def test_d4_a_form_that_was_sent_before_another_was_closed_can_still_be_answered(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop, answers=yes) as chat:
        quoted = await started(shop, chat, RONS)
        first, second = [await form(chat, "approve_repair", quoted) for _ in range(2)]
        cancel = types.ElicitResult(action="cancel")
        assert "perhaps it showed nobody" in await answered(
            chat, "approve_repair", quoted, {first.key: cancel}, first.state
        )
        await answered(chat, "approve_repair", quoted, {second.key: YES}, second.state)
        assert len((await shop.end(quoted["repair_id"])).decisions) == 1


@both_eras
async def test_d2_every_answer_about_a_repair_says_what_was_decided_by_whom_when_and_how(
    temporal_env: WorkflowEnvironment, tmp_path: Path, era: Era
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop, era=era, answers=yes) as chat:
        with temporal_env.with_time_skipping_disabled():
            begun = await chat.call("start_repair", record_ids=[RONS])
            assert begun["what_was_decided"] in {"", "nothing was decided on this plan"}
            repair_id = begun["repair_id"]
            state = await chat.call("wait_for_repair", repair_id=repair_id, seconds=25)
        quoted = {"repair_id": repair_id, "plan_digest": state["plan_digest"]}
        assert state["what_was_decided"] == "nothing was decided on this plan"
        details = await chat.call("get_repair", repair_id=repair_id)
        assert details["what_was_decided"] == "nothing was decided on this plan"
        stale = await chat.refused("approve_repair", repair_id=repair_id, plan_digest="0" * 64)
        assert stale.endswith("Until now: nothing was decided on this plan")
        told = await chat.call("approve_repair", **quoted)
        result = await shop.end(repair_id)
        assert isinstance(result, RepairResult)
        at = f"{result.decisions[0].decided_at:%Y-%m-%d %H:%M:%S} UTC"
        line = f"a1 approved by Harry (os-user) at {at}, confirmed in a form"
        answers: list[dict[str, Any]] = [
            told,
            await chat.call("approve_repair", **quoted),
            await chat.call("get_repair", repair_id=repair_id),
            await chat.call("wait_for_repair", repair_id=repair_id, seconds=1),
        ]
        assert [each["what_was_decided"] for each in answers] == [line] * 4
        assert (await chat.refused("reject_repair", **quoted)).endswith(f"until now: {line}")
        stale = await chat.refused("approve_repair", repair_id=repair_id, plan_digest="0" * 64)
        assert stale.endswith(f"Until now: {line}")
