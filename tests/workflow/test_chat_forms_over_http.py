"""Forms over HTTP: open longer than their calls and their server, and many at once; each plan is decided once."""

import asyncio
import http.client
import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import simplejson
from mcp import MCPError
from temporalio.testing import WorkflowEnvironment

from daper.core.outcomes import RepairResult
from daper.entrypoints.mcp import open_forms
from daper.entrypoints.mcp.form_states import REFUSED
from daper.entrypoints.mcp.presentation import decided_until_now
from tests.e2e.mcp_raw import Posting, posting
from tests.workflow.chat import Chat, Era, yes
from tests.workflow.chat_server import chat_at, served, token_for
from tests.workflow.shop import Shop, open_shop
from tests.workflow.test_chat_forms_attacked import RONS, YES, answered, form, started, undecided
from tests.workflow.test_chat_forms_late import Thinking, document, over, until

NO_ANSWER = "timed out"


@pytest.mark.long
async def test_d3_over_http_a_form_outlives_the_server_that_asked(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        async with served(shop, monkeypatch) as url, chat_at(url, answers=yes) as chat:
            quoted = await started(shop, chat, RONS)
            asked = await form(chat, "approve_repair", quoted)
        async with served(shop, monkeypatch) as url, chat_at(url, answers=yes) as chat:
            await answered(chat, "approve_repair", quoted, {asked.key: YES}, asked.state)
        assert len((await shop.end(quoted["repair_id"])).decisions) == 1


@pytest.mark.long
async def test_d3_over_http_a_form_is_for_the_person_whose_token_asked_for_it(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        minerva, draco = token_for(shop, "Minerva"), token_for(shop, "Draco")
        async with (
            served(shop, monkeypatch) as url,
            chat_at(url, answers=yes, token=minerva) as hers,
            chat_at(url, answers=yes, token=draco) as his,
        ):
            quoted = await started(shop, hers, RONS)
            asked = await form(hers, "approve_repair", quoted)
            answer = {asked.key: YES}
            assert await answered(his, "approve_repair", quoted, answer, asked.state) == REFUSED
            await undecided(shop, quoted["repair_id"])
            await answered(hers, "approve_repair", quoted, answer, asked.state)
        (recorded,) = (await shop.end(quoted["repair_id"])).decisions
        assert recorded.decision.by.model_dump()["name"] == "Minerva"


@pytest.mark.long
async def test_d2_over_http_a_form_of_the_older_era_outlives_its_call(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_forms, "PATIENCE_S", 0.2)
    person = Thinking()
    async with (
        open_shop(temporal_env, tmp_path) as shop,
        served(shop, monkeypatch) as url,
        chat_at(url, era="legacy", answers=person) as chat,
        chat_at(url, era="legacy", answers=yes) as other,
    ):
        quoted = await started(shop, chat, RONS)
        assert (await chat.call("approve_repair", **quoted))["form_open"]
        person.says(YES)
        result = await shop.end(quoted["repair_id"])
        told = await other.call("get_repair", repair_id=quoted["repair_id"])
    assert (len(result.decisions), shop.effects()) == (1, 1)
    assert told["what_was_decided"] == decided_until_now(result)


# Any: messages of the protocol, here and below.
def _until_asked(response: http.client.HTTPResponse) -> dict[str, Any]:
    """The next request of the server among what it sends."""
    while line := response.readline():
        if line.startswith(b"data: {") and "method" in (message := json.loads(line[6:])) and "id" in message:
            return message
    raise AssertionError("the server asked for nothing")


def _says_yes(raw: Posting, asked: Mapping[str, Any]) -> None:
    answer = {"action": "accept", "content": {"confirm": True}}
    raw.post(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": answer}))


async def test_d2_over_http_a_yes_after_the_call_was_cancelled_decides_nothing(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a client does not take the form away, and answers it all the same; twice."""
    async with (
        open_shop(temporal_env, tmp_path) as shop,
        served(shop, monkeypatch) as url,
        chat_at(url, answers=yes) as chat,
    ):
        quoted = await started(shop, chat, RONS)

        def cancels() -> None:
            raw = posting(url)
            response = raw.begin("tools/call", {"name": "approve_repair", "arguments": quoted})
            asked = _until_asked(response)
            gone = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": raw.last}}
            assert raw.post(json.dumps(gone)).status == 202
            assert b'"error"' in response.read()
            for _ in range(2):
                _says_yes(raw, asked)

        await asyncio.to_thread(cancels)
        await until(over)
        await undecided(shop, quoted["repair_id"])
        told = await chat.call("get_repair", repair_id=quoted["repair_id"])
        assert told["what_was_decided"] == "nothing was decided on this plan"
        assert (await chat.call("approve_repair", **quoted))["decided"]


@dataclass
class Case:
    """One of many chats at once: its era, and what becomes of its form."""

    number: int
    era: Era
    how: str
    chat: Chat
    person: Thinking
    quoted: dict[str, Any]
    told: str = ""


def _orders_like_rons(shop: Shop, count: int) -> list[str]:
    path = shop.home / "data/orders/orders.json"
    kept = simplejson.loads(path.read_text("utf-8"), use_decimal=True)
    rons = next(order for order in kept["orders"] if order["order_id"] == RONS)
    ids = [f"ORD-{number}-RBW" for number in range(101, 101 + count)]
    kept["orders"] += [{**rons, "order_id": order_id} for order_id in ids]
    path.write_text(simplejson.dumps(kept, use_decimal=True), "utf-8")
    return ids


async def _late(case: Case, url: str) -> None:
    """The person says yes when the call is over: some clients gave it up, some were told that the form is open."""
    gives_up = case.number % 4 < 2
    if case.era == "auto":
        asked = await form(case.chat, "approve_repair", case.quoted)
        call = answered(case.chat, "approve_repair", case.quoted, {asked.key: YES}, asked.state)
        try:
            async with asyncio.timeout(0.02 if gives_up else 60):
                case.told = await call
        except TimeoutError:
            case.told = NO_ANSWER
    elif gives_up:
        with pytest.raises(MCPError, match=NO_ANSWER):
            await case.chat.client.call_tool("approve_repair", case.quoted, read_timeout_seconds=0.3)
        case.told = NO_ANSWER
    else:
        assert (await case.chat.call("approve_repair", **case.quoted))["form_open"]
        case.person.says(YES)


async def _twice(case: Case, url: str) -> None:
    """Two calls at once, and each of them hears yes."""
    if case.era == "auto":
        asked = await form(case.chat, "approve_repair", case.quoted)
        answer: Any = (case.chat, "approve_repair", case.quoted, {asked.key: YES}, asked.state)
        said = await asyncio.gather(answered(*answer), answered(*answer))
        case.told = said[0]
        return
    calls = [asyncio.create_task(case.chat.client.call_tool("approve_repair", case.quoted)) for _ in range(2)]
    await case.person.seen.wait()
    case.person.says(YES)
    heard = [await document(call) for call in calls]
    assert all(each["decided"] or each["form_open"] for each in heard), heard


async def _dies(case: Case, url: str) -> None:
    """A client asks, and is gone while its form is open: the socket closes, and nothing else is said."""

    def dies() -> None:
        raw = posting(url)
        response = raw.begin("tools/call", {"name": "approve_repair", "arguments": case.quoted})
        if case.number % 2:
            _says_yes(raw, _until_asked(response))
        else:
            _until_asked(response)
        response.close()

    await asyncio.to_thread(dies)


BECOMES = {"late": _late, "twice": _twice, "died": _dies}


@pytest.mark.long
@pytest.mark.parametrize(("late", "twice", "died"), [(1, 1, 1), (10, 5, 5)], ids=["three", "twenty"])
async def test_d2_of_many_chats_at_once_each_plan_is_decided_once_and_the_next_call_tells_the_truth(
    temporal_env: WorkflowEnvironment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    late: int,
    twice: int,
    died: int,
) -> None:
    monkeypatch.setattr(open_forms, "PATIENCE_S", 2.0)
    plan = ["late"] * late + ["twice"] * twice + ["died"] * died
    async with open_shop(temporal_env, tmp_path) as shop, served(shop, monkeypatch) as url, AsyncExitStack() as stack:
        shop.order(RONS)
        cases = list[Case]()
        for number, (how, record_id) in enumerate(zip(plan, _orders_like_rons(shop, len(plan)), strict=True)):
            era: Era = "auto" if number % 2 else "legacy"
            person = Thinking()
            answers = yes if era == "auto" else person
            chat = await stack.enter_async_context(chat_at(url, era=era, answers=answers))
            cases.append(Case(number, era, how, chat, person, await started(shop, chat, record_id)))
        async with asyncio.timeout(120):
            await asyncio.gather(*(BECOMES[case.how](case, url) for case in cases))
        for case in cases:
            await _is_told_the_truth(shop, case)
        results = [await shop.end(case.quoted["repair_id"]) for case in cases]
    for result in results:
        assert len(result.decisions) == 1
        assert [outcome.status for outcome in result.outcomes if outcome.status.took_effect].__len__() == 1
    assert shop.effects() == len(cases)


async def _is_told_the_truth(shop: Shop, case: Case) -> None:
    """The next call of a chat says what is so; and where nothing was decided yet, a new form decides it."""
    repair_id = case.quoted["repair_id"]
    if case.how == "twice" or (case.how == "late" and case.told != NO_ANSWER):
        await shop.end(repair_id)
    told = await case.chat.call("get_repair", repair_id=repair_id)
    look = await shop.service.look(repair_id)
    assert told["what_was_decided"] == decided_until_now(look), case
    if isinstance(look, RepairResult) or look.decision is not None:
        again = await case.chat.call("approve_repair", **case.quoted)
        assert (again["decided"], again["repeated"]) == (True, True), case
        return
    assert case.how == "died" or case.told == NO_ANSWER, case
    case.person.seen.clear()
    call = asyncio.create_task(case.chat.client.call_tool("approve_repair", case.quoted))
    if case.era == "legacy":
        await case.person.seen.wait()
        case.person.says(YES)
    assert (await document(call))["decided"], case
