"""Follows a repair on the screen: plain lines in a pipe; on a terminal also a spinner and a bar over the actions."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable
from contextlib import aclosing, contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress_bar import ProgressBar
from rich.text import Text

from daper.adapters.reports.archive import kept_here
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.views import RepairView
from daper.entrypoints.cli.output import say
from daper.entrypoints.cli.story import Story
from daper.service.requests import Silence

T = TypeVar("T")

Look = RepairView | RepairResult | Silence
Looks = AsyncGenerator[Look]
OnPlan = Callable[[RepairView], Awaitable[bool]]


async def follow_on_screen(
    screen: Console, looks: Looks, *, on_plan: OnPlan, story: Story, quiet: bool = False
) -> RepairResult | RepairView | None:
    """Tell a story until it ends or `on_plan`, called once for each waiting plan, says to stop following.

    `on_plan` is cancelled when the plan is decided elsewhere, or waits no more; then the story goes on. Returns the
    result, or the last look where following stopped.
    """
    asked = ""
    with _Motion(screen, quiet=quiet) as motion:
        async with aclosing(looks), _Ahead(looks) as ahead:
            while (look := await ahead.take()) is not None:
                if isinstance(look, Silence):
                    motion.tell([f"… {look.message}"])
                    continue
                if isinstance(look, RepairResult):
                    motion.tell(story.end(look, kept=await asyncio.to_thread(kept_here, look)))
                    return look
                motion.show(look)
                motion.tell(story.go_on(look))
                if look.plan is not None and look.plan.digest != asked and _waits(look):
                    asked = look.plan.digest
                    with motion.paused():
                        go_on = await ahead.unless_changed(on_plan(look), still=_waits)
                    if go_on is False:
                        return look
                    motion.tell([] if go_on else [""])  # the question's line has no end yet
    return None


def _waits(look: Look | None) -> bool:
    """Whether nobody has answered the plan; while no worker answers, nothing says so."""
    if isinstance(look, RepairView):
        return look.phase is Phase.PENDING_APPROVAL and look.decision is None
    return isinstance(look, Silence)


class _Ahead:
    """Looks, one after another, of which the next one may be awaited while something else is done."""

    def __init__(self, looks: Looks) -> None:
        self._looks = looks
        self._next: asyncio.Task[Look | None] | None = None

    async def __aenter__(self) -> "_Ahead":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._next is not None:
            await _end(self._next)

    async def take(self) -> Look | None:
        """The next look, None when there are no more."""
        upcoming, self._next = self._upcoming(), None
        return await upcoming

    async def unless_changed(self, question: Awaitable[bool], *, still: Callable[[Look | None], bool]) -> bool | None:
        """The answer; or None, and the question is cancelled, as soon as a look says that it is none any more."""
        asking = asyncio.ensure_future(question)
        try:
            while True:
                await asyncio.wait({asking, self._upcoming()}, return_when=asyncio.FIRST_COMPLETED)
                if asking.done():
                    return asking.result()
                if not still(self._upcoming().result()):
                    return None
                self._next = None
        finally:
            await _end(asking)

    def _upcoming(self) -> asyncio.Task[Look | None]:
        if self._next is None:
            self._next = asyncio.create_task(self._one_more())
        return self._next

    async def _one_more(self) -> Look | None:
        return await anext(self._looks, None)


async def _end(task: asyncio.Future[T]) -> None:
    task.cancel()
    await asyncio.wait({task})


class _Bar(BarColumn):
    """A bar, once there is something to count."""

    # The base says that it is always a bar; whatever rich can draw will do.
    def render(self, task: Task) -> ProgressBar | Text:  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().render(task) if task.total else Text()


class _Count(MofNCompleteColumn):
    """How many of how many, once that is known."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.total else Text()


class _Motion:
    """The moving part of the screen; nothing at all where there is no terminal, or JSON is wanted."""

    def __init__(self, screen: Console, *, quiet: bool) -> None:
        self._screen = screen
        self._quiet = quiet
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            _Bar(bar_width=24),
            _Count(),
            TimeElapsedColumn(),
            console=screen,
            transient=True,
            disable=quiet or not screen.is_terminal,
        )
        self._task = self._progress.add_task("starting", total=None)
        self._phase: Phase | None = None

    def __enter__(self) -> "_Motion":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @contextmanager
    def paused(self) -> Generator[None]:
        """Stand still while somebody is asked."""
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()

    def show(self, look: RepairView) -> None:
        """The current phase, and how many of the actions to run are done."""
        if look.phase is not self._phase:
            self._phase = look.phase
            self._progress.reset(self._task, description=str(look.phase), total=None)
        running = look.phase is Phase.PENDING_REPAIR
        self._progress.update(
            self._task, total=look.actions_to_run if running else None, completed=look.actions_done if running else 0
        )

    def tell(self, lines: Iterable[str]) -> None:
        """Print lines above the moving part."""
        for line in lines:
            if not self._quiet:
                say(self._screen, line, style=_style(line))


def _style(line: str) -> str:
    """How a line of the story looks on a terminal; the words are the same everywhere."""
    if line.startswith("Current repair status"):
        return "cyan"
    if line.startswith(("Workflow completed", "Decided by", "Repair planning is complete")):
        return "bold"
    return "bold" if line.startswith("  - ") and line.endswith(":") else ""
