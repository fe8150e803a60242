"""`daper records mapping …`: how other systems write orders and stock."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from daper.core.errors import UserError
from daper.core.text import visible
from daper.domains.orders.importing.drafting import draft_mapping
from daper.domains.orders.importing.mapping import find, parse, shipped_names, text_of
from daper.domains.orders.world import ORDERS, STOCK
from daper.entrypoints.cli.exits import Exit
from daper.entrypoints.cli.output import console, print_json, say
from daper.entrypoints.cli.parameters import Json


def list_mappings(*, as_json: Json = False) -> int:
    """The mappings that ship, each with the files that it reads.

    Parameters
    ----------
    as_json
        Print one JSON document.
    """
    found = {name: find(name) for name in shipped_names()}
    if as_json:
        print_json({name: each.model_dump(by_alias=True) for name, each in found.items()})
        return Exit.OK
    screen = console()
    for name, each in found.items():
        say(screen, f"{name}: {each.about}")
        for collection in (ORDERS, STOCK):
            for form in each.forms(collection):
                say(screen, f"  {collection}: {form.about}")
    return Exit.OK


def show(name: str) -> int:
    """The text of a mapping: TOML, a beginning for one of your own.

    Parameters
    ----------
    name
        As `records mapping list` shows it, or the file of one, which is looked over.
    """
    text = text_of(name)
    parse(text, name=name)
    screen = console()
    for line in text.splitlines():
        say(screen, line)
    return Exit.OK


def new(file: Path, *, out: Annotated[Path | None, Parameter(show_default=False)] = None) -> int:
    """Write a mapping for a file of yours: which columns it has is taken from its header, or from its first entry.

    What the columns mean is guessed by their names; look it over. A file that is there is never replaced.

    Parameters
    ----------
    file
        A CSV or JSON file with orders, or with the stock.
    out
        Where the mapping goes. Without it, beside the file, with .toml at its end.
    """
    text = draft_mapping(file)
    target = out or file.with_suffix(".toml")
    try:
        with target.open("x", encoding="utf-8") as made:
            made.write(text)
    except FileExistsError:
        raise UserError(f"{str(target)!r} is there already; name another one with --out") from None
    except OSError as error:
        raise UserError(f"{str(target)!r} cannot be written: {error.strerror}") from None
    say(console(), f"wrote {visible(target, longest=200)}. Look it over, then name it with --mapping")
    return Exit.OK
