"""Every client that is known, and what to tell it."""

from typing import Final

from daper.entrypoints.cli.exits import UsageError
from daper.entrypoints.cli.mcp_clients import claude, codex, gemini, goose, inspector, opencode, vscode
from daper.entrypoints.cli.mcp_clients.chat_client import TOKEN, Client, Configuration, Local, Remote

_CLIENTS: Final[dict[str, Client]] = {
    "goose": goose.GOOSE,
    "claude-desktop": claude.DESKTOP,
    "claude-desktop-wsl": claude.DESKTOP_WSL,
    "claude-code": claude.CODE,
    "codex": codex.CODEX,
    "opencode": opencode.OPENCODE,
    "gemini-cli": gemini.GEMINI_CLI,
    "vscode": vscode.VSCODE,
    "inspector": inspector.INSPECTOR,
}
CLIENTS: Final = tuple(_CLIENTS)


def configuration(client: str, local: Local) -> Configuration:
    """What to tell a client of a server that it starts itself. `client` is one of CLIENTS.

    Raises UserError where the client would put something else in place of a value.
    """
    wants = _CLIENTS[client]
    hints = [f"put this {wants.where}", *wants.more(local.waits)]
    if local.fill_in:
        hints.append(wants.fill_in.format(names=", ".join(local.fill_in)))
    return Configuration(text=wants.local(local) + "\n", hints=tuple(hints))


def remote_configuration(client: str, remote: Remote) -> Configuration:
    """What to tell a client of a server at an address. Raises UsageError for a client that only starts programs."""
    wants = _CLIENTS[client]
    if wants.remote is None:
        able = ", ".join(name for name, each in _CLIENTS.items() if each.remote)
        raise UsageError(f"{client} only knows servers that it starts itself; who can be told a URL: {able}")
    token = f"{TOKEN} is the token that daper mcp token add printed; without tokens on the server, take the header out"
    hints = (f"put this {wants.where}", *wants.more(remote.waits), token)
    return Configuration(text=wants.remote(remote) + "\n", hints=hints)
