"""A client of MCP that says whatever it likes, and checks that each answer is the protocol and nothing else."""

import http.client
import itertools
import json
import subprocess
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from tests.clients.node import Stdio
from tests.e2e.shell import GENEROUS, Ran

LEGACY = "2025-11-25"
HANDSHAKE: Mapping[str, Any] = {
    "protocolVersion": LEGACY,
    "capabilities": {"elicitation": {}},
    "clientInfo": {"name": "raw", "version": "1"},
}


# Any: messages of many shapes, here and below.
class Raw(Protocol):
    """A connection, of either transport."""

    def ask(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer to a request: the whole message."""
        ...


@dataclass
class Talk:
    """A connection over the stdin and stdout of a server."""

    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list[str])
    _ids: "itertools.count[int]" = field(default_factory=itertools.count)

    def say(self, line: str) -> None:
        """One line, whatever it is."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def request(self, method: str, params: Mapping[str, Any] | None = None) -> int:
        """Ask, and do not wait; the id of the request."""
        number = next(self._ids)
        self.say(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": dict(params or {})}))
        return number

    def hear(self, key: str, value: object) -> dict[str, Any]:
        """The next message in which `key` is `value`; all before it are kept in `lines`."""
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            self.lines.append(line)
            message = json.loads(line)
            if message.get(key) == value:
                return message
        raise AssertionError(f"no {key} {value!r} before the end; the last line: {self.lines[-1:]}")

    def ask(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer to a request: the whole message."""
        return self.hear("id", self.request(method, params))

    def end(self) -> Ran:
        """Close its stdin, and wait for its end."""
        out, err = self.process.communicate(timeout=GENEROUS)
        self.lines += out.splitlines(keepends=True)
        return Ran(self.process.returncode, "".join(self.lines), err)


@contextmanager
def talking(target: Stdio, *, greet: bool = True) -> Generator[Talk]:
    """A connection over stdio; the process is over when this is left."""
    process = subprocess.Popen(
        list(target.command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=dict(target.env),
        cwd=target.cwd,
        start_new_session=True,
    )
    # A server that says nothing would be waited for until then.
    late = threading.Timer(2 * GENEROUS, process.kill)
    late.start()
    talk = Talk(process)
    try:
        if greet:
            assert talk.ask("initialize", HANDSHAKE)["result"]["serverInfo"]["name"] == "daper"
            talk.say('{"jsonrpc": "2.0", "method": "notifications/initialized"}')
        yield talk
    finally:
        late.cancel()
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None and not stream.closed:
                stream.close()


@dataclass(frozen=True)
class Answered:
    """What came over HTTP."""

    status: int
    headers: Mapping[str, str]
    text: str

    def message(self) -> dict[str, Any]:
        """The one answer in it, which may have come after other messages."""
        lines = [line[6:] for line in self.text.splitlines() if line.startswith("data: {")] or [self.text]
        return json.loads(lines[-1])


@dataclass(kw_only=True)
class Posting:
    """A connection over HTTP, in the handshake era."""

    url: str
    token: str = ""
    session: str = ""
    last: int = -1  # the id of the newest request
    _ids: "itertools.count[int]" = field(default_factory=itertools.count)

    def post(self, body: str, headers: Mapping[str, str] | None = None) -> Answered:
        """Any body, with any headers beside the usual ones."""
        with self._send(body, headers or {}) as response:
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answered(response.status, found, response.read().decode())

    def begin(self, method: str, params: Mapping[str, Any]) -> http.client.HTTPResponse:
        """Ask, and leave the answer to be read as it comes."""
        self.last = next(self._ids)
        return self._send(_request(self.last, method, params), {})

    def _send(self, body: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        where = urlsplit(self.url)
        usual = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        usual |= {"Connection": "close"}  # so that the answer is all that holds the socket
        usual |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        usual |= {"Mcp-Session-Id": self.session, "MCP-Protocol-Version": LEGACY} if self.session else {}
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=GENEROUS)
        with suppress(BrokenPipeError):  # who refuses it need not read all of it; the answer is there
            connection.request("POST", where.path, body.encode(), usual | dict(headers))
        return connection.getresponse()

    def greet(self) -> None:
        """Begin a session."""
        answered = self.post(_request(next(self._ids), "initialize", HANDSHAKE))
        assert answered.status == 200, answered
        self.session = answered.headers["mcp-session-id"]
        assert self.post('{"jsonrpc": "2.0", "method": "notifications/initialized"}').status == 202

    def ask(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer to a request: the whole message."""
        return self.post(_request(next(self._ids), method, params or {})).message()


def posting(url: str, token: str = "") -> Posting:
    """A session over HTTP."""
    made = Posting(url=url, token=token)
    made.greet()
    return made


def _request(number: int, method: str, params: Mapping[str, Any]) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": dict(params)})


def call(raw: Raw, tool: str, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The result of a tool, which may be an error of its own."""
    answer = raw.ask("tools/call", {"name": tool, "arguments": dict(arguments or {})})
    assert "result" in answer, answer
    return answer["result"]


def text_of(result: Mapping[str, Any]) -> str:
    """The words of a tool."""
    return "\n".join(part["text"] for part in result["content"])


def document(raw: Raw, tool: str, arguments: Mapping[str, Any] | None = None) -> Any:
    """The document of a tool that did what it was asked."""
    result = call(raw, tool, arguments)
    assert not result.get("isError"), result
    return result["structuredContent"]


def waiting(raw: Raw, **start: Any) -> tuple[str, str]:
    """A new repair whose plan waits: its id, and the digest of the plan."""
    repair_id = document(raw, "start_repair", start)["repair_id"]
    state = document(raw, "wait_for_repair", {"repair_id": repair_id, "seconds": 25})
    assert state["phase"] == "PENDING-APPROVAL", state
    return repair_id, state["plan_digest"]
