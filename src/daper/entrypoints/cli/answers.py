"""What a command has to know: by an option, or asked at the terminal until the answer can be used."""

from collections.abc import Awaitable, Callable
from difflib import get_close_matches
from typing import TypeVar

from daper.core.errors import DaperError, UserError
from daper.core.text import shown
from daper.entrypoints.cli.exits import UsageError
from daper.entrypoints.cli.output import console, say
from daper.entrypoints.cli.runner import ask_line, on_terminal

T = TypeVar("T")


async def answer(
    given: str | None,
    read: Callable[[str], Awaitable[T]],
    *,
    option: str,
    question: str,
    suggested: str | None = None,
    show: Callable[[], None] = lambda: None,
) -> T:
    """What `read` makes of an option, or of what is typed: asked again while that raises DaperError.

    An empty answer is the `suggested` one. Raises UsageError that names the option where there is nobody to ask.
    """
    if given is not None:
        try:
            return await read(given)
        except UserError as error:
            raise UsageError(f"{option} {shown(given)!r}: {error}") from error
    if not on_terminal():
        raise UsageError(f"{option} must be given where nobody can be asked: {question}")
    show()
    offer = f" [{shown(suggested)}]" if suggested else ""
    again = False
    while True:
        typed = await ask_line(f"{question}{offer}: ", again=again)
        if typed is None:
            raise UserError("there was no answer; nothing was written")
        again = True
        if not typed and suggested is None:
            continue
        try:
            return await read(typed or suggested or "")
        except DaperError as error:
            say(console(), str(error))


def one_of(text: str, names: list[str], *, what: str) -> str:
    """The name that was typed, or its number from 1 on. Raises UserError with what may be meant."""
    if text in names:
        return text
    if text.isdecimal() and 1 <= int(text) <= len(names):
        return names[int(text) - 1]
    folded = [name for name in names if name.casefold() == text.casefold()]
    if len(folded) == 1:
        return folded[0]
    near = get_close_matches(text, names, n=1)
    listed = ", ".join(shown(name) for name in names[:20]) + (", ..." if len(names) > 20 else "")
    meant = f"did you mean {shown(near[0])!r}?" if near else f"there are: {listed or 'none'}"
    raise UserError(f"there is no {what} {shown(text)!r}; {meant}")
