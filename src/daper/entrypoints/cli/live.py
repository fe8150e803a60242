"""Follows a repair on the screen: plain lines in a pipe; on a terminal also a spinner and a bar over the actions."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.views import RepairView
from daper.entrypoints.cli.output import say
from daper.entrypoints.cli.story import Story
from daper.service.requests import Silence

Looks = AsyncGenerator[RepairView | RepairResult | Silence]
OnPlan = Callable[[RepairView], Awaitable[bool]]


async def follow_on_screen(
    screen: Console, looks: Looks, *, on_plan: OnPlan, quiet: bool = False
) -> RepairResult | RepairView | None:
    """Tell the story until it ends or `on_plan`, called once for each waiting plan, says to stop following.

    Returns the result, or the last look where following stopped.
    """
    story, asked = Story(), ""
    with _Motion(screen, quiet=quiet) as motion:
        async with aclosing(looks):
            async for look in looks:
                if isinstance(look, Silence):
                    motion.tell([f"… {look.message}"])
                    continue
                if isinstance(look, RepairResult):
                    motion.tell(story.end(look))
                    return look
                motion.show(look)
                motion.tell(story.go_on(look))
                waiting = look.phase is Phase.PENDING_APPROVAL and look.decision is None and look.plan is not None
                if waiting and look.plan and look.plan.digest != asked:
                    asked = look.plan.digest
                    with motion.paused():
                        go_on = await on_plan(look)
                    if not go_on:
                        return look
    return None


class _Motion:
    """The moving part of the screen; nothing at all where there is no terminal, or JSON is wanted."""

    def __init__(self, screen: Console, *, quiet: bool) -> None:
        self._screen = screen
        self._quiet = quiet
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
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

    def paused(self) -> "_Pause":
        """Stand still while somebody is asked."""
        return _Pause(self._progress)

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
                say(self._screen, line)


class _Pause:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __enter__(self) -> None:
        self._progress.stop()

    def __exit__(self, *_: object) -> None:
        self._progress.start()
