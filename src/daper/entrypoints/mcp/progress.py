"""Tells a client that asked for it how a repair gets on, while it waits."""

from collections.abc import AsyncGenerator
from typing import TypeGuard

from mcp.server.mcpserver import Context

from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.text import counted
from daper.core.views import RepairView
from daper.service.requests import Silence

Look = RepairView | RepairResult | Silence


async def told_on(ctx: Context, looks: AsyncGenerator[Look]) -> AsyncGenerator[Look]:
    """The looks as they come; each phase, and each action that is done, is told to the client as progress.

    A phase is a step, and so is an action. How many there will be is told only while actions run, for nobody knows it
    before, and a plan may come back.
    """
    told, steps, done, before = 0, 0, 0, ""
    async for look in looks:
        if not isinstance(look, Silence):
            phases, now = _phases(look), _now(look)
            for phase in phases[told:-1]:
                steps += 1
                await ctx.report_progress(steps, message=phase)
            if now != before:
                at = look.actions_done if _runs(look) else 0
                steps += max(1, at - done)
                await ctx.report_progress(steps, _in_all(look, steps), now)
                done, before = at, now
            told = max(told, len(phases))
        yield look


def _phases(look: RepairView | RepairResult) -> tuple[str, ...]:
    if isinstance(look, RepairView):
        return tuple(str(phase) for phase in look.phases_seen)
    return tuple(dict.fromkeys((*look.durations, str(look.phase))))


def _now(look: RepairView | RepairResult) -> str:
    """Where it stands, with what can be counted there."""
    counts = ""
    if isinstance(look, RepairView):
        match look.phase:
            case Phase.PLANNING_REPAIR if look.problems:
                counts = counted(look.problems, "problem")
            case Phase.PENDING_APPROVAL if look.plan is not None:
                counts = counted(look.plan.total_actions, "action")
            case Phase.PENDING_REPAIR if look.actions_to_run:
                counts = f"{look.actions_done:,} of {counted(look.actions_to_run, 'action')}"
            case _:
                pass
    return f"{look.phase}: {counts}" if counts else str(look.phase)


def _runs(look: RepairView | RepairResult) -> TypeGuard[RepairView]:
    return isinstance(look, RepairView) and look.phase is Phase.PENDING_REPAIR


def _in_all(look: RepairView | RepairResult, steps: int) -> int | None:
    return steps + look.actions_to_run - look.actions_done if _runs(look) and look.actions_to_run else None
