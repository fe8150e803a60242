"""How a person at a terminal answers a plan: y, n, or some of it in words; and never what was not told there."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue
from rich.console import Console

from daper.core.choices import HOW_TO_CHOOSE, choice_in, comes_to
from daper.core.errors import DecisionRefused
from daper.core.selections import Choice
from daper.core.views import PlanView
from daper.entrypoints.cli.output import say
from daper.entrypoints.cli.pager import show_long
from daper.entrypoints.cli.plan_lines import Edits, action_block_lines, hidden_at_a_glance, plan_lines
from daper.entrypoints.cli.runner import ask_line
from daper.settings import Settings

AT_THE_QUESTION: Final = "type more at the question"
"""How to have what a glance at a plan does not tell, where that is asked about."""

_YES: Final = ("y", "yes")
_NO: Final = ("n", "no")
_HELP: Final = ("?", "help")
_MORE: Final = ("more", "show")


@dataclass(kw_only=True)
class PlanPrompt:
    """The question about one plan that was told at a glance, until it is answered.

    `edits`: arguments that are changed with the answer.
    """

    screen: Console
    plan: PlanView
    domain: str
    settings: Settings
    edits: Edits = field(default_factory=dict[str, dict[str, JsonValue]])

    def __post_init__(self) -> None:
        self._untold: frozenset[str] = hidden_at_a_glance(self.plan, edits=self.edits)

    async def ask(
        self, question: str = "Approve all of it?", *, yes: Choice, no: Choice | None, in_words: bool = True
    ) -> Choice | None:
        """What is decided; None leaves the plan open. `yes`, `no`: what these come to. `in_words`: some of it too."""
        some = "some of it (? says how), " if in_words else ""
        again = False
        while True:
            typed = (await ask_line(f"{question} [y]es, [n]o, {some}empty leaves it open: ", again=again) or "").strip()
            again = True
            word = typed.casefold()
            if not word or (word in _NO and no is None):
                return None
            if word in _HELP:
                self._say(self._help(in_words=in_words))
            elif word in _MORE:
                await self._tell_whole()
            elif (chosen := self._chosen(typed, yes=yes, no=no, in_words=in_words)) and await self._sure(chosen):
                return chosen

    def _chosen(self, typed: str, *, yes: Choice, no: Choice | None, in_words: bool) -> Choice | None:
        word = typed.casefold()
        if word in _YES:
            return yes
        if word in _NO:
            return no
        if not in_words:
            return None
        try:
            chosen = choice_in(typed, self.plan)
        except DecisionRefused as refused:
            self._say([f"{refused}"])
            return None
        self._say([f"That is: {comes_to(chosen, self.plan)}"])
        return chosen

    async def _sure(self, chosen: Choice) -> bool:
        """Whether it is meant: asked once more where it is much, or where some was not told, which is told now."""
        untold = self._untold.intersection(chosen.approved)
        edited = any(self.edits.get(action_id) for action_id in chosen.approved)
        if not untold and not self.settings.terminal.ask_again.wanted(chosen, self.plan, edited=edited):
            return True
        if untold:
            await self._show(action_block_lines(self.plan, edits=self.edits, only=untold))
            self._untold -= untold
        self._say([f"That is: {comes_to(chosen, self.plan, edited=edited)}"])
        answer = await ask_line("Do exactly this? [y]es, anything else goes back: ", again=not untold)
        return (answer or "").strip().casefold() in _YES

    def _help(self, *, in_words: bool) -> Iterable[str]:
        yield "  - y: yes; n: no; empty: nothing is decided, and the plan waits on"
        yield "  - more: everything that would run"
        if in_words:
            yield from (f"  - {line}" for line in HOW_TO_CHOOSE)

    async def _tell_whole(self) -> None:
        await self._show(plan_lines(self.plan, domain=self.domain, edits=self.edits))
        self._untold = frozenset()

    async def _show(self, lines: Iterable[str]) -> None:
        await show_long(self.screen, lines, pager=self.settings.terminal.pager)

    def _say(self, lines: Iterable[str]) -> None:
        for line in lines:
            say(self.screen, line)
