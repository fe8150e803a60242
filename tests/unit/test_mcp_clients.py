"""What `daper mcp config` prints can be pasted: it has the form of the client, this machine's values, and no secret."""

import json
import shlex
import subprocess
import sysconfig
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from daper.core.errors import UserError
from daper.entrypoints.cli.app import run
from daper.entrypoints.cli.exits import UsageError
from daper.entrypoints.cli.mcp_clients import CLIENTS, Local, Remote, configuration, local_server, remote_configuration
from daper.settings import Part, load_settings, shown_settings

DAPER = Path(sysconfig.get_path("scripts"), "daper")
URL = "https://daper.example.org/mcp"
SECRETS = {"TEMPORAL_API_KEY": "hush-1", "TEMPORAL_GRPC_META_X_TENANT": "hush-2", "LLM_KEY": "hush-3"}
ODD = """Owl's "post" $HOME & co `x` \\ Grüße 🦉"""


def local(tmp_path: Path, variables: Mapping[str, str], *, program: Path = DAPER, dotenv: str = "") -> Local:
    """The server as a person with these variables has it."""
    (tmp_path / ".env").write_text(dotenv, encoding="utf-8")
    environ = {"HOME": str(tmp_path), **variables}
    settings = load_settings(needs={Part.CHAT, Part.TEMPORAL}, environ=environ, folder=tmp_path)
    return local_server(settings, shown_settings(environ=environ, folder=tmp_path), program=program)


# Any: documents of many shapes, as in a client.
Started = tuple[list[str], dict[str, str]]


def _json_server(key: str) -> Callable[[str], Started]:
    def read(text: str) -> Started:
        server = json.loads(text)[key]["daper"]
        return [server["command"], *server["args"]], server.get("env", {})

    return read


def _wsl_server(text: str) -> Started:
    command, across = _json_server("mcpServers")(text)
    assert command[:3] == ["wsl.exe", "--exec", "env"]
    at = next(n for n, word in enumerate(command[3:], 3) if "=" not in word)
    variables = dict(word.split("=", 1) for word in command[3:at])
    named = across.pop("WSLENV", "").split(":") if across else []
    assert sorted(named) == sorted(f"{name}/u" for name in across)
    return command[at:], variables | across


def _shell_server(*begins: str) -> Callable[[str], Started]:
    def read(text: str) -> Started:
        assert text.count("\n") == 1
        words = shlex.split(text)
        assert words[: len(begins)] == list(begins)
        at = words.index("--")
        variables = [words[n + 1] for n, word in enumerate(words[:at]) if word == "-e"]
        return words[at + 1 :], dict(word.split("=", 1) for word in variables)

    return read


# Any: scalars, lists and mappings.
def _yaml(text: str) -> Any:
    """The little of YAML that is printed: mappings by two spaces, quoted and bare scalars, lists of bare words."""
    whole: dict[str, Any] = {}
    open_at = {0: whole}
    for line in text.splitlines():
        name, colon, said = line.strip().partition(":")
        assert colon, line
        assert not said or said.startswith(" "), line
        depth = len(line) - len(line.lstrip())
        if not said:
            open_at[depth + 2] = open_at[depth][name] = {}
        elif said.startswith(' "'):
            open_at[depth][name] = json.loads(said)
        elif said.startswith(" ["):
            open_at[depth][name] = [word.strip() for word in said.strip(" []").split(",") if word.strip()]
        else:
            assert said.strip().isalnum() or said.strip() == "streamable_http", line
            open_at[depth][name] = said.strip()
    return whole


def _codex_server(text: str) -> Started:
    server = tomllib.loads(text)["mcp_servers"]["daper"]
    return [server["command"], *server["args"]], server["env"] | dict.fromkeys(server.get("env_vars", ()), "asked")


def _opencode_server(text: str) -> Started:
    server = json.loads(text)["mcp"]["daper"]
    assert (server["type"], server["enabled"]) == ("local", True)
    return server["command"], server["environment"]


def _goose_server(text: str) -> Started:
    server = _yaml(text)["extensions"]["daper"]
    assert (server["name"], server["type"], server["enabled"]) == ("daper", "stdio", "true")
    return [server["cmd"], *server["args"]], server["envs"] | dict.fromkeys(server["env_keys"], "asked")


PUTS_IN = {"gemini-cli"}  # its own variables, wherever there is a $
READ: dict[str, Callable[[str], Started]] = {
    "goose": _goose_server,
    "claude-desktop": _json_server("mcpServers"),
    "claude-desktop-wsl": _wsl_server,
    "claude-code": _shell_server("claude", "mcp", "add"),
    "codex": _codex_server,
    "opencode": _opencode_server,
    "gemini-cli": _json_server("mcpServers"),
    "vscode": _json_server("servers"),
    "inspector": _shell_server("npx", "@modelcontextprotocol/inspector"),
}


def test_there_is_a_reader_for_each_client() -> None:
    assert tuple(READ) == CLIENTS


@pytest.mark.parametrize("client", CLIENTS)
def test_what_is_set_is_told_to_the_client_wherever_it_was_set(client: str, tmp_path: Path) -> None:
    server = local(
        tmp_path,
        {"TEMPORAL_ADDRESS": "owl.example.org:7233", "TEMPORAL_TLS_CLIENT_CERT_PATH": "certs/owl.pem"},
        dotenv=f"USER_NAME=Minerva\nDAPER_HOME={tmp_path / 'kept'}\n",
    )

    command, variables = READ[client](configuration(client, server).text)

    assert command == [str(DAPER), "mcp"]
    assert variables == {
        "DAPER_HOME": str(tmp_path / "kept"),
        "DAPER_MCP_APPROVAL": "elicit",
        "USER_NAME": "Minerva",
        "TEMPORAL_ADDRESS": "owl.example.org:7233",
        # A client starts it in another folder.
        "TEMPORAL_TLS_CLIENT_CERT_PATH": str(Path("certs/owl.pem").absolute()),
    }


def test_the_files_that_are_named_are_named_from_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "strict.toml").write_text("", encoding="utf-8")

    server = local(tmp_path, {"DAPER_POLICY": "strict.toml", "DAPER_PEOPLE": "~/people.toml"})

    assert server.variables["DAPER_POLICY"] == str(tmp_path / "strict.toml")
    assert server.variables["DAPER_PEOPLE"] == str(tmp_path / "home" / "people.toml")


@pytest.mark.parametrize("client", CLIENTS)
def test_paths_and_values_of_any_kind_arrive_as_they_are(client: str, tmp_path: Path) -> None:
    odd = ODD.replace("$", "") if client in PUTS_IN else ODD
    program = tmp_path / odd / "daper"
    server = local(tmp_path, {"USER_NAME": odd, "DAPER_HOME": str(tmp_path / odd)}, program=program)

    command, variables = READ[client](configuration(client, server).text)

    assert command == [str(program), "mcp"]
    assert (variables["USER_NAME"], variables["DAPER_HOME"]) == (odd, str(tmp_path / odd))


@pytest.mark.parametrize(
    ("client", "value"),
    [
        ("gemini-cli", "$HOME"),
        ("gemini-cli", "a ${HOME} b"),
        ("opencode", "{env:HOME}"),
        pytest.param("opencode", "a {file:~/.netrc}", id="a-file"),
    ],
)
def test_what_a_client_would_put_something_else_in_place_of_is_refused(client: str, value: str, tmp_path: Path) -> None:
    for server in (local(tmp_path, {"USER_NAME": value}), local(tmp_path, {}, program=tmp_path / value / "daper")):
        with pytest.raises(UserError, match="would put something else in place of"):
            configuration(client, server)


# A span that is printed as a number, and in which unit.
TIMED: dict[str, Callable[[str], float]] = {
    "goose": lambda text: float(_yaml(text)["extensions"]["daper"]["timeout"]),
    "codex": lambda text: tomllib.loads(text)["mcp_servers"]["daper"]["tool_timeout_sec"],
    "opencode": lambda text: json.loads(text)["mcp"]["daper"]["timeout"] / 1000,
    "gemini-cli": lambda text: json.loads(text)["mcpServers"]["daper"]["timeout"] / 1000,
}
JAVASCRIPT = {"opencode", "gemini-cli"}  # a timer of theirs that is longer than this is over at once
LONGEST_TIMER = (2**31 - 1) / 1000


@pytest.mark.parametrize("client", TIMED)
@pytest.mark.parametrize(("said", "seconds"), [("", 12 * 3600), ("90s", 90), ("30m", 1800), ("365d", 365 * 86400)])
def test_d2_a_timeout_is_as_long_as_a_plan_waits_or_the_longest_that_the_client_takes(
    client: str, said: str, seconds: int, tmp_path: Path
) -> None:
    server = local(tmp_path, {"DAPER_APPROVAL_TIMEOUT": said})
    wanted = min(seconds, LONGEST_TIMER) if client in JAVASCRIPT else seconds

    assert TIMED[client](configuration(client, server).text) == wanted
    assert TIMED[client](remote_configuration(client, Remote(url=URL, waits=server.waits)).text) == wanted


def test_d2_the_policy_bounds_it_as_it_bounds_the_plan(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text('[time]\napproval_timeout = "2h"\n', encoding="utf-8")

    server = local(tmp_path, {"DAPER_POLICY": str(tmp_path / "policy.toml"), "DAPER_APPROVAL_TIMEOUT": "3d"})

    assert TIMED["goose"](configuration("goose", server).text) == 2 * 3600


@pytest.mark.parametrize(("said", "ms"), [("", 43_200_000), ("30d", 2**31 - 1)])
def test_d2_what_claude_code_has_to_be_started_with_is_said(said: str, ms: int, tmp_path: Path) -> None:
    hints = configuration("claude-code", local(tmp_path, {"DAPER_APPROVAL_TIMEOUT": said})).hints

    assert any(f"MCP_TOOL_TIMEOUT={ms}" in hint for hint in hints)


@pytest.mark.parametrize("client", CLIENTS)
def test_no_secret_is_printed_and_which_are_missing_is_said(client: str, tmp_path: Path) -> None:
    server = local(tmp_path, {**SECRETS, "DAPER_ALERTS_PASSWORD": "hush-4"}, dotenv="LLM_MODEL=openai/gpt-4o\n")

    wanted = configuration(client, server)
    _, variables = READ[client](wanted.text)

    assert "hush" not in wanted.text + "".join(wanted.hints)
    missing = {"TEMPORAL_API_KEY", "TEMPORAL_GRPC_META_X_TENANT", "DAPER_ALERTS_PASSWORD"}
    # Nothing of a language model: a worker alone thinks.
    assert set(variables) == {"DAPER_HOME", "DAPER_MCP_APPROVAL"} | missing
    assert all(any(name in hint for hint in wanted.hints) for name in missing)


@pytest.mark.parametrize("client", CLIENTS)
def test_a13_what_is_shown_masked_is_left_for_the_person_to_fill_in(client: str, tmp_path: Path) -> None:
    wanted = configuration(client, local(tmp_path, {"USER_NAME": "https://u:hush-5@host"}))
    _, variables = READ[client](wanted.text)

    assert "hush" not in wanted.text + "".join(wanted.hints)
    assert "***" not in variables["USER_NAME"]
    assert any("USER_NAME" in hint for hint in wanted.hints)


@pytest.mark.parametrize("said", ["elicit", "client"])
def test_how_a_decision_is_confirmed_is_always_said_so_that_no_folder_of_a_client_loosens_it(
    said: str, tmp_path: Path
) -> None:
    assert local(tmp_path, {"DAPER_MCP_APPROVAL": said}).variables["DAPER_MCP_APPROVAL"] == said
    assert local(tmp_path, {}).variables["DAPER_MCP_APPROVAL"] == "elicit"


def test_a_profile_in_the_official_place_is_named(tmp_path: Path) -> None:
    profiles = tmp_path / "config" / "temporalio" / "temporal.toml"
    profiles.parent.mkdir(parents=True)
    profiles.write_text('[profile.default]\naddress = "owl.example.org:7233"\n', encoding="utf-8")

    server = local(tmp_path, {"XDG_CONFIG_HOME": str(tmp_path / "config")})

    assert server.variables["TEMPORAL_CONFIG_FILE"] == str(profiles)


def test_a_value_that_cannot_be_pasted_is_left_to_the_person_and_such_a_path_is_refused(tmp_path: Path) -> None:
    assert local(tmp_path, {"TEMPORAL_NAMESPACE": "owl\x1b[31m"}).fill_in == ("TEMPORAL_NAMESPACE",)
    with pytest.raises(UserError, match="cannot be shown"):
        local(tmp_path, {"DAPER_HOME": str(tmp_path / "a\nb")})


def test_the_remote_form_has_the_url_and_a_place_for_the_token() -> None:
    printed = {
        client: remote_configuration(client, Remote(url=URL)).text
        for client in CLIENTS
        if not client.startswith("claude-desktop")
    }

    goose = _yaml(printed["goose"])["extensions"]["daper"]
    assert (goose["type"], goose["uri"]) == ("streamable_http", URL)
    assert goose["headers"] == {"Authorization": "Bearer PUT-THE-TOKEN-HERE"}
    vscode = json.loads(printed["vscode"])
    assert vscode["servers"]["daper"]["url"] == URL
    assert vscode["servers"]["daper"]["headers"] == {"Authorization": "Bearer ${input:daper-token}"}
    assert [each["id"] for each in vscode["inputs"] if each["password"]] == ["daper-token"]
    codex = tomllib.loads(printed["codex"])["mcp_servers"]["daper"]
    assert (codex["url"], codex["http_headers"]) == (URL, {"Authorization": "Bearer PUT-THE-TOKEN-HERE"})
    for client, key, kind in (("opencode", "mcp", "remote"), ("gemini-cli", "mcpServers", "http")):
        server = json.loads(printed[client])[key]["daper"]
        assert (server["type"], server["url"]) == (kind, URL)
        assert server["headers"] == {"Authorization": "Bearer PUT-THE-TOKEN-HERE"}
    for client in ("claude-code", "inspector"):
        words = shlex.split(printed[client])
        assert words[-1] == URL
        assert words[words.index("--header") + 1] == "Authorization: Bearer PUT-THE-TOKEN-HERE"
        # Their --header takes many values: what follows has to be an option.
        assert words[words.index("--header") + 2].startswith("--")


@pytest.mark.parametrize("client", ["claude-desktop", "claude-desktop-wsl"])
def test_a_client_that_only_starts_programs_is_told_no_url(client: str) -> None:
    with pytest.raises(UsageError, match="goose, claude-code, codex, opencode, gemini-cli, vscode, inspector"):
        remote_configuration(client, Remote(url=URL))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("mcp config", "name a client, one of: goose,"),
        ("mcp config emacs", "'emacs' is none"),
        ("mcp config goose --url ftp://x", "'ftp://x'"),
        ("mcp config goose --url http://[x", "'http://[x'"),
    ],
)
def test_what_is_no_client_or_no_url_is_one_line(line: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(line.split(" ")) == 2

    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert says in printed.err


@pytest.mark.long
def test_what_is_printed_starts_a_server_that_answers(tmp_path: Path) -> None:
    home = tmp_path / "the home of Minerva's orders"
    printed = subprocess.run(
        [DAPER, "mcp", "config", "claude-desktop"],
        env={"HOME": str(tmp_path), "DAPER_HOME": str(home), "USER_NAME": "Minerva"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    command, variables = READ["claude-desktop"](printed.stdout)
    request = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "a client", "version": "1"},
        },
    }

    answered = subprocess.run(
        command, env=variables, cwd="/", input=json.dumps(request) + "\n", capture_output=True, text=True, timeout=60
    )

    [answer] = answered.stdout.splitlines()
    assert json.loads(answer)["result"]["serverInfo"]["name"] == "daper"
    assert answered.returncode == 0, answered.stderr
    assert "claude_desktop_config.json" in printed.stderr
