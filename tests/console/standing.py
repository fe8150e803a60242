"""A repair that stands in memory, as the service shows it: its pages come without Temporal, and so at once."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from starlette.applications import Starlette

from daper.core.decisions import record, refuse_decision
from daper.core.errors import DaperError, DecisionRefused, NotFound
from daper.core.messages import PageArgs
from daper.core.models import Decision, Plan, RecordedDecision
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.views import RepairView, view_plan
from daper.entrypoints.web.app import console_app
from daper.entrypoints.web.console import Console
from daper.service.answers import ANYBODY, Authority, DecisionAnswer, Shown, answer_of
from daper.service.requests import DecisionReceipt, Silence
from daper.settings import load_settings
from tests.console.in_process import URL
from tests.unit.sized_repairs import STARTED

Look = RepairView | RepairResult
Told = Look | Silence | DaperError


class Standing:
    """One repair: it is looked at, decided on and followed. `plan`: whole, to which the look belongs."""

    def __init__(self, look: Look, plan: Plan) -> None:
        self.now: Look = look
        self.plan = plan
        self.decided: list[RecordedDecision] = []
        self.told: asyncio.Queue[Told] = asyncio.Queue()
        self.following = 0

    async def look(self, repair_id: str, page: PageArgs | None = None) -> Look:
        if repair_id != self.now.repair_id:
            raise NotFound(f"no repair {repair_id!r}")
        return _page_of(self.now, page or PageArgs())

    async def line(self, repair_id: str) -> None:
        await self.look(repair_id)

    async def follow(self, repair_id: str) -> AsyncGenerator[Look | Silence]:
        self.following += 1
        try:
            while True:
                told = await self.told.get()
                if isinstance(told, DaperError):
                    raise told
                yield told if isinstance(told, Silence) else _page_of(told, PageArgs(size=100))
                if isinstance(told, RepairResult):
                    return
        finally:
            self.following -= 1

    async def decide(self, repair_id: str, decision: Decision) -> DecisionReceipt:
        recorded = self.decided[-1] if self.decided else None
        if why := refuse_decision(self.now.phase, self.plan, recorded, decision):
            raise DecisionRefused(why)
        assert isinstance(self.now, RepairView)
        self.decided.append(record(self.plan, decision, STARTED))
        self.now = self.now.model_copy(update={"phase": Phase.APPROVED, "decision": self.decided[-1]})
        return DecisionReceipt(recorded=self.decided[-1])

    async def answer(
        self, repair_id: str, decision: Decision, *, shown: Shown, authority: Authority = ANYBODY
    ) -> DecisionAnswer:
        return await answer_of(self, repair_id, decision, seen=shown, authority=authority)


def _page_of(look: Look, page: PageArgs) -> Look:
    """The same, with one page of its plan, as a worker answers."""
    if isinstance(look, RepairResult) or look.plan is None:
        return look
    whole = look.plan
    pages = max(1, -(-len(whole.actions) // page.size))
    part = slice((page.page - 1) * page.size, page.page * page.size)
    some = {"page": page.page, "pages": pages, "actions": whole.actions[part]}
    some |= {name: getattr(whole, name)[part] for name in ("suppressed", "blocked", "for_person")}
    return look.model_copy(update={"plan": whole.model_copy(update=some)})


class _Board:
    """Nobody looks at the inbox here."""

    async def touch(self, repair_id: str) -> None:
        """Nobody is told."""


BOARD: Final = _Board()


def standing_app(home: Path, repairs: Standing) -> Starlette:
    """The console's own application over this one repair."""
    told: dict[str, Any] = {field.name: None for field in fields(Console)}  # Any: nothing is asked of most of them
    told |= {
        "settings": load_settings(environ={"DAPER_HOME": str(home), "USER_NAME": "Cornelius"}, folder=home),
        "services": SimpleNamespace(repairs=repairs, board=BOARD),
        "url": URL,
        "hosts": (URL.removeprefix("http://"),),
        "guarded": False,
    }
    return console_app(Console(**told))


def waiting(plan: Plan, look: RepairView, **beside: Any) -> RepairView:
    """The look, with another plan; Any: what `view_plan` takes."""
    return look.model_copy(update={"plan": view_plan(plan, size=10 * len(plan.actions), **beside)})
