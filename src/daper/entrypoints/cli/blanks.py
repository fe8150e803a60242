"""Options whose value is blank, as a script passes an unset variable: they say nothing, and count as not given."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from cyclopts import App

from daper.core.names import is_blank

if TYPE_CHECKING:
    from cyclopts.argument import Argument  # with pydantic, where that is installed

_MAY_BE_BLANK: Final = frozenset({"--note"})  # so a note is taken away


def without_blanks(app: App, arguments: Sequence[str]) -> list[str]:
    """The arguments without such options.

    What names things is left, for the command to refuse: none must not become all of them, or one's own.
    """
    if not any(is_blank(each) or ("=" in each and is_blank(each.partition("=")[2])) for each in arguments):
        return list(arguments)  # the command's module need not be read for that
    _, path, _ = app.parse_commands(list(arguments))
    return list(_kept(arguments, _optional(path[-1])))


def _optional(command: App) -> frozenset[str]:
    """The options of a command that take one value, need not be given, and name nothing."""
    if command.default_command is None:
        return frozenset()
    return frozenset(
        name
        for argument in command.assemble_argument_collection()
        for name in argument.names
        if name.startswith("--") and name not in _MAY_BE_BLANK and _is_left_out(argument)
    )


def _is_left_out(argument: "Argument") -> bool:
    return not argument.required and argument.index is None and argument.token_count() == (1, False)


def _kept(arguments: Sequence[str], optional: frozenset[str]) -> Iterator[str]:
    rest = iter(enumerate(arguments))
    for at, each in rest:
        name, equals, value = each.partition("=")
        if name not in optional:
            yield each
        elif equals and is_blank(value):
            continue
        elif not equals and at + 1 < len(arguments) and is_blank(arguments[at + 1]):
            next(rest)
        else:
            yield each
