"""A bar that shows how far a long work is, where somebody looks on; in pipes and logs nothing of it."""

import sys
from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from daper.core.text import visible
from daper.ports import Tell, untold


@contextmanager
def progress(*, shown: bool = True) -> Generator[Tell]:
    """What is to be told how far it is. The bar is on stderr, and goes when the work is done."""
    if not shown or not sys.stderr.isatty():
        yield untold
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(visible(what, longest=60), total=of)
            bar.update(tasks[what], completed=done, total=of)

        yield tell
