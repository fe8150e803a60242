"""A plan of many pages is read whole, or not at all."""

from collections.abc import Callable

import pytest
from sized_repairs import a_plan, ended_repair, waiting_repair

from daper.core.errors import UserError
from daper.core.messages import PageArgs
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.views import RepairView, view_plan
from daper.service.whole_plan import look_at_whole_plan

WHOLE = a_plan(1400)  # more than a page of whatever a plan holds
Look = RepairView | RepairResult


class Pages:
    """Where a repair stands, as a service shows it: page by page. `then` changes every look after the first."""

    def __init__(self, view: RepairView, then: Callable[[RepairView], Look] = lambda view: view) -> None:
        self.view = view
        self.then = then
        self.asked: list[int] = []

    async def look(self, repair_id: str, page: PageArgs | None = None) -> Look:
        assert repair_id == self.view.repair_id
        assert page is not None
        self.asked.append(page.page)
        plan = view_plan(WHOLE, page=page.page, size=page.size)
        view = self.view.model_copy(update={"plan": plan if self.view.plan else None})
        return view if len(self.asked) == 1 else self.then(view)


async def test_every_action_and_all_that_is_kept_back_is_there_once() -> None:
    pages = Pages(waiting_repair(1))

    look = await look_at_whole_plan(pages, pages.view.repair_id)

    assert isinstance(look, RepairView)
    assert look.plan is not None
    assert [action.id for action in look.plan.actions] == [action.id for action in WHOLE.actions]
    assert look.plan.total_actions == len(WHOLE.actions)
    assert (look.plan.suppressed, look.plan.blocked, look.plan.for_person) == (
        WHOLE.suppressed,
        WHOLE.blocked,
        WHOLE.for_person,
    )
    assert pages.asked == [*range(1, 12)]


async def test_a_repair_without_a_plan_is_looked_at_once() -> None:
    pages = Pages(waiting_repair(1).model_copy(update={"plan": None, "phase": Phase.ANALYZING_PROBLEMS}))

    look = await look_at_whole_plan(pages, pages.view.repair_id)

    assert isinstance(look, RepairView)
    assert look.plan is None
    assert pages.asked == [1]


async def test_a_repair_that_ends_meanwhile_is_told_by_its_result() -> None:
    result = ended_repair(1)
    pages = Pages(waiting_repair(1), then=lambda _: result)

    assert await look_at_whole_plan(pages, pages.view.repair_id) is result


@pytest.mark.parametrize("gone", [True, False], ids=["no plan any more", "another plan"])
async def test_pages_of_two_plans_are_never_put_together(gone: bool) -> None:
    def change(view: RepairView) -> RepairView:
        assert view.plan is not None
        other = None if gone else view.plan.model_copy(update={"digest": "another"})
        return view.model_copy(update={"plan": other})

    pages = Pages(waiting_repair(1), then=change)

    with pytest.raises(UserError, match="changed while it was read"):
        await look_at_whole_plan(pages, pages.view.repair_id)
