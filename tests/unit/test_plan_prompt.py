"""The question about a plan at a terminal: words, sums, asked once more; and nothing is approved that was not told."""

import io
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from planned import proposed, shown_plan
from rich.console import Console

from daper.core.models import Risk, Verdict
from daper.core.selections import Choice, choose
from daper.core.views import PlanView
from daper.entrypoints.cli import plan_prompt
from daper.entrypoints.cli.plan_prompt import PlanPrompt
from daper.settings import load_settings

SHORT = shown_plan(proposed(1), proposed(2), proposed(3, tool="hold_order", risk=Risk.HIGH))
LONG = shown_plan(*map(proposed, range(1, 51)), proposed(51, tool="hold_order", risk=Risk.HIGH))
DEAR = shown_plan(proposed(1, spends=Decimal(72_500)), proposed(2))
SURE = "Do exactly this? "


class Person:
    """Somebody at the terminal who types these lines, and no more."""

    def __init__(self, *lines: str) -> None:
        self._lines: Iterator[str] = iter(lines)
        self.asked: list[str] = []
        self.to = io.StringIO()

    async def ask_line(self, prompt: str, *, again: bool = False) -> str | None:
        self.asked.append(prompt)
        return next(self._lines)

    async def answers(self, plan: PlanView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Choice | None:
        monkeypatch.setattr(plan_prompt, "ask_line", self.ask_line)
        prompt = PlanPrompt(
            screen=Console(file=self.to, width=400),
            plan=plan,
            domain="orders",
            settings=load_settings(environ={"HOME": str(tmp_path)}, folder=tmp_path),
        )
        answered = await prompt.ask(yes=choose(plan, Verdict.APPROVE), no=choose(plan, Verdict.REJECT))
        assert list(self._lines) == [], "all of it was asked for"
        return answered


@pytest.mark.parametrize(
    ("typed", "chosen"),
    [
        ("y", Choice(approved=("a1", "a2", "a3"))),
        ("No", Choice(rejected=("a1", "a2", "a3"))),
        ("", None),
        ("  ", None),
        ("a1-a2", Choice(approved=("a1", "a2"))),
        ("all but a3", Choice(approved=("a1", "a2"))),
        ("risk:low; reject risk:high", Choice(approved=("a1", "a2"), rejected=("a3",))),
        ("reject a3", Choice(rejected=("a3",))),
    ],
)
async def test_b7_one_answer_decides_all_none_or_some_of_a_plan(
    typed: str, chosen: Choice | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await Person(typed).answers(SHORT, tmp_path, monkeypatch) == chosen


async def test_what_cannot_be_read_is_told_and_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    person = Person("a9", "what", "?", "a1")

    assert await person.answers(SHORT, tmp_path, monkeypatch) == Choice(approved=("a1",))

    told = person.to.getvalue()
    assert "the plan has no action 'a9'; it has: a1-a3" in told
    assert "'what' names no actions" in told
    assert "  - more: everything that would run" in told
    assert "That is: approve a1: 1 action, 0 in all; neither, and so not done: a2, a3" in told
    assert len(set(person.asked)) == 1


async def test_much_money_is_asked_once_more_and_anything_but_yes_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Person("y", "", "all", "y")

    assert await person.answers(DEAR, tmp_path, monkeypatch) == Choice(approved=("a1", "a2"))

    assert [asked.startswith(SURE) for asked in person.asked] == [False, True, False, True]
    assert "That is: approve a1, a2: 2 actions, 72,500 in all" in person.to.getvalue()


@pytest.mark.parametrize("typed", ["y", "all", "a1-a50", "tool:send_reminder", "a40, a41"])
async def test_what_a_glance_did_not_tell_is_told_before_it_is_approved(
    typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Person(typed, "y")

    chosen = await person.answers(LONG, tmp_path, monkeypatch)

    assert chosen is not None
    told = person.to.getvalue()
    for action in LONG.actions:
        if action.id in chosen.approved and action.id not in {"a1", "a2", "a3", "a4", "a5", "a51"}:
            assert f"Record {action.record_id} is not paid." in told
    assert "hold_order" not in told.partition("That is")[0].replace("tool:", ""), "what was told is not told again"


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        (("a1-a5, a51",), 1),  # told
        (("n",), 1),  # nothing runs
        (("reject a40",), 1),
        (("more", "a40, a41"), 2),  # told meanwhile, and not much
        (("more", "all", "y"), 3),  # told meanwhile, and much
        (("a40", "no", "a40"), 3),  # told at the first question
    ],
)
async def test_only_what_was_not_told_or_is_much_is_asked_once_more(
    typed: tuple[str, ...], asked: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Person(*typed)
    assert await person.answers(LONG, tmp_path, monkeypatch) is not None
    assert len(person.asked) == asked
