"""`daper mcp --http` stays open for the next person, whatever others do with their connections and sessions."""

import http.client
import re
import socket
from collections.abc import Generator
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import pytest

from daper.entrypoints.mcp.sessions import MOST_EACH
from tests.e2e.mcp_raw import Posting, posting
from tests.e2e.mcp_serving import Serving, serving
from tests.e2e.shell import Shell

FILES = 128  # that the server may have open
PING = '{"jsonrpc": "2.0", "id": 1, "method": "ping"}'


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Serving, dict[str, str]]]:
    """A server that may have few files open, and the tokens of two people. Nothing here needs Temporal."""
    shell = Shell(root=tmp_path_factory.mktemp("limits"))
    tokens = {name: shell.run("mcp", "token", "add", name).out.strip() for name in ("Minerva", "Peeves")}
    with serving(shell, files=FILES) as server:
        yield server, tokens


@pytest.mark.parametrize(
    ("sent", "number"),
    [
        pytest.param(b"POST /mcp HTTP/1.1\r\nHost: x\r\nX-", 200, id="heads", marks=pytest.mark.long),
        pytest.param(b"", 300, id="nothing", marks=pytest.mark.long),
        pytest.param(b"owls\r\n\r\n", 300, id="no HTTP", marks=pytest.mark.long),
        pytest.param(
            b"POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{", 300, id="bodies", marks=pytest.mark.long
        ),
    ],
)
def test_a18_somebody_else_gets_in_beside_more_connections_than_the_server_may_have_files(
    narrow: tuple[Serving, dict[str, str]], sent: bytes, number: int
) -> None:
    server, tokens = narrow
    where = urlsplit(server.url)
    with ExitStack() as stack:
        for _ in range(number):
            other = stack.enter_context(socket.create_connection((where.hostname or "", where.port or 0)))
            with suppress(ConnectionError):  # let go already
                other.sendall(sent)
        minerva = posting(server.url, tokens["Minerva"])
        assert minerva.ask("ping")["result"] == {}


def test_a18_a_person_has_so_many_sessions_and_the_one_used_least_lately_ends(
    narrow: tuple[Serving, dict[str, str]],
) -> None:
    server, tokens = narrow
    minerva = posting(server.url, tokens["Minerva"])
    first, second = posting(server.url, tokens["Peeves"]), posting(server.url, tokens["Peeves"])
    assert first.ask("ping")["result"] == {}  # so that the second one is used least lately
    for _ in range(MOST_EACH - 1):
        posting(server.url, tokens["Peeves"])
    assert (first.post(PING).status, second.post(PING).status) == (200, 404)
    assert minerva.post(PING).status == 200


def test_a18_what_one_person_may_ask_at_once_leaves_room_for_others(narrow: tuple[Serving, dict[str, str]]) -> None:
    server, tokens = narrow
    where, allowed = urlsplit(server.url), FILES // 2 // 2
    headers = {"Authorization": f"Bearer {tokens['Peeves']}", "Accept": "text/event-stream"}
    sessions = [posting(server.url, tokens["Peeves"]).session for _ in range(allowed + 1)]
    with ExitStack() as stack:
        statuses: list[int] = []
        for session in sessions:  # each listens
            connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
            stack.callback(connection.close)
            connection.request("GET", where.path, headers=headers | {"Mcp-Session-Id": session})
            statuses.append(connection.getresponse().status)
        assert statuses == [200] * allowed + [429]
        over = Posting(url=server.url, token=tokens["Peeves"]).post(PING)
        assert (over.status, f"Peeves has {allowed} requests open" in over.text) == (429, True)
        assert posting(server.url, tokens["Minerva"]).post(PING).status == 200


def test_no_metadata_leads_a_client_to_a_server_of_tokens_that_is_not_there(
    narrow: tuple[Serving, dict[str, str]],
) -> None:
    server, _ = narrow
    where = urlsplit(server.url)
    refused = Posting(url=server.url).post(PING)
    assert refused.status == 401
    assert refused.headers["www-authenticate"].startswith("Bearer ")
    assert not re.search("https?:", refused.headers["www-authenticate"] + refused.text)
    for path in (
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/authorize",
        "/register",
        "/token",
    ):
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
        connection.request("GET", path)
        answer = connection.getresponse()
        assert (answer.status, b"authorization_servers" in answer.read()) == (404, False)
        connection.close()
