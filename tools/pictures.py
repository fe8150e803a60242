"""Makes the pictures in the docs, each of a real run: `make pictures`. Needs `pdftoppm` (Debian: poppler-utils).

The demo runs on a terminal of its own, somebody types y, and what was shown becomes `demo.svg`; the report of that
repair is printed as a PDF, whose first page becomes `report.png`. Fifty equal problems are decided with two exceptions
on a terminal of 80 columns, which becomes `fifty.svg`. `tools/form_pictures.py` has forms of chat clients.
"""

import asyncio
import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.big_shop import ABOUT, BigShop
from bench.server import loopback
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from daper.adapters.reports.repair_report import repair_report
from daper.adapters.state import StatePlace
from daper.documents.pdf import to_pdf
from daper.domains.orders.json_keeping import JsonKeeping
from daper.settings import load_settings
from daper.workers import working

PICTURES: Final = Path(__file__).parents[1] / "docs" / "pictures"
_COLUMNS: Final = 112
_NARROW: Final = 80
_EQUAL: Final = 50
_MOVES: Final = re.compile(r"(\n|\r|\x1b\[\?25[lh]|\x1b\[1A|\x1b\[2K)")
# The font of the picture is what the reader has: a page that shows it may load nothing from elsewhere.
_FONT_FACES: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_FOLDER: Final = re.compile(r"stay in (\S+) until")


def run_demo(folder: Path) -> str:
    """What a terminal shows of `daper demo`, whose question is answered with y."""
    return on_terminal(["demo"], folder, env=_person(folder), columns=_COLUMNS, answers=(("leaves it open", "y"),))


async def run_fifty(folder: Path) -> str:
    """What a terminal of 80 columns shows of a repair of fifty equal problems, two of which are left out."""
    env = _person(folder) | {"PAGER": "cat"}
    (orders := folder / "daper" / "data" / "orders").mkdir(parents=True)
    shop = BigShop(orders=_EQUAL, problems=_EQUAL, only_payments=True)
    JsonKeeping(orders).install(shop.texts(), about=ABOUT)
    async with loopback(folder / "server.log") as client:
        env |= {"DAPER_HOME": str(folder / "daper"), "TEMPORAL_ADDRESS": client.service_client.config.target_host}
        async with working(client, load_settings(environ=env, folder=folder)):
            answers = (("leaves it open", "all but a7, a9"), ("goes back", "y"))
            return await asyncio.to_thread(
                on_terminal, ["repair", "start"], folder, env=env, columns=_NARROW, answers=answers
            )


def on_terminal(
    words: Sequence[str], folder: Path, *, env: Mapping[str, str], columns: int, answers: Sequence[tuple[str, str]]
) -> str:
    """What a terminal shows of a command. `answers`: what ends a question, and what is typed then, one by one."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 60, columns, 0, 0))
    command = [sys.executable, "-c", "from daper.entrypoints.cli.app import main; main()", *words]
    process = subprocess.Popen(  # noqa: S603 - our own program
        command, stdin=slave, stdout=slave, stderr=slave, env=dict(env), cwd=folder, start_new_session=True
    )
    os.close(slave)
    shown, left = b"", list(answers)
    while data := _read(master):
        shown += data
        if left and left[0][0].encode() in shown.rpartition(b"\n")[2]:
            os.write(master, f"{left.pop(0)[1]}\n".encode())
    if process.wait() != 0 or left:
        raise SystemExit(f"{words} ended with {process.returncode}: {shown.decode('utf-8', 'replace')[-500:]}")
    return shown.decode("utf-8", "replace")


def _person(folder: Path) -> dict[str, str]:
    environment = {"PATH": os.defpath, "HOME": str(folder), "TMPDIR": str(folder), "USER_NAME": "Harry"}
    return environment | {"TERM": "xterm-256color", "LANG": "C.UTF-8"}


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the last one at the terminal is gone
        return b""


def lines_that_stay(shown: str) -> list[str]:
    """What is on the screen in the end: the live line goes up and erases itself."""
    lines, row = [""], 0
    for piece in _MOVES.split(shown):
        match piece:
            case "\n":
                row += 1
                lines += [""] * (row == len(lines))
            case "\x1b[1A":
                row -= 1
            case "\x1b[2K":
                lines[row] = ""
            case _ if not _MOVES.fullmatch(piece):
                lines[row] += piece
            case _:
                pass
    return lines


def as_svg(text: Text, *, title: str, columns: int = _COLUMNS) -> str:
    """What a terminal shows, as a picture."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=columns, file=nowhere, force_terminal=True)
        console.print(text)
    return _FONT_FACES.sub("", console.export_svg(title=title, theme=MONOKAI))


def print_report(home: Path, target: Path) -> None:
    """The first page of the newest report as a picture."""
    (result,) = asyncio.run(StatePlace(home=home).reports().newest(1))
    pdf = target.with_suffix(".pdf")
    pdf.write_bytes(to_pdf(repair_report(result)))
    program = shutil.which("pdftoppm")
    if program is None:
        raise SystemExit("pdftoppm is not there; Debian: apt install poppler-utils")
    command = [program, "-png", "-r", "80", "-f", "1", "-l", "1", "-singlefile", str(pdf), str(target.with_suffix(""))]
    subprocess.run(command, check=True)  # noqa: S603 - found on the PATH on purpose
    pdf.unlink()


def main() -> None:
    """Make them anew."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        shown = run_demo(Path(folder))
        home = _FOLDER.search(shown)
        if home is None:
            raise SystemExit("the demo did not say where its records are")
        print_report(Path(home.group(1)), PICTURES / "report.png")
        # No path of the machine that made the picture.
        story = shown.replace(folder, "/tmp")  # noqa: S108 - a name in a picture
        stays = Text.from_ansi("\n".join(lines_that_stay(story)).rstrip())
        (PICTURES / "demo.svg").write_text(as_svg(stays, title="daper demo"), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        lines = lines_that_stay(asyncio.run(run_fifty(Path(folder))))
        stays = Text.from_ansi("\n".join(cut(lines)))
        picture = as_svg(stays, title="50 equal problems, 80 columns", columns=_NARROW)
        (PICTURES / "fifty.svg").write_text(picture, encoding="utf-8")


def cut(lines: list[str]) -> list[str]:
    """From the plan to what was done; of what is told of each action before it is approved, that it is."""
    begin, end = _place(lines, "Proposed Orders"), _place(lines, "Verified:")
    told, sure = (at for at, line in enumerate(lines) if line.startswith("That is:"))
    first = told + 4  # what it comes to and the head of the group, of two lines each
    left_out = f"    \N{VERTICAL ELLIPSIS} {sure - first} more lines, which tell each of them"
    return [*lines[begin:first], left_out, *lines[sure:end]]


def _place(lines: list[str], what: str) -> int:
    return next(at for at, line in enumerate(lines) if what in line)


if __name__ == "__main__":
    main()
