"""The `daper` command: nouns, then verbs. What a command needs is imported when it runs, so `--help` is quick."""

import sys

from cyclopts import App, CycloptsError

from daper import __version__
from daper.core.errors import DaperError, SettingError
from daper.entrypoints.cli.exits import Exit, UsageError, leave

CLI = "daper.entrypoints.cli"

app = App(
    name="daper",
    version=__version__,
    help_format="plaintext",
    help="Find what is wrong in a system of records, plan the repair, ask, repair, verify, report.",
    help_epilogue=(
        "Try it without anything set up: daper demo. "
        "Exit codes: 0 ended as asked, 3 ended and a person is needed, 1 error, 2 usage."
    ),
)
repair = App(name="repair", help="Start repairs, look at them, decide, stop.")
records = App(name="records", help="See the records and what is wrong with them; restore the shipped ones.")
app.command(repair)
app.command(records)

app.command(f"{CLI}.demo:demo", name="demo", help="One repair, shown live, on a throw-away copy and its own Temporal.")
app.command(f"{CLI}.work:work", name="worker", help="Run a worker against the configured Temporal, until Ctrl-C.")
app.command(f"{CLI}.doctor:doctor", name="doctor", help="What is configured, what answers, what is missing.")
_REPAIR = {
    "start": ("starting:start", "Start a repair, follow it, and ask for the decision."),
    "list": ("looking:list_repairs", "The newest repairs."),
    "show": ("looking:show", "One repair: phase, plan, decision, outcome."),
    "approve": ("deciding:approve", "Approve the waiting plan, or some of its actions."),
    "reject": ("deciding:reject", "Reject the waiting plan, or some of its actions."),
    "stop": ("deciding:stop", "End a repair; effects in flight are settled first."),
    "report": ("looking:report", "The report of an ended repair."),
}
_RECORDS = {
    "list": ("records:list_records", "Records with their problems."),
    "show": ("records:show", "One record in full."),
    "reset": ("records:reset", "Restore the shipped records; the ledger of effects is kept."),
    "recover": ("records:recover", "The ways out when a change was interrupted and a file edited since."),
}
for group, commands in ((repair, _REPAIR), (records, _RECORDS)):
    for name, (where, help_text) in commands.items():
        group.command(f"{CLI}.{where}", name=name, help=help_text)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code. An expected error is one line on stderr."""
    try:
        code = app(arguments, exit_on_error=False, result_action="return_value")
    except CycloptsError:
        return Exit.USAGE
    except (UsageError, SettingError) as error:
        sys.stderr.write(f"daper: {error}\n")
        return Exit.USAGE
    except DaperError as error:
        sys.stderr.write(f"daper: {error}\n")
        return Exit.ERROR
    return code if isinstance(code, int) else Exit.OK


def main() -> None:
    """The entry point."""
    leave(run(sys.argv[1:]))
