"""What a reset of a run does: what stays, what is done once more, and what nobody can know. Pure.

It goes to a workflow task that was completed. What came before stays; the task itself and all behind it is done anew,
as long as the code decides as it did.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from daper.domains.temporal.history import CANCEL, COMPLETED, Heard, RunHistory, Sort, Step


@dataclass(frozen=True, kw_only=True)
class ResetForecast:
    """What a reset to the workflow task `point` does. `why`: how that point was chosen.

    `kept`: what is over before it, and stays; `done_again`: what was completed, and is done once more; `tried_again`:
    what was not; `goes_on`: what was under way at that point, and is not asked for anew; `played_again`: what came from
    outside since, and `forgotten` what of that the server does not play again; `beside`: children of those that are
    asked for once more which run on, or may; `unknown`: what cannot be known, in sentences.
    """

    point: int
    why: str
    kept: tuple[Step, ...] = ()
    done_again: tuple[Step, ...] = ()
    tried_again: tuple[Step, ...] = ()
    goes_on: tuple[Step, ...] = ()
    played_again: tuple[Heard, ...] = ()
    forgotten: tuple[Heard, ...] = ()
    beside: tuple[Step, ...] = ()
    unknown: tuple[str, ...] = ()
    obstacle: str = ""


def forecast(history: RunHistory) -> ResetForecast:
    """What a reset to the last good point of a run does; an obstacle where there is none."""
    if not history.tasks:
        return ResetForecast(point=0, why="", obstacle="none of its workflow tasks was ever completed")
    point, why = _last_good(history)
    while earlier := [each.task for each in _lost(history, point)]:
        point = min(earlier)
        why += "; and before children that are over, of whose end a later point would never hear"
    return replace(forecast_at(history, point), why=why)


def forecast_at(history: RunHistory, point: int) -> ResetForecast:
    """What a reset to this very workflow task does."""
    kept: list[Step] = []
    again: list[Step] = []
    goes_on: list[Step] = []
    for step in history.steps:
        _becomes(step, point, kept=kept, again=again, goes_on=goes_on).append(step)
    heard = [each for each in history.heard if each.at >= point]
    return ResetForecast(
        point=point,
        why="",
        kept=tuple(kept),
        done_again=tuple(each for each in again if each.outcome == COMPLETED),
        tried_again=tuple(each for each in again if each.outcome != COMPLETED),
        goes_on=tuple(goes_on),
        played_again=tuple(each for each in heard if each.sort != CANCEL),
        forgotten=tuple(each for each in heard if each.sort == CANCEL),
        beside=tuple(each for each in _still_running(again) if each.has_made_up_id),
        unknown=tuple(_unknown(history, again=again, goes_on=goes_on)),
        obstacle=refused_children(again),
    )


def _becomes(step: Step, point: int, *, kept: list[Step], again: list[Step], goes_on: list[Step]) -> list[Step]:
    """Which of these a step belongs to."""
    if step.task >= point:
        return again
    if 0 < step.closed < point:
        return kept
    if step.sort is Sort.ACTIVITY:
        return again  # the server puts it on its queue once more
    if step.sort is Sort.CHILD and step.closed:
        return kept  # the server plays its end again
    return goes_on


def _unknown(history: RunHistory, *, again: Iterable[Step], goes_on: Iterable[Step]) -> Iterator[str]:
    if any(each.sort is Sort.NEXUS for each in goes_on):
        yield "whether the new run hears of Nexus operations that were under way"
    if any(each.sort is Sort.NEXUS for each in again):
        yield "what a Nexus operation does that is asked for once more"
    if history.strange:
        yield "what becomes of events in its history that only a newer server knows"
    if history.failing and not history.ending:
        yield "which local activities ran in the task that fails: they leave no trace"


def _last_good(history: RunHistory) -> tuple[int, str]:
    """The task to go back to, and why this one."""
    last = history.tasks[-1]
    if history.ending != "Failed":
        return last, "the last workflow task that was completed"
    steps = {each.at: each for each in history.steps}
    if history.culprit:
        step = steps[history.culprit]
        return step.task, f"before {step.label} was asked for, by which it failed"
    # It may have failed of what its last task was told, and say it in words of its own.
    before = history.tasks[-2] if len(history.tasks) > 1 else 0
    told = [each for each in steps.values() if before < each.closed < last and each.outcome in ("failed", "timed out")]
    if told:
        first = min(told, key=lambda each: each.task)
        return first.task, f"before {first.label} was asked for, which {first.outcome} right before it failed"
    return last, "before its last workflow task, in which its own code failed"


def _lost(history: RunHistory, point: int) -> list[Step]:
    """Children from before that point that are over, and of whose end a new run would never hear: it would wait on."""
    if not history.ending:
        return []
    return [each for each in history.waits_for_children() if each.task < point and each.runs is not True]


def _still_running(again: Iterable[Step]) -> Iterator[Step]:
    """Children among these that run, or may."""
    return (each for each in again if each.sort is Sort.CHILD and not each.closed and each.runs is not False)


def refused_children(again: Iterable[Step]) -> str:
    """Why these cannot be asked for again: of two children with one id the server refuses the second."""
    running = [each for each in _still_running(again) if not each.has_made_up_id]
    if not running:
        return ""
    runs = "still runs" if running[0].runs else "may still run"
    first = running[0].label
    return f"it would start {first!r} once more, which {runs}: the server refuses that, and the new run would fail"
