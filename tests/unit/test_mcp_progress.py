"""What a client is told while it waits for a repair: each phase, and how many of the actions are done."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, cast

from mcp.server.mcpserver import Context
from tests.unit.every_door import LOOK

from daper.core.commands import Said
from daper.core.phases import Phase
from daper.entrypoints.mcp.progress import Look, told_on
from daper.service.requests import Silence

Told = tuple[float, float | None, str | None]


class _Hears:
    def __init__(self) -> None:
        self.told: list[Told] = []

    async def report_progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        self.told.append((progress, total, message))


async def told(looks: Sequence[Look]) -> list[Told]:
    """What is told of looks that come one after another."""

    async def coming() -> AsyncGenerator[Look]:
        for look in looks:
            yield look

    hears = _Hears()
    assert [look async for look in told_on(cast("Context[Any]", hears), coming())] == list(looks)
    return hears.told


CYCLE = [*Phase][: [*Phase].index(Phase.REPORT_COMPLETED)]


# Any: fields of many kinds.
def at(phase: Phase, **update: Any) -> Look:
    return LOOK.model_copy(update={"phase": phase, "phases_seen": tuple(CYCLE[: CYCLE.index(phase) + 1]), **update})


async def test_each_phase_is_told_once_with_what_can_be_counted_there() -> None:
    assert LOOK.plan is not None
    actions = LOOK.plan.total_actions
    heard = await told(
        [
            at(Phase.ANALYZING_PROBLEMS),
            at(Phase.PLANNING_REPAIR, problems=4),
            Silence(message=Said("no worker answers")),
            at(Phase.PENDING_APPROVAL),
            at(Phase.PENDING_APPROVAL, notices=("a mail was sent",)),
            at(Phase.PENDING_REPAIR, actions_to_run=10, actions_done=0),
            at(Phase.PENDING_REPAIR, actions_to_run=10, actions_done=3),
            at(Phase.PENDING_REPAIR, actions_to_run=10, actions_done=3),
            at(Phase.PENDING_REPAIR, actions_to_run=10, actions_done=10),
            at(Phase.VERIFYING_REPAIR, actions_to_run=10, actions_done=10),
        ]
    )
    assert heard == [
        (1, None, "INITIALIZING"),
        (2, None, "DETECTING-PROBLEMS"),
        (3, None, "ANALYZING-PROBLEMS"),
        (4, None, "PLANNING-REPAIR: 4 problems"),
        (5, None, f"PENDING-APPROVAL: {actions} actions"),
        (6, None, "APPROVED"),
        (7, 17, "PENDING-REPAIR: 0 of 10 actions"),
        (10, 17, "PENDING-REPAIR: 3 of 10 actions"),
        (17, 17, "PENDING-REPAIR: 10 of 10 actions"),
        (18, None, "VERIFYING-REPAIR"),
    ]


async def test_what_is_told_only_grows_also_where_a_plan_comes_back() -> None:
    again = (*CYCLE[:8], Phase.ANALYZING_PROBLEMS)
    heard = await told(
        [
            at(Phase.PENDING_REPAIR, actions_to_run=3, actions_done=2),
            LOOK.model_copy(update={"phase": Phase.ANALYZING_PROBLEMS, "phases_seen": again}),
            LOOK.model_copy(
                update={"phase": Phase.PENDING_REPAIR, "phases_seen": (*again, *CYCLE[3:7]), "actions_to_run": 1}
            ),
        ]
    )
    steps = [progress for progress, _, _ in heard]
    assert steps == sorted(set(steps))
    assert all(total is None or total >= progress for progress, total, _ in heard)
    assert heard[-1][2] == "PENDING-REPAIR: 0 of 1 action"
