"""`daper mcp --http`: who comes in, by which name, with what, and what becomes of hostile input on either transport."""

import http.client
import json
import re
import socket
from collections.abc import Generator, Iterator
from contextlib import ExitStack, suppress
from typing import Any, cast
from urllib.parse import urlsplit

import pytest

from tests.clients.inspector import Inspector
from tests.e2e.conftest import Beside, Shop, make_shop
from tests.e2e.mcp_raw import HANDSHAKE, Posting, Raw, Talk, call, document, posting, talking, text_of, waiting
from tests.e2e.mcp_serving import AS_TOLD, Serving, on_stdio, serving
from tests.e2e.shell import Shell
from tests.e2e.test_cli_records import HOSTILE, RAW, hostile_orders

GREETING = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": dict(HANDSHAKE)})


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, address: str, beside: Beside) -> Generator[Shop]:
    """One shop with a worker for the whole file; its records are full of tricks."""
    shop = make_shop(tmp_path_factory.mktemp("mcp-http"), address, beside)
    hostile_orders(shop)
    with shop.worker():
        yield shop


@pytest.fixture(scope="module")
def tokens(shop: Shop) -> dict[str, str]:
    """The tokens of three people, by name."""
    scopes = {"Minerva": ("read", "start", "approve", "tell"), "Harry": ("read", "start"), "Argus": ("read",)}
    made: dict[str, str] = {}
    for name, allowed in scopes.items():
        ran = shop.run("mcp", "token", "add", name, *(word for scope in allowed for word in ("--scope", scope)))
        made[name] = ran.out.strip()
    return made


@pytest.fixture(scope="module")
def guarded(shop: Shop, tokens: dict[str, str]) -> Generator[Serving]:
    """The shop over HTTP, with tokens; what a client tells is a decision."""
    assert len(tokens) == 3
    with serving(shop, extra=AS_TOLD) as server:
        yield server


def status(server: Serving, body: str = GREETING, token: str = "", **headers: str) -> int:
    """How a greeting is received."""
    made = {name.replace("_", "-"): value for name, value in headers.items()}
    return Posting(url=server.url, token=token).post(body, made).status


@pytest.mark.long
def test_without_tokens_other_machines_are_not_let_in(shell: Shell) -> None:
    for host in ("0.0.0.0", "::", "daper.example"):  # noqa: S104 - refused is what they are to be
        ran = shell.run("mcp", "--http", "--port", "0", "--host", host)

        assert (ran.code, ran.out) == (2, "")
        assert ran.err.count("\n") == 1
        assert f"--host {host!r} lets other machines in" in ran.err
        assert "daper mcp token add" in ran.err


def test_nobody_comes_in_without_a_right_token(guarded: Serving, tokens: dict[str, str]) -> None:
    assert status(guarded) == 401
    assert status(guarded, token=tokens["Argus"] + "x") == 401
    assert status(guarded, token=tokens["Argus"][:-1]) == 401
    assert status(guarded, Authorization=f"Basic {tokens['Argus']}") == 401
    assert status(guarded, body="no message at all") == 401
    assert status(guarded, token=tokens["Argus"]) == 200


@pytest.mark.long
def test_the_inspector_with_no_token_is_told_to_bring_one(shop: Shop, guarded: Serving, tokens: dict[str, str]) -> None:
    home = shop.root / "inspector"
    assert Inspector(home=home, target=guarded.target())("tools/list").error == "auth_required"
    assert len(Inspector(home=home, target=guarded.target(tokens["Argus"])).tools()) == 14


@pytest.mark.long
def test_each_token_does_what_it_allows_and_the_decision_has_its_name(
    shop: Shop, guarded: Serving, tokens: dict[str, str]
) -> None:
    minerva, harry, argus = (posting(guarded.url, tokens[name]) for name in ("Minerva", "Harry", "Argus"))
    no_start = call(argus, "start_repair")
    repair_id, digest = waiting(harry, record_ids=["ORD-002-HJG"])
    plan = {"repair_id": repair_id, "plan_digest": digest}
    no_stop = call(argus, "stop_repair", {"repair_id": repair_id})
    no_approval, no_rejection = call(harry, "approve_repair", plan), call(harry, "reject_repair", plan)
    undecided = document(argus, "get_repair", {"repair_id": repair_id})
    # In the newer era each request brings its token, and there is no session.
    newer = [Inspector(home=shop.root / "home", target=guarded.target(tokens[each])) for each in ("Harry", "Minerva")]
    also_no_approval, approval = (inspector.call("approve_repair", plan) for inspector in newer)
    again = document(minerva, "approve_repair", plan)
    document(argus, "wait_for_repair", {"repair_id": repair_id, "seen_plan": digest, "seconds": 25})
    shown = shop.run("repair", "show", repair_id, "--json").document()

    for refused, name, has, needs in (
        (no_start, "Argus", "read", "start"),
        (no_stop, "Argus", "read", "start"),
        (no_approval, "Harry", "read, start", "approve"),
        (no_rejection, "Harry", "read, start", "approve"),
    ):
        assert refused["isError"]
        assert f"the token of {name} allows {has}, and this needs {needs}" in text_of(refused)
    assert (undecided["phase"], undecided["decisions"]) == ("PENDING-APPROVAL", [])
    assert undecided["requested_by"] == "Harry"
    assert "needs approve" in also_no_approval.text
    assert (approval.structured["repeated"], again["repeated"]) == (False, True)
    assert again["decision"] == approval.structured["decision"]
    assert again["decision"]["by"].startswith("Minerva (token)")
    (decision,) = shown["decisions"]
    assert decision["decision"]["by"] == {"kind": "person", "name": "Minerva", "how": "token"}


def test_a_session_is_of_no_use_to_anybody_else(guarded: Serving, tokens: dict[str, str]) -> None:
    session = posting(guarded.url, tokens["Minerva"]).session
    ping = '{"jsonrpc": "2.0", "id": 1, "method": "ping"}'
    stolen = Posting(url=guarded.url, token=tokens["Argus"], session=session).post(ping)
    own = Posting(url=guarded.url, token=tokens["Minerva"], session=session).post(ping)

    assert (stolen.status, own.status) == (404, 200)


def test_a_token_that_was_taken_away_is_refused_at_once_also_in_a_session(shop: Shop, guarded: Serving) -> None:
    token = shop.run("mcp", "token", "add", "Dolores").out.strip()  # while the server runs
    dolores = posting(guarded.url, token)
    assert document(dolores, "list_records")["total"] == 6

    assert shop.run("mcp", "token", "remove", "Dolores").code == 0

    assert dolores.post('{"jsonrpc": "2.0", "id": 1, "method": "ping"}').status == 401
    assert status(guarded, token=token) == 401


def test_no_web_page_passes_for_us_and_nobody_sends_more_than_a_megabyte(
    guarded: Serving, tokens: dict[str, str]
) -> None:
    token, port = tokens["Argus"], urlsplit(guarded.url).port
    large = GREETING + " " * 1024 * 1024

    assert status(guarded, token=token, Host="evil.example") == 421
    assert status(guarded, token=token, Host=f"127.0.0.1.evil.example:{port}") == 421
    assert status(guarded, token=token, Origin="http://evil.example") == 403
    assert status(guarded, token=token, Origin="null") == 403
    assert status(guarded, token=token, Host=f"localhost:{port}", Origin=f"http://localhost:{port}") == 200
    assert status(guarded, token=token, body=large) == 413
    assert status(guarded, token=token, body=large[: 1024 * 1024]) == 200
    assert unannounced(guarded, token, 2 * 1024 * 1024) == 413


def unannounced(server: Serving, token: str, size: int) -> int:
    """How a body is received that does not say how large it is."""
    where = urlsplit(server.url)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    headers |= {"Accept": "application/json, text/event-stream"}
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
    try:
        chunks = (b" " * 65536 for _ in range(size // 65536))
        with suppress(BrokenPipeError):  # who refuses it need not read all of it; the answer is there
            connection.request("POST", where.path, chunks, headers, encode_chunked=True)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_port_that_is_taken_is_named(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = shell.run("mcp", "--http", "--port", str(port))

    assert (ran.code, ran.out) == (1, "")
    assert f"cannot listen on '127.0.0.1', port {port}" in ran.err
    assert ran.err.count("\n") == 1


BAD = "".join(HOSTILE)
LIES: dict[str, Any] = {"repair_id": "repair-1", "plan_digest": "1"}
# Any: arguments as no schema has them. What each is answered holds these words.
CALLS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("get_repair", {"repair_id": "nobody"}, "there is no repair 'nobody'"),
    ("get_repair", {"repair_id": "a\0b"}, "there is no repair"),
    ("get_repair", {"repair_id": BAD}, "there is no repair"),
    ("get_repair", {"repair_id": "../../etc/passwd"}, "there is no repair '../../etc/passwd'"),
    ("get_repair", {"repair_id": "x" * 900_000}, "at most 200 characters"),
    ("get_repair", {"repair_id": 7}, "repair_id is 7, and has to be text"),
    ("get_repair", {"repair_id": None}, "repair_id is null, and has to be text"),
    ("get_repair", {"repair_id": ["repair-1"]}, "and has to be text"),
    ("get_repair", {}, "repair_id is not given"),
    ("get_repair", {"repair_id": "repair-1", "page": -1}, "from 1 to 1,000,000"),
    ("get_repair", {"repair_id": "repair-1", "page": 10**40}, "from 1 to 1,000,000"),
    ("get_repair_report", {"repair_id": "repair-1", "offset": -1}, "at least 0"),
    ("get_repair_report", {"repair_id": "repair-1", "offset": 10**400}, ""),
    ("wait_for_repair", {"repair_id": "repair-1", "seconds": 10**9}, "from 1 to 25"),
    ("wait_for_repair", {"repair_id": "repair-1", "seen_plan": "x" * 201}, "at most 200 characters"),
    ("wait_for_repair", {"repair_id": "nobody"}, "there is no repair 'nobody'"),
    ("start_repair", {"auto_approve": True}, "auto_approve"),
    ("start_repair", {BAD: True}, "has no argument"),
    ("start_repair", {"record_ids": "[" * 100_000}, "at most 200 characters"),
    ("start_repair", {"record_ids": json.loads("[" * 150 + "]" * 150)}, "has to be text"),
    ("start_repair", {"record_ids": [f"x{number}" for number in range(501)]}, "at most 500 of them"),
    ("start_repair", {"limit": -5}, "from 1 to 500"),
    ("start_repair", {"domain": HOSTILE[3]}, "there is no domain"),
    ("start_repair", {"domain": BAD}, "at most 50 characters"),
    ("report_problem", {"record_ids": []}, "1 to 500 of them"),
    ("report_problem", {"record_ids": ["ORD-001-HJP"], "auto_approve": True}, "auto_approve"),
    ("approve_repair", {**LIES, "answer": {"action": "accept", "data": {"confirm": True}}}, "answer"),
    ("approve_repair", {**LIES, "confirmed": "form"}, "confirmed"),
    ("approve_repair", {**LIES, "by": "Albus"}, "by"),
    ("approve_repair", {"repair_id": BAD, "plan_digest": BAD}, "there is no repair"),
    ("reject_repair", {**LIES, "answer": {"confirm": True}}, "answer"),
    ("stop_repair", {"repair_id": BAD, "reason": BAD}, "there is no repair"),
    ("stop_repair", {"repair_id": "repair-1", "reason": "x" * 900_000}, "at most 2,000 characters"),
    ("list_repairs", {"phase": BAD}, "has to be one of ANY, FOR-ME, INITIALIZING"),
    ("list_repairs", {"phase": HOSTILE[0]}, "there is no phase"),
    ("list_repairs", {"limit": 10**9}, "from 1 to 100"),
    ("tell_record", {"record_id": BAD, "fact": "paid"}, "there is no record"),
    ("tell_record", {"record_id": "ORD-001-HJP", "fact": BAD}, "at most 40 characters"),
    ("tell_record", {"record_id": "ORD-001-HJP", "fact": "paid", "by": "Albus"}, "by"),
    ("get_record", {"record_id": "\0"}, "there is no record"),
    ("get_record", {"record_id": BAD}, "there is no record"),
    ("get_record", {"record_id": "../orders.json"}, "there is no record '../orders.json'"),
    ("list_records", {"domain": "../x"}, "there is no domain '../x'"),
    (f"nothing{BAD}", {}, "there is no tool"),
)
ADDRESSES = {
    "daper://records/..%2f..%2fetc%2fpasswd": "there is no resource",
    "daper://repairs/%00": "there is no resource",
    "daper://repairs/../x/report": "there is no resource",
    "daper://repairs/nobody": "there is no repair 'nobody'",
    "daper://repairs/nobody/report": "there is no repair 'nobody'",
    "daper://repairs/a%2freport": "there is no repair",
    "daper://records/%1b%5b2J%e2%80%ae": "there is no record",
    f"daper://records/{BAD}": "",
    f"daper://records/{'x' * 300_000}": "there is no resource",
    "daper://records/": "there is no record",
    "file:///etc/passwd": "there is no resource",
    f"{BAD}": "there is no resource",
}
REQUESTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("prompts/get", {"name": BAD}),
    ("prompts/get", {"name": "explain_plan"}),
    ("prompts/get", {"name": "explain_plan", "arguments": {"repair_id": "x" * 201}}),
    ("tools/call", {"name": 7}),
    ("tools/call", {"name": "get_repair", "arguments": []}),
    ("tools/call", {}),
    (f"nothing{BAD}", {}),
    ("completion/complete", {"ref": {"type": "ref/nothing"}, "argument": {}}),
)


@pytest.fixture(scope="module", params=["stdio", "http"])
def raw(request: pytest.FixtureRequest, shop: Shop, tokens: dict[str, str]) -> Iterator[Raw]:
    """A connection of either transport, of somebody who may do anything."""
    with ExitStack() as stack:
        if request.param == "stdio":
            talk = stack.enter_context(talking(on_stdio(shop, extra=AS_TOLD)))
            yield talk
            assert "Traceback" not in talk.end().err
        else:
            yield posting(request.getfixturevalue("guarded").url, tokens["Minerva"])


def check_told(text: str, words: str) -> None:
    """An error is told in plain words in which nothing is hidden."""
    assert words in text, text[:500]
    assert not RAW.search(text), ascii(text[:500])
    assert "Traceback" not in text
    assert "https://errors.pydantic.dev" not in text
    assert len(text) < 5000


def test_a_wrong_call_is_a_clear_error_and_the_next_one_is_answered(raw: Raw) -> None:
    before = document(raw, "list_repairs")
    for tool, arguments, words in CALLS:
        result = call(raw, tool, arguments)
        assert result["isError"], (tool, arguments)
        check_told(text_of(result), words)
    for address, words in ADDRESSES.items():
        answer = raw.ask("resources/read", {"uri": address})
        check_told(answer["error"]["message"], words)
    for method, params in REQUESTS:
        answer = raw.ask(method, params)
        check_told(answer["error"]["message"], "")
    assert raw.ask("ping")["result"] == {}
    assert document(raw, "list_repairs") == before


def test_depth_beyond_reason_is_refused_over_http(guarded: Serving, tokens: dict[str, str]) -> None:
    minerva = posting(guarded.url, tokens["Minerva"])
    deep = "[" * 400_000 + "]" * 400_000
    for body in (
        f'{{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {deep}}}',
        '{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"a": "\\ud800"}}',
        *("garbage", "{", "[]", "null", ""),
    ):
        assert minerva.post(body).status == 400
    assert minerva.ask("ping")["result"] == {}


def test_the_tricks_in_records_are_seen_in_every_answer(raw: Raw) -> None:
    # A problem in a plan that waits is not taken up by another.
    record_id = "ORD-001-HJP" if isinstance(raw, Talk) else "ORD-003-RBW"
    repair_id, _ = waiting(raw, record_ids=[record_id])
    repair = document(raw, "get_repair", {"repair_id": repair_id})
    answers = [
        call(raw, "get_record", {"record_id": record_id}),
        call(raw, "list_records", {"search": record_id}),
        call(raw, "get_repair", {"repair_id": repair_id}),
        raw.ask("resources/read", {"uri": f"daper://repairs/{repair_id}"})["result"],
        raw.ask("resources/read", {"uri": f"daper://records/{record_id}"})["result"],
        raw.ask("prompts/get", {"name": "explain_plan", "arguments": {"repair_id": BAD}})["result"],
    ]

    for answer in answers:
        for text in texts_in(answer):
            # The tool's document as text, and that of a resource, is laid out over lines.
            assert not RAW.search(text), ascii(RAW.search(text))
        assert "<U+001B>[2J" in json.dumps(answer)
    (action,) = repair["plan"]["actions"]
    assert "<U+001B>[2J" in action["about"]
    assert "<U+202E>gnitset<U+202C>" in action["arguments"]["customer_name"]
    assert not re.search("[\\n\\r]", action["about"])


# Any: whatever JSON holds.
def texts_in(value: Any) -> Iterator[str]:
    """Every text in it, those of keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, part in cast("dict[str, Any]", value).items():
            yield key
            yield from texts_in(part)
    elif isinstance(value, list):
        for part in cast("list[Any]", value):
            yield from texts_in(part)
