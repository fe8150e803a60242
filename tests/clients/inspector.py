"""The Inspector of those who make MCP: one request per command line, and `mcpdo`, which also answers questions."""

import json
import secrets
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.clients.node import Answer, Http, Target, last_object, run

Era = Literal["legacy", "modern"]

_CLI = "@modelcontextprotocol/inspector/clients/cli/build/index.js"
_MCPDO = "@modelcontextprotocol/inspector/clients/mcpdo/build/mcp-bin.js"


# Any: results and arguments of many shapes.
@dataclass(frozen=True)
class Reply:
    """What came of a request: a result, or the name of an error and its words. A tool's own error has both."""

    code: int
    result: dict[str, Any]
    error: str
    message: str
    stderr: str

    @property
    def text(self) -> str:
        """The words of a tool."""
        return "\n".join(part["text"] for part in self.result.get("content", []) if part["type"] == "text")

    # Any: whatever the tool's output schema says.
    @property
    def structured(self) -> Any:
        """The document of a tool."""
        return self.result.get("structuredContent")


def _reply(answer: Answer) -> Reply:
    error: dict[str, Any] = last_object(answer.err, "error") or {}
    assert bool(error) == bool(answer.code), f"code {answer.code}, and says {answer.out!r}, {answer.err!r}"
    result: dict[str, Any] = answer.document()["result"] if answer.out else {}
    return Reply(answer.code, result, error.get("code", ""), error.get("message", ""), answer.err)


def _where(target: Target) -> tuple[list[str], list[str]]:
    """Options, and what comes last."""
    if isinstance(target, Http):
        # Never the address by itself: an option that takes many values would take it too.
        shown = ["--header", f"Authorization: {target.header}"] if target.token else []
        return [*shown, "--transport", "http", "--server-url", target.url], []
    env = [word for name, value in target.env.items() for word in ("-e", f"{name}={value}")]
    return [*env, "--cwd", str(target.cwd), "--transport", "stdio"], ["--", *target.command]


@dataclass(frozen=True, kw_only=True)
class Inspector:
    """One command, one connection, one request. It cannot be asked anything by the server."""

    home: Path
    target: Target
    era: Era = "modern"

    def __call__(self, method: str, *options: str) -> Reply:
        """A request by its name."""
        where, last = _where(self.target)
        common = ["--protocol-era", self.era, "--format", "json", "--stored-auth-only", "--method", method]
        return _reply(run(_CLI, *common, *options, *where, *last, home=self.home))

    # Any: the tools as they are listed.
    def tools(self) -> dict[str, Any]:
        """The tools by name."""
        reply = self("tools/list", "--strict")
        assert not reply.error, reply
        return {tool["name"]: tool for tool in reply.result["tools"]}

    # Any: arguments of many shapes.
    def call(self, tool: str, arguments: Mapping[str, Any] | None = None) -> Reply:
        """Call a tool."""
        return self("tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(dict(arguments or {})))

    def read(self, uri: str) -> Reply:
        """Read a resource."""
        return self("resources/read", "--uri", uri)

    def prompt(self, name: str, arguments: Mapping[str, str]) -> Reply:
        """Fill in a prompt."""
        pairs = [f"{key}={value}" for key, value in arguments.items()]
        return self("prompts/get", "--prompt-name", name, *(["--prompt-args", *pairs] if pairs else []))


# Any: the schema of a question.
@dataclass(frozen=True)
class Question:
    """What the server asks in the midst of a call, which waits for the answer."""

    id: str
    message: str
    schema: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Mcpdo:
    """A connection that stays, with a person at its other end: what the server asks can be answered."""

    home: Path
    env: Mapping[str, str]

    # Any: arguments of many shapes.
    def call(self, tool: str, arguments: Mapping[str, Any] | None = None) -> Reply | Question:
        """Call a tool: its answer, or what the server wants to know before."""
        return self._said("tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(dict(arguments or {})))

    # Any: arguments of many shapes.
    def ask(self, tool: str, arguments: Mapping[str, Any] | None = None) -> Question:
        """Call a tool that must want to know something."""
        asked = self.call(tool, arguments)
        assert isinstance(asked, Question), f"nothing was asked: {asked}"
        return asked

    # Any: the fields of the question.
    def answer(self, question: Question, fields: Mapping[str, Any]) -> Reply | Question:
        """Answer, and hear what the call came to."""
        return self._said("elicitation/respond", question.id, json.dumps(dict(fields)))

    def decline(self, question: Question) -> Reply | Question:
        """Say that there will be no answer."""
        return self._said("elicitation/respond", question.id, "--decline")

    def cancel(self, question: Question) -> Reply | Question:
        """Close the question unread."""
        return self._said("elicitation/respond", question.id, "--cancel")

    def run(self, *arguments: str) -> Answer:
        """Any command of it."""
        return run(_MCPDO, "--format", "json", "--connection", "ours", *arguments, home=self.home, extra=self.env)

    def _said(self, *arguments: str) -> Reply | Question:
        answer = self.run(*arguments)
        document: dict[str, Any] = answer.document() if answer.out.strip() else {}
        if asked := document.get("elicitationPending"):
            return Question(asked["elicitationId"], asked["message"], asked["requestedSchema"])
        error: dict[str, Any] = last_object(answer.err, "error") or {}
        assert document or error, f"code {answer.code}, and says nothing: {answer.err!r}"
        return Reply(answer.code, document, error.get("code", ""), error.get("message", ""), answer.err)


@contextmanager
def connected(home: Path, target: Target, *, era: Era = "modern", may_ask: bool = True) -> Generator[Mcpdo]:
    """A connection by `mcpdo`. The process that holds it ends with it."""
    # Its socket is in this folder, and the path of a socket must be short.
    with tempfile.TemporaryDirectory(prefix="mcpdo-") as folder:
        env = {
            "MCP_INSPECTOR_DAEMON_DIR": folder,
            "MCP_INSPECTOR_DAEMON_TOKEN": secrets.token_hex(16),
            "MCP_INSPECTOR_SECRET_STORE": "memory",
        }
        mcpdo = Mcpdo(home=home, env=env)
        where, last = _where(target)
        try:
            asking = ["--era", era, "--elicit", "form" if may_ask else "off"]
            begun = mcpdo.run("--stored-auth-only", "connect", *asking, *where, *last)
            assert begun.code == 0, f"no connection: {begun}"
            yield mcpdo
        finally:
            mcpdo.run("daemon", "stop")
