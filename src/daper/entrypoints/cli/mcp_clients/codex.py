"""codex: a table in its TOML."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from daper.entrypoints.cli.mcp_clients.chat_client import NAME, TOKEN, Client, Local, Remote, in_quotes, seconds

_STARTS_WITHIN_S: Final = 60


def _local(local: Local) -> str:
    own = [f"command = {in_quotes(local.program)}", 'args = ["mcp"]']
    if local.fill_in:
        own.append(f"env_vars = [{', '.join(map(in_quotes, local.fill_in))}]")
    variables = [f"{in_quotes(name)} = {in_quotes(value)}" for name, value in local.variables.items()]
    return _file(own, local.waits, table="env", rows=variables)


def _remote(remote: Remote) -> str:
    header = f"Authorization = {in_quotes(f'Bearer {TOKEN}')}"
    return _file([f"url = {in_quotes(remote.url)}"], remote.waits, table="http_headers", rows=[header])


def _file(own: Iterable[str], waits: timedelta, *, table: str, rows: Iterable[str]) -> str:
    times = [f"startup_timeout_sec = {_STARTS_WITHIN_S}", f"tool_timeout_sec = {seconds(waits)}"]
    return "\n".join([f"[mcp_servers.{NAME}]", *own, *times, "", f"[mcp_servers.{NAME}.{table}]", *rows])


CODEX: Final = Client(
    local=_local,
    remote=_remote,
    where="into ~/.codex/config.toml",
    fill_in="codex takes {names} from the environment in which it is started",
)
