"""MCP Inspector: a command line."""

import shlex
from typing import Final

from daper.entrypoints.cli.mcp_clients.chat_client import TOKEN, Client, Local, Remote


def _local(local: Local) -> str:
    words = ["npx", "@modelcontextprotocol/inspector"]
    for name, value in local.filled.items():
        words += ["-e", f"{name}={value}"]
    return shlex.join([*words, "--", *local.command])


def _remote(remote: Remote) -> str:
    words = ["npx", "@modelcontextprotocol/inspector", "--header", f"Authorization: Bearer {TOKEN}"]
    return shlex.join([*words, "--transport", "http", "--server-url", remote.url])


INSPECTOR: Final = Client(local=_local, remote=_remote, where="into a shell that has Node")
