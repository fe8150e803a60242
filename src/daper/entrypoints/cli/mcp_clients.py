"""What each chat client wants to be told of our server, in the form in which its file or command line has it. Pure."""

import json
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from daper.core.errors import UserError
from daper.entrypoints.cli.exits import UsageError
from daper.settings import Settings, Shown
from daper.settings.leads import leads_of

_NAME: Final = "daper"
_TIMEOUT_S: Final = 300
_ABOUT: Final = "Finds what is wrong in a system of records, and repairs what a person approves"
_TOKEN: Final = "PUT-THE-TOKEN-HERE"  # noqa: S105 - what is to be replaced
_APPROVAL: Final = "DAPER_MCP_APPROVAL"
_PROFILE_FILE: Final = "TEMPORAL_CONFIG_FILE"
# Only a worker thinks: what it alone reads, and its key above all, has no business in a chat client.
_OF_THE_WORKER: Final = ("LLM_", "DAPER_LLM_", "DAPER_MAX_", "DAPER_ON_OUTAGE")


@dataclass(frozen=True, kw_only=True)
class Local:
    """How the client starts the server: the program, the variables, and which of them a person has to fill in."""

    program: str
    variables: dict[str, str]
    fill_in: tuple[str, ...] = ()

    @property
    def command(self) -> list[str]:
        """The command line."""
        return [self.program, "mcp"]

    @property
    def filled(self) -> dict[str, str]:
        """All variables, with placeholders."""
        return self.variables | {name: placeholder(name) for name in self.fill_in}


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What to put into a client's configuration, and what to tell the person who does it."""

    text: str
    hints: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Client:
    local: Callable[[Local], str]
    where: str
    fill_in: str = "fill in {names}: what is printed is a placeholder"
    remote: Callable[[str], str] | None = None
    more: tuple[str, ...] = field(default=())


def placeholder(name: str) -> str:
    """What stands in place of a secret."""
    return f"PUT-{name}-HERE"


def local_server(settings: Settings, told: Iterable[Shown], *, program: Path) -> Local:
    """How to start the server from any folder and environment, so that it is configured as here.

    `told` is what is set, and from where. Secrets, and what may be one, are left for the person to fill in. Raises
    UserError for a path that cannot be pasted.
    """
    leads = leads_of(settings, told, wanted=lambda name: not _is_of_the_worker(name))
    # How a decision is confirmed is said in any case, so that whoever pastes it sees it.
    found = {"DAPER_HOME": str(settings.home), _APPROVAL: str(settings.chat_approval)}
    found |= leads.variables | found
    for path in (str(program), found["DAPER_HOME"], found.get(_PROFILE_FILE, "")):
        if not path.isprintable():
            raise UserError(f"the path {path!r} holds characters that cannot be shown, or pasted; rename it")
    return Local(program=str(program), variables=found, fill_in=leads.hidden)


def configuration(client: str, local: Local) -> Configuration:
    """What to tell a client of a server that it starts itself. `client` is one of CLIENTS."""
    wants = _CLIENTS[client]
    hints = [f"put this {wants.where}", *wants.more]
    if local.fill_in:
        hints.append(wants.fill_in.format(names=", ".join(local.fill_in)))
    return Configuration(text=wants.local(local) + "\n", hints=tuple(hints))


def remote_configuration(client: str, url: str) -> Configuration:
    """What to tell a client of a server at an address. Raises UsageError for a client that only starts programs."""
    wants = _CLIENTS[client]
    if wants.remote is None:
        able = ", ".join(name for name, each in _CLIENTS.items() if each.remote)
        raise UsageError(f"{client} only knows servers that it starts itself; who can be told a URL: {able}")
    token = f"{_TOKEN} is the token that daper mcp token add printed; without tokens on the server, take the header out"
    return Configuration(text=wants.remote(url) + "\n", hints=(f"put this {wants.where}", token))


def _is_of_the_worker(name: str) -> bool:
    return name.startswith(_OF_THE_WORKER) or name.endswith("_MODEL")


def _json(document: Mapping[str, object]) -> str:
    return json.dumps(document, indent=2)


def _desktop(local: Local) -> str:
    return _json({"mcpServers": {_NAME: {"command": local.program, "args": ["mcp"], "env": local.filled}}})


def _desktop_wsl(local: Local) -> str:
    """Windows starts a program in its Linux, without a shell between: what is no secret goes on its command line."""
    variables = [f"{name}={value}" for name, value in local.variables.items()]
    server: dict[str, object] = {"command": "wsl.exe", "args": ["--exec", "env", *variables, *local.command]}
    if local.fill_in:
        # The variable that says which others get across. A command line is seen by everybody.
        across = {"WSLENV": ":".join(f"{name}/u" for name in local.fill_in)}
        server["env"] = {name: placeholder(name) for name in local.fill_in} | across
    return _json({"mcpServers": {_NAME: server}})


def _claude_code(local: Local) -> str:
    words = ["claude", "mcp", "add"]
    for name, value in local.filled.items():
        words += ["-e", f"{name}={value}"]
    # Its -e takes many values: an option has to come between them and the name.
    return shlex.join([*words, "--transport", "stdio", _NAME, "--", *local.command])


def _claude_code_remote(url: str) -> str:
    words = ["claude", "mcp", "add", "--header", f"Authorization: Bearer {_TOKEN}"]
    return shlex.join([*words, "--transport", "http", _NAME, url])


def _vscode(local: Local) -> str:
    secrets = {name: f"${{input:{name}}}" for name in local.fill_in}
    server = {"type": "stdio", "command": local.program, "args": ["mcp"], "env": local.variables | secrets}
    return _vscode_file(server, {name: name for name in local.fill_in})


def _vscode_remote(url: str) -> str:
    server = {"type": "http", "url": url, "headers": {"Authorization": "Bearer ${input:daper-token}"}}
    return _vscode_file(server, {"daper-token": "The token that daper mcp token add printed"})


def _vscode_file(server: Mapping[str, object], asked: Mapping[str, str]) -> str:
    inputs = [
        {"type": "promptString", "id": name, "description": about, "password": True} for name, about in asked.items()
    ]
    return _json(({"inputs": inputs} if inputs else {}) | {"servers": {_NAME: server}})


def _inspector(local: Local) -> str:
    words = ["npx", "@modelcontextprotocol/inspector"]
    for name, value in local.filled.items():
        words += ["-e", f"{name}={value}"]
    return shlex.join([*words, "--", *local.command])


def _inspector_remote(url: str) -> str:
    words = ["npx", "@modelcontextprotocol/inspector", "--header", f"Authorization: Bearer {_TOKEN}"]
    return shlex.join([*words, "--transport", "http", "--server-url", url])


def _goose(local: Local) -> str:
    lines = ["type: stdio", f"cmd: {_yaml(local.program)}", "args: [mcp]"]
    lines += ["envs:", *(f"  {name}: {_yaml(value)}" for name, value in local.variables.items())]
    # What goose has in its keyring, or in its own environment.
    lines.append(f"env_keys: [{', '.join(local.fill_in)}]")
    return _goose_file(lines)


def _goose_remote(url: str) -> str:
    lines = ["type: streamable_http", f"uri: {_yaml(url)}"]
    return _goose_file([*lines, "headers:", f"  Authorization: {_yaml(f'Bearer {_TOKEN}')}"])


def _goose_file(lines: Iterable[str]) -> str:
    common = [f"name: {_NAME}", f"description: {_yaml(_ABOUT)}", "enabled: true", f"timeout: {_TIMEOUT_S}"]
    return "\n".join(["extensions:", f"  {_NAME}:", *(f"    {line}" for line in (*common, *lines))])


def _yaml(text: str) -> str:
    """A text as YAML: in double quotes it has the escapes of JSON, apart from halves of characters."""
    return json.dumps(text, ensure_ascii=False)


_CLIENTS: Final[dict[str, _Client]] = {
    "goose": _Client(
        local=_goose,
        remote=_goose_remote,
        where="under `extensions` into ~/.config/goose/config.yaml, without its first line if that is there already",
        fill_in="goose takes {names} from its keyring, or from the environment in which it is started",
    ),
    "claude-desktop": _Client(
        local=_desktop,
        where="into claude_desktop_config.json (Settings, Developer, Edit Config), then start Claude Desktop again",
    ),
    "claude-desktop-wsl": _Client(
        local=_desktop_wsl,
        where="into claude_desktop_config.json on Windows (Settings, Developer, Edit Config), then start Claude "
        "Desktop again",
        more=('it starts daper in the default distribution; for another one begin `args` with "-d", "NAME"',),
    ),
    "claude-code": _Client(
        local=_claude_code,
        remote=_claude_code_remote,
        where="into a shell",
        more=("for the .mcp.json of a project take what daper mcp config claude-desktop prints: the form is the same",),
    ),
    "vscode": _Client(
        local=_vscode,
        remote=_vscode_remote,
        where="into .vscode/mcp.json",
        fill_in="VS Code asks for {names} when it starts the server",
    ),
    "inspector": _Client(local=_inspector, remote=_inspector_remote, where="into a shell that has Node"),
}
CLIENTS: Final = tuple(_CLIENTS)
