"""`daper mcp`: the agents as tools for chat clients; how to configure a client; who may come over HTTP."""

import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, Parameter

from daper.adapters.privacy import make_private
from daper.core.access import Access
from daper.core.errors import UserError
from daper.core.text import visible
from daper.core.urls import is_web_address, masked_url
from daper.entrypoints.cli.exits import Exit, UsageError, leave
from daper.entrypoints.cli.logs import log_to_stderr
from daper.entrypoints.cli.output import console, print_json, print_text, say, table
from daper.entrypoints.cli.parameters import Flag, Json
from daper.entrypoints.cli.runner import run_to_end
from daper.entrypoints.mcp.terminal import program_here
from daper.ports import Tokens
from daper.settings import Part, load_settings, shown_settings

MISSING = "daper mcp needs the extra mcp: pip install 'daper[mcp]'"

_HELP = "The agents as tools for chat clients like goose and Claude Desktop, over stdin and stdout or HTTP."

app = App(name="mcp", help=_HELP)
token = App(name="token", help="Who may come over HTTP: one access token for each person.")
app.command(token)


@app.default
def serve(
    *,
    http: Flag = False,
    host: str = "127.0.0.1",
    port: int = 7337,
    public_url: Annotated[str | None, Parameter(show_default=False)] = None,
    read_only: Flag = False,
) -> int:
    """The agents as tools for chat clients, over stdin and stdout: the client starts this command itself.

    It is configured by the environment that the client gives it, and by no .env: the client starts it in any folder.
    What to tell your client: daper mcp config CLIENT. With --http it serves many clients until Ctrl-C, at /mcp; each is
    the person whose token it brings (daper mcp token add). A decision is confirmed by the person in a form that the
    client shows; see DAPER_MCP_APPROVAL.

    Parameters
    ----------
    http
        Serve over streamable HTTP.
    host
        Where to listen; another address than this machine's own needs tokens.
    port
        The port to listen on; 0 is a free one.
    public_url
        By which URL clients come, if a proxy is before this server: https://daper.example.org/mcp.
    read_only
        Leave out every tool that starts, decides or stops anything.
    """
    log_to_stderr(quiet=True)
    if not http:
        try:
            from daper.entrypoints.mcp.stdio import serve_stdio
        except ImportError as error:
            raise UserError(f"{MISSING} ({error})") from error

        # At once: a thread waits for the client's next line, and nothing wakes it but the client.
        run_to_end(serve_stdio(read_only=read_only), cancels=lambda number: leave(128 + number), temporal=False)
        return Exit.OK
    if not 0 <= port <= 65535:
        raise UsageError(f"--port {port} must be from 0 to 65535")
    if public_url is not None and not is_web_address(public_url):
        raise UsageError(f"--public-url {_shown(public_url)} must be a URL, like https://daper.example.org/mcp")
    try:
        from daper.entrypoints.http import Address
        from daper.entrypoints.mcp.http import http_settings, serve_http
    except ImportError as error:
        raise UserError(f"{MISSING} ({error})") from error

    def ready(url: str, guarded: bool) -> None:
        asks = "with tokens" if guarded else "for this machine alone, no tokens"
        sys.stderr.write(f"Serving MCP on {url} ({asks}); Ctrl-C ends it\n")
        sys.stderr.flush()

    address = Address(host=host, port=port, public_url=public_url)
    run_to_end(serve_http(http_settings(), address, _tokens(), read_only=read_only, ready=ready), temporal=False)
    return Exit.OK


@app.command
def config(
    client: Annotated[str, Parameter(show_default=False)] = "",
    *,
    url: Annotated[str | None, Parameter(show_default=False)] = None,
) -> int:
    """What to put into a client's configuration, with this machine's values.

    On stdout there is nothing but that; what to do with it is said on stderr. Secrets are left for you to fill in.

    Parameters
    ----------
    client
        One of: goose, claude-desktop, claude-desktop-wsl, claude-code, codex, opencode, gemini-cli, vscode, inspector.
    url
        For a server that runs elsewhere with --http, the URL of it; the client then starts none.
    """
    from daper.entrypoints.cli.mcp_clients import CLIENTS, Remote, configuration, local_server, remote_configuration

    if client not in CLIENTS:
        raise UsageError(f"name a client, one of: {', '.join(CLIENTS)}" + (f"; {client!r} is none" if client else ""))
    if url is None:
        wanted = configuration(
            client,
            local_server(load_settings(needs={Part.CHAT, Part.TEMPORAL}), shown_settings(), program=program_here()),
        )
    elif is_web_address(url):
        waits = load_settings(needs=()).approval_timeout
        wanted = remote_configuration(client, Remote(url=url, waits=waits))
    else:
        raise UsageError(f"--url {_shown(url)} must be where a server answers, like http://127.0.0.1:7337/mcp")
    print_text(wanted.text)
    for hint in wanted.hints:
        sys.stderr.write(f"{hint}\n")
    return Exit.OK


@token.command(name="add")
def add_token(name: str, *, scope: Annotated[Sequence[Access], Parameter(negative=(), show_default=False)] = ()) -> int:
    """Make an access token for a person, and print it: this once.

    Parameters
    ----------
    name
        Under which the person's requests and decisions are recorded.
    scope
        What it allows: read, start (and stop), approve, tell. May be given several times; read is always part of it.
    """
    if not name or name != name.strip() or len(name) > 200 or visible(name) != name:
        raise UsageError(f"NAME {visible(name, longest=60)!r} must be 1 to 200 characters that can be seen")
    tokens = _tokens()
    first = not tokens.in_use
    made = tokens.add(name, {Access.READ, *scope})
    print_text(made + "\n")
    sys.stderr.write(f"The token of {name}, shown this once. A client sends it as: Authorization: Bearer TOKEN\n")
    if first:
        sys.stderr.write(
            "A server that was started without tokens lets nobody in any more until it is started again.\n"
        )
    return Exit.OK


@token.command(name="list")
def list_tokens(*, as_json: Json = False) -> int:
    """Who has a token, and what it allows; never the token.

    Parameters
    ----------
    as_json
        Print one JSON document.
    """
    grants = _tokens().grants()
    if as_json:
        shown_settings = [grant.model_dump(mode="json", exclude={"sha256"}) for grant in grants]
        print_json({"tokens": [each | {"scopes": sorted(each["scopes"])} for each in shown_settings]})
        return Exit.OK
    if not grants:
        say(console(), "nobody has a token; make one: daper mcp token add NAME")
        return Exit.OK
    rows = [(each.name, ", ".join(sorted(each.scopes)), f"{each.created_at:%Y-%m-%d %H:%M}") for each in grants]
    table(console(), ("name", "allows", "made (UTC)"), rows)
    return Exit.OK


@token.command(name="remove")
def remove_token(name: str) -> int:
    """Take a person's token away; it counts at once, also where the server runs.

    Parameters
    ----------
    name
        Whose.
    """
    _tokens().remove(name)
    say(console(), f"the token of {name} allows nothing any more")
    return Exit.OK


def _shown(url: str) -> str:
    """A URL as it may be quoted, and why it may not be used as it is."""
    said = repr(masked_url(url)[:200])
    return f"{said} must be without a name or password, for tokens tell who comes: it" if "@" in url else said


def _tokens() -> Tokens:
    settings = load_settings(needs={Part.DATABASE})
    make_private(settings.home)
    return settings.state.tokens()
