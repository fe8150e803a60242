"""`daper repair report`."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from daper.adapters.reports.report_file import Form, report_file
from daper.core.errors import UserError
from daper.core.outcomes import RepairResult
from daper.entrypoints.cli.exits import UsageError
from daper.entrypoints.cli.output import console, print_bytes, print_text, say
from daper.entrypoints.cli.output_file import save
from daper.entrypoints.cli.parameters import Flag, Json
from daper.entrypoints.cli.runner import run_to_end
from daper.entrypoints.cli.seen_repairs import open_repairs
from daper.entrypoints.cli.session import exit_code
from daper.entrypoints.cli.since_then import since_then
from daper.service.kept_repairs import KeptRepairs
from daper.service.repairs import RepairService
from daper.service.whole_plan import look_at_whole_plan
from daper.settings import Part, load_settings

_ENDINGS: dict[str, Form] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".pdf": "pdf",
    ".json": "json",
}


def report(
    repair_id: str,
    *,
    plan: Flag = False,
    whole: Annotated[bool, Parameter(name="--all", negative=(), show_default=False)] = False,
    form: Annotated[Form | None, Parameter(name="--format", show_default=False)] = None,
    output: Annotated[Path | None, Parameter(show_default=False)] = None,
    as_json: Json = False,
) -> int:
    """The report of an ended repair; or the plan that a repair asks a person to decide on, with --plan.

    A PDF needs the extra `pdf`. An HTML file can be sent as a mail: it holds all it needs.

    Parameters
    ----------
    repair_id
        The id that `repair start` printed, or how it begins.
    plan
        The plan instead: as it waits for a decision, or as it was decided.
    whole
        A row for each record, problem and action; without it, one stands for all of which the same is to be said.
    form
        How it is written; by default as the ending of --output says, else Markdown.
    output
        The file to write, instead of printing it; one that is there is replaced.
    as_json
        Like --format json: everything that is known, as one JSON document.
    """
    settings = load_settings(needs={Part.TEMPORAL})
    chosen, said_id = _form(form, output, as_json=as_json), repair_id
    if chosen == "pdf" and output is None and sys.stdout.isatty():
        raise UsageError("a PDF is nothing for a terminal; name a file for it: --output report.pdf")

    async def run() -> int:
        service = await open_repairs(settings)
        repair_id = await service.whole_id(said_id)
        look = await (look_at_whole_plan(service, repair_id) if plan else _ended(service, repair_id))
        # In a thread: a long PDF takes seconds, and Ctrl-C is heard meanwhile.
        data = await asyncio.to_thread(report_file, look, chosen, plan=plan, whole=whole)
        if output is not None:
            save(output, data, home=settings.home)
            say(console(), f"Report written: {output}")
        elif chosen in {"markdown", "json"}:
            print_text(data.decode())
        else:
            print_bytes(data)
        if chosen != "json":  # beside the report, which says how it was when the repair ended
            sys.stderr.write("".join(f"{line}\n" for line in await since_then(settings, look)))
        return exit_code(look)

    return run_to_end(run())


def _form(form: Form | None, output: Path | None, *, as_json: bool) -> Form:
    if as_json:
        if form not in {None, "json"}:
            raise UsageError(f"--json and --format {form} contradict each other; give one of them")
        return "json"
    return form or _ENDINGS.get(output.suffix.lower() if output else "", "markdown")


async def _ended(service: RepairService | KeptRepairs, repair_id: str) -> RepairResult:
    result = await service.ended(repair_id)
    if result is None:
        raise UserError(
            f"repair {repair_id!r} has not ended; where it stands: daper repair show {repair_id}, "
            f"what it proposes: daper repair report {repair_id} --plan"
        )
    return result
