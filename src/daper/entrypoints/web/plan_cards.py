"""A plan on the page of a repair: its actions, the choices that there are on each, and what became of it. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import JsonValue

from daper.adapters.reports.words import OUTCOMES, VERIFIED
from daper.core.action_groups import ActionGroup, grouped, nameless_changes
from daper.core.limits import Between, OneOf, Sentence, limit_words, text_of, value_of
from daper.core.lines import FieldLine, LineKind, PlanHead, action_lines, left_alone_lines
from daper.core.models import Change
from daper.core.outcomes import ActionOutcome, OutcomeStatus, VerificationStatus, VerifiedFinding
from daper.core.selections import in_short
from daper.core.target_names import target_to_name
from daper.core.views import ActionView, PlanView
from daper.entrypoints.web.decision_form import EDIT, Entered, field_text

_ONE_LINE: Final = 100
_WORTH_A_GROUP: Final = 3
_FIGURES: Final = (LineKind.ACTIONS, LineKind.SPENDS, LineKind.CONFIDENCE)
_GOOD: Final = frozenset({OutcomeStatus.APPLIED, OutcomeStatus.ALREADY_APPLIED})
_BAD: Final = frozenset(
    {OutcomeStatus.FAILED, OutcomeStatus.BLOCKED, OutcomeStatus.UNKNOWN, OutcomeStatus.UNDO_BLOCKED}
)
_VERIFIED_TONES: Final = {
    VerificationStatus.RESOLVED: "good",
    VerificationStatus.WAITING_ON_OTHER: "warn",
    VerificationStatus.WAITING_ON_PERSON: "warn",
    VerificationStatus.NOT_VERIFIABLE: "warn",
    VerificationStatus.STILL_OPEN: "bad",
    VerificationStatus.WORSE: "bad",
}


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field in which a person changes an argument within its limit. `wrong`: why what it says cannot be."""

    name: str
    label: str
    value: str
    planned: str
    hint: str
    low: int | None = None
    high: int | None = None
    options: tuple[str, ...] = ()
    longest: int | None = None
    is_long: bool = False
    wrong: str = ""


@dataclass(frozen=True, kw_only=True)
class ActionCard:
    """One action: what would run, the choices on it, and afterwards what became of it.

    `lines`, `changes`, `evidence`: what its group does not tell for all.
    """

    action: ActionView
    lines: tuple[FieldLine, ...]
    changes: tuple[Change, ...] = ()
    evidence: tuple[str, ...] = ()
    verdict: str = ""
    fields: tuple[Field, ...] = ()
    target: str = ""
    named: str = ""
    outcome: ActionOutcome | None = None
    verified: tuple[VerifiedFinding, ...] = ()

    def of(self, *kinds: str) -> tuple[FieldLine, ...]:
        """Its lines of these kinds."""
        return tuple(line for line in self.lines if line.kind in kinds)

    def but(self, *kinds: str) -> tuple[FieldLine, ...]:
        """Its other lines."""
        return tuple(line for line in self.lines if line.kind not in kinds)

    @property
    def happened(self) -> tuple[Change, ...]:
        """What an effect changed, field by field."""
        if self.outcome is None or not self.outcome.status.took_effect:
            return ()
        record, before, after = self.outcome.record_id, self.outcome.before, self.outcome.after
        changed = {name: value for name, value in after.items() if value != before.get(name)} or after
        return tuple(
            Change(record=record, field=name, before=value_text(before.get(name)), after=value_text(value))
            for name, value in changed.items()
        )

    @property
    def outcome_tone(self) -> str:
        """How good that is."""
        if self.outcome is None:
            return ""
        if self.outcome.status in _GOOD:
            return "good"
        return "bad" if self.outcome.status in _BAD else "warn"

    @property
    def outcome_means(self) -> str:
        """What became of it, in words."""
        return OUTCOMES[self.outcome.status] if self.outcome else ""

    @property
    def verified_means(self) -> tuple[tuple[VerifiedFinding, str, str], ...]:
        """What was seen afterwards, each with what that means, and how good that is."""
        return tuple((each, VERIFIED[each.status], _VERIFIED_TONES[each.status]) for each in self.verified)


@dataclass(frozen=True, kw_only=True)
class CardGroup:
    """Actions that are the same but for their record, told together; or one alone.

    `common`, `changes`, `evidence`: what all of them have in common, told once. `ids`: they, as a selection says it.
    `heading`: how many of what, and what they spend in all.
    """

    cards: tuple[ActionCard, ...]
    common: tuple[FieldLine, ...] = ()
    changes: tuple[Change, ...] = ()
    evidence: tuple[str, ...] = ()
    ids: str = ""
    heading: str = ""

    @property
    def first(self) -> ActionCard:
        """One for all of them."""
        return self.cards[0]


@dataclass(frozen=True, kw_only=True)
class PlanPart:
    """One plan of a repair. `asks`: it waits, and whoever looks may decide; `entered`: with what was filled in."""

    digest: str
    round: int
    rounds: int
    head: tuple[FieldLine, ...]
    groups: tuple[CardGroup, ...]
    left_alone: tuple[FieldLine, ...]
    asks: bool = False
    entered: bool = False
    approve: str = ""
    reject: str = ""
    comment: str = ""

    @property
    def figures(self) -> tuple[FieldLine, ...]:
        """What is to be known of the whole plan, in numbers."""
        return tuple(line for line in self.head if line.kind in _FIGURES)

    @property
    def further(self) -> tuple[FieldLine, ...]:
        """What else there is; the deadline stands where the repair does."""
        return tuple(line for line in self.head if line.kind not in (*_FIGURES, LineKind.DEADLINE))

    @property
    def cards(self) -> tuple[ActionCard, ...]:
        """Every action, as the page has them."""
        return tuple(card for group in self.groups for card in group.cards)

    @property
    def shown(self) -> str:
        """The ids that the page shows, which are all that can be decided there."""
        return " ".join(card.action.id for card in self.cards)


def plan_part(
    plan: PlanView,
    *,
    rounds: int,
    decide_by: datetime | None = None,
    asks: bool = False,
    entered: Entered | None = None,
    outcomes: Mapping[str, ActionOutcome] | None = None,
    verified: Mapping[str, list[VerifiedFinding]] | None = None,
) -> PlanPart:
    """A plan, with what somebody `entered` in its form, or with what became of it."""
    kept = entered if entered is not None and entered.plan_digest == plan.digest else Entered()

    def card(action: ActionView, group: ActionGroup) -> ActionCard:
        alone = len(group.actions) == 1
        return ActionCard(
            action=action,
            lines=action_lines(action) if alone else group.own(action),
            changes=nameless_changes(action) if alone else group.own_changes(action),
            evidence=action.evidence if alone else group.own_evidence(action),
            verdict=kept.verdicts.get(action.id, ""),
            fields=_fields(action, kept) if asks else (),
            target=target_to_name(action) if asks else "",
            named=kept.named.get(action.id, ""),
            outcome=(outcomes or {}).get(action.id),
            verified=tuple((verified or {}).get(action.id, ())),
        )

    return PlanPart(
        digest=plan.digest,
        round=plan.round,
        rounds=rounds,
        head=PlanHead.of(plan, decide_by=decide_by).lines(),
        groups=tuple(_group(group, plan, card) for group in _groups(plan)),
        left_alone=tuple(left_alone_lines(plan)),
        asks=asks,
        entered=kept is entered,
        approve=kept.approve,
        reject=kept.reject,
        comment=kept.comment,
    )


def _groups(plan: PlanView) -> Iterator[ActionGroup]:
    """What is alike together where that is worth it; else one by one."""
    for group in grouped(plan):
        if len(group.actions) >= _WORTH_A_GROUP:
            yield group
        else:
            yield from (ActionGroup((action,)) for action in group.actions)


def _group(group: ActionGroup, plan: PlanView, card: Callable[[ActionView, ActionGroup], ActionCard]) -> CardGroup:
    cards = tuple(card(action, group) for action in group.actions)
    if len(cards) == 1:
        return CardGroup(cards=cards)
    return CardGroup(
        cards=cards,
        common=group.common,
        changes=group.changes,
        evidence=group.evidence,
        ids=in_short(group.ids, plan),
        heading=group.heading.text,
    )


def _fields(action: ActionView, kept: Entered) -> tuple[Field, ...]:
    return tuple(_field(action, argument, kept) for argument in action.limits)


def _field(action: ActionView, argument: str, kept: Entered) -> Field:
    limit, planned = action.limits[argument], field_text(action, argument)
    number = limit if isinstance(limit, Between) else None
    longest = limit.max_length if isinstance(limit, Sentence) else None
    value = kept.edits.get(action.id, {}).get(argument, planned)
    return Field(
        name=f"{EDIT}.{action.id}.{argument}",
        label=argument,
        value=value,
        planned=planned,
        hint=limit_words(limit),
        low=number.minimum if number else None,
        high=number.maximum if number else None,
        options=tuple(map(text_of, limit.values)) if isinstance(limit, OneOf) else (),
        longest=longest,
        is_long=longest is not None and longest > _ONE_LINE,
        wrong=(limit.refuses(value_of(limit, value)) or "") if value != planned else "",
    )


def value_text(value: JsonValue) -> str:
    """A value in words; nothing where there is none."""
    return "" if value is None else text_of(value)
