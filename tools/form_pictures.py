"""Makes the pictures of a form in two chat clients, each of a real run: `make pictures`.

goose and Claude Code run on a terminal of their own, before a model that follows a script, and what they show when
`approve_repair` asks becomes a picture.
"""

import asyncio
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Final

from rich.style import Style
from rich.text import Text
from tests.clients import claude_code, goose, story
from tests.clients.chat import Chat
from tests.clients.claude_code import ClaudeCode
from tests.clients.goose import Goose
from tests.clients.screen import COLUMNS, Cell, Screen
from tests.clients.scripted_model import speaking
from tests.clients.silent_proxy import refusing
from tests.e2e.shell import DAPER

from daper.adapters.temporal.connection import connect
from daper.adapters.temporal.embedded import embedded_server
from daper.settings import load_settings
from daper.workers import working
from tools.pictures import PICTURES, as_svg

_RECORD: Final = "ORD-002-HJG"
_WORDS: Final = "Look at my orders"
# As a terminal's own names for them, which are older than those of whoever draws the picture.
_COLOURS: Final = {
    "default": None,
    "brown": "yellow",
    "brightbrown": "bright_yellow",
    "bfightmagenta": "bright_magenta",
}


@dataclass(frozen=True)
class _Picture:
    """A client, and how it is brought to show the form."""

    name: str
    title: str
    kind: type[Chat]
    until_form: Callable[[Screen], None]


def _goose(screen: Screen) -> None:
    goose.say(screen, _WORDS)
    goose.form(screen)


def _claude_code(screen: Screen) -> None:
    claude_code.connected(screen)
    claude_code.say(screen, _WORDS)
    claude_code.form(screen)


_ALL: Final = (
    _Picture("form-goose", "goose", Goose, _goose),
    _Picture("form-claude-code", "Claude Code", ClaudeCode, _claude_code),
)


def _shot(picture: _Picture, folder: Path, printed: str) -> Text:
    """What the client shows when the form is there, from the last call on."""
    with refusing() as beyond, speaking(story.repair(_RECORD)) as model:
        chat = picture.kind(home=folder / picture.name, model=model, beyond=beyond, configuration=printed)
        with chat.session() as screen:
            picture.until_form(screen)
            screen.look_on(1)
            lines = [_line(cells) for cells in screen.cells]
    begins = max(at for at, line in enumerate(lines) if "approve_repair" in line.plain or _WORDS in line.plain)
    text = Text("\n").join(_without_gaps(lines[begins:]))
    text.rstrip()
    return text


def _without_gaps(lines: Sequence[Text]) -> list[Text]:
    """No more than one empty line at a time."""
    return [line for before, line in pairwise([Text("-"), *lines]) if before.plain or line.plain]


def _line(cells: Iterable[Cell]) -> Text:
    pieces = (("".join(cell.data for cell in alike), style) for style, alike in groupby(cells, key=_style))
    line = Text.assemble(*pieces)
    line.rstrip()
    return line


def _style(cell: Cell) -> Style:
    return Style(
        color=_colour(cell.fg),
        bgcolor=_colour(cell.bg),
        bold=cell.bold,
        italic=cell.italics,
        underline=cell.underscore,
        reverse=cell.reverse,
    )


def _colour(name: str) -> str | None:
    if re.fullmatch(r"[0-9a-f]{6}", name):
        return f"#{name}"
    return _COLOURS.get(name, re.sub(r"^bright(?!_)", "bright_", name))


def _printed(environment: Mapping[str, str], client: str, folder: Path) -> str:
    command = [DAPER, "mcp", "config", client]
    return subprocess.run(  # noqa: S603 - our own program
        command, env=dict(environment), cwd=folder, check=True, capture_output=True, text=True
    ).stdout


async def _shoot(folder: Path) -> None:
    async with embedded_server(log_file=folder / "temporal.log") as server:
        environment = {
            "HOME": str(folder),
            "DAPER_HOME": str(folder / ".daper"),
            "USER_NAME": "Harry",
            "TEMPORAL_ADDRESS": server.address,
            "TEMPORAL_TASK_QUEUE": "pictures",
        }
        settings = load_settings(environ=environment, folder=folder)
        async with working(await connect(settings), settings):
            for picture in _ALL:
                printed = _printed(environment, picture.kind.printed_as, folder)
                shown = await asyncio.to_thread(_shot, picture, folder, printed)
                svg = as_svg(shown, title=picture.title, columns=COLUMNS)
                (PICTURES / f"{picture.name}.svg").write_text(svg, encoding="utf-8")


def main() -> None:
    """Make them anew."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_shoot(Path(folder)))


if __name__ == "__main__":
    main()
