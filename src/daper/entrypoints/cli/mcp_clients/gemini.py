"""gemini-cli: a server in its JSON."""

import re
from collections.abc import Mapping
from typing import Final

from daper.entrypoints.cli.mcp_clients.chat_client import NAME, TOKEN, Client, Local, Remote, as_json, milliseconds

# Wherever this stands in its settings, it puts a variable in its place; there is no way to write it as it is.
_PUT_IN: Final = re.compile(r"\$(?:\w+|\{)")


def _local(local: Local) -> str:
    local.refuse(_PUT_IN, by="gemini-cli")
    variables = local.variables | {name: f"${name}" for name in local.fill_in}
    server = {"command": local.program, "args": ["mcp"], "env": variables}
    return _file(server, milliseconds(local.waits))


def _remote(remote: Remote) -> str:
    server = {"type": "http", "url": remote.url, "headers": {"Authorization": f"Bearer {TOKEN}"}}
    return _file(server, milliseconds(remote.waits))


def _file(server: Mapping[str, object], timeout: int) -> str:
    return as_json({"mcpServers": {NAME: {**server, "timeout": timeout}}})


GEMINI_CLI: Final = Client(
    local=_local,
    remote=_remote,
    where="into ~/.gemini/settings.json, or into .gemini/settings.json of a project",
    fill_in="gemini-cli takes {names} from the environment in which it is started",
)
