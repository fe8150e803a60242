"""A command line that people are told is data, and runs as it is told where its reader is."""

import ast
import copy
import pickle
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_tree import ALL_COMMANDS

from daper.core.commands import CommandLine, Said, joined, names_commands
from daper.core.errors import DaperError, NotFound
from daper.entrypoints.mcp import terminal
from daper.entrypoints.mcp.door import Caller, Door
from daper.entrypoints.mcp.relayed_decision import approval
from daper.entrypoints.mcp.terminal import Terminal, terminal_of
from daper.service.requests import Silence
from daper.settings import Settings, load_settings, shown_settings

SOURCE = Path(__file__).parents[2] / "src" / "daper"
# Who is told there is no chat: a terminal, a browser, mail, and reports on paper or in the UI of Temporal.
OTHER_DOORS = (
    "entrypoints/cli/",
    "entrypoints/checks/",
    "entrypoints/web/",
    "adapters/notify/",
    "adapters/reports/",
    "workflows/details.py",
    "core/notices.py",
)
# What is no command line to run: how something is called, and the help of settings.
NAMES = {"embedded server of daper up"}
ANY_COMMAND = re.compile(rf"\bdaper ({'|'.join(sorted({re.escape(name.split()[0]) for name in ALL_COMMANDS}))})\b")


def told_as_letters(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text("utf-8"))
    docs = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    helps = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "help"
        for part in ast.walk(node.value)
    }
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docs | helps)
    for node in texts:
        if isinstance(node.value, str) and ANY_COMMAND.search(node.value) and node.value not in NAMES:
            yield f"{path.relative_to(SOURCE)}:{node.lineno}: {node.value}"


def test_d6_no_text_that_may_reach_a_chat_has_a_command_line_as_letters() -> None:
    paths = [path for path in SOURCE.rglob("*.py") if not path.relative_to(SOURCE).as_posix().startswith(OTHER_DOORS)]

    assert len(paths) > 100
    assert [each for path in paths for each in told_as_letters(path)] == []


def test_d6_a_text_is_the_same_as_before_and_remembers_its_commands() -> None:
    said = Said("see: ", CommandLine("repair", "show", "a b"), "; or wait")

    assert (said, str(said)) == ("see: daper repair show 'a b'; or wait",) * 2
    for same in (Said(said), copy.deepcopy(said), pickle.loads(pickle.dumps(said)), Silence(message=said).message):  # noqa: S301 - ours
        assert isinstance(same, Said)
        assert same.pieces == ("see: ", CommandLine("repair", "show", "a b"), "; or wait")
    assert names_commands(joined("; ", ["nothing", said]))
    assert joined("; ", ["nothing", said]) == f"nothing; {said}"
    assert Silence.model_validate_json(Silence(message=said).model_dump_json()).message == str(said)


def test_d6_an_error_made_of_another_keeps_its_commands_and_an_f_string_cannot_lose_one() -> None:
    first = NotFound("there is none; see: ", CommandLine("repair", "list"))
    second = DaperError("told so: ", first.said, "!")

    assert str(second) == "told so: there is none; see: daper repair list!"
    assert CommandLine("repair", "list") in second.said.pieces
    with pytest.raises(TypeError, match="Said"):
        f"see: {CommandLine('up')}"


def settings_with(tmp_path: Path, **variables: str) -> tuple[Settings, Terminal]:
    environ = {"HOME": str(Path.home()), **variables}
    settings = load_settings(needs=(), environ=environ, folder=tmp_path, dotenv=False)
    told = shown_settings(environ=environ, folder=tmp_path, dotenv=False)
    return settings, terminal_of(settings, told)


def test_d6_what_leads_to_the_same_records_is_told_and_no_secret(tmp_path: Path) -> None:
    home = tmp_path / "Owl's $HOME"
    _, terminal = settings_with(
        tmp_path,
        DAPER_HOME=str(home),
        DAPER_DOMAIN="alerts",
        DAPER_ORDERS_DATASET="trouble",
        DAPER_ALERTS_PASSWORD="hush-1",  # noqa: S106 - made up
        DAPER_MCP_APPROVAL="client",
        DAPER_APPROVAL_TIMEOUT="2h",
        USER_NAME="Minerva",
        LLM_KEY="hush-2",
        LLM_MODEL="openai/gpt-4o",
        TEMPORAL_ADDRESS="owl.example.org:7233",
        TEMPORAL_API_KEY="hush-3",
        TEMPORAL_TLS_CLIENT_KEY_PATH="keys/owl.pem",
    )

    *variables, program, verb, what, repair_id = shlex.split(terminal.line(CommandLine("repair", "show", "a'b $c")))

    assert dict(each.split("=", 1) for each in variables) == {
        "DAPER_HOME": str(home),
        "DAPER_DOMAIN": "alerts",
        "DAPER_ORDERS_DATASET": "trouble",
        "TEMPORAL_ADDRESS": "owl.example.org:7233",
        "TEMPORAL_TLS_CLIENT_KEY_PATH": str(Path("keys/owl.pem").absolute()),
    }
    assert (Path(program).is_absolute(), Path(program).name) == (True, "daper")
    assert (verb, what, repair_id) == ("repair", "show", "a'b $c")
    assert set(terminal.hidden) == {"TEMPORAL_API_KEY", "DAPER_ALERTS_PASSWORD"}
    told = terminal.worded(Said("see: ", CommandLine("up")))
    assert "hush" not in told
    assert "TEMPORAL_API_KEY" in told


def test_d6_what_is_so_anyway_is_not_told(tmp_path: Path) -> None:
    _, terminal = settings_with(tmp_path, DAPER_HOME=str(Path.home() / ".daper"), DAPER_MCP_APPROVAL="elicit")

    assert terminal.line(CommandLine("repair", "list")) == f"{terminal.program} repair list"
    assert terminal.worded(Said("see: ", CommandLine("up"))) == f"see: {terminal.program} up"


def test_d6_who_reads_it_elsewhere_is_told_where_it_runs() -> None:
    text = Said("start one: ", CommandLine("up"))

    assert Terminal().worded(text) == "start one: daper up"
    assert Terminal(elsewhere=True).worded(text).endswith("daper up; run it on the machine where daper's server runs")


def test_d6_nothing_is_put_into_the_text_of_others_that_looks_like_a_command(tmp_path: Path) -> None:
    settings, _ = settings_with(tmp_path)
    door = Door(
        settings=settings,
        load=lambda: settings,
        who=lambda each: Caller(person=each.person, access=frozenset()),
        terminal=lambda _: Terminal(program="/opt/daper"),
    )
    error = NotFound("no 'daper repair list' here\x1b[2J; see: ", CommandLine("repair", "list"))

    assert door.told(error) == "no 'daper repair list' here<U+001B>[2J; see: /opt/daper repair list"
    assert door.worded("daper repair list") == "daper repair list"


def test_d6_a_value_that_nobody_can_see_is_pasted_as_what_it_is() -> None:
    wanted = approval("r1", "p1", ["a1"], None, {"a1": {"note": "x\u202ey"}}, "")
    assert str(wanted.command) == r"""daper repair approve r1 --action a1 --edit 'a1.note="x\u202ey"'"""


def test_a_selection_goes_into_the_command_as_one_word_and_into_words_short_and_visible() -> None:
    wanted = approval("r1", "p1", ["all but a7, a9"], ["a7"], None, "")
    hostile = approval("r1", "p1", None, ["x\x1b" * 300], None, "")
    assert str(wanted.command) == "daper repair approve r1 --action 'all but a7, a9' --reject a7"
    assert wanted.in_short == "approve all but a7, a9, reject a7"
    assert hostile.in_short.startswith("approve all other actions, reject x<U+001B>")
    assert len(hostile.in_short) < 300


def test_d6_a_command_that_would_be_cut_is_told_without_what_makes_it_long() -> None:
    wanted = approval("r1", "p1", ["a1"], None, {"a1": {"note": "x" * 5000}}, "")
    assert wanted.in_a_terminal == (
        "The person can say it in a terminal, with --action, --reject and --edit, which shows the plan and asks: "
        "daper repair approve r1"
    )


def test_d6_a_program_whose_path_looks_like_a_key_is_told_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "program_here", lambda: tmp_path / "sk-learning-environment-of-the-school" / "daper")
    environ = {"HOME": str(tmp_path)}
    told = terminal_of(load_settings(environ=environ), shown_settings(environ=environ))
    assert told.worded(Said("see: ", CommandLine("repair", "list"))) == "see: daper repair list"
