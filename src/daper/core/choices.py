"""What is decided of a plan in one line of text, and what that comes to: how many actions, how much money. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from daper.core.asked_amounts import in_all
from daper.core.errors import DecisionRefused
from daper.core.lines import amount_words
from daper.core.models import Verdict
from daper.core.selections import Choice, choose, in_short
from daper.core.text import counted
from daper.core.views import UNKNOWN_AMOUNT, PlanView

HOW_TO_CHOOSE: Final = (
    "a1-a4, a7 approves these alone; all but a3; risk:low and spends<100; tool:NAME, kind:NAME",
    "reject a3 rejects it and approves nothing; a1-a4; reject a7 does both",
)
"""What may be typed where a plan is decided in text, beside y and n; `choice_in` reads it."""

_REJECT: Final = re.compile(r"(?:^|[;, ])(?:and )?reject (?=[^:=])", re.IGNORECASE)
_APPROVE: Final = re.compile(r"approve ", re.IGNORECASE)


def choice_in(text: str, plan: PlanView) -> Choice:
    """What a text approves of a plan, and what it rejects: `a1-a4; reject a7`.

    Raises DecisionRefused as `select`, and where the same action would be both.
    """
    said = " ".join(text.split())
    first, *rejecting = _REJECT.split(said)
    approving = _APPROVE.sub("", first, count=1) if _APPROVE.match(first) else first
    approving = approving.strip(" ;,")
    if len(rejecting) > 1 or (rejecting and not rejecting[0].strip(" ;,")):
        raise DecisionRefused("say once what is approved, and once after `reject` what is rejected")
    left = tuple(each.strip(" ;,") for each in rejecting)
    if not approving and left:
        return choose(plan, Verdict.REJECT, actions=left)
    chosen = choose(plan, Verdict.APPROVE, actions=(approving,), rejecting=left)
    if both := [each for each in chosen.approved if each in chosen.rejected]:
        raise DecisionRefused(f"{in_short(both, plan)} would be approved and rejected; say one of the two")
    return chosen


def spent_by(ids: Iterable[str], plan: PlanView) -> Decimal | None:
    """What some of its actions spend together; None where nobody can say."""
    wanted = frozenset(ids)
    amounts = [action.spends for action in plan.actions if action.id in wanted]
    return None if UNKNOWN_AMOUNT in amounts else sum(map(Decimal, amounts), Decimal(0))


def comes_to(choice: Choice, plan: PlanView, *, edited: bool = False) -> str:
    """What a choice comes to: `approve a1-a48: 48 actions, 3,120.00 in all; reject a49; not decided: a50`.

    `edited`: arguments are changed, and what that spends was not worked out.
    """
    said = list[str]()
    if choice.approved:
        spent = spent_by(choice.approved, plan)
        money = "nobody can say what they spend" if spent is None else f"{amount_words(str(spent))} in all"
        if spent is not None and not spent:
            approved = frozenset(choice.approved)
            money = in_all(action for action in plan.actions if action.id in approved) or money
        money = "what the change spends was not worked out" if edited else money
        said.append(f"approve {in_short(choice.approved, plan)}: {counted(len(choice.approved), 'action')}, {money}")
    if choice.rejected:
        said.append(f"reject {in_short(choice.rejected, plan)}: {counted(len(choice.rejected), 'action')}")
    decided = {*choice.approved, *choice.rejected}
    if left := [action.id for action in plan.actions if action.id not in decided]:
        said.append(f"neither, and so not done: {in_short(left, plan)}")
    return "; ".join(said) or "nothing is decided"


@dataclass(frozen=True, kw_only=True)
class AskAgain:
    """Above what an approval at a terminal is asked for once more."""

    actions: int = 10
    amount: Decimal = Decimal(1000)

    def wanted(self, choice: Choice, plan: PlanView, *, edited: bool = False) -> bool:
        """Whether so many actions are approved, or so much money is spent, or nobody can say how much."""
        if not choice.approved:
            return False
        spent = None if edited else spent_by(choice.approved, plan)
        return len(choice.approved) > self.actions or spent is None or spent > self.amount
