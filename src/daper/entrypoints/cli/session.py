"""Follows one repair for `repair start`, `repair show --follow` and `demo`: shows it, asks, and says how it ended."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rich.console import Console

from daper.adapters.reports.repair_document import repair_document
from daper.core.decisions import answer_plan
from daper.core.models import Person
from daper.core.outcomes import RepairResult
from daper.core.selections import choose
from daper.core.views import RepairView
from daper.entrypoints.cli.exits import Exit
from daper.entrypoints.cli.output import print_json, say
from daper.entrypoints.cli.questions import DOOR, ask_verdict
from daper.entrypoints.cli.runner import on_terminal
from daper.entrypoints.cli.screen import follow_on_screen
from daper.service.repairs import RepairService
from daper.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Following:
    """How a repair is followed: who would decide, whether to ask, and in which form the end is told.

    `elsewhere`: where else the plan is decided; it is told of a plan that waits, and cancelled when that is decided.
    """

    service: RepairService
    screen: Console
    by: Person
    asks: bool
    as_json: bool = False
    left_open: str = ""
    elsewhere: Callable[[RepairView], Awaitable[None]] | None = None

    async def to_the_end(self, repair_id: str) -> int:
        """Follow until it ends, or waits for a decision that nobody here gives. Returns the exit code."""
        looks = self.service.follow(repair_id)
        last = await follow_on_screen(self.screen, looks, on_plan=self._on_plan, quiet=self.as_json)
        if last is None:
            return Exit.ERROR
        if self.as_json:
            print_json(repair_document(last))
        elif isinstance(last, RepairView):
            for line in self.left_open.splitlines() or how_to_decide(last):
                say(self.screen, line)
        return exit_code(last)

    async def _on_plan(self, look: RepairView) -> bool:
        if self.elsewhere is not None:
            await self.elsewhere(look)
        if not (self.asks and on_terminal()) or look.plan is None:
            return False
        verdict = await ask_verdict()
        if verdict is None:
            return False
        chosen = choose(look.plan, verdict)
        decision = answer_plan(look.plan, approved=chosen.approved, rejected=chosen.rejected, by=self.by, door=DOOR)
        await self.service.decide(look.repair_id, decision)
        return True


def exit_code(look: RepairResult | RepairView) -> int:
    """0: ended as asked, or left open on purpose; 3: ended, and a person is needed."""
    return Exit.PERSON_NEEDED if isinstance(look, RepairResult) and look.needs_person else Exit.OK


def how_to_decide(look: RepairView) -> tuple[str, ...]:
    """The commands that answer a waiting plan."""
    digest = look.plan.digest if look.plan else ""
    return (
        "The plan waits for a decision:",
        f"  daper repair approve {look.repair_id} --plan {digest}",
        f"  daper repair reject {look.repair_id} --plan {digest}",
        "  (for some of it --action 'a1-a4, a7' or 'all but a5', and --reject a5 beside that; --edit a1.quantity=250",
        "  within the limits shown)",
    )


def run_link(settings: Settings, repair_id: str) -> str | None:
    """Where the Temporal UI shows a repair, or None where we know of no UI."""
    return settings.link_to(repair_id)
