"""How people in a chat are told command lines: so that each runs as given in a plain shell, and works on the same."""

import shlex
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from daper.core.commands import PROGRAM, CommandLine, worded
from daper.core.errors import UserError
from daper.core.text import visible
from daper.settings import Settings, Shown
from daper.settings.leads import leads_to_records
from daper.settings.secrecy import masked

_LONGEST_TEXT: Final = 4000
_LONGEST_COMMAND: Final = 8000


@dataclass(frozen=True, kw_only=True)
class Terminal:
    """Where command lines run that people are told. `variables` never hold a secret; `hidden` names those that might.

    `elsewhere`: who reads of them may sit at another machine.
    """

    program: str = PROGRAM
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    hidden: tuple[str, ...] = ()
    elsewhere: bool = False

    @property
    def of_workers(self) -> str:
        """How to run what a worker's text gives as `daper …`."""
        begins = self.line(CommandLine())
        where = "where the server runs, if the worker runs there too" if self.elsewhere else "if it runs here"
        return f"what the worker's message gives as `daper …` is run on the worker's machine; {where}: {begins} …"

    def line(self, command: CommandLine) -> str:
        """A command line for a plain shell, in which nothing is hidden."""
        set_here = [f"{name}={shlex.quote(value)}" for name, value in self.variables.items()]
        words = shlex.join((self.program, *command.words))
        return visible(" ".join((*set_here, words)), longest=_LONGEST_COMMAND)

    def worded(self, text: str, *, plain: Callable[[str], str] = str) -> str:
        """A text in one line, in which nothing is hidden, with its command lines as they run. `plain`: for the rest."""
        said = worded(text, line=self.line, plain=lambda part: visible(plain(part), longest=_LONGEST_TEXT))
        notes: list[str] = []
        if self.elsewhere:
            notes.append("run it on the machine where daper's server runs")
        if self.hidden:
            notes.append(f"it may need {', '.join(self.hidden)}, set as for this server, and not shown here")
        return "; ".join((said, *notes))


def terminal_of(settings: Settings, told: Iterable[Shown], *, elsewhere: bool = False) -> Terminal:
    """Where commands run that lead to what this server works on. `told`: every setting as it may be shown."""
    leads = leads_to_records(settings, told)
    try:
        program = str(program_here())
    except UserError:
        program = PROGRAM
    if masked(program) != program:  # what looks like a key is hidden on the way out; a variable that does is refused
        program = PROGRAM
    return Terminal(program=program, variables=leads.variables, hidden=leads.hidden, elsewhere=elsewhere)


def program_here() -> Path:
    """The program that runs, or the one beside this Python; where a link leads may change, so it is not followed.

    Raises UserError.
    """
    for path in (Path(sys.argv[0]), Path(sysconfig.get_path("scripts"), PROGRAM)):
        if path.name == PROGRAM and path.is_file():
            return path.absolute()
    raise UserError("cannot tell where the program daper is; run it by its full path")
