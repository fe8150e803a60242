"""`daper mcp` and the MCP clients that other people wrote: both eras of the protocol, both transports."""

import json
import shlex
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.clients.conformance import COMPLETION, FOR_ANY_SERVER, Conformance
from tests.clients.inspector import Era, Inspector, Mcpdo, Question, Reply, connected
from tests.clients.mcporter import Mcporter
from tests.clients.node import Target
from tests.e2e.conftest import Beside, Shop, make_shop
from tests.e2e.mcp_serving import AS_TOLD, Serving, add_denied_orders, on_stdio, serving
from tests.e2e.shell import DAPER

pytestmark = pytest.mark.long

READS = {
    "wait_for_repair",
    "get_repair",
    "list_repairs",
    "get_repair_report",
    "list_records",
    "get_record",
    "get_proactive_agent",
}
CHANGES = {
    "start_repair",
    "report_problem",
    "stop_repair",
    "approve_repair",
    "reject_repair",
    "tell_record",
    "initiate_proactive_agent",
}
BADGES, HAGRID = "ORD-002-HJG", "ORD-004-RHG"
# What follows a command line that is told over HTTP.
ELSEWHERE = "; run it on the machine where daper's server runs"
Transport = Literal["stdio", "http"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, address: str, beside: Beside) -> Generator[Shop]:
    """One shop with a worker for the whole file: each story has a record of its own, or rejects."""
    shop = make_shop(tmp_path_factory.mktemp("mcp-clients"), address, beside)
    with shop.worker():
        yield shop


@pytest.fixture(scope="module")
def denied(shop: Shop) -> Iterator[str]:
    """Orders with a problem, each for one story."""
    return iter(add_denied_orders(shop, 12))


@pytest.fixture(scope="module")
def server(shop: Shop) -> Generator[Serving]:
    """The shop over HTTP."""
    with serving(shop) as server:
        yield server


@pytest.fixture(scope="module")
def believing(shop: Shop) -> Generator[Serving]:
    """The shop over HTTP, where what a client tells is a decision."""
    with serving(shop, extra=AS_TOLD) as server:
        yield server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """HOME of the clients."""
    return tmp_path_factory.mktemp("clients")


def target_of(shop: Shop, server: Serving, transport: Transport) -> Target:
    return on_stdio(shop) if transport == "stdio" else server.target()


# Any: documents of many shapes.
def heard(reply: Reply | Question) -> Any:
    """The document of a tool that did what it was asked."""
    assert isinstance(reply, Reply), f"it asks: {reply}"
    assert not reply.error, reply
    assert reply.structured, (reply.result, reply.text)
    return reply.structured


# Any: the arguments of the tool.
def waiting(client: Inspector | Mcpdo, **start: Any) -> tuple[str, str]:
    """A new repair whose plan waits: its id, and the digest of the plan."""
    started = call(client, "start_repair", **start)
    assert started["created"], started
    state = call(client, "wait_for_repair", repair_id=started["repair_id"])
    assert (state["phase"], state["needs_person"], state["ended"]) == ("PENDING-APPROVAL", True, False)
    return started["repair_id"], state["plan_digest"]


# Any: documents and arguments of many shapes.
def call(client: Inspector | Mcpdo, tool: str, **arguments: Any) -> Any:
    """What a tool answers."""
    return heard(client.call(tool, arguments))


@pytest.mark.parametrize("era", ["legacy", "modern"])
@pytest.mark.parametrize("transport", ["stdio", "http"])
def test_the_tools_are_these_and_each_of_their_schemas_is_sound(
    shop: Shop, server: Serving, home: Path, transport: Transport, era: Era
) -> None:
    tools = Inspector(home=home, target=target_of(shop, server, transport), era=era).tools()

    assert set(tools) == READS | CHANGES
    for name, tool in tools.items():
        assert tool["description"]
        assert tool["title"]
        assert tool["inputSchema"]["additionalProperties"] is False
        assert tool["annotations"]["readOnlyHint"] is (name in READS)
        assert "answer" not in tool["inputSchema"]["properties"]


def test_read_only_leaves_out_whatever_starts_decides_or_stops(shop: Shop, home: Path) -> None:
    inspector = Inspector(home=home, target=on_stdio(shop, "--read-only"))

    assert set(inspector.tools()) == READS
    assert inspector.call("start_repair").error == "tool_not_found"


def command_of(refused: Reply) -> list[str]:
    """The words of the command line that is told, from the program on; before it there are variables."""
    told = refused.text.partition("shows the plan and asks: ")[2]
    assert told.endswith(ELSEWHERE), told
    words = shlex.split(told.removesuffix(ELSEWHERE))
    return words[words.index(DAPER) :]


def test_every_tool_answers_a_client_and_what_it_may_not_decide_a_command_line_does(
    shop: Shop, server: Serving, home: Path, denied: Iterator[str]
) -> None:
    inspector, record_id = Inspector(home=home, target=server.target()), next(denied)
    listed = call(inspector, "list_records", with_problems=True, search=record_id)
    record = call(inspector, "get_record", record_id=record_id)
    repair_id, digest = waiting(inspector, record_ids=[record_id])

    seen = call(inspector, "get_repair", repair_id=repair_id)
    in_list = call(inspector, "list_repairs", phase="PENDING-APPROVAL")
    early = inspector.call("get_repair_report", {"repair_id": repair_id})
    refused = inspector.call("approve_repair", {"repair_id": repair_id, "plan_digest": digest})
    command = command_of(refused)
    nobody_there = shop.run(*command[1:])
    approved = shop.run(*command[1:], "--plan", digest)
    state = call(inspector, "wait_for_repair", repair_id=repair_id, seen_plan=digest, seconds=25)
    report = call(inspector, "get_repair_report", repair_id=repair_id)

    assert [line["record_id"] for line in listed["records"]] == [record_id]
    assert listed["records"][0]["problems"] == record["problems"]
    assert record["fields"]["total"] == "18.49"
    assert [action["record_id"] for action in seen["plan"]["actions"]] == [record_id]
    assert repair_id in {line["repair_id"] for line in in_list["repairs"]}
    assert early.error == "tool_is_error"
    assert "has not ended" in early.text
    assert refused.error == "tool_is_error"
    assert "this client cannot show the person a form" in refused.text
    assert command == [DAPER, "repair", "approve", repair_id]
    assert (nobody_there.code, nobody_there.out) == (2, "")
    assert (approved.code, approved.err) == (0, "")
    assert (state["phase"], state["ended"]) == ("REPORT-COMPLETED", True)
    assert shop.orders()[record_id]["status"] == "payment_update_requested"
    for name, same in (("", None), ("/report", report["text"])):
        text = one_text(inspector.read(f"daper://repairs/{repair_id}{name}"))
        assert text == same if same else json.loads(text)["phase"] == "REPORT-COMPLETED"
    assert json.loads(one_text(inspector.read(f"daper://records/{record_id}")))["fields"]["total"] == "18.49"


def test_templates_and_prompts_are_listed_and_filled_in(server: Serving, home: Path) -> None:
    inspector = Inspector(home=home, target=server.target())
    templates = inspector("resources/templates/list").result["resourceTemplates"]
    prompts = inspector("prompts/list").result["prompts"]

    assert [each["uriTemplate"] for each in templates] == [
        "daper://repairs/{repair_id}",
        "daper://repairs/{repair_id}/report",
        "daper://records/{record_id}",
    ]
    assert {each["name"] for each in prompts} == {"find_and_repair", "explain_plan", "what_is_waiting"}
    for prompt in prompts:
        arguments = {each["name"]: "repair-1" for each in prompt.get("arguments", [])}
        said = inspector.prompt(prompt["name"], arguments).result["messages"][0]["content"]["text"]
        assert "Decide nothing yourself" in said
        assert all(value in said for value in arguments.values())


def one_text(reply: Reply) -> str:
    assert not reply.error, reply
    (content,) = reply.result["contents"]
    return content["text"]


def test_the_command_line_of_a_refusal_says_actions_and_edits_too(shop: Shop, server: Serving, home: Path) -> None:
    inspector = Inspector(home=home, target=server.target())
    repair_id, digest = waiting(inspector, record_ids=[BADGES, HAGRID])
    arguments = {"repair_id": repair_id, "plan_digest": digest}
    words = "Dear Ministry; it's $(one) egg"

    rejected = inspector.call("reject_repair", {**arguments, "actions": ["a2"]})
    refused = inspector.call(
        "approve_repair",
        {**arguments, "actions": ["a2"], "edits": {"a2": {"approval_request_contents": words}}},
    )
    reject, approve = command_of(rejected), command_of(refused)
    approved = shop.run(*approve[1:], "--plan", digest, "--json")

    assert reject == [DAPER, "repair", "reject", repair_id, "--action", "a2"]
    decision = approved.document()["recorded"]["decision"]
    assert decision["verdicts"] == {"a2": "approve"}
    assert decision["edits"] == {"a2": {"approval_request_contents": words}}


def test_a_problem_is_reported_and_its_repair_stopped(server: Serving, home: Path, denied: Iterator[str]) -> None:
    inspector, record_id = Inspector(home=home, target=server.target()), next(denied)
    reported = call(inspector, "report_problem", record_ids=[record_id], request_key="ron")
    again = call(inspector, "report_problem", record_ids=[record_id], request_key="ron")
    other = inspector.call("report_problem", {"record_ids": [HAGRID], "request_key": "ron"})
    state = call(inspector, "wait_for_repair", repair_id=reported["repair_id"], seconds=25)
    call(inspector, "stop_repair", repair_id=reported["repair_id"], reason="the shop is closed")
    stopped = call(
        inspector, "wait_for_repair", repair_id=reported["repair_id"], seen_plan=state["plan_digest"], seconds=25
    )
    late = inspector.call("stop_repair", {"repair_id": reported["repair_id"]})

    assert (reported["created"], again["created"]) == (True, False)
    assert again["repair_id"] == reported["repair_id"]
    assert other.error == "tool_is_error"
    assert "'ron'" in other.text
    assert state["needs_person"]
    assert stopped["phase"] == "CANCELLED"
    assert "the shop is closed" in stopped["message"]
    assert "is already over" in late.text


def test_over_stdio_each_connection_finds_the_repair_that_another_began(shop: Shop, home: Path) -> None:
    inspector = Inspector(home=home, target=on_stdio(shop), era="legacy")

    repair_id = call(inspector, "start_repair", record_ids=["ORD-005-LLV"], dry_run=True)["repair_id"]

    assert call(inspector, "wait_for_repair", repair_id=repair_id)["phase"] == "NO-REPAIR-NEEDED"


@pytest.mark.parametrize("scenario", [*FOR_ANY_SERVER, COMPLETION])
def test_it_conforms(server: Serving, home: Path, scenario: str) -> None:
    Conformance(home=home, url=server.url.replace("127.0.0.1", "localhost")).passed(scenario)


@pytest.mark.parametrize(("transport", "era"), [("stdio", "legacy"), ("http", "modern")])
def test_a_person_says_no_to_a_form_and_confirms_the_next(
    shop: Shop, server: Serving, home: Path, denied: Iterator[str], transport: Transport, era: Era
) -> None:
    record_id = next(denied)
    with connected(home, target_of(shop, server, transport), era=era) as client:
        repair_id, digest = waiting(client, record_ids=[record_id])
        plan = {"repair_id": repair_id, "plan_digest": digest}
        asked = client.ask("approve_repair", plan)
        denied_it = heard(client.answer(asked, {"confirm": False, "comment": "not yet"}))
        decided = heard(client.answer(client.ask("approve_repair", plan), {"confirm": True, "comment": "enough"}))
        ended = call(client, "wait_for_repair", repair_id=repair_id, seen_plan=digest, seconds=25)
        report = call(client, "get_repair_report", repair_id=repair_id)

    assert asked.message.splitlines()[0] == f"Run 1 action of repair {repair_id}, as Minerva (claimed)?"
    assert "a1: request_payment_update; risk low" in asked.message
    assert f'record: "{record_id}"' in asked.message
    assert f"Plan {digest}" in asked.message.splitlines()
    assert set(asked.schema["properties"]) == {"confirm", "comment"}
    assert (denied_it["decided"], denied_it["message"]) == (False, "nothing was decided: the form came back with no")
    assert denied_it["what_was_decided"] == "nothing was decided on this plan"
    assert (decided["decided"], decided["decision"]["approved"]) == (True, ["a1"])
    assert decided["decision"]["comment"] == "enough"
    assert decided["decision"]["by"] == "Minerva (claimed), confirmed in a form"
    assert ended["phase"] == "REPORT-COMPLETED"
    assert "1 of 1 proposed action took effect" in report["text"]
    assert shop.orders()[record_id]["status"] == "payment_update_requested"


def test_a_form_answered_with_no_or_closed_leaves_the_plan_open_and_a_closed_one_is_not_sent_again_at_once(
    server: Serving, home: Path, denied: Iterator[str]
) -> None:
    with connected(home, server.target(), era="legacy") as client:
        repair_id, digest = waiting(client, record_ids=[next(denied)])
        plan = {"repair_id": repair_id, "plan_digest": digest}
        denied_it = heard(client.answer(client.ask("approve_repair", plan), {"confirm": False, "comment": "no"}))
        closed = heard(client.cancel(client.ask("reject_repair", plan)))
        again = call(client, "approve_repair", **plan)
        still = call(client, "get_repair", repair_id=repair_id)
        call(client, "stop_repair", repair_id=repair_id)

    assert (closed["decided"], denied_it["decided"]) == (False, False)
    said = "nothing was decided: the client answered the form with cancel; perhaps it showed nobody the form. "
    assert closed["message"].startswith(said)
    assert again["message"].startswith(
        "nothing was decided: no form was sent, for a moment ago the client answered the form"
    )
    assert denied_it["message"] == "nothing was decided: the form came back with no"
    assert (still["phase"], still["plan_digest"], still["decisions"]) == ("PENDING-APPROVAL", digest, [])


def test_where_the_client_is_believed_it_decides_and_the_repair_says_that_nobody_confirmed(
    shop: Shop, believing: Serving, home: Path, denied: Iterator[str]
) -> None:
    inspector = Inspector(home=home, target=believing.target())
    repair_id, digest = waiting(inspector, record_ids=[next(denied)])

    decided = call(inspector, "approve_repair", repair_id=repair_id, plan_digest=digest)
    call(inspector, "wait_for_repair", repair_id=repair_id, seen_plan=digest, seconds=25)
    (decision,) = shop.run("repair", "show", repair_id, "--json").document()["decisions"]

    assert "nobody confirmed it" in decided["message"]
    assert decision["decision"]["confirmed"] == "unconfirmed"
    assert decision["decision"]["by"] == {"kind": "person", "name": "Minerva", "how": "claimed"}
    assert decision["decision"]["door"] == "mcp"


def test_mcporter_goes_from_the_start_to_the_report(
    shop: Shop, believing: Serving, home: Path, denied: Iterator[str]
) -> None:
    mcporter = Mcporter(home=home / "http", target=believing.target())

    # Any: documents of many shapes.
    def said(tool: str, **arguments: Any) -> Any:
        answer = mcporter.call(tool, arguments)
        assert answer.code == 0, answer
        return answer.document()

    repair_id = said("start_repair", record_ids=[next(denied)])["repair_id"]
    digest = said("wait_for_repair", repair_id=repair_id)["plan_digest"]
    assert said("approve_repair", repair_id=repair_id, plan_digest=digest)["decision"]["approved"] == ["a1"]
    assert said("wait_for_repair", repair_id=repair_id, seen_plan=digest, seconds=25)["phase"] == "REPORT-COMPLETED"
    assert "1 of 1 proposed action took effect" in said("get_repair_report", repair_id=repair_id)["text"]


def test_mcporter_lists_the_tools_over_stdio(shop: Shop, home: Path) -> None:
    assert set(Mcporter(home=home / "stdio", target=on_stdio(shop)).tools()) == READS | CHANGES
