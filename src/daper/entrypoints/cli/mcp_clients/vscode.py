"""VS Code: a server in its JSON, and what it asks for."""

from collections.abc import Mapping
from typing import Final

from daper.entrypoints.cli.mcp_clients.chat_client import NAME, Client, Local, Remote, as_json


def _local(local: Local) -> str:
    secrets = {name: f"${{input:{name}}}" for name in local.fill_in}
    server = {"type": "stdio", "command": local.program, "args": ["mcp"], "env": local.variables | secrets}
    return _file(server, {name: name for name in local.fill_in})


def _remote(remote: Remote) -> str:
    server = {"type": "http", "url": remote.url, "headers": {"Authorization": "Bearer ${input:daper-token}"}}
    return _file(server, {"daper-token": "The token that daper mcp token add printed"})


def _file(server: Mapping[str, object], asked: Mapping[str, str]) -> str:
    inputs = [
        {"type": "promptString", "id": name, "description": about, "password": True} for name, about in asked.items()
    ]
    return as_json(({"inputs": inputs} if inputs else {}) | {"servers": {NAME: server}})


VSCODE: Final = Client(
    local=_local,
    remote=_remote,
    where="into .vscode/mcp.json",
    fill_in="VS Code asks for {names} when it starts the server",
)
