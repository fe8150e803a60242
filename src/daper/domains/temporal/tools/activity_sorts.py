"""How pending activities are compared: which of them are alike, and whether one is as it was seen. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from daper.core.digests import canonical, digest
from daper.core.text import shown
from daper.domains.temporal.activity_names import as_many_as_fit
from daper.domains.temporal.workflow import PendingActivity, WorkflowRecord, WorkflowState, workflow_ref
from daper.ports.domain import Record

_LONGEST_NAME: Final = 60  # of a type and of a cause, in what a plan read


def sorts_of(state: WorkflowState, activities: Iterable[PendingActivity]) -> list[tuple[PendingActivity, ...]]:
    """The activities that are alike, as many of each sort as one action names, in one order."""
    groups: dict[str, list[PendingActivity]] = {}
    for each in activities:
        groups.setdefault(digest(f"{activity_version(state, each)} {each.causes}"), []).append(each)
    found: list[tuple[PendingActivity, ...]] = []
    for group in groups.values():
        by_id = {each.id: each for each in group}
        found.append(tuple(by_id[each] for each in as_many_as_fit(by_id)))
    return sorted((each for each in found if each), key=lambda each: each[0].id)


def others_alike(state: WorkflowState, chosen: Sequence[PendingActivity]) -> int:
    """How many others of a workflow fail as these do: they are one problem, and this is not for them."""
    first, named = chosen[0], {each.id for each in chosen}
    if not first.failures:
        return 0
    return sum(
        not each.paused and each.id not in named and each.type == first.type and each.causes == first.causes
        for each in state.activities
    )


def activities_ref(record: WorkflowRecord, activity: PendingActivity) -> str:
    """How activities that are alike are named in what a plan read."""
    named = shown(f"{activity.type[:_LONGEST_NAME]} {activity.cause[:_LONGEST_NAME]}".strip())
    return f"{record.ref}/activities/{named} {activity_version(record.state, activity)[:8]}"


def settings_ref(record: WorkflowRecord, activity: PendingActivity) -> str:
    """How what is set of activities is named in what was written."""
    return f"{workflow_ref(record.record_id)}/settings/{settings_version(record.state, activity)[:8]}"


def activity_parts(record: WorkflowRecord) -> list[Record]:
    """Each sort of the pending activities, as a part of what a plan reads, and of what a repair wrote."""
    parts: dict[str, Record] = {}
    for each in record.state.activities:
        for ref, version in (
            (activities_ref(record, each), activity_version(record.state, each)),
            (settings_ref(record, each), settings_version(record.state, each)),
        ):
            parts[ref] = Record(ref=ref, record_id=ref, version=version, data={})
    return list(parts.values())


def _run(state: WorkflowState) -> list[object]:
    """What is over keeps its activities, as they were."""
    return [state.run_id, state.is_running]


def activity_version(state: WorkflowState, activity: PendingActivity) -> str:
    """Changes with what a plan on an activity goes by: the run, how it failed, who paused it, its options."""
    paused_at = activity.pause.at if activity.pause else None
    facts = [*_run(state), activity.type, activity.cause, str(paused_at), *_settings(activity)]
    return digest(canonical(facts))[:32]


def settings_version(state: WorkflowState, activity: PendingActivity) -> str:
    """Changes with what is set of an activity: who paused it, its options."""
    return digest(canonical([*_run(state), *_settings(activity)]))[:32]


def _settings(activity: PendingActivity) -> list[object]:
    pause = activity.pause
    return [activity.paused, pause.by if pause else "", pause.reason if pause else "", _written(activity.options)]


def _written(options: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in options.items()}
