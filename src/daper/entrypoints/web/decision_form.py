"""What somebody filled in on the page of a repair: read as it came, and made a decision of the plan that it shows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from pydantic import JsonValue, ValidationError
from starlette.datastructures import FormData

from daper.core.decisions import answer_plan
from daper.core.errors import DecisionRefused
from daper.core.limits import Limit, Sentence, text_of, value_of
from daper.core.models import Decision, Person, Verdict
from daper.core.selections import select, whole_plan
from daper.core.target_names import refuse_unnamed
from daper.core.text import visible
from daper.core.views import ActionView, PlanView
from daper.entrypoints.web.console import DOOR
from daper.service.answers import Shown

VERDICT: Final = "verdict"
EDIT: Final = "edit"
NAMED: Final = "named"
_LONGEST: Final = 20_000


class Wish(StrEnum):
    """Which button sent the form."""

    CHOSEN = "chosen"
    SELECTED = "selected"
    APPROVE_ALL = "approve-all"
    REJECT_ALL = "reject-all"


@dataclass(frozen=True, kw_only=True)
class Entered:
    """A form as it came: nothing of it is believed. By action: `verdicts`, `edits` by argument, names typed.

    `approve`, `reject`: some of the plan, said in text.
    """

    plan_digest: str = ""
    shown: tuple[str, ...] = ()
    wish: Wish = Wish.CHOSEN
    verdicts: Mapping[str, str] = field(default_factory=dict[str, str])
    edits: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    named: Mapping[str, str] = field(default_factory=dict[str, str])
    approve: str = ""
    reject: str = ""
    comment: str = ""

    @classmethod
    def of(cls, form: FormData) -> "Entered":
        """Whatever a browser sent. Raises DecisionRefused where it is no form of ours."""
        said = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        edits: dict[str, dict[str, str]] = {}
        for name, value in _fields(said, EDIT):
            action_id, _, argument = name.partition(".")
            edits.setdefault(action_id, {})[argument] = value
        try:
            wish = Wish(said.get("do", Wish.CHOSEN))
        except ValueError as error:
            raise DecisionRefused("the form says none of what can be done with a plan; load the page anew") from error
        return cls(
            plan_digest=said.get("plan", ""),
            shown=tuple(said.get("shown", "").split()),
            wish=wish,
            verdicts=dict(_fields(said, VERDICT)),
            edits=edits,
            named=dict(_fields(said, NAMED)),
            approve=said.get("approve", "").strip(),
            reject=said.get("reject", "").strip(),
            comment=_one_kind_of_line_end(said.get("comment", "")).strip(),
        )

    @property
    def seen(self) -> Shown:
        """What the page says that it showed. Raises DecisionRefused where no page of ours can say that."""
        try:
            return Shown(digest=self.plan_digest, action_ids=frozenset(self.shown))
        except ValidationError as error:
            raise DecisionRefused("the form is none of this page; load the page anew") from error

    def decision(self, plan: PlanView | None, by: Person) -> Decision:
        """The decision on the plan that was shown; None: it is there no more, and the decision can only be refused.

        Of what was not shown nothing is decided. Raises DecisionRefused.
        """
        if plan is None:
            return Decision(plan_digest=self.plan_digest, verdicts={}, by=by, door=DOOR)
        seen = tuple(action for action in plan.actions if action.id in self.shown)
        approved, rejected = self._chosen(plan.model_copy(update={"actions": seen, "total_actions": len(seen)}))
        if why := refuse_unnamed(seen, dict.fromkeys(approved, Verdict.APPROVE), self.named):
            raise DecisionRefused(why)
        edits = {action.id: changed for action in seen if (changed := self._changed(action))}
        if self.wish is not Wish.CHOSEN:
            # Nobody said it of single actions: what is not approved is changed for nothing.
            edits = {action_id: changed for action_id, changed in edits.items() if action_id in approved}
        elif left := [action_id for action_id in edits if action_id not in approved]:
            raise DecisionRefused(
                f"{', '.join(left)} would be changed, and is not approved; approve it, or change nothing"
            )
        decision = answer_plan(
            plan, approved=approved, rejected=rejected, edits=edits, by=by, door=DOOR, comment=self.comment
        )
        return decision.model_copy(update={"plan_digest": self.plan_digest})

    def _chosen(self, plan: PlanView) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What is approved, and what is rejected."""
        match self.wish:
            case Wish.APPROVE_ALL:
                return whole_plan(plan, Verdict.APPROVE), ()
            case Wish.REJECT_ALL:
                return (), whole_plan(plan, Verdict.REJECT)
            case Wish.SELECTED:
                return self._selected(plan, self.approve, Verdict.APPROVE), self._selected(
                    plan, self.reject, Verdict.REJECT
                )
            case Wish.CHOSEN:
                return self._with(plan, Verdict.APPROVE), self._with(plan, Verdict.REJECT)

    def _selected(self, plan: PlanView, text: str, verdict: Verdict) -> tuple[str, ...]:
        return select((text,), plan, verdict=verdict) if text else ()

    def _with(self, plan: PlanView, verdict: Verdict) -> tuple[str, ...]:
        return tuple(action.id for action in plan.actions if self.verdicts.get(action.id) == verdict)

    def _changed(self, action: ActionView) -> dict[str, JsonValue]:
        """What of the action's arguments was changed: a field that says what it said on the page changes nothing."""
        return {
            argument: value_of(action.limits[argument], _one_kind_of_line_end(said))
            for argument, said in self.edits.get(action.id, {}).items()
            if argument in action.limits and _one_kind_of_line_end(said) != field_text(action, argument)
        }


def field_text(action: ActionView, argument: str) -> str:
    """What a field shows of an argument as it was planned: nothing in it is hidden."""
    return shown_in_field(text_of(action.arguments.get(argument)), action.limits[argument])


def shown_in_field(text: str, limit: Limit) -> str:
    """A text as a field has it; only one for sentences has several lines."""
    lines = text.split("\n") if isinstance(limit, Sentence) else [text]
    return "\n".join(visible(line, longest=_LONGEST) for line in lines)


def _fields(said: Mapping[str, str], kind: str) -> Iterator[tuple[str, str]]:
    """The fields of a kind, each by what comes after it."""
    return ((name.removeprefix(f"{kind}."), value) for name, value in said.items() if name.startswith(f"{kind}."))


def _one_kind_of_line_end(text: str) -> str:
    """Browsers send CR and LF for the end of a line."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
