"""The whole plan of an open repair: every page of it, put together."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Protocol, TypeVar

from daper.core.errors import Unreachable, UserError
from daper.core.messages import MOST_PER_PAGE, PageArgs
from daper.core.outcomes import RepairResult
from daper.core.views import PlanView, RepairView

T = TypeVar("T")


class Looks(Protocol):
    """What shows where a repair stands, one page of its plan at a time."""

    async def look(self, repair_id: str, page: PageArgs | None = None) -> RepairView | RepairResult:
        """An open repair as it stands, or the result of an ended one."""
        ...


async def look_at_whole_plan(service: Looks, repair_id: str) -> RepairView | RepairResult:
    """An open repair with all of its plan, if it has one; or the result, if it has ended.

    Raises NotFound, Unreachable, or UserError where another plan came while this one was read.
    """
    look = await service.look(repair_id, PageArgs(size=MOST_PER_PAGE))
    if isinstance(look, RepairResult) or look.plan is None:
        return look
    whole = look.plan
    for page in range(2, look.plan.pages + 1):
        look = await service.look(repair_id, PageArgs(page=page, size=MOST_PER_PAGE))
        if isinstance(look, RepairResult):
            return look
        if look.plan is None or look.plan.digest != whole.digest:
            raise UserError(f"the plan of repair {repair_id!r} changed while it was read; read it again")
        whole = _joined(whole, look.plan)
    return look.model_copy(update={"plan": whole})


async def with_whole_plans(service: Looks, looks: AsyncGenerator[T]) -> AsyncGenerator[T | RepairView | RepairResult]:
    """Looks as they come; of those with a part of a plan, with all of it, where that can be had."""
    known: PlanView | None = None
    async with aclosing(looks):
        async for look in looks:
            if not isinstance(look, RepairView) or look.plan is None or look.plan.pages == 1:
                yield look
                continue
            if known is None or known.digest != look.plan.digest:
                with suppress(UserError, Unreachable):  # another plan came just now, or nobody answers: it is told so
                    whole = await look_at_whole_plan(service, look.repair_id)
                    known = None if isinstance(whole, RepairResult) else whole.plan
            # What it says of the repair is as it came: nothing of the story is left out.
            same = known is not None and known.digest == look.plan.digest
            yield look.model_copy(update={"plan": known}) if same else look


def _joined(whole: PlanView, further: PlanView) -> PlanView:
    return whole.model_copy(
        update={
            "actions": whole.actions + further.actions,
            "suppressed": whole.suppressed + further.suppressed,
            "blocked": whole.blocked + further.blocked,
            "for_person": whole.for_person + further.for_person,
            "pages": 1,
        }
    )
