"""Claude Desktop, here and on Windows with daper in its Linux, and Claude Code."""

import shlex
from datetime import timedelta
from typing import Final

from daper.entrypoints.cli.mcp_clients.chat_client import (
    NAME,
    TOKEN,
    Client,
    Local,
    Remote,
    as_json,
    milliseconds,
    placeholder,
)


def _desktop(local: Local) -> str:
    return as_json({"mcpServers": {NAME: {"command": local.program, "args": ["mcp"], "env": local.filled}}})


def _desktop_wsl(local: Local) -> str:
    """Windows starts a program in its Linux, without a shell between: what is no secret goes on its command line."""
    variables = [f"{name}={value}" for name, value in local.variables.items()]
    server: dict[str, object] = {"command": "wsl.exe", "args": ["--exec", "env", *variables, *local.command]}
    if local.fill_in:
        # The variable that says which others get across. A command line is seen by everybody.
        across = {"WSLENV": ":".join(f"{name}/u" for name in local.fill_in)}
        server["env"] = {name: placeholder(name) for name in local.fill_in} | across
    return as_json({"mcpServers": {NAME: server}})


def _code(local: Local) -> str:
    words = ["claude", "mcp", "add"]
    for name, value in local.filled.items():
        words += ["-e", f"{name}={value}"]
    # Its -e takes many values: an option has to come between them and the name.
    return shlex.join([*words, "--transport", "stdio", NAME, "--", *local.command])


def _code_remote(remote: Remote) -> str:
    words = ["claude", "mcp", "add", "--header", f"Authorization: Bearer {TOKEN}"]
    return shlex.join([*words, "--transport", "http", NAME, remote.url])


def _code_more(waits: timedelta) -> tuple[str, ...]:
    return (
        "for the .mcp.json of a project take what daper mcp config claude-desktop prints: the form is the same",
        "one that is too old to take a form as an answer gives up on it after a time of its own; for as long as a plan "
        f"waits, start it with MCP_TOOL_TIMEOUT={milliseconds(waits)}",
    )


DESKTOP: Final = Client(
    local=_desktop,
    where="into claude_desktop_config.json (Settings, Developer, Edit Config), then start Claude Desktop again",
)
DESKTOP_WSL: Final = Client(
    local=_desktop_wsl,
    where="into claude_desktop_config.json on Windows (Settings, Developer, Edit Config), then start Claude "
    "Desktop again",
    more=lambda _: ('it starts daper in the default distribution; for another one begin `args` with "-d", "NAME"',),
)
CODE: Final = Client(local=_code, remote=_code_remote, where="into a shell", more=_code_more)
