"""What `daper mcp config` prints is pasted as it is, and the client itself says that it has reached the server."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.clients.chat import write
from tests.clients.node import CHATS, Answer, entry, finished, node, this_machine, variables
from tests.clients.silent_proxy import refusing
from tests.e2e.conftest import Beside, Shop, make_shop
from tests.e2e.mcp_serving import serving

pytestmark = pytest.mark.long

# As long as a plan can be told to wait: more than the timers of JavaScript can count.
PATIENT = {"DAPER_APPROVAL_TIMEOUT": "365d"}
CLIENTS = ("codex", "opencode", "gemini-cli", "claude-code")
_PROGRAMS = {
    "codex": lambda: [node(), entry("@openai/codex/bin/codex.js", CHATS)],
    "opencode": lambda: [entry(f"opencode-{this_machine()}/bin/opencode", CHATS)],
    "gemini-cli": lambda: [node(), entry("@google/gemini-cli/bundle/gemini.js", CHATS)],
    "claude-code": lambda: [entry(f"@anthropic-ai/claude-code-{this_machine()}/claude", CHATS)],
}
_FILES = {"codex": ".codex/config.toml", "opencode": "work/opencode.json", "gemini-cli": ".gemini/settings.json"}
_ITS_OWN = {"GEMINI_CLI_TRUST_WORKSPACE": "true", "GEMINI_CLI_NO_RELAUNCH": "true", "DISABLE_AUTOUPDATER": "1"}
# codex tells which servers it has reached to a program that asks in this way.
_STATUS: tuple[dict[str, object], ...] = (
    {"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "a test", "version": "1"}}},
    {"method": "initialized"},
    {"id": 2, "method": "mcpServerStatus/list", "params": {}},
)
_ASKS = "import subprocess, sys; run = subprocess.Popen(sys.argv[2:], stdin=-1, stdout=-1, text=True)"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, address: str, beside: Beside) -> Shop:
    """A shop in a folder whose name has to be written with care."""
    return make_shop(tmp_path_factory.mktemp("printed") / 'Owl\'s "post" & co', address, beside)


def reached(client: str, printed: str, home: Path, extra: Mapping[str, str]) -> str:
    """What a client says of its servers, which has this configuration and a home of its own."""
    work = home / "work"
    work.mkdir(parents=True)
    with refusing() as beyond:
        env = {**variables(home), **beyond.variables, **_ITS_OWN, **extra}

        def ran(*words: str) -> Answer:
            return finished([*_PROGRAMS[client](), *words], env=env, cwd=work)

        if client == "claude-code":
            assert ran(*shlex.split(printed)[1:]).code == 0
        else:
            write(home / _FILES[client], printed)
        if client == "codex":
            return _asked([str(word) for word in _PROGRAMS[client]()], env, work)
        listed = ran("mcp", "list")
        return listed.out + listed.err


def _asked(command: list[str], env: Mapping[str, str], work: Path) -> str:
    """The answer of codex to who asks for its servers, and hangs up when it has come."""
    said = "\\n".join(map(json.dumps, _STATUS)) + "\\n"
    script = (
        f"{_ASKS}; run.stdin.write(sys.argv[1]); run.stdin.flush()\n"
        "print(next(line for line in run.stdout if line.startswith('{\"id\":2')))\n"
        "run.kill()"
    )
    return finished(["python3", "-c", script, said.replace("\\n", "\n"), *command, "app-server"], env=env, cwd=work).out


def connected(client: str, said: str) -> bool:
    """Whether it says that it has reached daper."""
    if client == "codex":
        [server] = json.loads(said)["result"]["data"]
        return server["serverInfo"]["name"] == "daper" and "approve_repair" in server["tools"]
    [line] = [line for line in said.splitlines() if "daper" in line and ("✓" in line or "✔" in line)]
    return "onnected" in line


@pytest.mark.parametrize("client", CLIENTS)
def test_d2_what_is_printed_connects_however_long_plans_wait(client: str, shop: Shop, tmp_path: Path) -> None:
    printed = shop.run("mcp", "config", client, extra={**PATIENT, "TEMPORAL_TLS_CLIENT_KEY_DATA": "hush"}).out

    assert "hush" not in printed
    said = reached(client, printed, tmp_path / "home", {"TEMPORAL_TLS_CLIENT_KEY_DATA": "hush"})
    assert connected(client, said), said


@pytest.mark.parametrize("client", CLIENTS)
def test_d2_what_is_printed_for_a_server_elsewhere_connects_with_a_token(
    client: str, shop: Shop, tmp_path: Path
) -> None:
    name = f"Luna with {client}"
    token = shop.run("mcp", "token", "add", name).out.strip()
    with serving(shop) as server:
        printed = shop.run("mcp", "config", client, "--url", server.url, extra=PATIENT).out
        said = reached(client, printed.replace("PUT-THE-TOKEN-HERE", token), tmp_path / "home", {})
        without = reached(client, printed, tmp_path / "nobody", {})

    assert connected(client, said), said
    assert "✓" not in without
    assert "✔" not in without
    assert "approve_repair" not in without
