"""The command line before anything runs: what help teaches, what it costs, what cannot be meant."""

import subprocess
import sys

import pytest
from command_tree import ALL_COMMANDS

from daper.entrypoints.cli.app import run

COMMANDS = """\
console
db status
db upgrade
demo
doctor
domain check
domain init
domain list
domain new
domain show
domain test
eval
mcp
mcp config
mcp token add
mcp token list
mcp token remove
people list
people test
policy check
policy show
proactive check-now
proactive start
proactive status
proactive stop
records adopt
records copy
records import
records list
records mapping list
records mapping new
records mapping show
records outbox
records recover
records reset
records show
records tell
repair approve
repair list
repair reject
repair report
repair show
repair start
repair stop
repair transcripts
schedule create
schedule delete
schedule describe
schedule list
schedule pause
schedule resume
schedule trigger
schedule upsert
up
worker
"""
HELP = """\
Usage: daper COMMAND

Find what is wrong in a system of records, plan the repair, ask, repair, verify,
report.

╭─ Commands ───────────────────────────────────────────────────────────────────╮
│ console      Pages in a browser: what waits, plans, decisions.               │
│ db           The database that records and state are in: what it has, and    │
│              upgrading it.                                                   │
│ demo         One repair, shown live, on a throw-away copy and its own        │
│              Temporal.                                                       │
│ doctor       What is configured, what answers, what is missing.              │
│ domain       Domains that a file declares: look a file over, make its        │
│              ledger, see what is there.                                      │
│ eval         How good the agents are, over generated cases.                  │
│ mcp          The agents as tools for chat clients, over stdio or HTTP.       │
│ people       Who may be told of repairs: see them, and try them out.         │
│ policy       What may run without a person's yes.                            │
│ proactive    An agent that repairs again and again, each time with a plan    │
│              that waits for you.                                             │
│ records      See the records and what is wrong with them; import your own.   │
│ repair       Start repairs, look at them, decide, stop.                      │
│ schedule     Repairs that start at their times, each with a plan that waits  │
│              for you.                                                        │
│ up           A Temporal server of your own with its UI, and a worker, until  │
│              Ctrl-C.                                                         │
│ worker       Run a worker against the configured Temporal, until Ctrl-C.     │
│ --help (-h)  Display this message and exit.                                  │
│ --version    Display application version.                                    │
╰──────────────────────────────────────────────────────────────────────────────╯

Try it without anything set up: daper demo. Exit codes: 0 ended as asked, 3 
ended and a person is needed, 1 error, 2 usage.
"""


def test_the_commands_are_these() -> None:
    assert "".join(f"{name}\n" for name in ALL_COMMANDS) == COMMANDS


def test_help_says_what_there_is(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    assert run(["--help"]) == 0
    assert capsys.readouterr().out == HELP


@pytest.mark.parametrize("name", ALL_COMMANDS)
def test_each_command_s_help_tells_its_whole_docstring_and_every_option(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ALL_COMMANDS[name]
    assert command.default_command is not None

    assert run([*name.split(), "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())

    first = (command.default_command.__doc__ or "").partition("\n\n")[0]
    assert " ".join(first.split()) in shown
    for argument in command.assemble_argument_collection(parse_docstring=True):
        if argument.children:  # several options in one
            continue
        assert argument.parameter.help, f"{name}: {argument.name} is not explained"
        assert " ".join(argument.parameter.help.split()) in shown
    assert "[default: False]" not in shown
    assert "Parameters ----" not in shown


def test_help_and_version_import_neither_temporal_nor_pydantic() -> None:
    script = "import sys; from daper.entrypoints.cli.app import run; run(sys.argv[1:]); print([*sys.modules])"

    for words in (["--help"], ["--version"], ["repair", "--help"]):
        ran = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=True)
        loaded = ran.stdout.splitlines()[-1]
        assert "'daper.entrypoints.cli.app'" in loaded
        assert not [name for name in ("'temporalio'", "'pydantic'") if name in loaded]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("nonsense", 'Unknown command "nonsense"'),
        ("repair show", 'daper: Command "repair show" needs REPAIR-ID. See: daper repair show --help'),
        ("records tell", 'daper: Command "records tell" needs RECORD-ID. A shell takes # and all that follows for a'),
        ("records tell paid", "needs FACT. A shell takes # and all that follows for a comment: quote an id"),
        ("records tell x paid --item", "--item requires an argument. A shell takes # and all that follows"),
        ("records show", "as '#1001'. See: daper records show --help"),
        ("repair start --record", "parameter --record requires an argument. A shell takes #"),
        ("records outbox --state", "parameter --state requires an argument. See: daper records outbox --help"),
        ("repair show x --bogus\x1b[31m", "--bogus<U+001B>[31m"),
        ("repair show x --page 0", "page is 0"),
        ("repair list --limit 0", "--limit 0"),
        ("repair start --limit 501", "--limit 501"),
        ("repair start --approval-timeout 0s", "--approval-timeout 0:00:00"),
        ("proactive start --interval 0s", "interval is datetime.timedelta(0)"),
        ("proactive start --approval-timeout 400d", "approval_timeout is datetime.timedelta(days=400)"),
        ("schedule create --cron hello", "it has 1 fields and must have five"),
        ("schedule upsert --every 0s", "the interval 0:00:00 must be from 1s to 366d"),
        ("schedule create --every 1h --offset 1h", "the offset 1:00:00 must be at least 0s, and shorter"),
        ("schedule create --cron @daily --every 1d", "--every and --offset do not go with it"),
        ("schedule create --cron @daily --time-zone Mars/Olympus", "there is no time zone 'Mars/Olympus'"),
        ("schedule create --time-zone Europe/London", "--time-zone goes with --cron"),
        ("schedule create --catch-up 1s", "catch_up is datetime.timedelta(seconds=1)"),
        ("schedule create --approval-timeout 0s", "--approval-timeout 0:00:00"),
        ("schedule create --limit 501", "--limit 501"),
        ("schedule create --auto-approve", "--auto-approve"),
        ("schedule create two/words", "'two/words' cannot be the name of a schedule"),
        ("schedule delete ", "the name of a schedule is empty"),
        ("schedule list --limit 0", "--limit 0"),
        ("repair approve x --plan y --edit quantity=250", "'quantity=250'"),
        ("repair approve x --plan y --as " + "M" * 201, "name is 'MMM"),
        ("repair approve x", "--plan DIGEST is needed"),
        ("records list --first -1", "--first -1"),
        ("records list --search x --status " + "s" * 201, "status is 'sss"),
        ("records import", "needs 2 files: the orders, then the inventory; got 0"),
        ("records recover", "--keep-edited or --finish"),
        ("console --port 70000", "70000"),
        ("console --public-url daper.example.org", "'daper.example.org' must be a URL"),
        ("console --public-url https://u:secret@daper.example.org", "'https://***@daper.example.org' must be a URL"),
        ("console --public-url https://daper.example.org/here", "must be a URL without a path"),
        ("up --port 7233 --console-port 7233", "--port and --console-port are both 7233"),
        ("up --console-port 7233 --no-console", "--no-console and --console-port contradict each other"),
        ("demo --auto-approve --console", "--auto-approve and --console contradict each other"),
        ("mcp --http --port 70000", "--port 70000"),
        ("mcp --http --public-url daper.example.org", "'daper.example.org' must be a URL"),
        ("mcp --http --public-url https://", "'https://' must be a URL"),
    ],
)
def test_what_cannot_be_meant_is_one_line_and_a_usage_error(
    line: str, says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TEMPORAL_TLS", "DAPER_DOMAIN", "USER_NAME"):
        monkeypatch.delenv(name, raising=False)

    assert run(line.split(" ")) == 2

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("daper: ")
    assert shown.err.count("\n") == 1
    assert says in shown.err
