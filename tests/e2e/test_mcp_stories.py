"""Whole stories over MCP: a person who takes their time, an agent of pydantic-ai, and many who decide at once."""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Literal, cast

import pytest
from fastmcp.client import Client as FastClient
from fastmcp.client.elicitation import ElicitResult as FastElicitResult
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport
from mcp import Client, MCPError
from mcp.client import ClientRequestContext
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.types import ElicitRequestParams, ElicitResult, TextContent
from pydantic_ai import Agent, ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.models.function import AgentInfo, FunctionModel
from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError

from daper.adapters.temporal.connection import connect
from daper.bootstrap import open_service
from daper.core.decisions import answer_plan, decided_by
from daper.core.models import Decision, IdentityProof, Person, RecordedDecision, Verdict
from daper.core.outcomes import RepairResult
from daper.core.selections import choose
from daper.core.views import RepairView
from daper.workflows.repair import RepairAgentWorkflow
from tests.clients.node import Http, Stdio, Target
from tests.e2e.conftest import Beside, Shop, make_shop
from tests.e2e.mcp_serving import AS_TOLD, Serving, add_denied_orders, beginning, on_stdio, serving
from tests.e2e.shell import GENEROUS, Ran

Mode = Literal["legacy", "auto"]
PATIENCE = 60


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, address: str, beside: Beside) -> Generator[Shop]:
    """One shop with a worker for the whole file."""
    shop = make_shop(tmp_path_factory.mktemp("mcp-stories"), address, beside)
    with shop.worker():
        yield shop


@pytest.fixture(scope="module")
def denied(shop: Shop) -> Iterator[str]:
    """Orders with a problem, each for one story."""
    return iter(add_denied_orders(shop, 8))


@pytest.fixture(scope="module")
def believing(shop: Shop) -> Generator[Serving]:
    """The shop over HTTP, where what a client tells is a decision."""
    with serving(shop, extra=AS_TOLD) as server:
        yield server


class Confirming:
    """Whoever sits before the client: says yes to the form that is shown."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def answer(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        """Confirm."""
        self.asked.append(params.message)
        return ElicitResult(action="accept", content={"confirm": True, "comment": "go on"})


@asynccontextmanager
async def client_of(target: Target, mode: Mode, person: Confirming | None = None) -> AsyncGenerator[Client]:
    """The official client, which gives up on a call after a minute."""
    where: Any = (
        target.url
        if isinstance(target, Http)
        else stdio_client(
            StdioServerParameters(
                command=target.command[0], args=list(target.command[1:]), env=dict(target.env), cwd=target.cwd
            )
        )
    )
    callback = person.answer if person else None
    async with Client(where, mode=mode, read_timeout_seconds=PATIENCE, elicitation_callback=callback) as client:
        yield client


# Any: documents and arguments of many shapes, here and below.
async def said(client: Client, tool: str, **arguments: Any) -> Any:
    """The document of a tool that did what it was asked."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    return result.structured_content


async def plan_that_waits(client: Client, **start: Any) -> tuple[str, str]:
    """A new repair whose plan waits: its id, and the digest of the plan."""
    repair_id = (await said(client, "start_repair", **start))["repair_id"]
    state = await said(client, "wait_for_repair", repair_id=repair_id, seconds=25)
    assert state["phase"] == "PENDING-APPROVAL", state
    return repair_id, state["plan_digest"]


async def poll_until_killed(client: Client, pid: int, repair_id: str, digest: str) -> None:
    """A long poll, in the midst of which the server at the other end is killed."""
    waits = asyncio.Event()

    async def told(progress: float, total: float | None, message: str | None) -> None:
        waits.set()

    poll = asyncio.create_task(
        client.call_tool(
            "wait_for_repair",
            {"repair_id": repair_id, "seen_plan": digest, "seconds": 25},
            progress_callback=told,
        )
    )
    await asyncio.wait_for(waits.wait(), GENEROUS)
    await said(client, "get_repair", repair_id=repair_id)  # which is answered meanwhile
    assert not poll.done()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(MCPError):
        await poll


@asynccontextmanager
async def served(shop: Shop, transport: str, pid_file: Path) -> AsyncGenerator[Target]:
    """A server of either transport, whose process id is in a file as soon as it runs."""
    if transport == "http":
        with beginning(shop) as server:
            pid_file.write_text(str(server.process.pid))
            yield server.target()
        return
    plain = on_stdio(shop)
    script = 'echo $$ > "$0"; exec "$@"'
    yield Stdio(command=["/bin/sh", "-c", script, str(pid_file), *plain.command], env=plain.env, cwd=plain.cwd)


@pytest.mark.parametrize(("transport", "mode"), [("stdio", "legacy"), ("http", "auto")])
@pytest.mark.long
async def test_a_person_takes_their_time_the_server_is_killed_meanwhile_and_nothing_is_lost(
    shop: Shop, denied: Iterator[str], tmp_path: Path, transport: str, mode: Mode
) -> None:
    pid_file, record_id, person = tmp_path / "pid", next(denied), Confirming()
    async with served(shop, transport, pid_file) as target, client_of(target, mode) as client:
        repair_id, digest = await plan_that_waits(client, record_ids=[record_id])
        before = await said(client, "get_repair", repair_id=repair_id)
        polls = [
            await said(client, "wait_for_repair", repair_id=repair_id, seen_plan=digest, seconds=1) for _ in range(2)
        ]
        await poll_until_killed(client, int(pid_file.read_text()), repair_id, digest)
    async with served(shop, transport, pid_file) as target, client_of(target, mode, person) as client:
        listed = await said(client, "list_repairs", phase="PENDING-APPROVAL")
        found = await said(client, "get_repair", repair_id=repair_id)
        polls.append(await said(client, "wait_for_repair", repair_id=repair_id, seen_plan=digest, seconds=1))
        decided = await said(client, "approve_repair", repair_id=repair_id, plan_digest=digest)
        ended = await said(client, "wait_for_repair", repair_id=repair_id, seen_plan=digest, seconds=25)
        report = await said(client, "get_repair_report", repair_id=repair_id)

    assert repair_id in {line["repair_id"] for line in listed["repairs"]}
    assert found == before
    assert [(each["needs_person"], each["ended"], each["plan_digest"]) for each in polls] == [(True, False, digest)] * 3
    assert len(person.asked) == 1
    assert record_id in person.asked[0]
    assert decided["decision"]["by"] == "Minerva (claimed), confirmed in a form"
    assert ended["phase"] == "REPORT-COMPLETED"
    assert "1 of 1 proposed action took effect" in report["text"]
    assert shop.orders()[record_id]["status"] == "payment_update_requested"


class Script:
    """A model that does what a good one would: each step follows from the last answer."""

    def __init__(self, record_id: str) -> None:
        self.record_id = record_id
        self.digest = ""
        self.phases: list[str] = []

    def __call__(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        """The next step."""
        returned = [part for message in messages for part in message.parts if isinstance(part, ToolReturnPart)]
        last = cast("dict[str, Any]", returned[-1].content) if returned else {}
        return ModelResponse(parts=[self._next(returned[-1].tool_name if returned else "", last)])

    def _next(self, tool: str, last: dict[str, Any]) -> ToolCallPart | TextPart:
        if not tool:
            return ToolCallPart("start_repair", {"record_ids": [self.record_id]})
        if tool == "get_repair_report":
            return TextPart(last["text"])
        repair = {"repair_id": last["repair_id"]}
        self.phases += [last["phase"]] if "phase" in last else []
        if last.get("ended"):
            return ToolCallPart("get_repair_report", repair)
        if last.get("needs_person"):
            self.digest = last["plan_digest"]
            return ToolCallPart("approve_repair", {**repair, "plan_digest": self.digest})
        return ToolCallPart("wait_for_repair", {**repair, "seen_plan": self.digest})


@pytest.mark.long
@pytest.mark.parametrize(
    ("transport", "mode"), [pytest.param("stdio", "legacy", marks=pytest.mark.long), ("http", "auto")]
)
async def test_an_agent_of_pydantic_ai_repairs_what_its_person_confirms(
    shop: Shop, believing: Serving, denied: Iterator[str], transport: str, mode: Mode
) -> None:
    script, asked = Script(next(denied)), list[str]()

    async def yes(message: str, response_type: Any, params: Any, context: Any) -> FastElicitResult[dict[str, Any]]:
        asked.append(message)
        return FastElicitResult(action="accept", content={"confirm": True})

    plain = on_stdio(shop)
    where = (
        StdioTransport(
            plain.command[0], list(plain.command[1:]), env=dict(plain.env), cwd=str(plain.cwd), keep_alive=False
        )
        if transport == "stdio"
        else StreamableHttpTransport(believing.url)
    )
    toolset = MCPToolset[None](FastClient(where, mode=mode, elicitation_handler=yes), tool_error_behavior="failed")
    async with Agent(FunctionModel(script), deps_type=type(None), toolsets=[toolset]) as agent:
        ran = await agent.run("go")

    assert "1 of 1 proposed action took effect" in ran.output
    assert script.phases[-1] == "REPORT-COMPLETED"
    assert len(asked) == (1 if transport == "stdio" else 0)  # over HTTP this server believes what it is told
    assert shop.orders()[script.record_id]["status"] == "payment_update_requested"


@pytest.mark.long
async def test_a_hundred_starts_with_one_key_are_one_repair(believing: Serving) -> None:
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(client_of(believing.target(), mode))
            for mode in ("legacy", "auto", "legacy", "auto")
        ]
        order = {"record_ids": ["ORD-005-LLV"], "request_key": "a hundred"}
        answers = await asyncio.gather(*(said(clients[at % 4], "start_repair", **order) for at in range(100)))
        ended = await said(clients[0], "wait_for_repair", repair_id=answers[0]["repair_id"])
        listed = await said(clients[0], "list_repairs", limit=100)

    assert len({answer["repair_id"] for answer in answers}) == 1
    assert [answer["created"] for answer in answers].count(True) == 1
    assert ended["phase"] == "NO-REPAIR-NEEDED"
    assert [line["repair_id"] for line in listed["repairs"]].count(answers[0]["repair_id"]) == 1


STALE = "0" * 64
# A busy machine: each door says so, and that one may ask again.
BUSY = (
    "no worker answered|concurrent in-flight updates has been reached|the decision got no answer"
    "|is stuck: no reason recorded|workflow update was aborted(?! by closing)"
)
# So Temporal itself says that the repair has ended.
OVER = "workflow execution already completed|wasn't processed by worker|aborted by closing workflow"
# What is said of the four actions of the plan; each is said by several, at the same time.
WISHES: tuple[tuple[Verdict, dict[str, Any]], ...] = (
    (Verdict.APPROVE, {}),
    (Verdict.APPROVE, {"actions": ["a1"]}),
    (Verdict.REJECT, {}),
    (Verdict.APPROVE, {"actions": ["a2"], "edits": {"a2": {"quantity": 250}}}),
    (Verdict.APPROVE, {"actions": ["a1", "a3"]}),
    (Verdict.APPROVE, {"actions": ["a2"], "edits": {"a2": {"quantity": 300}}}),
)


def wish(number: int) -> tuple[Verdict, dict[str, Any]]:
    return WISHES[number % len(WISHES)]


async def by_mcp(client: Client, repair_id: str, digest: str, number: int) -> Any:
    """An answer of a tool: the decision that it reports, or why it refuses."""
    verdict, arguments = wish(number)
    plan = {"repair_id": repair_id, "plan_digest": digest}

    async def ask() -> Any:
        result = await client.call_tool(f"{verdict}_repair", {**plan, **arguments})
        if not result.is_error:
            return result.structured_content
        (part,) = result.content
        assert isinstance(part, TextContent)
        return part.text

    return await answered(ask)


async def answered(ask: Callable[[], Awaitable[Any]]) -> Any:
    """The first answer that is one."""
    answer: Any = None
    for _ in range(50):
        answer = await ask()
        if not re.search(BUSY, refusal(answer) or ""):
            return answer
    raise AssertionError(f"no answer, but: {answer}")


async def by_update(handle: Any, view: RepairView, digest: str, number: int) -> RecordedDecision | str:
    """The same to Temporal itself, by somebody else each time."""
    assert view.plan is not None
    verdict, arguments = wish(number)
    somebody = Person(name=f"Somebody {number}", how=IdentityProof.CLAIMED)
    edits = arguments.get("edits", {})
    chosen = choose(view.plan, verdict, actions=arguments.get("actions", ()), edited=edits)
    decision = answer_plan(
        view.plan, approved=chosen.approved, rejected=chosen.rejected, edits=edits, by=somebody, door="raw"
    )
    quoting = decision.model_copy(update={"plan_digest": digest})

    async def ask() -> RecordedDecision | str:
        try:
            return await handle.execute_update(RepairAgentWorkflow.decide, quoting)
        except WorkflowUpdateFailedError as error:
            return str(error.cause)
        except RPCError as error:
            return str(error)

    return await answered(ask)


async def by_command(shop: Shop, repair_id: str, digest: str, number: int) -> Ran:
    """The same on a command line."""
    verdict, arguments = wish(number)
    words = [word for action in arguments.get("actions", []) for word in ("--action", action)]
    words += [
        word
        for action, edits in arguments.get("edits", {}).items()
        for name, value in edits.items()
        for word in ("--edit", f"{action}.{name}={value}")
    ]
    plan = ("--plan", digest, "--as", f"Shell {number}")

    async def ask() -> Ran:
        return await asyncio.to_thread(shop.run, "repair", str(verdict), repair_id, *plan, *words, "--json")

    return await answered(ask)


@pytest.mark.long
async def test_of_fifty_decisions_at_once_one_counts_and_every_answer_is_true(shop: Shop, believing: Serving) -> None:
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(client_of(believing.target(), mode))
            for mode in ("legacy", "auto", "legacy", "auto")
        ]
        records = ["ORD-001-HJP", "ORD-002-HJG", "ORD-003-RBW", "ORD-004-RHG"]
        repair_id, digest = await plan_that_waits(clients[0], record_ids=records)
        service = await open_service(shop.settings())
        view = await service.look(repair_id)
        assert isinstance(view, RepairView)
        handle = (await connect(shop.settings())).get_workflow_handle(repair_id)

        def quoted(number: int) -> str:
            return STALE if number % 5 == 4 else digest

        answers = await asyncio.gather(
            *(by_command(shop, repair_id, quoted(number), number) for number in range(5)),
            *(by_mcp(clients[number % 4], repair_id, quoted(number), number) for number in range(30)),
            *(by_update(handle, view, quoted(number), number) for number in range(15)),
        )
        state = await said(clients[0], "wait_for_repair", repair_id=repair_id, seen_plan=digest, seconds=25)
        again = await by_mcp(clients[1], repair_id, digest, 0)
        result = await service.look(repair_id)

    assert len(answers) == 50
    assert state["ended"]
    assert isinstance(result, RepairResult)
    (recorded,) = result.decisions
    winner = decided_by(recorded.decision)
    stales = [number % 5 == 4 for count in (5, 30, 15) for number in range(count)]
    taken = 0
    for answer, stale in zip(answers, stales, strict=True):
        why = refusal(answer)
        if why is None:
            assert not stale
            assert same(answer, recorded), (answer, recorded)
            taken += 1
        elif stale:
            assert re.search(f"quotes plan|already decided|ended as|{OVER}", why), why
        else:
            assert winner in why or re.search(OVER, why), (why, winner)
    assert taken >= 1
    assert refusal(again) is None or winner in str(refusal(again))
    check_effects(shop, result, recorded.decision)


def refusal(answer: Any) -> str | None:
    """Why a decision was refused, or None."""
    if isinstance(answer, Ran):
        return answer.err if answer.code else None
    return answer if isinstance(answer, str) else None


def same(answer: Any, recorded: RecordedDecision) -> bool:
    """Whether an answer tells the decision that counts."""
    if isinstance(answer, Ran):
        told = RecordedDecision.model_validate(json.loads(answer.out)["recorded"])
        return told == recorded
    if isinstance(answer, RecordedDecision):
        return answer == recorded
    return answer["decision"]["by"] == decided_by(recorded.decision) and answer["decision"]["approved"] == list(
        recorded.will_run
    )


def check_effects(shop: Shop, result: RepairResult, decision: Decision) -> None:
    """What was approved was done, with the person's numbers; nothing else."""
    approved = {name for name, verdict in decision.verdicts.items() if verdict is Verdict.APPROVE}
    applied = {outcome.action_id for outcome in result.outcomes if outcome.status.took_effect}
    assert applied == approved, result.outcomes
    orders = shop.orders()
    repaired = {
        "a1": orders["ORD-001-HJP"]["status"] == "payment_update_requested",
        "a2": orders["ORD-002-HJG"]["status"] == "completed",  # its goods came at once
        "a3": orders["ORD-003-RBW"]["status"] == "payment_update_requested",
        "a4": orders["ORD-004-RHG"]["status"] != "pending-approval",
    }
    assert {name for name, is_so in repaired.items() if is_so} == approved
    ordered = decision.edits.get("a2", {}).get("quantity", 200) if "a2" in approved else 0
    stock = json.loads((shop.home / "data/orders/inventory.json").read_text("utf-8"))["inventory"]
    (row,) = [row for row in stock if row["item_id"] == "STP-ORG-001"]
    assert row["current_stock"] == (247 if not ordered else 247 + cast("int", ordered) - 300)
