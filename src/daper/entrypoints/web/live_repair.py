"""A repair as it goes on, for an open page: the parts that changed, and never the form that somebody fills in."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import parse_qsl, urlencode

from daper.core.decisions import in_one_line
from daper.core.errors import DaperError
from daper.core.outcomes import RepairResult
from daper.core.views import PlanView, RepairView
from daper.entrypoints.web.repair_page import FORM, Look, RepairPage, decided_in
from daper.service.requests import Silence
from daper.service.whole_plan import Looks, look_at_whole_plan

RETRY_MS: Final = 5000
_QUIET: Final = "quiet"


class Follows(Looks, Protocol):
    """What tells every change of a repair."""

    def follow(self, repair_id: str) -> AsyncGenerator[RepairView | RepairResult | Silence]:
        """Every look that shows something new, and at last the result."""
        ...


@dataclass(frozen=True, kw_only=True)
class News:
    """What an open page is told: parts by name, anew; a sentence; what the page knows from then on.

    `changed`: what the page asks for is not what waits any more, in words. `quiet`: why nothing can be told for now.
    """

    parts: tuple[str, ...] = ()
    page: RepairPage | None = None
    changed: str = ""
    quiet: str = ""
    known: str = ""
    ended: bool = False


def known_of(page: RepairPage) -> str:
    """What a page shows, as a short text that a later question brings back."""
    return urlencode(_known(page))


async def news(
    service: Follows, repair_id: str, known: str, shown: Callable[[Look], RepairPage]
) -> AsyncGenerator[News]:
    """What is new for a page that shows `known`, each time that something is; ends with the repair.

    What nobody can answer for now is told, and ends it: the page asks again.
    """
    has, plan = dict(parse_qsl(known)), _LastPlan(service, repair_id)
    said = has.pop(_QUIET, "")  # told before the page came again
    try:
        async with aclosing(service.follow(repair_id)) as looks:
            async for look in looks:
                if isinstance(look, Silence):
                    said = str(look.message)
                    yield _quiet(said, has)
                    continue
                whole = await plan.of(look)
                if whole is None:
                    continue
                page = shown(whole)
                told = _told(page, whole, has)
                if told.parts or told.changed or said or told.ended:
                    yield told
                has, said = dict(parse_qsl(told.known)), ""
    except DaperError as error:
        yield _quiet(str(error), has)


def _quiet(said: str, has: Mapping[str, str]) -> News:
    return News(quiet=said, known=urlencode({**has, _QUIET: "told"}))


def _told(page: RepairPage, look: Look, has: Mapping[str, str]) -> News:
    now = _known(page)
    parts = [name for name in page.versions() if now[name] != has.get(name, "")]
    changed = ""
    if has.get(FORM):
        # Somebody may be filling in the form: it stays, and what is known of it too, until the page is loaded anew.
        changed = what_changed(look, has[FORM]) if now[FORM] != has[FORM] else ""
        parts = [name for name in parts if name != "plans"]
        now |= {"plans": has.get("plans", ""), FORM: has[FORM]}
    return News(
        parts=tuple(parts), page=page, changed=changed, known=urlencode(now), ended=isinstance(look, RepairResult)
    )


def what_changed(look: Look, digest: str) -> str:
    """Why a plan is not the one that waits any more."""
    recorded = next((each for each in reversed(decided_in(look)) if each.decision.plan_digest == digest), None)
    if recorded is not None:
        return f"It was decided: {in_one_line(recorded)}."
    if isinstance(look, RepairResult):
        return f"The repair has ended as {look.phase}."
    if look.plan is not None and look.plan.digest != digest:
        return f"Another plan waits now: round {look.plan.round}."
    return f"The repair is in {look.phase} now."


def _known(page: RepairPage) -> dict[str, str]:
    return {**page.versions(), FORM: page.asked_digest}


class _LastPlan:
    """The whole plan of the looks at one repair: read once for each plan that is longer than a page."""

    def __init__(self, service: Looks, repair_id: str) -> None:
        self._service = service
        self._repair_id = repair_id
        self._whole: PlanView | None = None

    async def of(self, look: Look) -> Look | None:
        """The same look with all of its plan; None where another plan came meanwhile, which a later look has."""
        if isinstance(look, RepairResult) or look.plan is None or look.plan.pages == 1:
            return look
        if self._whole is None or self._whole.digest != look.plan.digest:
            read = await look_at_whole_plan(self._service, self._repair_id)
            if isinstance(read, RepairResult):
                return read
            if read.plan is None or read.plan.digest != look.plan.digest:
                return None
            self._whole = read.plan
        return look.model_copy(update={"plan": self._whole})
