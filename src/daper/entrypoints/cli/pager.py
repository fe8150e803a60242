"""Long texts at a terminal go through a pager, as git's do; in a pipe they are printed."""

import asyncio
import io
import subprocess
from collections.abc import Iterable

from rich.console import Console

from daper.entrypoints.cli.output import say
from daper.entrypoints.cli.runner import on_terminal

# As git has it: what fits on the screen is left there, colours are drawn, and the text stays when the pager ends.
_LESS = 'LESS="${LESS-FRX}" LV="${LV--c}" '


async def show_long(screen: Console, lines: Iterable[str], *, pager: str) -> None:
    """Print lines as `say` does; with a pager at a terminal where they are more than fits on the screen.

    A pager that cannot be had is none.
    """
    told = list(lines)
    text = _as_shown(told, width=screen.width)
    fits = sum(max(1, -(-len(line) // screen.width)) for line in text.splitlines()) < screen.height
    if not pager or fits or not (screen.is_terminal and on_terminal()) or not await _paged(text, pager):
        for line in told:
            say(screen, line)


def _as_shown(lines: Iterable[str], *, width: int) -> str:
    to = io.StringIO()
    page = Console(
        file=to, width=width, force_terminal=True, color_system=None, highlight=False, emoji=False, markup=False
    )
    for line in lines:
        say(page, line)
    return to.getvalue()


async def _paged(text: str, pager: str) -> bool:
    """Whether the pager has shown it."""
    program = await asyncio.create_subprocess_shell(_LESS + pager, stdin=subprocess.PIPE)
    try:
        await program.communicate(text.encode("utf-8", "replace"))
    finally:
        if program.returncode is None:
            program.terminate()
            await program.wait()
    return program.returncode not in {126, 127}  # as a shell says that there is no such program
