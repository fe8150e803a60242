"""opencode: a server in its JSON."""

import re
from collections.abc import Mapping
from typing import Final

from daper.entrypoints.cli.mcp_clients.chat_client import NAME, TOKEN, Client, Local, Remote, as_json, milliseconds

# Wherever this stands in the file, it puts a variable or a file in its place; there is no way to write it as it is.
_PUT_IN: Final = re.compile(r"\{(?:env|file):[^}]*\}")


def _local(local: Local) -> str:
    local.refuse(_PUT_IN, by="opencode")
    variables = local.variables | {name: f"{{env:{name}}}" for name in local.fill_in}
    return _file({"type": "local", "command": local.command, "environment": variables}, milliseconds(local.waits))


def _remote(remote: Remote) -> str:
    server = {"type": "remote", "url": remote.url, "headers": {"Authorization": f"Bearer {TOKEN}"}, "oauth": False}
    return _file(server, milliseconds(remote.waits))


def _file(server: Mapping[str, object], timeout: int) -> str:
    told = {**server, "enabled": True, "timeout": timeout}
    return as_json({"$schema": "https://opencode.ai/config.json", "mcp": {NAME: told}})


OPENCODE: Final = Client(
    local=_local,
    remote=_remote,
    where="into opencode.json of a project, or into ~/.config/opencode/opencode.json",
    fill_in="opencode takes {names} from the environment in which it is started",
)
