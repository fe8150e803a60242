"""`daper repair transcripts`: what was said to language models in a repair, wherever it is kept."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from daper.core.errors import NotFound, UserError
from daper.core.nearness import did_you_mean
from daper.core.short_ids import REPAIR_ID, misspelt, the_one
from daper.core.system_errors import said
from daper.core.text import counted
from daper.entrypoints.cli.exits import Exit
from daper.entrypoints.cli.output import console, print_json, say
from daper.entrypoints.cli.output_file import save
from daper.entrypoints.cli.parameters import Json
from daper.entrypoints.cli.runner import run_to_end
from daper.ports import KeptTranscripts
from daper.settings import Part, load_settings


def transcripts(
    repair_id: str,
    *,
    output: Annotated[Path | None, Parameter(show_default=False)] = None,
    as_json: Json = False,
) -> int:
    """What was said to language models in a repair, and what they answered: one JSON document for each call.

    It needs no Temporal: they are under DAPER_HOME, or in the database that homes share. Keys are taken out.

    Parameters
    ----------
    repair_id
        The id that `repair start` printed, or how it begins where the repair has ended.
    output
        The folder to write them to; those that are there are replaced. Without it, they are listed.
    as_json
        Print one JSON document: their names.
    """
    settings = load_settings(needs={Part.DATABASE})
    kept, said_id = settings.state.transcripts(), repair_id

    async def run() -> int:
        repair_id = the_one(said_id, await settings.state.reports().ids(said_id))
        names = await kept.names(repair_id)
        if not names:
            asked = did_you_mean(misspelt(repair_id, await settings.state.reports().ids(REPAIR_ID)))
            raise NotFound(
                f"there are no transcripts of {repair_id!r}: no language model was asked, or they are too old",
                f"; {asked}" if asked else "",
            )
        if output is not None:
            await _write(kept, repair_id, names, output, home=settings.home)
        if as_json:
            print_json({"repair_id": repair_id, "transcripts": list(names)})
        elif output is not None:
            say(console(), f"{counted(len(names), 'transcript')} written: {output}")
        else:
            for name in names:
                say(console(), name)
            say(console(), f"to have them here: daper repair transcripts {repair_id} --output FOLDER")
        return Exit.OK

    return run_to_end(run())


async def _write(kept: KeptTranscripts, repair_id: str, names: tuple[str, ...], folder: Path, *, home: Path) -> None:
    """One after another: together they may be large. Raises UserError."""
    _make(folder)
    for name in names:
        if (data := await kept.read(repair_id, name)) is not None:  # else it went meanwhile
            save(folder / name, data, home=home)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"the folder {str(folder)!r} cannot be made: {said(error)}; name another with --output"
        ) from error
