"""The docs name everything that there is, and nothing that there is not."""

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_tree import ALL_COMMANDS
from jsonschema import validate
from mcp.server import MCPServer
from mcp.types import ToolAnnotations

from daper.core.access import Access
from daper.core.models import Confirmation
from daper.core.notices import Occasion
from daper.core.outcomes import OutcomeStatus, VerificationStatus
from daper.core.phases import Phase
from daper.core.policy import ApprovalPolicy
from daper.core.proactive import AgentPhase
from daper.domains.orders.needs import OrderProblem
from daper.domains.registry import declared_options, load_domains
from daper.entrypoints.cli.exits import Exit
from daper.entrypoints.cli.mcp_clients import CLIENTS, Local, configuration
from daper.entrypoints.mcp.door import Caller, Door
from daper.entrypoints.mcp.server import build_server
from daper.entrypoints.web.api.problems import Kind
from daper.entrypoints.web.api.table import OPERATIONS
from daper.settings import ChatApproval, Setting, every_setting, load_settings

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
COMMANDS = ROOT / "docs" / "commands.md"
DEMO = ROOT / "docs" / "demo.md"
CONCEPTS = ROOT / "docs" / "concepts.md"
CONFIGURATION = ROOT / "docs" / "configuration.md"
CHAT = ROOT / "docs" / "mcp.md"
API = ROOT / "docs" / "api.md"
CONVERSATION = ROOT / "docs" / "mcp-conversation.md"
EXAMPLE = ROOT / ".env.example"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BY_NAME = {page.relative_to(ROOT).as_posix(): page for page in PAGES}
READ_AT_ONE_GO = 100  # lines
READ_IN_THREE_MINUTES = 160

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\| `([^`|]+)`", re.MULTILINE)


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def rows(page: Path) -> list[str]:
    """What stands as code in the first column of the tables of a page."""
    return _ROW.findall(text(page))


def blocks(language: str) -> list[tuple[str, str]]:
    found = ((name, match) for name, page in BY_NAME.items() for match in _FENCE.finditer(text(page)))
    return [(name, match[2]) for name, match in found if match[1] == language]


def code_of(page: Path) -> Iterator[str]:
    """Each line of shell blocks, and each piece of inline code."""
    whole = text(page)
    for match in _FENCE.finditer(whole):
        if match[1] == "sh":
            yield from (line.partition("#")[0].strip() for line in match[2].splitlines())
    yield from (" ".join(code.split()) for code in re.findall(r"`([^`]+)`", _FENCE.sub("", whole)))


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", _FENCE.sub("", text(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def as_shown(setting: Setting) -> str:
    default = setting.default or "-"
    shown = default if " " in default or default == "-" else f"`{default}`"
    told = setting.help.replace("|", "\\|")  # else it would end the cell
    return f"| `{setting.name}` | {shown} | {told}{' Secret.' if setting.secret else ''} |"


def test_the_configuration_page_has_every_setting_as_it_is_and_no_other() -> None:
    shown = [line for line in text(CONFIGURATION).splitlines() if line.startswith("| `")]

    assert shown == [as_shown(setting) for setting in every_setting()]


def test_the_example_has_every_setting_with_its_default_and_no_other() -> None:
    found = re.findall(r"^#([A-Z_*]+)=(.*)$", text(EXAMPLE), re.MULTILINE)

    assert found == [(each.name, "" if " " in each.default else each.default) for each in every_setting()]
    for setting in every_setting():
        assert f"# {setting.help}" in text(EXAMPLE)


def test_the_example_changes_nothing_as_it_is_and_nothing_with_its_defaults(tmp_path: Path) -> None:
    bare = load_settings(environ={"HOME": str(tmp_path)}, folder=tmp_path)
    dotenv = tmp_path / ".env"

    dotenv.write_text(text(EXAMPLE), encoding="utf-8")
    assert load_settings(environ={"HOME": str(tmp_path)}, folder=tmp_path) == bare

    dotenv.write_text(re.sub(r"^#([A-Z_]+=)", r"\1", text(EXAMPLE), flags=re.MULTILINE), encoding="utf-8")
    filled = load_settings(environ={"HOME": str(tmp_path)}, folder=tmp_path)
    for name in ("home", "user", "task_queue", "domain", "approval_timeout", "decision_valid_for", "address"):
        assert getattr(filled, name) == getattr(bare, name)
    assert bare.domain_options("orders") == {}
    assert filled.domain_options("orders") == {
        each.name: each.default for each in declared_options()["orders"] if each.default
    }


@pytest.mark.parametrize("name", ALL_COMMANDS)
def test_the_page_of_commands_has_a_row_for_each(name: str) -> None:
    assert f"daper {name}" in rows(COMMANDS)


@pytest.mark.parametrize("name", BY_NAME)
def test_every_command_and_option_in_the_docs_is_there(name: str) -> None:
    for code in code_of(BY_NAME[name]):
        if not code.startswith("daper "):
            continue
        words = code.split()[1:]
        path = next((" ".join(words[:n]) for n in (3, 2, 1) if " ".join(words[:n]) in ALL_COMMANDS), None)
        if path is None:
            assert words[0] == "--help", f"{code!r} is no command"
            continue
        known = {name for argument in ALL_COMMANDS[path].assemble_argument_collection() for name in argument.names}
        assert {word for word in words if word.startswith("--")} <= known | {"--help"}, code


@pytest.mark.parametrize("phase", [*Phase, *AgentPhase])
def test_the_concepts_have_a_row_for_each_phase(phase: str) -> None:
    assert phase in rows(CONCEPTS)


@pytest.mark.parametrize("status", [*OutcomeStatus, *VerificationStatus])
def test_the_concepts_have_a_row_for_each_outcome_and_each_verification(status: str) -> None:
    assert status in rows(CONCEPTS)


@pytest.mark.parametrize("code", Exit)
def test_the_page_of_commands_has_a_row_for_each_exit_code(code: Exit) -> None:
    assert str(code.value) in rows(COMMANDS)


def test_the_concepts_name_every_problem_and_tool_of_the_orders(tmp_path: Path) -> None:
    orders = load_domains(tmp_path, options=lambda _: {})["orders"]

    assert {*OrderProblem, *orders.tools} <= set(rows(CONCEPTS))
    for name, tool in orders.tools.items():
        assert f"| `{name}` | {tool.risk} |" in text(CONCEPTS)


def test_every_installed_domain_is_named_somewhere(tmp_path: Path) -> None:
    whole = "\n".join(text(page) for page in PAGES)

    for name in load_domains(tmp_path, options=lambda _: {}):
        assert f"`{name}`" in whole


def test_the_concepts_tell_the_limits_of_the_policy() -> None:
    policy, told = ApprovalPolicy(), text(CONCEPTS)

    assert f"at most {policy.auto_max_risk} |" in told
    assert f"at least {policy.auto_min_confidence};" in told
    assert f"| at most {policy.auto_max_actions} |" in told
    assert f"| at most {policy.auto_max_spend:,}," in told


@pytest.mark.parametrize("name", BY_NAME)
def test_links_between_pages_lead_somewhere(name: str) -> None:
    page = BY_NAME[name]

    for target in re.findall(r"\]\(([^)\s]+)\)", _FENCE.sub("", text(page))):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


@pytest.mark.parametrize("name", BY_NAME)
def test_files_that_a_page_names_are_there(name: str) -> None:
    for path in re.findall(r"`((?:src|tests|docs)/[\w./-]+)`", text(BY_NAME[name])):
        assert (ROOT / path).exists(), path


def test_what_the_docs_tell_to_make_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    told = {word for page in PAGES for code in code_of(page) for word in re.findall(r"^make ([a-z-]+)", code)}

    assert {"demo", "test"} <= {word for code in code_of(README) for word in re.findall(r"^make ([a-z-]+)", code)}
    assert told <= targets


def test_code_in_the_docs_can_be_read() -> None:
    for _, code in blocks("python"):
        ast.parse(code if not code.startswith("    ") else f"class Shown:\n{code}")
    for _, code in blocks("toml"):
        tomllib.loads(code)
    for _, code in blocks("json"):
        json.loads(code)
    assert blocks("python")


def test_the_run_of_the_demo_is_of_this_program() -> None:
    [run] = [code for name, code in blocks("text") if name == "docs/demo.md"]

    assert re.findall(r"^Current repair status: (.+)$", run, re.MULTILINE) == [
        phase for phase in Phase if not phase.ended or phase is Phase.REPORT_COMPLETED
    ]
    assert "/tmp/daper-demo-xxxx" in run  # noqa: S108 - text


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "adr").glob("0*.md")), ids=lambda path: path.stem)
def test_a_decision_has_its_three_parts_and_a_place_in_the_list(path: Path) -> None:
    assert re.findall(r"^## (.+)$", text(path), re.MULTILINE) == ["Context", "Decision", "Consequences"]
    number, title = re.findall(r"^# (\d+)\. (.+)$", text(path), re.MULTILINE)[0]
    assert int(number) == int(path.name[:4])
    assert f"{number}. [{title}]({path.name})" in text(path.parent / "README.md")


def chat_server(home: Path) -> MCPServer[None]:
    """The server that chat clients speak to, and nobody at work behind it."""
    settings = load_settings(environ={"HOME": str(home)}, folder=home)
    door = Door(
        settings=settings,
        load=lambda: settings,
        who=lambda settings: Caller(person=settings.person, access=frozenset(Access)),
    )
    return build_server(door, approval=ChatApproval.ELICIT, read_only=False)


def hints_in_words(hints: ToolAnnotations | None) -> str:
    assert hints is not None
    if hints.read_only_hint:
        return "reads only"
    does = "may change things" if hints.destructive_hint else "adds"
    return (
        f"{does}{', also outside' if hints.open_world_hint else ''}{'; again is safe' if hints.idempotent_hint else ''}"
    )


async def test_the_chat_page_has_the_tools_resources_and_prompts_of_the_server(tmp_path: Path) -> None:
    server = chat_server(tmp_path)

    told = re.findall(r"^\| `([a-z_]+)` \| ([A-Z][^|]+) \| ([^|]+) \| [^|]+ \|$", text(CHAT), re.MULTILINE)
    tools = [(tool.name, tool.title, hints_in_words(tool.annotations)) for tool in await server.list_tools()]
    assert sorted(told) == sorted(tools)
    resources = {template.uri_template for template in await server.list_resource_templates()}
    prompts = {prompt.name for prompt in await server.list_prompts()}
    assert resources | prompts <= set(rows(CHAT))


@pytest.mark.parametrize("client", CLIENTS)
def test_the_chat_page_shows_what_is_printed_for_each_client(client: str) -> None:
    home = {"DAPER_HOME": "/home/harry/.daper", "DAPER_MCP_APPROVAL": "elicit"}
    printed = configuration(client, Local(program="/home/harry/daper/.venv/bin/daper", variables=home))

    assert f"\n{printed.text}```" in text(CHAT)
    assert f"daper mcp config {client}" in code_of(CHAT)


@pytest.mark.parametrize("event", Occasion)
def test_the_page_on_people_has_a_row_for_each_event(event: Occasion) -> None:
    assert event in rows(ROOT / "docs" / "people.md")


@pytest.mark.parametrize("confirmed", Confirmation)
def test_the_concepts_have_a_row_for_each_way_to_confirm(confirmed: Confirmation) -> None:
    assert confirmed in rows(CONCEPTS)


async def test_the_calls_and_answers_of_the_recorded_conversation_still_fit_the_tools(tmp_path: Path) -> None:
    tools = {tool.name: tool for tool in await chat_server(tmp_path).list_tools()}
    calls = re.findall(r"^## `(\w+)`\n(.*?)(?=^## |\Z)", text(CONVERSATION), re.MULTILINE | re.DOTALL)

    assert {"start_repair", "approve_repair", "get_repair_report"} <= {name for name, _ in calls}
    for name, said in calls:
        documents = [json.loads(found[2]) for found in _FENCE.finditer(said) if found[1] == "json"]
        output = tools[name].output_schema
        assert output is not None
        validate(documents[0], tools[name].input_schema)
        assert set(documents[-1]) <= set(output["properties"]), name


def test_the_first_pages_are_short() -> None:
    assert len(text(ROOT / "AGENTS.md").splitlines()) < READ_AT_ONE_GO
    assert len(text(README).splitlines()) <= READ_IN_THREE_MINUTES


def test_the_page_of_the_api_has_every_operation_with_its_scope_and_every_kind_of_problem() -> None:
    whole = text(API)
    shown = re.findall(r"^\| `(/[^`]*)` \| ([A-Z]+) \| (\w*) ?\|", whole, re.MULTILINE)
    kinds = re.findall(r"^\| `([a-z-]+)` \| (\d+) \| (.*) \|$", whole, re.MULTILINE)

    assert sorted(shown) == sorted((each.path, each.method, str(each.access or "")) for each in OPERATIONS)
    assert kinds == [(str(kind), str(int(kind.status)), kind.words) for kind in Kind]
