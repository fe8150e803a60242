"""goose: an extension in its YAML."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from daper.entrypoints.cli.mcp_clients.chat_client import ABOUT, NAME, TOKEN, Client, Local, Remote, in_quotes, seconds


def _local(local: Local) -> str:
    lines = ["type: stdio", f"cmd: {in_quotes(local.program)}", "args: [mcp]"]
    lines += ["envs:", *(f"  {name}: {in_quotes(value)}" for name, value in local.variables.items())]
    # What goose has in its keyring, or in its own environment.
    lines.append(f"env_keys: [{', '.join(local.fill_in)}]")
    return _file(lines, local.waits)


def _remote(remote: Remote) -> str:
    lines = ["type: streamable_http", f"uri: {in_quotes(remote.url)}"]
    return _file([*lines, "headers:", f"  Authorization: {in_quotes(f'Bearer {TOKEN}')}"], remote.waits)


def _file(lines: Iterable[str], waits: timedelta) -> str:
    common = [f"name: {NAME}", f"description: {in_quotes(ABOUT)}", "enabled: true", f"timeout: {seconds(waits)}"]
    return "\n".join(["extensions:", f"  {NAME}:", *(f"    {line}" for line in (*common, *lines))])


GOOSE: Final = Client(
    local=_local,
    remote=_remote,
    where="under `extensions` into ~/.config/goose/config.yaml, without its first line if that is there already",
    fill_in="goose takes {names} from its keyring, or from the environment in which it is started",
)
