"""Follows one repair for `repair start`, `repair show --follow` and `demo`: shows it, asks, and says how it ended."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from rich.console import Console

from daper.adapters.reports.repair_document import repair_document
from daper.core.asked_amounts import asked
from daper.core.decisions import answer_plan
from daper.core.models import Person, Verdict
from daper.core.outcomes import RepairResult
from daper.core.selections import choose, in_short
from daper.core.views import UNKNOWN_AMOUNT, PlanView, RepairView
from daper.entrypoints.cli.exits import Exit
from daper.entrypoints.cli.output import print_json, say
from daper.entrypoints.cli.plan_prompt import AT_THE_QUESTION, PlanPrompt
from daper.entrypoints.cli.questions import DOOR
from daper.entrypoints.cli.runner import on_terminal
from daper.entrypoints.cli.screen import follow_on_screen
from daper.entrypoints.cli.story import Story
from daper.service.repairs import RepairService
from daper.service.whole_plan import with_whole_plans
from daper.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Following:
    """How a repair is followed: who would decide, whether to ask, and in which form the end is told.

    `whole`: the plan is told with everything that would run, and not at a glance where that is long.

    `elsewhere`: where else the plan is decided; it is told of a plan that waits, and cancelled when that is decided.
    """

    service: RepairService
    screen: Console
    by: Person
    asks: bool
    settings: Settings
    whole: bool = False
    as_json: bool = False
    left_open: str = ""
    elsewhere: Callable[[RepairView], Awaitable[None]] | None = None

    async def to_the_end(self, repair_id: str) -> int:
        """Follow until it ends, or waits for a decision that nobody here gives. Returns the exit code."""
        looks = with_whole_plans(self.service, self.service.follow(repair_id))
        more = AT_THE_QUESTION if self._asks else f"daper repair show {repair_id} --all"
        story = Story(more="" if self.whole else more)
        last = await follow_on_screen(self.screen, looks, on_plan=self._on_plan, quiet=self.as_json, story=story)
        if last is None:
            return Exit.ERROR
        if self.as_json:
            print_json(repair_document(last))
        elif isinstance(last, RepairView):
            for line in self.left_open.splitlines() or how_to_decide(last):
                say(self.screen, line)
        return exit_code(last)

    @property
    def _asks(self) -> bool:
        return self.asks and on_terminal()

    async def _on_plan(self, look: RepairView) -> bool:
        if self.elsewhere is not None:
            await self.elsewhere(look)
        if not self._asks or look.plan is None:
            return False
        prompt = PlanPrompt(screen=self.screen, plan=look.plan, domain=look.domain, settings=self.settings)
        chosen = await prompt.ask(yes=choose(look.plan, Verdict.APPROVE), no=choose(look.plan, Verdict.REJECT))
        if chosen is None:
            return False
        decision = answer_plan(look.plan, approved=chosen.approved, rejected=chosen.rejected, by=self.by, door=DOOR)
        await self.service.decide(look.repair_id, decision)
        return True


def exit_code(look: RepairResult | RepairView) -> int:
    """0: ended as asked, or left open on purpose; 3: ended, and a person is needed."""
    return Exit.PERSON_NEEDED if isinstance(look, RepairResult) and look.needs_person else Exit.OK


def how_to_decide(look: RepairView) -> tuple[str, ...]:
    """The commands that answer a waiting plan."""
    plan = look.plan
    digest = plan.digest if plan else ""
    return (
        "The plan waits for a decision:",
        f"  daper repair approve {look.repair_id} --plan {digest}",
        f"  daper repair reject {look.repair_id} --plan {digest}",
        *(_for_some_of(plan) if plan else ()),
    )


def _for_some_of(plan: PlanView) -> Iterator[str]:
    """How to decide on a part of it, said with actions that it has."""
    ids = [action.id for action in plan.actions]
    if len(ids) > 1:
        first = in_short(ids[: max(1, len(ids) // 2)], plan)
        few = f"--action '{first}' or --action 'all but {ids[-1]}', and --reject {ids[-1]} beside that"
        yield f"  (for some of it {few}{_other_words(plan)})"
    editable = next(((action, name) for action in plan.actions for name in action.editable), None)
    if editable:
        action, name = editable
        yield f"  (to change it within its limits: --edit {action.id}.{name}=VALUE)"


def _other_words(plan: PlanView) -> str:
    """A condition that parts the actions of this plan: by what they spend, or by what they do."""
    amounts = {Decimal(action.spends) for action in plan.actions if action.spends != UNKNOWN_AMOUNT}
    if len(amounts) > 1:
        return f", or --where 'spends < {max(amounts)}'"
    owed = {amount for action in plan.actions if (amount := asked(action)) is not None}
    if len({amount.much for amount in owed}) > 1 and len({amount.currency for amount in owed}) == 1:
        most = max(owed)
        return f", or --where 'amount < {f'{most.much:f} {most.currency}'.rstrip()}'"
    tools = {action.tool for action in plan.actions}
    return f", or --where 'tool = {plan.actions[0].tool}'" if len(tools) > 1 else ""


def run_link(settings: Settings, repair_id: str) -> str | None:
    """Where the Temporal UI shows a repair, or None where we know of no UI."""
    return settings.link_to(repair_id)
