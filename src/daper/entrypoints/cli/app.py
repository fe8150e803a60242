"""The `daper` command: nouns, then verbs. What a command needs is imported when it runs, so `--help` is quick."""

import inspect
import signal
import sys

from cyclopts import App, CycloptsError, MissingArgumentError

from daper import __version__
from daper.adapters.privacy import keep_new_files_private
from daper.core.errors import DaperError, SettingError
from daper.core.text import visible
from daper.entrypoints.cli.blanks import without_blanks
from daper.entrypoints.cli.exits import Exit, Interrupted, UsageError, leave, mute

CLI = "daper.entrypoints.cli"
_HELP = ("--help", "-h")
_LONGEST_ERROR = 4000
_OF_RECORDS = ("records tell", "records show")

app = App(
    name="daper",
    version=__version__,
    help_flags=_HELP,
    help_format="plaintext",
    help="Find what is wrong in a system of records, plan the repair, ask, repair, verify, report.",
    help_epilogue=(
        "Try it without anything set up: daper demo. "
        "Exit codes: 0 ended as asked, 3 ended and a person is needed, 1 error, 2 usage."
    ),
)
repair = App(name="repair", help="Start repairs, look at them, decide, stop.")
proactive = App(
    name="proactive", help="An agent that repairs again and again, each time with a plan that waits for you."
)
policy = App(name="policy", help="What may run without a person's yes.")
schedule = App(name="schedule", help="Repairs that start at their times, each with a plan that waits for you.")
records = App(name="records", help="See the records and what is wrong with them; import your own.")
mapping = App(name="mapping", help="How other systems write orders and stock, for records import.")
database = App(name="db", help="The database that records and state are in: what it has, and upgrading it.")
domain = App(name="domain", help="Domains that a file declares: look a file over, make its ledger, see what is there.")
people = App(name="people", help="Who may be told of repairs: see them, and try them out.")
app.command(repair)
app.command(proactive)
app.command(schedule)
app.command(policy)
app.command(records)
records.command(mapping)
app.command(database)
app.command(domain)
app.command(people)

app.command(f"{CLI}.demo:demo", name="demo", help="One repair, shown live, on a throw-away copy and its own Temporal.")
app.command(f"{CLI}.up:up", name="up", help="A Temporal server of your own with its UI, and a worker, until Ctrl-C.")
app.command(f"{CLI}.work:work", name="worker", help="Run a worker against the configured Temporal, until Ctrl-C.")
app.command(f"{CLI}.console:console", name="console", help="Pages in a browser: what waits, plans, decisions.")
app.command(f"{CLI}.mcp:app", name="mcp", help="The agents as tools for chat clients, over stdio or HTTP.")
app.command(
    f"{CLI}.evaluation_command:evaluate_agents", name="eval", help="How good the agents are, over generated cases."
)
app.command(f"{CLI}.doctor:doctor", name="doctor", help="What is configured, what answers, what is missing.")
_REPAIR = {
    "start": ("repair_start:start", "Start a repair, follow it, and ask for the decision."),
    "list": ("repair_list:list_repairs", "The newest repairs."),
    "show": ("repair_view:show", "One repair: phase, plan, decision, outcome."),
    "approve": ("decision:approve", "Approve the waiting plan, or some of its actions."),
    "reject": ("decision:reject", "Reject the waiting plan, or some of its actions."),
    "stop": ("decision:stop", "End a repair; effects in flight are settled first."),
    "report": ("report_file:report", "The report of a repair, or its plan, as Markdown, HTML, PDF or JSON."),
    "transcripts": ("transcripts:transcripts", "What was said to language models in a repair, and their answers."),
}
_PROACTIVE = {
    "start": ("proactive:start", "Start your proactive agent, or find that it runs."),
    "status": ("proactive:status", "What it does, what waits for you, what became of the last cycles."),
    "check-now": ("proactive:check_now", "Ask it for a cycle now."),
    "stop": ("proactive:stop", "End it; a repair that runs is stopped and settled first."),
}
_SCHEDULE = {
    "create": ("schedule:create", "Have a repair started every day, or at other times."),
    "upsert": ("schedule:upsert", "The same; a schedule that is there is changed to it."),
    "describe": ("schedule_control:describe", "When it runs, its next runs, what became of the last ones."),
    "list": ("schedule_control:list_schedules", "All schedules of repairs."),
    "trigger": ("schedule_control:trigger", "Start a run now."),
    "pause": ("schedule_control:pause", "Let no run begin until it is resumed."),
    "resume": ("schedule_control:resume", "Let runs begin again."),
    "delete": ("schedule_control:delete", "Delete a schedule; its repairs go on."),
}
_POLICY = {
    "show": ("policy:show", "The approval policy in force, and where it comes from."),
    "check": ("policy:check", "Look a policy file over; it is put to no use."),
}
_RECORDS = {
    "list": ("records:list_records", "Records with their problems."),
    "show": ("records:show", "One record in full."),
    "import": ("replacement:import_records", "Replace the records by your own, from files."),
    "tell": ("record_facts:tell", "Say what has happened to a record: paid, delivered."),
    "outbox": ("record_outbox:outbox", "What repairs wrote to others, and what became of each message."),
    "copy": ("record_copy:copy_records", "Copy them, with all that happened, into a store of another kind."),
    "reset": ("replacement:reset", "Restore the shipped records; the ledger of effects is kept."),
    "adopt": ("records:adopt", "Give a copied store an id of its own."),
    "recover": ("records:recover", "The ways out when a change was interrupted and a file edited since."),
}
_MAPPING = {
    "list": ("record_mapping:list_mappings", "The mappings that ship, and what they read."),
    "show": ("record_mapping:show", "The text of a mapping, as a beginning for one of your own."),
    "new": ("record_mapping:new", "Write a mapping for a file of yours, from its header."),
}
_DATABASE = {
    "status": ("database:status", "Which database it is, what it has, and what this version needs."),
    "upgrade": ("database:upgrade", "Make its tables, or bring them to this version."),
}
_DOMAIN = {
    "list": ("domain:list_domains", "Every domain: installed ones, and those of files."),
    "check": ("domain:check", "Look a file over with its database; each fault with its line."),
    "new": ("domain_new:new", "Write a first file for a table of your database; asks for what it has to know."),
    "show": ("domain_show:show", "What a file says, as it is understood: records, rules with counts, tools."),
    "test": ("domain_cases:try_file", "Try the cases of a file, without its database."),
    "init": ("domain:init", "Make the ledger in the database of a domain, without which nothing is done once."),
}
_PEOPLE = {
    "list": ("people:list_people", "Everybody who may be told, and how."),
    "test": ("people:test_person", "Send a test message to one of them."),
}
_GROUPS = (
    (repair, _REPAIR),
    (proactive, _PROACTIVE),
    (schedule, _SCHEDULE),
    (policy, _POLICY),
    (records, _RECORDS),
    (mapping, _MAPPING),
    (database, _DATABASE),
    (domain, _DOMAIN),
    (people, _PEOPLE),
)
for group, commands in _GROUPS:
    for name, (where, help_text) in commands.items():
        group.command(f"{CLI}.{where}", name=name, help=help_text)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code. An expected error is one line on stderr."""
    try:
        if set(_HELP).isdisjoint(arguments):
            arguments = without_blanks(app, arguments)
        else:
            _tell_more(arguments)
        code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        return _say_error(_misused(error), Exit.USAGE)
    except (UsageError, SettingError) as error:
        return _say_error(str(error), Exit.USAGE)
    except Interrupted as interrupted:
        return interrupted.exit_code
    except BrokenPipeError:
        mute()
        return 128 + signal.SIGPIPE
    except UnicodeEncodeError as error:
        return _say_error(_no_text(error, arguments), Exit.USAGE)
    except (DaperError, OSError) as error:  # a full disk, a folder that may not be written: nothing is there to mend
        return _say_error(str(error), Exit.ERROR)
    return code if isinstance(code, int) else Exit.OK


def _no_text(error: UnicodeEncodeError, arguments: list[str]) -> str:
    """Which argument is none: a byte that is no text comes from the shell as half a surrogate pair.

    Raises the error itself where all are.
    """
    for argument in arguments:
        if any("\ud800" <= char <= "\udfff" for char in argument):
            return f"{argument!r} is no text in UTF-8, and nothing is called so"
    raise error


def _misused(error: CycloptsError) -> str:
    """What is wrong with the command line; where an id of a record is missing, what a shell makes of some of them."""
    said = " ".join(str(error).split())
    if not isinstance(error, MissingArgumentError):
        return f"{said} See: daper --help"
    command = " ".join(error.command_chain or ())
    argument = error.argument
    option = error.keyword or (argument.name if argument is not None else "")
    if argument is not None and argument.index is not None and error.keyword is None:
        said = f'Command "{command}" needs {option.removeprefix("--").upper()}.'
    if command.startswith(_OF_RECORDS) or option == "--record":
        said += " A shell takes # and all that follows for a comment: quote an id that begins with it, as '#1001'."
    return f"{said} See: daper {command} --help"


def _tell_more(arguments: list[str]) -> None:
    """Help on one command tells all that its docstring says; the list of commands has one line for each."""
    _, path, _ = app.parse_commands([each for each in arguments if each not in _HELP])
    if path[-1].default_command is not None:
        paragraphs = inspect.cleandoc(path[-1].default_command.__doc__ or "").partition("\n\nParameters\n")[0]
        # Lines are broken anew at the terminal's width.
        path[-1].help = "\n\n".join(" ".join(each.split()) for each in paragraphs.split("\n\n"))


def _say_error(error: str, code: int) -> int:
    from daper.settings.secrecy import masked  # with pydantic, which help does without

    # It may quote a record, the command line, or what a stranger's server said.
    sys.stderr.write(f"daper: {visible(masked(error), longest=_LONGEST_ERROR)}\n")
    return code


def _open_streams() -> None:
    """Make stdout and stderr take whatever is printed: also if they are closed, or know ASCII alone."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open("/dev/null", "w", encoding="utf-8"))  # noqa: SIM115 - for as long as the process lives
        getattr(sys, name).reconfigure(errors="backslashreplace")


def main() -> None:
    """The entry point."""
    _open_streams()
    keep_new_files_private()
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # before a command took over the signals, or where it takes none
        code = 128 + signal.SIGINT
    leave(code)
