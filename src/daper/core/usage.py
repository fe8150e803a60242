"""What language models took of tokens and money: by role, by record, in all. Pure; every number is counted here."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from daper.core.base import Wire
from daper.core.text import counted


class Role(StrEnum):
    """The roles of the thinking agents; each may be played by rules or by a language model."""

    DETECT = "detect"
    ANALYZE = "analyze"
    PLAN = "plan"
    REPORT = "report"


class Spent(Wire):
    """Tokens and money of some model calls.

    `cost` is in US dollars, as the price list of the model library has it; `unpriced` counts calls of models that the
    list does not have, whose cost is not in it. `uncertain` counts calls that did not say what they took, or what
    cannot be: they are counted with an estimate, mostly what was reserved for them, the most that they can have taken.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal = Decimal(0)
    unpriced: int = 0
    uncertain: int = 0

    @property
    def tokens(self) -> int:
        """Both kinds of token together."""
        return self.input_tokens + self.output_tokens

    def __str__(self) -> str:
        """All of it in words: tokens, calls, money, and what is not known of it."""
        money = (
            f"${self.cost.quantize(Decimal('0.0001')).normalize():f}"
            if self.cost or not self.unpriced
            else "no known price"
        )
        parts = [f"{counted(self.tokens, 'token')} in {counted(self.calls, 'call')}", money]
        if self.unpriced and self.cost:
            parts.append(f"the price of {counted(self.unpriced, 'call')} is not known")
        if self.uncertain:
            parts.append(f"{counted(self.uncertain, 'call')} did not tell credibly what it took, which is estimated")
        return ", ".join(parts)

    def plus(self, other: "Spent") -> "Spent":
        """The sum of both."""
        return Spent(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost=self.cost + other.cost,
            unpriced=self.unpriced + other.unpriced,
            uncertain=self.uncertain + other.uncertain,
        )


class Usage(Wire):
    """What a cycle has spent. A call about several records is shared out evenly among them, down to whole tokens."""

    total: Spent = Spent()
    by_role: dict[Role, Spent] = Field(default_factory=dict[Role, Spent])
    by_record: dict[str, Spent] = Field(default_factory=dict[str, Spent])

    @staticmethod
    def of(calls: "Iterable[CallSpent]") -> "Usage":
        """The usage that follows from single calls."""
        total, by_role, by_record = Spent(), dict[Role, Spent](), dict[str, Spent]()
        for call in calls:
            total = total.plus(call.spent)
            by_role[call.role] = by_role.get(call.role, Spent()).plus(call.spent)
            for record_id, share in call.shares().items():
                by_record[record_id] = by_record.get(record_id, Spent()).plus(share)
        return Usage(total=total, by_role=by_role, by_record=by_record)


class CallSpent(Wire):
    """What one agent run took: in which role, about which records."""

    role: Role
    record_ids: tuple[str, ...] = ()
    spent: Spent = Spent()

    def shares(self) -> Mapping[str, Spent]:
        """What it took, shared out over its records; what cannot be divided goes to the first ones."""
        count = len(self.record_ids)
        return {
            record_id: Spent(
                calls=self.spent.calls,
                input_tokens=_share(self.spent.input_tokens, count, place),
                output_tokens=_share(self.spent.output_tokens, count, place),
                cost=self.spent.cost / count,
                unpriced=self.spent.unpriced,
                uncertain=self.spent.uncertain,
            )
            for place, record_id in enumerate(self.record_ids)
        }


def _share(total: int, count: int, place: int) -> int:
    return total // count + (place < total % count)
