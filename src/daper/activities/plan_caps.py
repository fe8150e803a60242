"""What one plan does no more of: the caps that tools have of their own."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from daper.core.second_opinion import Option
from daper.ports import Capped, PlanCaps, RepairTool


class PlanRoom:
    """What is left of the caps of the tools while a plan is put together."""

    def __init__(self, tools: Mapping[str, RepairTool]) -> None:
        self._tools = tools
        self._actions: dict[str, int] = {}
        self._money: dict[str, Decimal] = {}

    def take(self, options: Sequence[Option]) -> tuple[list[Option], frozenset[str]]:
        """Those for which there is room, in their order; and the problems that the others answer, by fingerprint."""
        fitting: list[Option] = []
        over: set[str] = set()
        for option in options:
            if self.fits(option):
                fitting.append(option)
            else:
                over.update(option.proposal.answers)
        return fitting, frozenset(over - {each for option in fitting for each in option.proposal.answers})

    def fits(self, option: Option) -> bool:
        """Whether there is room for it, which it takes then."""
        name = option.proposal.tool
        caps = caps_of(self._tools[name])
        actions = self._actions.get(name, 0) + 1
        money = self._money.get(name, Decimal(0)) + (option.bindable.spends or Decimal(0))
        if caps.actions is not None and actions > caps.actions:
            return False
        if caps.money is not None and money > caps.money:
            return False
        self._actions[name], self._money[name] = actions, money
        return True


def beyond_caps(tool: RepairTool, spends: Decimal | None) -> str | None:
    """Why what spends so much is in no plan, however empty it is; or None."""
    most = caps_of(tool).money
    if most is None:
        return None
    if spends is None:
        return f"nobody can say what it spends, and {tool.name} may spend at most {most} in one plan"
    return f"it spends {spends}, and {tool.name} may spend at most {most} in one plan" if spends > most else None


def caps_of(tool: RepairTool) -> PlanCaps:
    """The caps of a tool; none where it has none."""
    return tool.caps if isinstance(tool, Capped) else PlanCaps()
