"""`daper mcp` as a process: what it prints, what it loads, how it ends, what it does while Temporal is away."""

import http.client
import json
import re
import signal
import socket
import sysconfig
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.clients.node import Stdio
from tests.e2e.conftest import Beside, Shop, make_shop
from tests.e2e.mcp_raw import Talk, call, document, posting, talking, text_of, waiting
from tests.e2e.mcp_serving import AS_TOLD, add_denied_orders, on_stdio, serving
from tests.e2e.shell import Shell, finish, until
from tests.e2e.test_up import living, up

STRANGERS = Path(__file__).parents[1] / "strangers"
LOUD = """\
import os, subprocess, sys
from daper_alerts import Alerts
print("LOUD: imported")

class Loud(Alerts):
    name = "loud"

    async def store(self):
        print("LOUD: print")
        sys.stdout.write("LOUD: write")
        os.write(1, b"LOUD: descriptor\\n")
        subprocess.run(["/bin/echo", "LOUD: child"])
        return await super().store()

def open_domain(folder, options):
    print("LOUD: opened")
    return Loud(folder, ("owl-post",))
"""
# Says what it has imported when it is asked to: the product has no such door.
TELLS = """\
import os, signal, sys, threading
def tell(number, frame):
    told = sorted(sys.modules)
    with open("modules.new", "w") as file:
        file.write("\\n".join(told))
    os.replace("modules.new", "modules")
signal.signal(signal.SIGUSR1, tell)
sys.argv = ["daper", "mcp"]
from daper.entrypoints.cli.app import main
sys.exit(main())
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, address: str, beside: Beside) -> Generator[Shop]:
    """One shop with a worker for the whole file."""
    shop = make_shop(tmp_path_factory.mktemp("mcp-processes"), address, beside)
    with shop.worker():
        yield shop


def check_protocol(lines: Sequence[str]) -> None:
    """Each line is a message and nothing else."""
    assert lines
    for line in lines:
        assert line.endswith("\n"), line
        assert json.loads(line)["jsonrpc"] == "2.0", line


@pytest.mark.long
def test_whatever_a_domain_prints_nothing_but_the_protocol_reaches_stdout(shop: Shop, tmp_path: Path) -> None:
    package, about = tmp_path / "daper_loud", tmp_path / "daper_loud-0.1.dist-info"
    package.mkdir()
    about.mkdir()
    (package / "__init__.py").write_text(LOUD)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: daper-loud\nVersion: 0.1\n")
    (about / "entry_points.txt").write_text("[daper.domains]\nloud = daper_loud:open_domain\n")
    target = on_stdio(shop, extra={"PYTHONPATH": f"{tmp_path}:{STRANGERS}", "DAPER_DOMAIN": "loud"})
    assert "PYTHONUNBUFFERED" not in target.env

    with talking(target) as talk:
        found = document(talk, "list_records")
        refused = talk.ask("nothing/of/the/kind")
        ran = talk.end()

    assert [record["record_id"] for record in found["records"]] == ["owl-post"]
    assert refused["error"]["message"] == "Method not found"
    check_protocol(talk.lines)
    assert ran.code == 0
    for said in ("imported", "opened", "print", "write", "descriptor", "child"):
        assert f"LOUD: {said}" in ran.err


@pytest.mark.long
def test_lines_that_are_no_messages_are_passed_over(shop: Shop) -> None:
    deep = "[" * 1_000_000 + "]" * 1_000_000
    with talking(on_stdio(shop)) as talk:
        for line in (
            *("garbage", "[]", "{", "null", "7", '""', "\x00\x1b", "\ufeff{}", '{"jsonrpc": "2.0"}', '{"id": 1}'),
            "[" * 1_000_000,
            f'{{"jsonrpc": "2.0", "id": "deep", "method": "tools/call", "params": {deep}}}',
            '{"jsonrpc": "2.0", "id": "half", "method": "ping", "params": {"a": "\\ud800"}}',
            '{"jsonrpc": "2.0", "id": "gone", "result": {}}',
        ):
            talk.say(line)
        assert talk.ask("ping")["result"] == {}
        ran = talk.end()

    assert ran.code == 0
    check_protocol(talk.lines)
    assert "Traceback" not in ran.err


def begin_to_wait(talk: Talk) -> int:
    """A wait for what comes after a plan that waits, as soon as the server is at it; the id of the request."""
    repair_id, digest = waiting(talk, record_ids=["ORD-002-HJG"])
    arguments = {"repair_id": repair_id, "seen_plan": digest, "seconds": 25}
    number = talk.request(
        "tools/call", {"name": "wait_for_repair", "arguments": arguments, "_meta": {"progressToken": "here"}}
    )
    talk.hear("method", "notifications/progress")
    return number


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)])
@pytest.mark.parametrize("busy", [False, pytest.param(True, marks=pytest.mark.long)], ids=["idle", "waiting"])
def test_a_signal_ends_it_at_once(shop: Shop, number: signal.Signals, busy: bool) -> None:
    with talking(on_stdio(shop)) as talk:
        asked = begin_to_wait(talk) if busy else None

        talk.process.send_signal(number)
        code = talk.process.wait(60)
        ran = talk.end()

    assert code == 128 + number
    check_protocol(talk.lines)
    assert "Traceback" not in ran.err
    assert asked is None or asked not in {json.loads(line).get("id") for line in talk.lines}


@pytest.mark.long
def test_its_client_is_gone_and_it_ends_before_the_wait_is_over(shop: Shop) -> None:
    with talking(on_stdio(shop)) as talk:
        asked = begin_to_wait(talk)
        ran = talk.end()

    assert ran.code == 0
    check_protocol(talk.lines)
    assert "Traceback" not in ran.err
    answers = [json.loads(line) for line in talk.lines]
    assert not [answer for answer in answers if answer.get("id") == asked and "result" in answer]


@pytest.mark.long
def test_over_http_a_signal_ends_it_in_the_midst_of_a_wait(shop: Shop) -> None:
    with serving(shop) as server:  # which is told to end, and has to
        raw = posting(server.url)
        repair_id, digest = waiting(raw, record_ids=["ORD-004-RHG"])
        arguments = {"repair_id": repair_id, "seen_plan": digest, "seconds": 25}
        params = {"name": "wait_for_repair", "arguments": arguments, "_meta": {"progressToken": "here"}}
        streamed = raw.begin("tools/call", params)
        until(lambda: b"notifications/progress" in streamed.readline(), what="progress")
    with streamed, pytest.raises(http.client.IncompleteRead) as cut_off:
        streamed.read()
    assert b"structuredContent" not in cut_off.value.partial


@pytest.mark.long
def test_it_imports_temporal_when_it_is_needed_and_no_model_and_no_typesetter_ever(shop: Shop) -> None:
    command = [str(Path(sysconfig.get_path("scripts"), "python")), "-c", TELLS]
    target = Stdio(command=command, env=shop.variables(AS_TOLD), cwd=shop.cwd)
    modules = shop.cwd / "modules"

    def imported(talk: Talk) -> set[str]:
        talk.process.send_signal(signal.SIGUSR1)
        until(modules.exists, what="the modules")
        told = modules.read_text().split("\n")
        modules.unlink()
        return {name.partition(".")[0] for name in told}

    with talking(target) as talk:
        listed = talk.ask("tools/list")["result"]["tools"]
        talk.ask("prompts/list")
        before = imported(talk)
        repair_id, digest = waiting(talk, record_ids=["ORD-003-RBW"])
        plan = {"repair_id": repair_id, "plan_digest": digest}
        document(talk, "approve_repair", plan)
        ended = document(talk, "wait_for_repair", {"repair_id": repair_id, "seen_plan": digest, "seconds": 25})
        document(talk, "get_repair_report", {"repair_id": repair_id})
        after = imported(talk)

    assert len(listed) == 14
    assert ended["phase"] == "REPORT-COMPLETED"
    assert "mcp" in before
    assert not before & {"temporalio", "pydantic_ai", "typst", "google"}
    assert "temporalio" in after
    assert not after & {"pydantic_ai", "openai", "anthropic", "typst"}


# Any: arguments of many shapes.
NEEDS_TEMPORAL: tuple[tuple[str, dict[str, Any]], ...] = (
    ("start_repair", {}),
    ("report_problem", {"record_ids": ["ORD-001-HJP"]}),
    ("wait_for_repair", {"repair_id": "repair-1"}),
    ("get_repair", {"repair_id": "repair-1"}),
    ("list_repairs", {}),
    ("get_repair_report", {"repair_id": "repair-1"}),
    ("stop_repair", {"repair_id": "repair-1"}),
    ("approve_repair", {"repair_id": "repair-1", "plan_digest": "1"}),
    ("reject_repair", {"repair_id": "repair-1", "plan_digest": "1"}),
)


def check_away(talk: Talk) -> None:
    """Without Temporal, each tool says so in one line; the records need none."""
    for tool, arguments in NEEDS_TEMPORAL:
        result = call(talk, tool, arguments)
        text = text_of(result)
        assert result["isError"], result
        assert "\n" not in text
        assert re.search("daper up|daper doctor", text), text
    assert document(talk, "list_records")["total"] == 6
    assert document(talk, "get_record", {"record_id": "ORD-001-HJP"})["fields"]["total"] == "56.52"


@pytest.mark.long
def test_temporal_is_away_comes_goes_and_is_back_elsewhere(shell: Shell) -> None:
    with talking(on_stdio(shell, extra=AS_TOLD)) as talk:
        check_away(talk)
        with up(shell) as process:
            before = living(shell)
            repair_id, digest = waiting(talk)
            process.send_signal(signal.SIGTERM)
            finish(process)
        check_away(talk)
        with socket.create_server(("127.0.0.1", int(before.address.rpartition(":")[2]))), up(shell) as process:
            after = living(shell)
            # A worker that has just begun may be slow to answer, which is told, and no loss.
            plan = {"repair_id": repair_id, "plan_digest": digest}
            until(lambda: not call(talk, "get_repair", {"repair_id": repair_id})["isError"], what="the repair")
            decided = document(talk, "approve_repair", plan)
            ended = document(talk, "wait_for_repair", {"repair_id": repair_id, "seen_plan": digest, "seconds": 25})
            process.send_signal(signal.SIGTERM)  # killed outright, it would leave its server behind
            finish(process)
        ran = talk.end()

    assert after.address != before.address
    assert decided["decided"]
    assert ended["phase"] == "REPORT-COMPLETED"
    check_protocol(talk.lines)
    assert "Traceback" not in ran.err


@pytest.mark.long
def test_d2_over_stdio_a_form_outlives_the_call_that_asked_and_a_late_yes_counts(shop: Shop) -> None:
    """As it is, with all of the patience that a client of the older era has."""
    (record_id,) = add_denied_orders(shop, 1)
    with talking(on_stdio(shop)) as talk:
        repair_id, digest = waiting(talk, record_ids=[record_id])
        quoted = {"repair_id": repair_id, "plan_digest": digest}
        call_id = talk.request("tools/call", {"name": "approve_repair", "arguments": quoted})
        asked = talk.hear("method", "elicitation/create")
        told = talk.hear("id", call_id)["result"]["structuredContent"]
        answer = {"action": "accept", "content": {"confirm": True}}
        talk.say(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": answer}))
        ended = document(talk, "wait_for_repair", {"repair_id": repair_id, "seen_plan": digest, "seconds": 25})
    assert (told["decided"], told["form_open"]) == (False, True)
    assert told["what_was_decided"] == "nothing was decided on this plan"
    assert set(asked["params"]["requestedSchema"]) <= {"$schema", "type", "properties", "required"}
    assert ended["phase"] == "REPORT-COMPLETED"
    assert ended["what_was_decided"].startswith("a1 approved by Minerva (claimed) at ")
    assert ended["what_was_decided"].endswith(" UTC, confirmed in a form")
