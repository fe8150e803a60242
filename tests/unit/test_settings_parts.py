"""What is wrong with one part of the settings stops whoever needs that part, and nobody else."""

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import mcp.types as types
import pytest
from command_tree import ALL_COMMANDS
from mcp import Client

from daper.core.access import Access
from daper.core.errors import SettingError, Unreachable
from daper.core.models import IdentityProof, Person
from daper.entrypoints.cli.app import run
from daper.entrypoints.mcp.door import Caller, Door
from daper.entrypoints.mcp.server import build_server
from daper.entrypoints.mcp.start_tools import start_order
from daper.service.requests import StartRepair
from daper.settings import ChatApproval, Part, Settings, load_settings

USER, DATABASE, DOMAIN, POLICY, PEOPLE = Part.USER, Part.DATABASE, Part.DOMAIN, Part.POLICY, Part.PEOPLE
MODELS, REPORTS, CHAT, TEMPORAL = Part.MODELS, Part.REPORTS, Part.CHAT, Part.TEMPORAL
WORKER, CONSOLE, TERMINAL = Part.WORKER, Part.CONSOLE, Part.TERMINAL
STARTS = {USER, DATABASE, DOMAIN, POLICY, PEOPLE, TEMPORAL}

# Command → arguments, and what of the settings it cannot do without.
NEEDS: Mapping[str, tuple[str, set[Part]]] = {
    "console": ("", {USER, DATABASE, TEMPORAL, CONSOLE}),
    "db status": ("", {DATABASE}),
    "db upgrade": ("", {DATABASE}),
    "demo": ("", {USER}),
    "doctor": ("", set()),
    "domain check": ("mine.toml", {DOMAIN}),
    "domain init": ("payments", {DATABASE, DOMAIN}),
    "domain list": ("", {DATABASE, DOMAIN}),
    "domain new": ("mine", {DATABASE, DOMAIN}),
    "domain show": ("payments", {DATABASE, DOMAIN}),
    "domain test": ("mine.toml", {DOMAIN}),
    "eval": ("", {MODELS, DOMAIN, POLICY, PEOPLE}),
    "mcp": ("", {CHAT}),
    "mcp config": ("goose", {CHAT, TEMPORAL}),
    "mcp token add": ("Luna", {DATABASE}),
    "mcp token list": ("", {DATABASE}),
    "mcp token remove": ("Luna", {DATABASE}),
    "people list": ("", {PEOPLE, POLICY}),
    "people test": ("owl", {DATABASE, PEOPLE, USER}),
    "policy check": ("mine.toml", set()),
    "policy show": ("", {POLICY}),
    "proactive check-now": ("", {DATABASE, USER, DOMAIN, TEMPORAL}),
    "proactive start": ("", STARTS),
    "proactive status": ("", {DATABASE, USER, DOMAIN, TEMPORAL}),
    "proactive stop": ("", {DATABASE, USER, DOMAIN, TEMPORAL}),
    "records adopt": ("", {DATABASE, DOMAIN}),
    "records copy": ("--to sqlite", {DATABASE, DOMAIN}),
    "records import": ("", {DATABASE, DOMAIN}),
    "records list": ("", {DATABASE, DOMAIN}),
    "records mapping list": ("", set()),
    "records mapping new": ("orders.csv", set()),
    "records mapping show": ("shopify", set()),
    "records outbox": ("", {DATABASE, DOMAIN, PEOPLE, USER}),
    "records recover": ("--finish", {DATABASE, DOMAIN}),
    "records reset": ("--yes", {DATABASE, DOMAIN}),
    "records show": ("ORD-001-HJP", {DATABASE, DOMAIN}),
    "records tell": ("ORD-002-HJG paid", {DATABASE, DOMAIN, USER}),
    "repair approve": ("r --plan d", {DATABASE, USER, TEMPORAL, TERMINAL}),
    "repair list": ("", {DATABASE, TEMPORAL}),
    "repair reject": ("r --plan d", {DATABASE, USER, TEMPORAL, TERMINAL}),
    "repair report": ("r", {DATABASE, TEMPORAL}),
    "repair show": ("r", {DATABASE, TEMPORAL}),
    "repair start": ("", {*STARTS, TERMINAL}),
    "repair stop": ("r", {DATABASE, USER, TEMPORAL}),
    "repair transcripts": ("r", {DATABASE}),
    "schedule create": ("", STARTS),
    "schedule delete": ("", {DATABASE, USER, DOMAIN, TEMPORAL}),
    "schedule describe": ("", {DATABASE, USER, DOMAIN, TEMPORAL}),
    "schedule list": ("", {DATABASE, TEMPORAL}),
    "schedule pause": ("", {DATABASE, USER, DOMAIN, TEMPORAL}),
    "schedule resume": ("", {DATABASE, USER, DOMAIN, TEMPORAL}),
    "schedule trigger": ("", {DATABASE, USER, DOMAIN, TEMPORAL}),
    "schedule upsert": ("", STARTS),
    "up": ("", {DATABASE, POLICY, PEOPLE, MODELS, TEMPORAL, WORKER}),
    "worker": ("", {DATABASE, POLICY, PEOPLE, MODELS, TEMPORAL, WORKER}),
}
# With these a command does without what it would need else.
SPARED = {
    "proactive stop --domain orders": {DATABASE, USER, TEMPORAL},
    "schedule delete --domain orders": {DATABASE, USER, TEMPORAL},
    "repair approve r --plan d --as Minerva": {DATABASE, TEMPORAL, TERMINAL},
    "repair show r --follow": {DATABASE, USER, TEMPORAL, TERMINAL},
    "mcp config goose --url http://127.0.0.1:7337/mcp": set[Part](),
}
TOOLS: Mapping[str, tuple[dict[str, object], set[Part]]] = {
    "approve_repair": ({"repair_id": "r", "plan_digest": "d"}, {DATABASE, USER, TEMPORAL}),
    "get_proactive_agent": ({}, {DATABASE, USER, DOMAIN, TEMPORAL}),
    "get_record": ({"record_id": "ORD-001-HJP"}, {DATABASE, DOMAIN}),
    "get_repair": ({"repair_id": "r"}, {DATABASE, TEMPORAL}),
    "get_repair_report": ({"repair_id": "r"}, {DATABASE, TEMPORAL}),
    "initiate_proactive_agent": ({}, STARTS),
    "list_records": ({}, {DATABASE, DOMAIN}),
    "list_repairs": ({}, {DATABASE, TEMPORAL}),
    "reject_repair": ({"repair_id": "r", "plan_digest": "d"}, {DATABASE, USER, TEMPORAL}),
    "report_problem": ({"record_ids": ["ORD-001-HJP"]}, {*STARTS, REPORTS}),
    "start_repair": ({}, STARTS),
    "stop_repair": ({"repair_id": "r"}, {DATABASE, USER, TEMPORAL}),
    "tell_record": ({"record_id": "ORD-001-HJP", "fact": "paid"}, {DATABASE, DOMAIN, USER}),
    "wait_for_repair": ({"repair_id": "r", "seconds": 1}, {DATABASE, TEMPORAL}),
}
# What is said of each part, once it is wrong.
SAID: Mapping[Part, str] = {
    USER: "USER_NAME is ",
    DATABASE: "DAPER_DATABASE_URL is ",
    DOMAIN: "DAPER_DOMAIN is ",
    POLICY: "alone.min_confidence is 0.0; it must be a number from 0.95 to 1",
    PEOPLE: "targets.owl.type is 'pigeon'; it must be ",
    MODELS: "DAPER_LLM_TIMEOUT is 'soon'; it must be ",
    REPORTS: "DAPER_REPORTS_WINDOW is '2h'; it must be ",
    CHAT: "DAPER_MCP_APPROVAL is 'perhaps'; it must be ",
    WORKER: "DAPER_WORKER_ADDRESS is 'here'; it must be ",
    CONSOLE: "DAPER_CONSOLE_URL is 'here'; it must be ",
    TERMINAL: "DAPER_ASK_AGAIN_ACTIONS is 'many'; it must be ",
    TEMPORAL: "TEMPORAL_TLS is 'maybe'; it must be ",
}
VALUES: Mapping[Part, dict[str, str]] = {
    USER: {"USER_NAME": "x\u202ey"},
    DATABASE: {"DAPER_DATABASE_URL": "mysql://nobody/nothing"},
    DOMAIN: {"DAPER_DOMAIN": "../orders"},
    MODELS: {"DAPER_LLM_TIMEOUT": "soon"},
    REPORTS: {"DAPER_REPORTS_WINDOW": "2h"},
    CHAT: {"DAPER_MCP_APPROVAL": "perhaps"},
    WORKER: {"DAPER_WORKER_ADDRESS": "here"},
    CONSOLE: {"DAPER_CONSOLE_URL": "here"},
    TERMINAL: {"DAPER_ASK_AGAIN_ACTIONS": "many"},
    TEMPORAL: {"TEMPORAL_TLS": "maybe"},
}
FILES = {
    POLICY: ("policy.toml", "[alone]\nmin_confidence = 0.0\n"),
    PEOPLE: ("people.toml", '[targets.owl]\ntype = "pigeon"\n'),
}
Break = Callable[[Part], Mapping[str, str]]


def nobody(*_: object, **__: object) -> NoReturn:
    raise Unreachable("nobody is there")


@pytest.fixture
def spoil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Break:
    """Make one part wrong, and everything else right; with no Temporal anywhere."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text("")
    for where in (
        "daper.adapters.temporal.connection._open",
        "daper.adapters.temporal.kept_server.KeptServer.open",
        "daper.adapters.temporal.embedded.find_temporal",
        "daper.entrypoints.mcp.stdio.build_server",
    ):
        monkeypatch.setattr(where, nobody)

    def spoilt(part: Part) -> Mapping[str, str]:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        for other, (name, text) in FILES.items():
            (home / name).write_text(text if other is part else "")
        environ = {"HOME": str(tmp_path), "DAPER_HOME": str(home), **VALUES.get(part, {})}
        for name in {name for values in VALUES.values() for name in values} | {"DAPER_HOME", "HOME"}:
            if name in environ:
                monkeypatch.setenv(name, environ[name])
            else:
                monkeypatch.delenv(name, raising=False)
        return environ

    return spoilt


def test_a9_every_command_and_every_tool_is_in_the_table() -> None:
    assert set(NEEDS) == set(ALL_COMMANDS)


LINES = {f"{name} {arguments}".strip(): needed for name, (arguments, needed) in NEEDS.items()}


@pytest.mark.parametrize("line", [*LINES, *SPARED])
def test_a9_a_command_is_refused_for_what_it_needs_and_for_nothing_else(
    line: str, spoil: Break, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = {**LINES, **SPARED}[line]
    for part in Part:
        spoil(part)

        code = run(shlex.split(line))

        shown = capsys.readouterr()
        if part in needed:
            assert (code, shown.out, shown.err.count("\n")) == (2, "", 1), (part, shown)
            assert SAID[part] in shown.err
        else:
            assert SAID[part] not in shown.err, part
            assert "Traceback" not in shown.err


def test_a9_doctor_says_what_is_wrong_with_each_part_and_looks_at_the_rest(
    spoil: Break, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in Part:
        spoil(part)

        assert run(["doctor"]) == 1

        out = capsys.readouterr().out
        assert f"MISSING settings: {'' if part in VALUES else 'the p'}" in out
        assert SAID[part] in out
        assert ("ok      records of orders: " in out) == (part is not DATABASE)


@pytest.mark.long
async def test_a9_a_tool_is_refused_for_what_it_needs_and_for_nothing_else(spoil: Break, tmp_path: Path) -> None:
    class Nobody:
        def __getattr__(self, name: str) -> NoReturn:
            nobody()

    async def connects(_: object) -> object:
        return SimpleNamespace(repairs=Nobody(), proactive=Nobody())

    for part in Part:
        environ = spoil(part)

        def load(environ: Mapping[str, str] = environ) -> object:
            return load_settings(needs=(), environ=environ, folder=tmp_path)

        door = Door(
            settings=load(),  # pyright: ignore[reportArgumentType]
            load=load,  # pyright: ignore[reportArgumentType]
            who=lambda settings: Caller(person=settings.person, access=frozenset(Access), configured=True),
            connects=connects,  # pyright: ignore[reportArgumentType]
        )
        async with Client(build_server(door, approval=ChatApproval.CLIENT, read_only=False)) as client:
            assert {tool.name for tool in (await client.list_tools()).tools} == set(TOOLS)
            for tool, (arguments, needed) in TOOLS.items():
                said = await client.call_tool(tool, arguments)
                text = "".join(each.text for each in said.content if isinstance(each, types.TextContent))
                assert (SAID[part] in text) == (part in needed), (part, tool, text)


async def test_a9_what_was_mended_counts_without_a_new_start(spoil: Break, tmp_path: Path) -> None:
    environ = spoil(POLICY)
    door = Door(
        settings=load_settings(needs=(), environ=environ, folder=tmp_path),
        load=lambda: load_settings(needs=(), environ=environ, folder=tmp_path),
        who=lambda _: Caller(person=Person(name="Luna", how=IdentityProof.CLAIMED), access=frozenset(Access)),
    )
    with pytest.raises(SettingError, match=r"alone\.min_confidence"):
        await door.ready(POLICY)

    (tmp_path / "home" / "policy.toml").write_text("[grant]\nmax_actions = 7\n")

    assert (await door.ready(POLICY)).policy.auto_max_actions == 7


def test_a9_what_stands_in_for_a_policy_that_cannot_be_read_grants_nothing(spoil: Break, tmp_path: Path) -> None:
    settings = load_settings(needs=(), environ=spoil(POLICY), folder=tmp_path)

    assert settings.policy.auto_max_actions == 0
    assert settings.policy.alone is None


async def test_a9_nothing_starts_by_settings_that_were_wrong_while_it_was_connected(
    spoil: Break, tmp_path: Path
) -> None:
    environ, file = spoil(POLICY), tmp_path / "home" / "policy.toml"
    wrong, right, started = file.read_text(), "[grant]\nmax_actions = 7\n", list[int]()
    texts = iter([wrong, right, right])

    class Started(Exception):
        pass

    class Repairs:
        def __init__(self, settings: Settings) -> None:
            self.most = settings.policy.auto_max_actions

        async def start(self, _: object) -> NoReturn:
            started.append(self.most)
            raise Started

    def load() -> Settings:
        file.write_text(next(texts))
        return load_settings(needs=(), environ=environ, folder=tmp_path)

    async def connects(settings: Settings) -> object:
        return SimpleNamespace(repairs=Repairs(settings))

    file.write_text(right)
    person = Person(name="Luna", how=IdentityProof.CLAIMED)
    door = Door(
        settings=load_settings(needs=(), environ=environ, folder=tmp_path),
        load=load,
        who=lambda _: Caller(person=person, access=frozenset(Access)),
        connects=connects,  # pyright: ignore[reportArgumentType]
    )
    with pytest.raises(Started):
        await start_order(door, StartRepair(requested_by=person, domain="orders"))

    assert started == [7], "what stood in for the wrong policy bounds no times"
