"""Some of a plan, said in text: `a1-a48`, `all but a7`, `tool:send-reminder`, `risk = low and spends < 100`. Pure.

One text is what is meant, with commas, and after `but` what is left out of it, with commas. What stands between `and`
has to hold together.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from operator import eq, ge, gt, le, lt
from typing import Final

from daper.core.asked_amounts import asked, currencies, in_all, names_amount
from daper.core.errors import DecisionRefused
from daper.core.models import Verdict
from daper.core.names import distinct, listed
from daper.core.text import shown
from daper.core.views import UNKNOWN_AMOUNT, ActionView, PlanView

LONGEST_SELECTION: Final = 10_000  # characters; all the ids that a plan can have take less
EVERYTHING: Final = "all"
_WORTH_A_RANGE: Final = 3
HOW_TO_SELECT: Final = (
    "a1, a1-a48, all, tool:NAME, kind:NAME, risk:low, amount<100; several with commas, or with `and` where all has to "
    "hold; `but` and what is left out"
)
_BUT: Final = re.compile(r",? (?:but|except) ", re.IGNORECASE)
_ID: Final = r"[A-Za-z]+[0-9]{1,9}"
_RANGE: Final = re.compile(rf"({_ID}) ?(?:-|\u2013|\.\.) ?({_ID})")
_AND: Final = re.compile(r" and ", re.IGNORECASE)
_FIELD: Final = re.compile(r"(tool|kind|risk) ?[:=] ?(.+)", re.IGNORECASE)
_NUMBER: Final = r"(<=|>=|≤|≥|<|>|=) ?([0-9]{1,15}(?:\.[0-9]{1,9})?)"
_SPENDS: Final = re.compile(rf"spends ?{_NUMBER}", re.IGNORECASE)
_AMOUNT: Final = re.compile(rf"amount ?{_NUMBER}(?: ?([^\s\d,<>=.-]{{1,20}}))?", re.IGNORECASE)
_COMPARISONS: Final[dict[str, Callable[[Decimal, Decimal], bool]]] = {
    "<": lt, "<=": le, "≤": le, ">": gt, ">=": ge, "≥": ge, "=": eq,
}  # fmt: skip
_FIELDS: Final[dict[str, Callable[[ActionView], tuple[str, ...]]]] = {
    "tool": lambda action: (action.tool,),
    "kind": lambda action: action.kinds,
    "risk": lambda action: (str(action.risk),),
}


def selections_in(text: str) -> tuple[str, ...]:
    """The selections in one text: those of a JSON list, or what is between commas; one that leaves out stays whole.

    None in a text that names nothing.
    """
    entries = listed(text)
    if entries != (text,) or _BUT.search(_with_single_blanks(text)):
        return entries
    return distinct(text.split(","))


def select(texts: Iterable[str], plan: PlanView, *, verdict: Verdict) -> tuple[str, ...]:
    """The ids that the texts mean, in the order of the plan; what any of them means is meant.

    Of actions to be approved, one that stands instead of another is meant only where its own id is said. Raises
    DecisionRefused for a text that cannot be read, that means nothing of the plan, or all of a plan that is not all
    here; and for a `but` beside other texts: nobody can tell from what it leaves out.
    """
    given = tuple(text for each in texts for text in selections_in(each) or (each,))
    read = [_Selection(text, plan, approving=verdict is Verdict.APPROVE) for text in given]
    if len(read) > 1 and (unclear := next((each for each in read if each.leaves_out), None)):
        raise DecisionRefused(
            f"{_quoted(unclear.text)} stands beside other selections; say in one text what is meant, and what is not"
        )
    meant = {action_id for each in read for action_id in each.meant()}
    return tuple(action.id for action in plan.actions if action.id in meant)


def whole_plan(plan: PlanView, verdict: Verdict) -> tuple[str, ...]:
    """Every action; to be approved, of two answers to one problem the first. Raises DecisionRefused as `select`."""
    return select((EVERYTHING,), plan, verdict=verdict)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is approved of a plan and what is rejected, by ids; what is in neither is not approved."""

    approved: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()


def choose(
    plan: PlanView,
    verdict: Verdict,
    *,
    actions: Sequence[str] = (),
    rejecting: Sequence[str] = (),
    where: Sequence[str] = (),
    edited: Collection[str] = (),
) -> Choice:
    """One verdict on some of a plan, as selections say it, and the rejection of others.

    Where none says what is approved, that is what is edited; and where nothing is, all that is not rejected. `where`:
    selections that have to hold as well, each of them, for whatever gets the verdict. Raises DecisionRefused as
    `select`, and where nothing is left.
    """
    if verdict is Verdict.REJECT:
        named = select((*actions, *rejecting) or (EVERYTHING,), plan, verdict=verdict)
        return Choice(rejected=_holding(named, where, plan))
    rejected = select(rejecting, plan, verdict=Verdict.REJECT)
    if actions:
        named = select(actions, plan, verdict=verdict)
    elif edited:
        named = tuple(edited)
    else:
        named = tuple(each for each in whole_plan(plan, verdict) if each not in rejected)
    approved = _holding(named, where, plan)
    if where and (out := [each for each in edited if each not in approved]):
        raise DecisionRefused(f"{in_short(out, plan)} would be changed, and is not among what is approved")
    return Choice(approved=approved, rejected=rejected)


def _holding(named: tuple[str, ...], where: Sequence[str], plan: PlanView) -> tuple[str, ...]:
    """Those of which each of the selections holds. Raises DecisionRefused where that is none."""
    left = list(named)
    for text in where:
        # As of a rejection: what stands instead of another was named, or is not among them.
        holds = frozenset(select((text,), plan, verdict=Verdict.REJECT))
        left = [each for each in left if each in holds]
    if named and not left:
        raise DecisionRefused(f"{' and '.join(map(_quoted, where))} leaves no action of {in_short(named, plan)}")
    return tuple(left)


def in_short(ids: Iterable[str], plan: PlanView) -> str:
    """Ids of a plan as a selection that means exactly them, whatever the verdict: `a1-a48, a50`."""
    wanted = set(ids)

    def alike(action: ActionView) -> tuple[bool, str]:
        return action.id in wanted, action.id if action.instead_of else ""  # which no range means

    ordered = sorted(plan.actions, key=lambda action: _number(action.id))
    runs = [[action.id for action in run] for (chosen, _), run in groupby(ordered, key=alike) if chosen]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) >= _WORTH_A_RANGE else ", ".join(run) for run in runs)


class _Selection:
    """One text, read against a plan."""

    def __init__(self, text: str, plan: PlanView, *, approving: bool) -> None:
        """Raises DecisionRefused."""
        if not plan.total_actions:
            raise DecisionRefused("the plan has no actions, so there is nothing to decide")
        if len(text) > LONGEST_SELECTION:
            raise DecisionRefused(f"a selection of {len(text):,} characters is more than {LONGEST_SELECTION:,}")
        self.text = text
        self._plan = plan
        self._approving = approving
        self._meant, *left_out = (distinct(part.split(",")) for part in _BUT.split(_with_single_blanks(text)))
        if not self._meant or len(left_out) > 1 or any(not part for part in left_out):
            raise self._unreadable(text)
        self.leaves_out = left_out[0] if left_out else ()
        if unclear := next((term for term in self.leaves_out if _names_ids_and_more(term)), None):
            raise DecisionRefused(
                f"{_quoted(unclear)} after `but` could leave out all of it, or only what both hold for; put a "
                "comma there, or name first what has to hold"
            )

    def meant(self) -> set[str]:
        """The ids that it means. Raises DecisionRefused."""
        chosen = {action.id for term in self._meant for action in self._term(term, takes=self._approving)}
        out = {action.id for term in self.leaves_out for action in self._term(term)}
        self._refuse_unknown_amounts(chosen - out)
        if not chosen - out:
            raise DecisionRefused(f"{_quoted(self.text)} leaves no action of the plan")
        return chosen - out

    def _term(self, term: str, *, takes: bool = False) -> tuple[ActionView, ...]:
        """What one term means. `takes`: it is to be approved, so that nothing is taken beside what it stands for."""
        if (named := self._action(term)) is not None:
            return (named,)
        found = self._matching(term)
        if not found:
            raise DecisionRefused(f"{_quoted(term)} means nothing of the plan; {self._instead(term)}")
        first = tuple(action for action in found if not (takes and action.instead_of))
        if not first:
            ids = in_short((action.id for action in found), self._plan)
            raise DecisionRefused(f"{_quoted(term)} means only what stands instead of others: name it by its id: {ids}")
        return first

    def _matching(self, term: str) -> tuple[ActionView, ...]:
        actions = self._plan.actions
        if len(together := _AND.split(term)) > 1:
            sets = [{action.id for action in self._term(each)} for each in together]
            return tuple(action for action in actions if all(action.id in each for each in sets))
        if term.casefold() == EVERYTHING:
            return self._whole()
        if found := _RANGE.fullmatch(term):
            return self._between(term, found[1], found[2])
        if found := _FIELD.fullmatch(term):
            self._whole()
            values, wanted = _FIELDS[found[1].casefold()], _folded(found[2])
            return tuple(action for action in actions if wanted in map(_folded, values(action)))
        if found := _SPENDS.fullmatch(term):
            self._whole()
            return tuple(each for each in actions if _compares(found, _spent(each)))
        if found := _AMOUNT.fullmatch(term):
            self._whole()
            return self._of_amount(found)
        if re.fullmatch(_ID, term):
            raise self._unknown(term)
        raise self._unreadable(term)

    def _of_amount(self, found: re.Match[str]) -> tuple[ActionView, ...]:
        """Those about such an amount; of actions that are about none, those that spend it. Raises DecisionRefused."""
        amounts = [amount for action in self._plan.actions if (amount := asked(action)) is not None]
        named, currency = currencies(amounts), (found[3] or "").casefold()
        if found[3] and currency not in map(str.casefold, named):
            there = ", ".join(each or "none named" for each in named)
            raise DecisionRefused(
                f"{_quoted(found[0])}: the plan has {f'amounts in {there}' if there else 'no currency'}"
            )
        if not found[3] and len(named) > 1:
            there = ", ".join(each or "none named" for each in named)
            raise DecisionRefused(
                f"{_quoted(found[0])}: the amounts of the plan are in {len(named)} currencies ({there}); "
                "say in which, as in "
                f"{_quoted(f'{found[0]} {named[-1]}')}"
            )

        def value(action: ActionView) -> Decimal | None:
            if not names_amount(action):
                return None if found[3] else _spent(action)
            amount = asked(action)
            return amount.much if amount and (not found[3] or amount.currency.casefold() == currency) else None

        return tuple(each for each in self._plan.actions if _compares(found, value(each)))

    def _whole(self) -> tuple[ActionView, ...]:
        """Every action of the plan, if all of it is here. Raises DecisionRefused."""
        here, total = len(self._plan.actions), self._plan.total_actions
        if total > here:
            raise DecisionRefused(
                f"the plan has {total} actions, and only {here} were shown; name the ones you mean by their ids"
            )
        return self._plan.actions

    def _between(self, term: str, first: str, last: str) -> tuple[ActionView, ...]:
        ends = [self._action(end) for end in (first, last)]
        for end, action in zip((first, last), ends, strict=True):
            if action is None:
                raise self._unknown(end)
        (letters, low), (others, high) = (_number(action.id) for action in ends if action)
        if letters != others or low > high:
            raise DecisionRefused(f"{_quoted(term)} ends before it begins; say the lower id first")
        return tuple(action for action in self._plan.actions if (letters, low) <= _number(action.id) <= (letters, high))

    def _action(self, action_id: str) -> ActionView | None:
        return next((action for action in self._plan.actions if action.id.casefold() == action_id.casefold()), None)

    def _refuse_unknown_amounts(self, chosen: set[str]) -> None:
        """What nobody can say the amount of is not known to be outside of an amount that is left out."""
        parts = [each for term in self.leaves_out for each in _AND.split(term)]
        about = any(map(_AMOUNT.fullmatch, parts))
        if not about and not any(map(_SPENDS.fullmatch, parts)):
            return
        unsure = [action for action in self._plan.actions if action.id in chosen and _unsure(action, about=about)]
        if unsure:
            ids = in_short((action.id for action in unsure), self._plan)
            what = "comes to" if about and any(map(names_amount, unsure)) else "spends"
            raise DecisionRefused(
                f"nobody can say what {ids} of the plan {what}, so {_quoted(self.text)} cannot tell; leave it out by "
                "its id, or name all that is meant"
            )

    def _instead(self, term: str) -> str:
        """What there is of what a term asks for."""
        if _AND.search(term):
            return "no action is all of that"
        if found := _FIELD.fullmatch(term):
            name = found[1].casefold()
            values = distinct(value for action in self._plan.actions for value in _FIELDS[name](action))
            return f"for {name} it has: {', '.join(map(shown, values)) or 'none'}"
        if _AMOUNT.fullmatch(term) and (told := in_all(self._plan.actions)):
            return f"its amounts are {told}"
        spent = [amount for action in self._plan.actions if (amount := _spent(action)) is not None]
        return f"its amounts are from {min(spent)} to {max(spent)}" if spent else "its amounts are unknown"

    def _unknown(self, action_id: str) -> DecisionRefused:
        every = in_short((action.id for action in self._plan.actions), self._plan)
        return DecisionRefused(f"the plan has no action {action_id!r}; it has: {every}")

    def _unreadable(self, term: str) -> DecisionRefused:
        return DecisionRefused(f"{_quoted(term)} names no actions; they are named as: {HOW_TO_SELECT}")


def _names_ids_and_more(term: str) -> bool:
    """Whether what has to hold for what is left out is an id, as nobody says who means that: `but a7 and a9`."""
    parts = _AND.split(term)
    return len(parts) > 1 and any(re.fullmatch(_ID, each) or _RANGE.fullmatch(each) for each in parts)


def _with_single_blanks(text: str) -> str:
    """The patterns know one blank and no more: many of them in a text would take for ever."""
    return " ".join(text.split())


def _number(action_id: str) -> tuple[str, int]:
    """The letters and the number of an id."""
    digits = len(action_id) - len(action_id.rstrip("0123456789"))
    letters = action_id[: len(action_id) - digits]
    return letters, int(action_id[len(letters) :] or 0)


def _spent(action: ActionView) -> Decimal | None:
    return None if action.spends == UNKNOWN_AMOUNT else Decimal(action.spends)


def _compares(found: re.Match[str], amount: Decimal | None) -> bool:
    return amount is not None and _COMPARISONS[found[1]](amount, Decimal(found[2]))


def _unsure(action: ActionView, *, about: bool) -> bool:
    return asked(action) is None if about and names_amount(action) else _spent(action) is None


def _folded(name: str) -> str:
    return name.strip().casefold().replace("_", "-")


def _quoted(text: str) -> str:
    return repr(shown(text))
