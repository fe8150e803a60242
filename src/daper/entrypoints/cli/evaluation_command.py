"""`daper eval`: how good the configured agents are, over generated cases of which it is known what is right."""

import logging
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from daper.adapters.temporal.connection import connect
from daper.adapters.temporal.embedded import embedded_server
from daper.adapters.temporal.program import find_temporal
from daper.core.cases import CaseSet
from daper.core.errors import SettingError
from daper.core.models import RULES
from daper.core.policy import APPROVAL_TIMEOUT, DECISION_VALID_FOR
from daper.core.usage import Role
from daper.entrypoints.cli.evaluation_run import WantedCases, run_cases
from daper.entrypoints.cli.evaluation_table import WIDTH, table_of
from daper.entrypoints.cli.exits import Exit, Interrupted, UsageError
from daper.entrypoints.cli.output import console, json_text, print_json
from daper.entrypoints.cli.output_file import save
from daper.entrypoints.cli.parameters import NONE, Flag, Json, Names, named
from daper.entrypoints.cli.runner import run_to_end
from daper.evaluation.observation import Run
from daper.evaluation.score import Evaluation, evaluate
from daper.settings import CONFIGURED, Part, Settings, load_settings

MOST_RUNS = 20
_SHIPPED = ("payments", "jobs")
_NEEDS = (Part.MODELS, Part.DOMAIN, Part.POLICY, Part.PEOPLE)


def evaluate_agents(
    *,
    domain: Annotated[str | None, Parameter(show_default=False)] = None,
    model: Annotated[str | None, Parameter(show_default=False)] = None,
    detect: Flag = False,
    runs: int = 1,
    seed: int = 1,
    per_kind: int = 1,
    kind: Names = NONE,
    as_json: Json = False,
    output: Path | None = None,
) -> int:
    """Measure how well the configured agents find and repair, over generated cases of which it is known what is right.

    It runs the whole product on throw-away records, with a Temporal of its own, and approves all that is proposed. A
    language model costs what it costs. The exit code says that it ran, not how well.

    Parameters
    ----------
    domain
        What the cases are of: orders; or payments or jobs, which a shipped file declares. As configured if not given.
    model
        Who analyzes, plans and reports: rules, or the name of a language model. As configured if not given.
    detect
        With --model: it also looks at every record for suspects. Only so can it find what no rule suspects.
    runs
        How often all of it is run, 1 to 20, each time on new records: what comes out right every time?
    seed
        Another number makes other cases of the same kinds.
    per_kind
        How many cases of each kind.
    kind
        Only cases of this kind; may be given several times.
    as_json
        Print one JSON document instead of the table.
    output
        Also write the JSON document into this file.
    """
    if not 1 <= runs <= MOST_RUNS:
        raise UsageError(f"--runs {runs} is out of range; it must be from 1 to {MOST_RUNS}")
    if output is not None and not output.absolute().parent.is_dir():
        raise UsageError(f"--output {str(output)!r}: there is no such folder; make it before you measure")
    if detect and model is None:
        raise UsageError("--detect says what the model of --model does besides; name one")
    settings = load_settings(needs=_NEEDS, thinkers=_thinkers(model, detect=detect))
    settings = replace(settings, domain=settings.domain_or(domain))
    evaluation = _measured(settings, WantedCases(seed=seed, per_kind=per_kind, kinds=named("--kind", kind)), runs=runs)
    if output is not None:
        save(output, json_text(evaluation).encode(), home=settings.home)
    if as_json:
        print_json(evaluation)
        return Exit.OK
    screen = console(width=WIDTH)
    screen.print(table_of(evaluation, width=screen.width))
    return Exit.OK


def _thinkers(model: str | None, *, detect: bool) -> dict[Role, str]:
    """Who plays which role instead of whom is configured. A model detects only if it is asked to."""
    if model is None:
        return {}
    return {role: model if detect or role is not Role.DETECT else RULES for role in Role}


def _measured(settings: Settings, wanted: WantedCases, *, runs: int) -> Evaluation:
    find_temporal()
    # What fails on the way is told with the figures, not once for each try.
    logging.getLogger("temporalio").setLevel(logging.ERROR)
    try:
        home = Path(tempfile.mkdtemp(prefix="daper-eval-"))
    except OSError as error:
        raise SettingError(f"no folder for the records of the cases can be made: {error}; set TMPDIR") from error
    try:
        return run_to_end(_measure(settings, home, wanted, runs=runs))
    except Interrupted:
        sys.stderr.write("The evaluation ended early: its server is stopped, its records are deleted.\n")
        raise
    finally:
        shutil.rmtree(home, ignore_errors=True)


async def _measure(settings: Settings, home: Path, wanted: WantedCases, *, runs: int) -> Evaluation:
    case_set, done = CaseSet(name="", seed=wanted.seed, per_kind=wanted.per_kind, cases=()), list[Run]()
    async with embedded_server(log_file=home / "temporal.log") as server:
        with _progress() as progress:
            task = progress.add_task("starting", total=runs)
            for number in range(1, runs + 1):
                own = _on_its_own(settings, home / f"run-{number}", server.address, number)
                case_set, run = await run_cases(
                    await connect(own), own, wanted, tell=lambda phase: progress.update(task, description=str(phase))
                )
                done.append(run)
                progress.update(task, completed=number)
    return evaluate(case_set, done)


def _on_its_own(settings: Settings, home: Path, address: str, number: int) -> Settings:
    """Of what is configured, what the agents are told; where it runs, and on what, is the evaluation's own."""
    files, variables = _shipped(settings, home)
    return replace(
        settings,
        domain_files=files,
        variables=variables,
        home=home,
        task_queue=f"daper-eval-{number}",
        address=address,
        address_source=CONFIGURED,
        ui_url=None,
        namespace="default",
        approval_timeout=APPROVAL_TIMEOUT,
        decision_valid_for=DECISION_VALID_FOR,
        temporal={"TEMPORAL_ADDRESS": address},
        options={},
        database_url=None,
        troubles={},
    )


def _shipped(settings: Settings, home: Path) -> tuple[tuple[Path, ...], Mapping[str, str]]:
    """The files that declare domains, and the variables: of a shipped one those alone, on a new database."""
    name = settings.domain
    if name not in _SHIPPED or name in {path.stem for path in settings.domain_files}:
        return settings.domain_files, settings.variables
    try:
        from daper.domains.declared.examples import example_variable, place_example
    except ImportError as error:
        raise SettingError(
            f"--domain {name} needs the extra declared: pip install 'daper[declared]' ({error})"
        ) from error
    return (place_example(name, home),), {example_variable(name): f"sqlite:///{home / name}.db"}


def _progress() -> Progress:
    screen = Console(stderr=True, highlight=False, emoji=False, markup=False)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal)
