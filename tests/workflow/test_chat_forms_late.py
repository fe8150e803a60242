"""Forms of the older era, which are open longer than the calls that asked for them: what is said late counts, once."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import mcp.types as types
import pytest
from mcp import MCPError
from temporalio.testing import WorkflowEnvironment

from daper.core.access import Access
from daper.core.decisions import in_one_line
from daper.core.models import Confirmation, Verdict
from daper.core.phases import Phase
from daper.core.views import RepairView
from daper.entrypoints.mcp import open_forms
from tests.workflow.chat import Chat, chat_with
from tests.workflow.shop import GINNY, HARRY, Shop, open_shop

RONS = "ORD-003-RBW"
YES = types.ElicitResult(action="accept", content={"confirm": True, "comment": "at last"})
NO = types.ElicitResult(action="accept", content={"confirm": False})
CANCEL = types.ElicitResult(action="cancel")
NOTHING = "nothing was decided on this plan"


class Thinking:
    """A person who looks at a form until told what to say; the next form is another matter."""

    def __init__(self) -> None:
        self.seen = asyncio.Event()
        self.withdrawn = asyncio.Event()
        self._says: asyncio.Future[types.ElicitResult] | None = None

    async def __call__(self, _: types.ElicitRequestFormParams) -> types.ElicitResult:
        """Think."""
        self._says = asyncio.get_running_loop().create_future()
        self.seen.set()
        try:
            return await self._says
        except asyncio.CancelledError:
            self.withdrawn.set()
            raise

    def says(self, answer: types.ElicitResult) -> None:
        """The answer to the form that is open."""
        assert self._says is not None
        self._says.set_result(answer)
        self.seen.clear()


@asynccontextmanager
async def asked(
    env: WorkflowEnvironment, home: Path, person: Thinking, monkeypatch: pytest.MonkeyPatch, *, patience: float = 0.05
) -> AsyncGenerator[tuple[Shop, Chat, dict[str, Any]]]:
    """A chat of the older era, and what a decision on the plan that waits quotes."""
    monkeypatch.setattr(open_forms, "PATIENCE_S", patience)
    async with open_shop(env, home) as shop, chat_with(shop, era="legacy", answers=person) as chat:
        with env.with_time_skipping_disabled():
            repair = await chat.begin(record_ids=[RONS])
        yield shop, chat, {"repair_id": repair["repair_id"], "plan_digest": repair["plan_digest"]}


# Any: a document of a tool.
async def document(call: "asyncio.Task[types.CallToolResult]") -> dict[str, Any]:
    """What a call was answered that did what it was asked."""
    said = await call
    assert not said.is_error, said
    assert said.structured_content is not None
    return said.structured_content


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not reached():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


async def undecided(shop: Shop, repair_id: str) -> None:
    look = await shop.service.look(repair_id)
    assert isinstance(look, RepairView)
    assert (look.phase, look.decision) == (Phase.PENDING_APPROVAL, None)


def over() -> bool:
    """Whether no task of a form is left."""
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return not [name for name in names if name in {"OpenForm._acted_upon", "shown"}]


@pytest.mark.long
async def test_d2_a_yes_that_comes_after_the_call_counts_as_if_it_were_open(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Thinking()
    async with asked(temporal_env, tmp_path, person, monkeypatch) as (shop, chat, quoted):
        told = await chat.call("approve_repair", **quoted)
        assert (told["decided"], told["form_open"], told["what_was_decided"]) == (False, True, NOTHING)
        assert told["message"].startswith("the form is still open")
        await undecided(shop, quoted["repair_id"])
        person.says(YES)
        result = await shop.end(quoted["repair_id"])
        (recorded,) = result.decisions
        assert (recorded.decision.confirmed, recorded.decision.comment) == (Confirmation.FORM, "at last")
        again = await chat.call("approve_repair", **quoted)
        assert (again["decided"], again["repeated"]) == (True, True)
        assert again["what_was_decided"] == (
            f"a1 approved by Harry (os-user) at {recorded.decided_at:%Y-%m-%d %H:%M:%S} UTC, confirmed in a form"
        )
        assert (len(chat.asked), shop.effects()) == (1, 1)


@pytest.mark.long
async def test_d2_a_call_that_hears_of_progress_waits_as_long_as_the_person_thinks(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_forms, "PROGRESS_S", 0.02)
    person, heard = Thinking(), list[str | None]()

    async def progressed(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message)

    async with asked(temporal_env, tmp_path, person, monkeypatch) as (_, chat, quoted):
        call = asyncio.create_task(chat.client.call_tool("approve_repair", quoted, progress_callback=progressed))
        await until(lambda: len(heard) > 5)
        assert not call.done()
        person.says(YES)
        told = await document(call)
    assert told["decided"]
    assert set(heard) == {"waiting for the person's answer to the form"}


@pytest.mark.long
async def test_d2_the_same_decision_again_joins_the_form_and_another_is_refused(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Thinking()
    async with asked(temporal_env, tmp_path, person, monkeypatch, patience=30) as (shop, chat, quoted):
        calls = [asyncio.create_task(chat.client.call_tool("approve_repair", quoted)) for _ in range(3)]
        await person.seen.wait()
        other = await chat.refused("reject_repair", **quoted)
        assert other.startswith("a form is open about another decision on this repair (approve all of the plan, plan ")
        assert "nothing was decided" in other
        assert other.endswith(f"daper repair reject {quoted['repair_id']}")
        await chat.call("get_repair", repair_id=quoted["repair_id"])  # by now all three wait
        person.says(YES)
        answers = [await document(call) for call in calls]
        result = await shop.end(quoted["repair_id"])
    assert [each["decided"] for each in answers] == [True] * 3
    assert (len(chat.asked), len(result.decisions), shop.effects()) == (1, 1, 1)


@pytest.mark.long
async def test_d2_who_comes_back_for_an_open_form_is_told_of_the_same_one(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Thinking()
    async with asked(temporal_env, tmp_path, person, monkeypatch) as (shop, chat, quoted):
        for _ in range(2):
            assert (await chat.call("approve_repair", **quoted))["form_open"]
        person.says(NO)
        await until(over)
        late = await chat.call("approve_repair", **quoted)
        assert (late["decided"], late["form_open"]) == (False, False)
        assert late["message"] == "nothing was decided: the form came back with no"
        assert len(chat.asked) == 1
        assert (await chat.call("approve_repair", **quoted))["form_open"]  # that was heard: the person is asked anew
        assert len(chat.asked) == 2
        person.says(YES)
        await shop.end(quoted["repair_id"])
    assert shop.effects() == 1


@pytest.mark.parametrize("gives_up", [pytest.param("cancels the call", marks=pytest.mark.long), "loses patience"])
async def test_d2_a_call_that_the_client_gives_up_withdraws_its_form(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gives_up: str
) -> None:
    person = Thinking()
    async with asked(temporal_env, tmp_path, person, monkeypatch, patience=30) as (shop, chat, quoted):
        if gives_up == "cancels the call":
            call = asyncio.create_task(chat.client.call_tool("approve_repair", quoted))
            await person.seen.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        else:
            with pytest.raises(MCPError, match="timed out"):
                await chat.client.call_tool("approve_repair", quoted, read_timeout_seconds=0.2)
        await person.withdrawn.wait()
        await until(over)
        await undecided(shop, quoted["repair_id"])
        person.seen.clear()
        other = asyncio.create_task(chat.client.call_tool("approve_repair", quoted))  # nothing is in its way
        await until(lambda: len(chat.asked) == 2)
        await person.seen.wait()
        person.says(NO)
        assert (await document(other))["what_was_decided"] == NOTHING


@pytest.mark.long
async def test_d2_whoever_else_waits_for_a_form_that_is_withdrawn_is_told(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Thinking()
    async with asked(temporal_env, tmp_path, person, monkeypatch, patience=30) as (shop, chat, quoted):
        first, second = (asyncio.create_task(chat.client.call_tool("approve_repair", quoted)) for _ in range(2))
        await person.seen.wait()
        await chat.call("get_repair", repair_id=quoted["repair_id"])
        first.cancel()
        told = await document(second)
        await undecided(shop, quoted["repair_id"])
    assert not told["decided"]
    assert told["message"] == "nothing was decided: the form was withdrawn, for the client cancelled a call that waited"


async def test_d2_a_form_goes_with_its_connection(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_forms, "PATIENCE_S", 0.05)
    person = Thinking()
    async with open_shop(temporal_env, tmp_path) as shop:
        async with chat_with(shop, era="legacy", answers=person) as chat:
            with temporal_env.with_time_skipping_disabled():
                repair = await chat.begin(record_ids=[RONS])
            quoted = {"repair_id": repair["repair_id"], "plan_digest": repair["plan_digest"]}
            assert (await chat.call("approve_repair", **quoted))["form_open"]
            assert not over()
        await until(over)
        await undecided(shop, repair["repair_id"])


async def test_d2_a_yes_after_the_leave_to_approve_was_taken_away_decides_nothing(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Thinking()
    async with asked(temporal_env, tmp_path, person, monkeypatch) as (shop, chat, quoted):
        assert (await chat.call("approve_repair", **quoted))["form_open"]
        chat.access = frozenset({Access.READ})
        person.says(YES)
        await until(over)
        await undecided(shop, quoted["repair_id"])
        assert "allows read, and this needs approve" in await chat.refused("approve_repair", **quoted)
        chat.access = frozenset(Access)
        assert "allows read, and this needs approve" in await chat.refused("approve_repair", **quoted)  # of the form
        assert (await chat.call("approve_repair", **quoted))["form_open"]


@pytest.mark.long
async def test_d2_a_yes_after_somebody_else_decided_changes_nothing_and_the_next_call_says_who(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Thinking()
    async with asked(temporal_env, tmp_path, person, monkeypatch) as (shop, chat, quoted):
        assert (await chat.call("approve_repair", **quoted))["form_open"]
        await shop.decide(quoted["repair_id"], await shop.plan(quoted["repair_id"]), by=GINNY, a1=Verdict.REJECT)
        result = await shop.end(quoted["repair_id"])
        person.says(YES)
        await until(over)
        said = await chat.refused("approve_repair", **quoted)
    (recorded,) = result.decisions
    ginny = f"a1 rejected by Ginny (claimed) at {recorded.decided_at:%Y-%m-%d %H:%M:%S} UTC"
    assert said.endswith(f"until now: {ginny}")
    assert (recorded.decision.by, shop.effects()) == (GINNY, 0)


@pytest.mark.long
async def test_d2_a_yes_after_the_plan_lapsed_decides_nothing(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Thinking()
    async with asked(temporal_env, tmp_path, person, monkeypatch) as (shop, chat, quoted):
        assert (await chat.call("approve_repair", **quoted))["form_open"]
        handle = shop.client.get_workflow_handle(quoted["repair_id"])
        await temporal_env.fast_forward(handle, timedelta(days=4))
        result = await shop.end(quoted["repair_id"])
        person.says(YES)
        await until(over)
        said = await chat.refused("approve_repair", **quoted)
    assert result.phase is Phase.APPROVAL_EXPIRED
    assert said.endswith("until now: nothing was decided on this plan")
    assert (result.decisions, shop.effects()) == ((), 0)


@pytest.mark.long
async def test_d2_a_form_that_nobody_answers_is_open_no_longer_than_the_plan_waits(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def soon(_: object) -> float:
        return 0.1

    monkeypatch.setattr("daper.entrypoints.mcp.deciding._seconds_until", soon)
    person = Thinking()
    async with asked(temporal_env, tmp_path, person, monkeypatch, patience=30) as (_, chat, quoted):
        told = await chat.call("approve_repair", **quoted)
        await person.withdrawn.wait()
    assert told["message"] == "nothing was decided: nobody answered the form before the time to decide was over"


@pytest.mark.long
async def test_d2_of_two_chats_that_decide_differently_the_first_yes_counts_and_the_other_hears_of_it(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both forms are open, both calls are over, and both persons say yes."""
    minerva, luna = Thinking(), Thinking()
    async with (
        asked(temporal_env, tmp_path, minerva, monkeypatch) as (shop, chat, quoted),
        chat_with(shop, era="legacy", answers=luna, person=GINNY) as other,
    ):
        assert (await chat.call("approve_repair", **quoted))["form_open"]
        assert (await other.call("reject_repair", **quoted))["form_open"]
        minerva.says(YES)
        luna.says(YES)
        (recorded,) = (await shop.end(quoted["repair_id"])).decisions
        await until(over)
        line = in_one_line(recorded)
        for each, tool in ((chat, "approve_repair"), (other, "reject_repair")):
            said = await each.client.call_tool(tool, quoted)
            assert line in str(said.structured_content or said.content)
            assert (await each.call("get_repair", repair_id=quoted["repair_id"]))["what_was_decided"] == line
        assert shop.effects() == (1 if recorded.decision.by == HARRY else 0)
