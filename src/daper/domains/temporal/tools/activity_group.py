"""Several activities of one call: what is seen of each, what became of them, and how that is told as one."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from daper.core.errors import ActionFailed
from daper.core.outcomes import Holding, Postcondition
from daper.core.text import counted, shown
from daper.domains.temporal.activity_names import names_of
from daper.domains.temporal.workflow import PendingActivity, WorkflowState

_AT_ONCE: Final = 10
_MOST_REASONS: Final = 5
_BADNESS: Final = (Holding.NO, Holding.UNKNOWN, Holding.UNTOLD, Holding.WAITING, Holding.YES)

Answer = Mapping[str, float]
"""What the server says is set of an activity, where it says so."""


@dataclass(frozen=True, kw_only=True)
class LastAttempt:
    """The last attempt of an activity that is over: its number, and when it began."""

    number: int
    began: datetime | None


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """One of the activities that a call names, as it is now. `activity`: None where it is not pending in that run.

    `last`: of one that is over, where that was looked for. `run_is_over`: then nothing of it takes a request any more.
    """

    id: str
    state: WorkflowState | None
    activity: PendingActivity | None
    run_is_over: bool
    last: LastAttempt | None = None

    @property
    def asked(self) -> PendingActivity:
        """The activity, where it is certain that it is there."""
        if self.activity is None:
            raise TypeError(f"activity {self.id!r} is not pending")
        return self.activity


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What became of each of the activities of a call: those that are done, and of the others why they are not.

    `seen`: those that are done, as they were right before they were asked for, or as they are where others had asked.
    `over`: those of which nothing is left to take back. `answers`: what the server says is set of them by now.
    """

    seen: Mapping[str, PendingActivity | None]
    left: Mapping[str, str]
    over: frozenset[str] = frozenset()
    answers: Mapping[str, Answer] = field(default_factory=dict[str, Answer])

    @property
    def first(self) -> PendingActivity | None:
        """One of those that are done: they were alike."""
        return next((each for each in self.seen.values() if each is not None), None)


async def answered(requests: Mapping[str, Callable[[], Awaitable[Answer]]]) -> tuple[dict[str, Answer], dict[str, str]]:
    """Make these requests, some at once: what was answered, and why others were refused.

    Raises what left one of them open, once all that were made are over; no other is made then.
    """
    gate = asyncio.Semaphore(_AT_ONCE)
    answers: dict[str, Answer] = {}
    refused: dict[str, str] = {}
    lost: list[Exception] = []

    async def one(name: str, request: Callable[[], Awaitable[Answer]]) -> None:
        async with gate:
            if lost:
                return
            try:
                answers[name] = await request()
            except ActionFailed as error:
                refused[name] = str(error)
            except Exception as error:  # noqa: BLE001 - raised below
                lost.append(error)

    await asyncio.gather(*(one(name, request) for name, request in requests.items()))
    if lost:
        raise lost[0]
    return answers, refused


def named_words(progress: Progress, verb: str, verbs: str) -> str:
    """Whom a deed was done to, with what that does: the one activity, or how many."""
    if len(progress.seen) == 1:
        return f"activity {shown(next(iter(progress.seen)))} {verb}"
    return f"{len(progress.seen):,} activities {verbs}"


def together(words: Sequence[Postcondition]) -> Postcondition:
    """One word on several activities: the worst, with how many it is said of."""
    if not words:
        return Postcondition(holding=Holding.UNKNOWN, evidence="it was done to no activity")
    worst = min(words, key=lambda each: _BADNESS.index(each.holding))
    number = sum(each.holding is worst.holding for each in words)
    if len(words) == 1:
        return worst
    return worst.model_copy(update={"evidence": f"{number:,} of {len(words):,} activities: {worst.evidence}"})


def listed(ids: Iterable[str]) -> str:
    """Activities by their names, shortened."""
    return shown(", ".join(names_of(ids)), longest=200)


def left_words(left: Mapping[str, str]) -> list[str]:
    """Which activities are left, by the reason."""
    reasons: dict[str, list[str]] = {}
    for activity_id, why in left.items():
        reasons.setdefault(why, []).append(activity_id)
    told = [f"{listed(ids)}: {why}" for why, ids in reasons.items()]
    more = [f"and {counted(len(told) - _MOST_REASONS, 'other reason')}"] if len(told) > _MOST_REASONS else []
    return [*told[:_MOST_REASONS], *more]


def why_none(left: Mapping[str, str]) -> str:
    """Why nothing was done at all."""
    reasons = list(dict.fromkeys(left.values()))
    if len(left) == 1 or len(reasons) == 1:
        return reasons[0] if "nothing was changed" in reasons[0] else f"{reasons[0]}; nothing was changed"
    return f"{'; '.join(left_words(left))}; nothing was changed" if left else ""
