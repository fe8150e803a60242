"""Clients that alter, repeat, delay or invent answers to a form: no decision comes of it that nobody gave."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mcp.types as types
import pytest
from mcp.shared.exceptions import MCPError
from temporalio.testing import WorkflowEnvironment

from daper.core.models import Confirmation, Verdict
from daper.core.phases import Phase
from daper.core.views import RepairView
from daper.entrypoints.mcp import open_forms
from tests.workflow.chat import Chat, chat_with, yes
from tests.workflow.shop import GINNY, Shop, open_shop

HARRYS, GRANGERS, RONS = "ORD-001-HJP", "ORD-002-HJG", "ORD-003-RBW"
YES = types.ElicitResult(action="accept", content={"confirm": True})
TERMINAL = "The person can say it in a terminal, which shows the plan and asks: daper repair approve "

# Any: content that no form asks for.
NO_ANSWERS: tuple[dict[str, Any] | None, ...] = (
    None,
    {},
    {"confirm": "y"},
    {"confirm": "true"},
    {"confirm": 1},
    {"confirm": ["x"]},
    {"Confirm": True},
    {"approved": True, "comment": "yes"},
    {"comment": "yes, do exactly this"},
    {"confirm": True, "comment": "x" * 2001},
)


async def undecided(shop: Shop, *repair_ids: str) -> None:
    for repair_id in repair_ids:
        look = await shop.service.look(repair_id)
        assert isinstance(look, RepairView)
        assert (look.phase, look.decision) == (Phase.PENDING_APPROVAL, None)


async def started(shop: Shop, chat: Chat, *record_ids: str) -> dict[str, Any]:
    """A repair of these records whose plan waits: what a decision on it quotes."""
    with shop.env.with_time_skipping_disabled():
        repair = await chat.begin(record_ids=list(record_ids))
    return {"repair_id": repair["repair_id"], "plan_digest": repair["plan_digest"]}


@pytest.mark.parametrize(
    "code", [-32601, *(pytest.param(each, marks=pytest.mark.long) for each in (-32600, -32603, -1))]
)
async def test_b4_a_form_that_is_answered_with_an_error_leads_to_the_terminal(
    temporal_env: WorkflowEnvironment, tmp_path: Path, code: int
) -> None:
    async def cannot(_: types.ElicitRequestFormParams) -> Any:  # Any: what no client of ours answers
        return types.ErrorData(code=code, message="Method not found")

    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop, era="legacy", answers=cannot) as chat:
        quoted = await started(shop, chat, RONS)
        said = await chat.refused("approve_repair", **quoted)
        assert said.startswith(f"this client answered the form with an error (code {code}), so nobody can confirm here")
        assert said.endswith(f"{TERMINAL}{quoted['repair_id']}")
        assert len(chat.asked) == 1
        await undecided(shop, quoted["repair_id"])


@pytest.mark.long
async def test_b4_what_is_no_answer_to_the_form_leads_to_the_terminal(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    left = [*NO_ANSWERS]

    async def garbage(_: types.ElicitRequestFormParams) -> types.ElicitResult:
        return types.ElicitResult(action="accept", content=left.pop())

    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop, era="legacy", answers=garbage) as chat:
        quoted = await started(shop, chat, RONS)
        while left:
            said = await chat.refused("approve_repair", **quoted)
            assert said.startswith("this client answered the form with what is no answer to it, so nobody can confirm")
            assert said.endswith(f"{TERMINAL}{quoted['repair_id']}")
        await undecided(shop, quoted["repair_id"])
    async with open_shop(temporal_env, tmp_path / "newer") as shop, chat_with(shop, answers=yes) as chat:
        quoted = await started(shop, chat, RONS)
        for content in NO_ANSWERS:
            asked = await form(chat, "approve_repair", quoted)
            answer = types.ElicitResult(action="accept", content=content)
            said = await answered(chat, "approve_repair", quoted, {asked.key: answer}, asked.state)
            assert "answered the form with what is no answer to it" in said
            assert "esolver" not in said
            assert said.endswith(f"{TERMINAL}{quoted['repair_id']}")
        await undecided(shop, quoted["repair_id"])


class Asked:
    """A form of the newer era, as a client gets it."""

    def __init__(self, result: types.InputRequiredResult) -> None:
        assert result.input_requests is not None
        ((self.key, request),) = result.input_requests.items()
        assert isinstance(request, types.ElicitRequest)
        assert isinstance(request.params, types.ElicitRequestFormParams)
        self.message = request.params.message
        self.state = result.request_state


async def form(chat: Chat, tool: str, arguments: dict[str, Any]) -> Asked:
    asked = await chat.client.session.call_tool(tool, arguments, allow_input_required=True)
    assert isinstance(asked, types.InputRequiredResult)
    return Asked(asked)


async def answered(chat: Chat, tool: str, arguments: dict[str, Any], answers: dict[str, Any], state: str | None) -> str:
    """What the server says to a call with these answers; `asked again` where it sends the form once more."""
    try:
        said = await chat.client.session.call_tool(
            tool, arguments, input_responses=answers, request_state=state, allow_input_required=True
        )
    except MCPError as error:
        return error.message
    if isinstance(said, types.InputRequiredResult):
        return "asked again"
    part = said.content[0]
    assert isinstance(part, types.TextContent)
    return part.text


# Any: arguments of a tool.
Attack = Callable[
    [dict[str, Any], dict[str, Any], Asked, Asked], tuple[str, dict[str, Any], dict[str, Any], str | None]
]

# Each: what a client sends that was asked for `mine` (all of it) and for `other`, and was told yes to neither.
ATTACKS: dict[str, Attack] = {
    "invents an answer": lambda mine, other, a, b: ("approve_repair", mine, {a.key: YES}, None),
    "answers with the form of another repair": lambda mine, other, a, b: (
        "approve_repair",
        mine,
        {a.key: YES},
        b.state,
    ),
    "answers another repair with this form": lambda mine, other, a, b: (
        "approve_repair",
        other,
        {a.key: YES},
        a.state,
    ),
    "names other actions": lambda mine, other, a, b: (
        "approve_repair",
        {**mine, "actions": ["a1"]},
        {a.key: YES},
        a.state,
    ),
    "changes an argument": lambda mine, other, a, b: (
        "approve_repair",
        {**mine, "actions": ["a1"], "edits": {"a1": {"quantity": 250}}},
        {a.key: YES},
        a.state,
    ),
    "adds a comment": lambda mine, other, a, b: (
        "approve_repair",
        {**mine, "comment": "Dumbledore agrees"},
        {a.key: YES},
        a.state,
    ),
    "makes a rejection of an approval": lambda mine, other, a, b: ("reject_repair", mine, {a.key: YES}, a.state),
    "says the answer under another name": lambda mine, other, a, b: (
        "approve_repair",
        mine,
        {"approve": YES},
        a.state,
    ),
    "changes a letter of what it was given": lambda mine, other, a, b: (
        "approve_repair",
        mine,
        {a.key: YES},
        f"{(a.state or '')[:-2]}{'A' if (a.state or '')[-2] != 'A' else 'B'}{(a.state or '')[-1:]}",
    ),
    "cuts what it was given": lambda mine, other, a, b: (
        "approve_repair",
        mine,
        {a.key: YES},
        (a.state or "")[:40],
    ),
    "makes up what it was given": lambda mine, other, a, b: ("approve_repair", mine, {a.key: YES}, "v1.AAAA"),
    "gives nothing back": lambda mine, other, a, b: ("approve_repair", mine, {a.key: YES}, ""),
    "declines, and says yes": lambda mine, other, a, b: (
        "approve_repair",
        mine,
        {a.key: types.ElicitResult(action="decline", content={"confirm": True})},
        a.state,
    ),
    "closes it, and says yes": lambda mine, other, a, b: (
        "approve_repair",
        mine,
        {a.key: types.ElicitResult(action="cancel", content={"confirm": True})},
        a.state,
    ),
    "sends no, and a comment that says yes": lambda mine, other, a, b: (
        "approve_repair",
        mine,
        {a.key: types.ElicitResult(action="accept", content={"confirm": False, "comment": "confirm: true"})},
        a.state,
    ),
    "quotes another plan": lambda mine, other, a, b: (
        "approve_repair",
        {**mine, "plan_digest": other["plan_digest"]},
        {a.key: YES},
        a.state,
    ),
    "answers as an argument": lambda mine, other, a, b: (
        "approve_repair",
        {**mine, "answer": {"action": "accept", "data": {"confirm": True}}},
        {},
        None,
    ),
}


async def test_no_attack_on_a_form_decides_anything_and_a_yes_afterwards_does(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_forms, "AGAIN_AFTER_S", 0.0)
    assert len(ATTACKS) == 17
    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop, answers=yes) as chat:
        mine, other = await started(shop, chat, RONS), await started(shop, chat, GRANGERS)
        for name, attack in ATTACKS.items():
            a, b = await form(chat, "approve_repair", mine), await form(chat, "approve_repair", other)
            said = await answered(chat, *attack(mine, other, a, b))
            assert '"decided": true' not in said, name
            await undecided(shop, mine["repair_id"], other["repair_id"])
        a = await form(chat, "approve_repair", mine)
        await answered(chat, "approve_repair", mine, {a.key: YES}, a.state)
        result = await shop.end(mine["repair_id"])
        assert [each.decision.confirmed for each in result.decisions] == [Confirmation.FORM]
        effects = shop.effects()
        for _ in range(5):  # the same answer again, after it counted
            await answered(chat, "approve_repair", mine, {a.key: YES}, a.state)
        assert shop.effects() == effects == 1
        await undecided(shop, other["repair_id"])


async def test_an_answer_that_comes_late_decides_nothing_that_was_decided_meanwhile(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop, answers=yes) as chat:
        quoted = await started(shop, chat, RONS)
        asked = await form(chat, "approve_repair", quoted)
        plan = await shop.plan(quoted["repair_id"])
        await shop.decide(quoted["repair_id"], plan, by=GINNY, a1=Verdict.REJECT)
        said = await answered(chat, "approve_repair", quoted, {asked.key: YES}, asked.state)
        assert "Ginny" in said
        result = await shop.end(quoted["repair_id"])
        assert [each.decision.by for each in result.decisions] == [GINNY]
        assert shop.effects() == 0


@pytest.mark.parametrize(
    ("era", "shown"),
    [
        pytest.param("auto", 20, marks=pytest.mark.long),
        pytest.param("legacy", 3, marks=pytest.mark.long),
    ],
)
async def test_of_twenty_forms_at_once_each_counts_for_its_own_plan_and_one_of_each_plan(
    temporal_env: WorkflowEnvironment, tmp_path: Path, era: Any, shown: int
) -> None:
    """Yes to one repair, no to another, silence for the third; all forms are open together.

    A chat of the older era has one for each repair: of the others it is told which one is open.
    """
    together, together_open, told = asyncio.Event(), 0, 0

    def seen() -> None:
        if (together_open, told) == (shown, 20 - shown):
            together.set()

    async def person(params: types.ElicitRequestFormParams) -> types.ElicitResult:
        nonlocal together_open
        together_open += 1
        seen()
        await together.wait()
        if repairs[0]["repair_id"] in params.message:
            return YES
        no = types.ElicitResult(action="accept", content={"confirm": False})
        return no if repairs[1]["repair_id"] in params.message else types.ElicitResult(action="cancel")

    async def call(number: int) -> types.CallToolResult:
        nonlocal told
        arguments = {**repairs[number % 3], "comment": f"form {number}"}
        said = await chat.client.call_tool("approve_repair", arguments)
        told += 1
        seen()
        return said

    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop, era=era, answers=person) as chat:
        repairs = [await started(shop, chat, each) for each in (RONS, GRANGERS, HARRYS)]
        answers = await asyncio.gather(*map(call, range(20)))
        result = await shop.end(repairs[0]["repair_id"])
        await undecided(shop, repairs[1]["repair_id"], repairs[2]["repair_id"])
    assert len(chat.asked) == shown
    assert sum(bool(said.is_error) for said in answers) == 20 - shown
    assert len(result.decisions) == 1
    assert shop.effects() == 1
    for number, said in enumerate(answers):
        document: dict[str, Any] = said.structured_content or {}
        assert not document.get("decided") or number % 3 == 0
