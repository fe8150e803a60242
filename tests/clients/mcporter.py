"""mcporter, a client for the command line by somebody else. It knows the handshake era only, and no questions."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.node import Answer, Http, Target, run

_MCPORTER = "mcporter/dist/cli.js"


@dataclass(frozen=True, kw_only=True)
class Mcporter:
    """mcporter on one server, with no configuration but this."""

    home: Path
    target: Target

    # Any: the tools as they are listed.
    def tools(self) -> dict[str, Any]:
        """The tools by name."""
        listed = self._run("list", "--json").document()
        assert listed["status"] == "ok", listed
        return {tool["name"]: tool for tool in listed["tools"]}

    # Any: arguments of many shapes.
    def call(self, tool: str, arguments: Mapping[str, Any] | None = None) -> Answer:
        """Call a tool. Prints what it answers: its document if it has one, else the whole; an error ends with 1."""
        said = json.dumps(dict(arguments or {}))
        return self._run("call", "--tool", tool, "--args", said, "--output", "json")

    def _run(self, command: str, *options: str) -> Answer:
        # A configuration of its own, empty: else it looks at those of the editors it knows.
        configuration = self.home / "mcporter.json"
        self.home.mkdir(parents=True, exist_ok=True)
        configuration.write_text('{"mcpServers": {}, "imports": []}', encoding="utf-8")
        where = ["--config", str(configuration), command, *self._where(), "--no-oauth", *options]
        return run(_MCPORTER, *where, home=self.home)

    def _where(self) -> list[str]:
        target = self.target
        if isinstance(target, Http):
            shown = ["--header", f"Authorization={target.header}"] if target.token else []
            return ["--http-url", target.url, "--allow-http", *shown]
        program, *arguments = target.command
        words = [word for argument in arguments for word in ("--stdio-arg", argument)]
        env = [word for name, value in target.env.items() for word in ("--env", f"{name}={value}")]
        return ["--stdio", program, *words, *env, "--cwd", str(target.cwd)]
