"""The inbox as its page shows it: groups of repairs that are alike, and of each repair what its plan would do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from daper.core.action_groups import is_of
from daper.core.digests import canonical
from daper.core.models import Change
from daper.core.text import counted
from daper.core.views import ActionView, PlanView
from daper.core.waiting import RepairGroup, WaitingRepair
from daper.entrypoints.web.page_number import page_number
from daper.service.board import Board, BoardView

GROUPS_A_PAGE: Final = 20
REPAIRS_OF_A_GROUP: Final = 5
"""Where several groups are shown; the others are a link away."""

REPAIRS_A_PAGE: Final = 50
"""Where one group is shown."""

_ACTIONS: Final = 5  # of a repair that has to be opened anyway
_RECORDS: Final = 3


@dataclass(frozen=True, kw_only=True)
class RepairRow:
    """A repair in the inbox. `ticked`: what its box sends, empty where it cannot be decided here. `more`: actions."""

    repair: WaitingRepair
    actions: tuple[ActionView, ...] = ()
    more: int = 0
    ticked: str = ""

    @property
    def title(self) -> str:
        """What it would do, in short."""
        if not self.repair.digest:
            return self.repair.repair_id
        tools = ", ".join(
            name if many == 1 else f"{name} \N{MULTIPLICATION SIGN} {many}" for name, many in self.repair.tools
        )
        return tools or "nothing to run"

    @property
    def records(self) -> tuple[tuple[str, str], ...]:
        """The first of its records."""
        return self.repair.records[:_RECORDS]

    @property
    def more_records(self) -> int:
        """How many more it has."""
        return len(self.repair.records) - len(self.records)


@dataclass(frozen=True, kw_only=True)
class GroupCard:
    """A group of the inbox with the repairs that are shown.

    `tick_at`: where all boxes are ticked, `all_at`: where all repairs are; empty where that is no other place.
    """

    group: RepairGroup
    rows: tuple[RepairRow, ...]
    tick_at: str = ""
    all_at: str = ""

    @property
    def boxes(self) -> int:
        """How many of those that are shown can be ticked."""
        return sum(bool(row.ticked) for row in self.rows)

    @property
    def title(self) -> str:
        """What the group is."""
        tools = ", ".join(self.group.tools) or "plans that cannot be read"
        return f"{counted(len(self.group.repairs), 'repair')}: {tools}"


@dataclass(frozen=True, kw_only=True)
class InboxAsked:
    """Which part of the inbox is asked for. `group`: one alone, by its key; `ticked`: one whose boxes are ticked."""

    group: str = ""
    page: int = 1
    ticked: str = ""

    @classmethod
    def of(cls, said: Mapping[str, str]) -> "InboxAsked":
        """As the query of an address says it; what is none of ours is left out."""
        page = page_number(said.get("page", ""))
        return cls(group=said.get("group", ""), page=page, ticked=said.get("ticked", ""))

    def at(self, **other: str | int) -> str:
        """The address of another part."""
        named = {"group": self.group, "page": self.page, **other}
        query = urlencode({name: value for name, value in named.items() if value and (name, value) != ("page", 1)})
        return f"/?{query}" if query else "/"


@dataclass(frozen=True, kw_only=True)
class InboxPage:
    """A part of the inbox. `before`, `after`: the addresses of its neighbours, empty where there is none."""

    view: BoardView
    cards: tuple[GroupCard, ...]
    said: str = ""
    before: str = ""
    after: str = ""
    asked: InboxAsked

    @property
    def boxes(self) -> int:
        """How many repairs can be decided here."""
        return sum(card.boxes for card in self.cards)


def inbox_page(board: Board, view: BoardView, asked: InboxAsked, *, may_decide: bool) -> InboxPage:
    """The part of the inbox that is asked for; a group that is not there any more is no group, but the whole inbox."""
    found = next((group for group in view.groups if group.key == asked.group), None)
    if found is None:
        asked = InboxAsked(page=asked.page if not asked.group else 1, ticked=asked.ticked)
    whole, size = (view.groups, GROUPS_A_PAGE) if found is None else (found.repairs, REPAIRS_A_PAGE)
    pages = max(1, -(-len(whole) // size))
    page = min(asked.page, pages)
    part = slice((page - 1) * size, page * size)
    here = InboxAsked(group=asked.group, page=page, ticked=asked.ticked)
    groups = view.groups[part] if found is None else (RepairGroup(key=found.key, repairs=found.repairs),)
    return InboxPage(
        view=view,
        cards=tuple(
            _card(board, group, here, may_decide=may_decide, part=part if found else slice(REPAIRS_OF_A_GROUP))
            for group in groups
        ),
        said=f"Page {page} of {pages}" if pages > 1 else "",
        before=here.at(page=page - 1) if page > 1 else "",
        after=here.at(page=page + 1) if page < pages else "",
        asked=here,
    )


def _card(board: Board, group: RepairGroup, asked: InboxAsked, *, may_decide: bool, part: slice) -> GroupCard:
    shown = group.repairs[part]
    known = {repair.digest: board.plan(repair.digest) for repair in shown}
    plans = {digest: each.plan for digest, each in known.items() if each is not None}
    rows = tuple(_row(repair, plans.get(repair.digest), may_decide=may_decide) for repair in shown)
    many = sum(bool(row.ticked) for row in rows) > 1
    alone = asked.group == group.key
    return GroupCard(
        group=group,
        rows=rows,
        tick_at=f"{asked.at(ticked=group.key)}#{group.key}" if many else "",
        all_at="" if alone or len(shown) == len(group.repairs) else asked.at(group=group.key, page=1),
    )


def _row(repair: WaitingRepair, plan: PlanView | None, *, may_decide: bool) -> RepairRow:
    """All actions of one that can be decided here: of what was not shown nothing is decided."""
    if plan is None:
        return RepairRow(repair=repair, more=len(repair.action_ids))
    decidable = may_decide and repair.may_be_decided
    actions = plan.actions if decidable else plan.actions[:_ACTIONS]
    shown = {"repair": repair.repair_id, "plan": plan.digest, "ids": [action.id for action in actions]}
    return RepairRow(
        repair=repair,
        actions=actions,
        more=len(plan.actions) - len(actions),
        ticked=canonical(shown) if decidable else "",
    )


def field_of(change: Change, action: ActionView) -> str:
    """What changes, without the record where that is the action's own."""
    own = is_of(action, change.record)
    return change.field if own else f"{change.record} {change.field}"
