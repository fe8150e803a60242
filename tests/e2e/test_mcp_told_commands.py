"""Each command line that a chat is told runs as given: in a plain shell, which knows neither our program nor place."""

import re
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Beside, Shop, make_shop
from tests.e2e.mcp_raw import Raw, call, document, posting, talking, text_of, waiting
from tests.e2e.mcp_serving import on_stdio, serving
from tests.e2e.shell import DAPER, GENEROUS, finish, until

TOLD = re.compile(rf"(?:[A-Z_]+=(?:\S*'[^']*'(?:\"'\"'[^']*')*\S*|\S+) )*{re.escape(DAPER)} [^;,()]*[^;,(). ]")
NO_FORMS = {"DAPER_MCP_APPROVAL": "elicit"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, address: str, beside: Beside) -> Generator[Shop]:
    """One shop with a worker for the whole file, in a folder that a shell has to be told in quotes."""
    shop = make_shop(tmp_path_factory.mktemp("told") / "Owl's post", address, beside)
    with shop.worker():
        yield shop


def commands_in(text: str) -> list[str]:
    return TOLD.findall(text)


def plain_environment(shop: Shop) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "HOME": str(shop.root / "home")}


def in_a_plain_shell(shop: Shop, line: str) -> "subprocess.CompletedProcess[str]":
    """What a person gets who pastes it: nothing but PATH and HOME is set, and they are somewhere else."""
    return subprocess.run(
        ["/bin/sh", "-c", line],
        env=plain_environment(shop),
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=GENEROUS,
    )


# Any: arguments of many shapes.
def refused(raw: Raw, tool: str, arguments: dict[str, Any]) -> str:
    result = call(raw, tool, arguments)
    assert result["isError"], result
    return text_of(result)


@pytest.mark.long
def test_d6_what_a_refusal_tells_runs_in_a_plain_shell_on_the_same_records(shop: Shop) -> None:
    shop.env["USER_NAME"] = "Argus"  # who has no agent, whatever others began on this server
    with talking(on_stdio(shop, extra=NO_FORMS)) as talk:
        repair_id, digest = waiting(talk, record_ids=["ORD-003-RBW"])
        # `raw` says that it shows forms; what it answers is none.
        sent = talk.request(
            "tools/call",
            {"name": "approve_repair", "arguments": {"repair_id": repair_id, "plan_digest": digest}},
        )
        asked = talk.hear("method", "elicitation/create")
        talk.say(f'{{"jsonrpc": "2.0", "id": {asked["id"]}, "error": {{"code": -32603, "message": "no"}}}}')
        shown = text_of(talk.hear("id", sent)["result"])
        missing = refused(talk, "get_repair", {"repair_id": "repair-9"})
        no_record = refused(talk, "get_record", {"record_id": "owls and quills"})
        no_agent = refused(talk, "get_proactive_agent", {})
        document(talk, "stop_repair", {"repair_id": repair_id})
        document(talk, "wait_for_repair", {"repair_id": repair_id, "seen_plan": digest, "seconds": 25})
        over = refused(talk, "stop_repair", {"repair_id": repair_id})

    texts = {"approve": shown, "list": missing, "records": no_record, "start": no_agent, "show": over}
    lines = {name: commands_in(text) for name, text in texts.items()}
    assert all(len(found) == 1 for found in lines.values()), texts

    ran = {name: in_a_plain_shell(shop, line) for name, (line,) in lines.items()}

    # It wants a terminal, or the digest: it got to the very repair.
    assert f"repair {repair_id!r}" in ran["approve"].stderr or repair_id in ran["approve"].stderr, ran["approve"]
    assert "not found" not in ran["approve"].stderr
    assert repair_id in ran["list"].stdout, ran["list"]
    assert "ORD-003-RBW" in ran["records"].stdout, ran["records"]
    assert str(shop.home) in ran["records"].stdout + ran["records"].stderr
    assert ran["start"].returncode == 0, ran["start"]
    assert "CANCELLED" in ran["show"].stdout, ran["show"]


@pytest.mark.long
def test_d6_over_http_it_is_said_on_which_machine(shop: Shop) -> None:
    made = shop.run("mcp", "token", "add", "Luna Lovegood", "--scope", "start")
    try:
        with serving(shop) as server:
            raw = posting(server.url, made.out.strip())
            lacking = refused(raw, "approve_repair", {"repair_id": "repair-9", "plan_digest": "1"})
    finally:
        shop.run("mcp", "token", "remove", "Luna Lovegood")

    remove, add = commands_in(lacking)
    assert lacking.endswith("; run it on the machine where daper's server runs")
    assert in_a_plain_shell(shop, add).returncode == 0
    assert in_a_plain_shell(shop, remove).returncode == 0
    assert '"tokens": []' in shop.run("mcp", "token", "list", "--json").out


def planned(raw: Raw, repair_id: str) -> dict[str, Any] | None:
    result = call(raw, "wait_for_repair", {"repair_id": repair_id, "seconds": 25})
    return None if result.get("isError") or result["structuredContent"]["phase"] == "INITIALIZING" else result


@pytest.mark.long
def test_d6_the_worker_that_is_told_to_be_lacking_works_for_the_very_repair(
    tmp_path: Path, address: str, beside: Beside
) -> None:
    shop = make_shop(tmp_path / "Owl's post", address, beside)
    with talking(on_stdio(shop, extra=NO_FORMS)) as talk:
        begun = document(talk, "start_repair", {"record_ids": ["ORD-003-RBW"]})
        worker = next(line for line in commands_in(begun["message"]) if line.endswith(" worker"))
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec env {worker}"],
            env=plain_environment(shop),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            state = until(lambda: planned(talk, begun["repair_id"]), what="the plan")
        finally:
            process.send_signal(signal.SIGTERM)
            finish(process)
    assert state["structuredContent"]["phase"] == "PENDING-APPROVAL", state
