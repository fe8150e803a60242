"""What is the same for every tool on pending activities: which ones, that they are still those, what became of each.

Activities of a workflow that fail alike are one problem, and one action: it names them all, asks for each by itself,
and says of which it did not.
"""

from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.history.v1 import HistoryEvent

from daper.core.errors import ActionFailed, CannotSettle
from daper.core.limits import Exactly, Limit, OneOf
from daper.core.models import Change, Finding
from daper.core.outcomes import Effect, Holding, OutcomeStatus, Postcondition
from daper.core.text import counted, said, shown
from daper.domains.temporal.activity_names import can_be_named, ids_named, names_of
from daper.domains.temporal.findings import workflow_findings
from daper.domains.temporal.tools.activity_end import failed_for_good, last_attempts, scheduled_since
from daper.domains.temporal.tools.activity_group import (
    Answer,
    LastAttempt,
    Progress,
    Sighting,
    answered,
    left_words,
    listed,
    together,
    why_none,
)
from daper.domains.temporal.tools.activity_sorts import (
    activities_ref,
    activity_parts,
    activity_version,
    others_alike,
    settings_ref,
    settings_version,
    sorts_of,
)
from daper.domains.temporal.tools.base import SENT_WITHIN, TRACE, WorkflowTool, event_seen, run_of, workflow_in
from daper.domains.temporal.workflow import PendingActivity, WorkflowRecord, WorkflowState
from daper.ports.domain import Record, Terms, ToolCall
from daper.stores.once import Deed, not_done
from daper.stores.outside import Trace

_CALL: Final = TypeAdapter(ToolCall)
_NUMBER: Final = TypeAdapter(int)
_MOST_CHOICES: Final = 20
_SEVERAL: Final = 2
_OVER: Final = "it is over"
LEFT: Final = "left"
OTHERS: Final = "others"


class ActivityArgs(BaseModel):
    """Which activities of which run, the fewest attempts at which one was seen, and the last event of the run then.

    One below that is another one, or was reset; one that was scheduled behind the event is another one.
    """

    model_config = ConfigDict(extra="forbid")
    run_id: str
    activities: list[str]
    attempt_seen: int
    event_seen: int


class ActivityTool(WorkflowTool):
    """A tool on pending activities of one workflow that are alike: of one type, failing alike, with the same settings.

    A plan depends on the run and on these activities: their failure, their options, who paused them. Not on what their
    workflow does beside it. Those that have changed by then are left as they are, and the others are done. What is
    undone depends on less: an activity may have failed again meanwhile.
    """

    args = ActivityArgs
    sends_within = SENT_WITHIN
    leaves_events = False
    """Whether the history tells of one that is over what became of it."""
    is_for_success = True
    """Whether it was in vain where an activity is over because it failed for good."""
    _looked_at: tuple[WorkflowState, Mapping[str, Sequence[PendingActivity]]] | None = None

    @abstractmethod
    def misfit(self, activity: PendingActivity) -> str:
        """Why it is not for an activity as it is; nothing where it is."""

    @abstractmethod
    def change(
        self, activities: Sequence[PendingActivity], arguments: Mapping[str, JsonValue]
    ) -> tuple[tuple[str, str, str], ...]:
        """What would change of activities that are alike: which part, or "" for whether they go on; before; after."""

    @abstractmethod
    async def ask(self, call: ToolCall, activity: PendingActivity, *, key: str) -> Answer:
        """Ask for the change of one activity, or for the way back, by the key. Raises ActionFailed.

        What the server says is set of it by now, where it says so.
        """

    @abstractmethod
    def trace(self, call: ToolCall, it: Sighting, *, key: str, originals: str) -> bool | None:
        """Whether it is done: None where nobody can tell, False where it is not, and never will be."""

    @abstractmethod
    def deed(self, call: ToolCall, progress: Progress, *, key: str, originals: str) -> Deed:
        """What was done, without what it wrote."""

    @abstractmethod
    def judge_one(self, call: ToolCall, effect: Effect, activity: PendingActivity | None, id: str) -> Postcondition:
        """Whether the effect shows in one activity; None: it is over."""

    def choices(self, activity: PendingActivity, arguments: Mapping[str, JsonValue]) -> Mapping[str, Limit]:
        """What its other arguments may be."""
        return {}

    def repairs(self, finding: Finding, arguments: Mapping[str, JsonValue]) -> bool:
        """Whether it is for this finding of its activities, with these arguments."""
        return finding.kind in self.kinds

    async def look(self, record_id: str) -> tuple[Record, ...]:
        """The workflow, and each sort of its pending activities."""
        records = await super().look(record_id)
        record = workflow_in(records, record_id)
        return records if record is None else (*records, *activity_parts(record))

    def unfit(self, state: WorkflowState) -> str:
        """It is for a running workflow with such an activity."""
        if not state.is_running:
            return "it has ended"
        first = ""
        for each in state.activities:
            if not (why := self._misfit(each)):
                return ""
            first = first or why
        return first or "no activity of it is pending"

    def preview(
        self, record: WorkflowRecord, arguments: Mapping[str, JsonValue], records: Sequence[Record]
    ) -> tuple[Change, ...]:
        """What would change of the activities."""
        chosen = self._chosen(record.state, arguments)
        if not chosen:
            return ()
        type_ = shown(chosen[0].type)
        named = f"activity {type_}" if len(chosen) == 1 else f"{len(chosen):,} activities {type_}"
        told = [
            Change(record=record.ref, field=f"{named}: {field}" if field else named, before=before, after=after)
            for field, before, after in self.change(chosen, arguments)
        ]
        alike = others_alike(record.state, chosen)
        if told and alike:
            before = f"{counted(alike, 'other')} of this type in this workflow, failing alike"
            told.append(Change(record=record.ref, field=f"{named}: others", before=before, after="left as they are"))
        return tuple(told)

    def terms(self, record_id: str, arguments: Mapping[str, JsonValue], records: Sequence[Record]) -> Terms:
        """On what terms it may run; those of the activities that are named, or of all that fit if these are alike."""
        terms = super().terms(record_id, arguments, records)
        record = workflow_in(records, record_id)
        if terms.obstacle or record is None:
            return terms
        state = record.state
        if "activities" in arguments and (why := self._misfit_of(state, arguments)):
            return replace(terms, limits={}, reads={}, preview=(), obstacle=why)
        chosen = self._chosen(state, arguments)
        if not chosen:
            groups = sorts_of(state, [each for each in state.activities if not self._misfit(each)])
            names = tuple[JsonValue, ...](_names(each) for each in groups[:_MOST_CHOICES])
            return replace(terms, limits={"activities": OneOf(values=names)}, findings=frozenset())
        seen, given = arguments.get("attempt_seen"), arguments.get("activities")
        limits: dict[str, Limit] = {
            "run_id": Exactly(value=state.run_id),
            "activities": Exactly(value=_names(chosen) if given is None else given),
            "attempt_seen": Exactly(value=seen if _is_attempt(seen) else min(each.attempt for each in chosen)),
            "event_seen": event_seen(state, arguments),
            **self.choices(chosen[0], arguments),
        }
        reads = {activities_ref(record, chosen[0]): activity_version(state, chosen[0])}
        return replace(terms, limits=limits, reads=reads, findings=self._answered(record, chosen, arguments))

    def proposed(self, record: WorkflowRecord, finding: Finding, records: Sequence[Record]) -> dict[str, JsonValue]:
        """For the activities that the finding is about."""
        activities = self.activities_of(finding, record)
        return self.filled(record, {"activities": _names(activities)}, records) if activities else {}

    def activities_of(self, finding: Finding, record: WorkflowRecord) -> tuple[PendingActivity, ...]:
        """The most activities with this problem that are alike, of those that it fits where it fits any."""
        having = self._having(record.state).get(finding.fingerprint, ())
        fitting = sorts_of(record.state, [each for each in having if not self._misfit(each)])
        return max(fitting, key=len, default=tuple(having[:1]))

    def at(self, call: ToolCall) -> WorkflowExecution:
        """The run of a call."""
        return run_of(call)

    def refusal(self, call: ToolCall, records: Sequence[Record]) -> Effect | None:
        """Why it may not run: above all, where none of the activities is as the plan saw it."""
        record = workflow_in(records, call.record_id)
        if record is not None and call.expected:
            seen = set(call.expected.values())
            named = [record.state.activity(each) for each in ids_named(call.arguments.get("activities"))]
            if not any(each is not None and activity_version(record.state, each) in seen for each in named):
                return not_done(OutcomeStatus.STALE, "what it is for has changed since the plan read it")
        return super().refusal(call, records)

    async def act(self, call: ToolCall) -> Deed:
        """Ask for each activity that is as the plan saw it; the others are left, and said to be."""
        seen = set(call.expected.values())

        def changed(it: Sighting) -> str:
            if it.activity is None or it.run_is_over or it.state is None:
                return "it is over, or is not there any more"
            if seen and activity_version(it.state, it.activity) not in seen:
                return "it was changed since the plan read it"
            return self._not_that(it.activity, call.arguments) or self._misfit(it.activity)

        progress = await self._each(call, ids_named(call.arguments.get("activities")), changed, key=call.key)
        if not progress.seen:
            raise ActionFailed(why_none(progress.left) or "no activity of it is named; nothing was changed")
        return await self._wrote(call, progress, self.deed(call, progress, key=call.key, originals=""))

    async def take_back(self, call: ToolCall, done: Effect, originals: str, *, key: str) -> Deed:
        """The way back for each activity that is as our effect left it; what is over needs none."""
        left_so = set(done.wrote.values())

        def changed(it: Sighting) -> str:
            if it.activity is None or it.run_is_over or it.state is None:
                return _OVER
            if settings_version(it.state, it.activity) not in left_so:
                return "it was changed since the repair wrote it"
            return self._not_that(it.activity, call.arguments)

        progress = await self._each(call, _done(call, done), changed, key=key, originals=originals)
        over = frozenset(each for each, why in progress.left.items() if why == _OVER)
        left = {each: why for each, why in progress.left.items() if each not in over}
        if not progress.seen:
            raise ActionFailed(why_none(progress.left) or "it is over; nothing was changed")
        if left:
            told = f"taken back of {len(progress.seen):,} of {len(progress.seen) + len(left):,} activities"
            raise ActionFailed(f"{told}; not of these: {'; '.join(left_words(left))}")
        progress = replace(progress, left={}, over=over)
        return await self._wrote(call, progress, self.deed(call, progress, key=key, originals=originals))

    async def probe(self, call: ToolCall, *, key: str) -> Trace:
        """What became of each activity: the deed where that is known of all."""
        named, originals = ids_named(call.arguments.get("activities")), ""
        if key != call.key:
            done = await self.row(call.key)
            if done is None:
                return Trace()
            named, originals = _done(call, done.effect), done.originals
        sightings = await self._sightings(call, named, closely=True)
        words = {it.id: self.trace(call, it, key=key, originals=originals) for it in sightings}
        over = frozenset(it.id for it in sightings if key != call.key and it.activity is None and not words[it.id])
        done_ids = {it.id: it.activity for it in sightings if words[it.id]}
        if not done_ids:
            return Trace(final=bool(words) and all(word is False for word in words.values()))
        if any(word is None and each not in over for each, word in words.items()):
            return Trace()
        left = {each: "it never came there, and never will" for each, word in words.items() if word is False}
        progress = Progress(seen=done_ids, left={} if over else left, over=over)
        return Trace(deed=self._told(call, progress, self.deed(call, progress, key=key, originals=originals)))

    async def settle(self, key: str) -> Effect | None:
        """The recorded effect; where nobody can tell of some, how many are seen to be done."""
        try:
            return await super().settle(key)
        except CannotSettle as error:
            raise CannotSettle(f"{error}{await self._how_far(key)}") from None

    async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
        """Whether the effect shows; of an activity that is over, its history says how it ended."""
        newer = await scheduled_since(self._events(call), _seen(call))
        records = [_without(each, newer) for each in await self.look(call.record_id)]
        word = self.judge(call, effect, records)
        word = word.model_copy(update={"evidence": said(word.evidence)})
        if not self.is_for_success or word.holding not in (Holding.YES, Holding.WAITING):
            return word
        named = _done(call, effect)
        failed = await failed_for_good(self._events(call), frozenset(named), up_to=_seen(call))
        if not failed:
            return word
        number = f"{len(failed):,} of {len(named):,} activities" if len(named) > 1 else "it"
        told = said(f"{number} failed for good: {next(iter(failed.values()))}")
        return Postcondition(holding=Holding.NO, evidence=told)

    def judge(self, call: ToolCall, effect: Effect, records: Sequence[Record]) -> Postcondition:
        """Whether the effect shows in each activity; where some were left as they are, nobody says that it helped."""
        record = workflow_in(records, call.record_id)
        state = record.state if record is not None and record.state.run_id == call.arguments["run_id"] else None
        named = _done(call, effect)
        pending = {each.id: each for each in state.activities} if state else {}
        words = [self.judge_one(call, effect, pending.get(each), each) for each in named]
        word = together(words)
        left = [each for each in ids_named(effect.after.get(LEFT)) if each in pending]
        others = effect.after.get(OTHERS)
        if word.holding not in (Holding.YES, Holding.WAITING) or not (left or others):
            return word
        told = [word.evidence]
        if left:
            told.append(f"nothing was done to {len(left):,} of those that it names: {listed(left)}")
        if isinstance(others, int):
            told.append(f"{counted(others, 'other')} that failed alike did not belong to it")
        return Postcondition(holding=Holding.UNKNOWN, evidence="; ".join(told))

    async def _each(
        self,
        call: ToolCall,
        named: Sequence[str],
        changed: Callable[[Sighting], str],
        *,
        key: str,
        originals: str = "",
    ) -> Progress:
        """Ask for each that has not changed, some at once; what another attempt has done is not asked for again.

        Raises what left one of them open, once all that were asked for are answered: the next attempt looks for traces.
        """
        again = await self.others_asked(key)
        seen: dict[str, PendingActivity | None] = {}
        left: dict[str, str] = {}
        wanted: list[Sighting] = []
        for it in await self._sightings(call, named, closely=again):
            if again and self.trace(call, it, key=key, originals=originals):
                seen[it.id] = it.activity
            elif why := changed(it):
                left[it.id] = why
            else:
                wanted.append(it)
        answers, refused = await answered({it.id: partial(self.ask, call, it.asked, key=key) for it in wanted})
        seen |= {it.id: it.activity for it in wanted if it.id in answers}
        return Progress(seen=seen, left=left | refused, answers=answers)

    async def _wrote(self, call: ToolCall, progress: Progress, deed: Deed) -> Deed:
        """The deed with what it wrote, by a look right after it."""
        record = workflow_in(await self.look(call.record_id), call.record_id)
        if record is None or record.state.run_id != call.arguments["run_id"]:
            return self._told(call, progress, deed)
        pending = [each for each in record.state.activities if each.id in progress.seen]
        versions = {settings_ref(record, each): settings_version(record.state, each) for each in pending}
        alike = [each for each in progress.seen.values() if each is not None]
        others = others_alike(record.state, alike) if alike else 0
        told = self._told(call, progress, deed, others=others)
        return replace(told, wrote=sorted(versions), versions=versions)

    def _told(self, call: ToolCall, progress: Progress, deed: Deed, *, others: int = 0) -> Deed:
        """The deed with how many of those that are named it was."""
        after, evidence = dict(deed.after), list(deed.evidence)
        named = len(progress.seen) + len(progress.left)
        if named > 1:
            evidence.append(f"done to {len(progress.seen):,} of {named:,} activities: {listed(progress.seen)}")
        if progress.left:
            after |= {"done": f"{len(progress.seen):,} of {named:,}", LEFT: list(names_of(progress.left))}
            evidence += [f"not done: {each}" for each in left_words(progress.left)]
        if progress.over:
            evidence.append(f"nothing to take back of what is over: {listed(progress.over)}")
        if others:
            after[OTHERS] = others
        return replace(deed, after=after, evidence=evidence)

    async def _how_far(self, key: str) -> str:
        """Of a call for several activities, how many are done and of which nobody can tell, in words."""
        row = await self.row(key)
        if row is None or row.kind != "begun":
            return ""
        call = _CALL.validate_json(row.originals)
        named = ids_named(call.arguments.get("activities"))
        if len(named) < _SEVERAL or key != call.key:
            return ""
        sightings = await self._sightings(call, named, closely=True)
        done = [it.id for it in sightings if self.trace(call, it, key=key, originals="")]
        open_ = [each for each in named if each not in set(done)]
        return f"; {len(done):,} of {len(named):,} activities are seen to be done, and not these: {listed(open_)}"

    async def _sightings(self, call: ToolCall, named: Sequence[str], *, closely: bool) -> list[Sighting]:
        """The named activities as they are. `closely`: also what the history has of those that are over."""
        records = await self.look(call.record_id)
        record = workflow_in(records, call.record_id)
        state = record.state if record is not None and record.state.run_id == call.arguments["run_id"] else None
        over, newer = is_over(records, call), await scheduled_since(self._events(call), _seen(call))
        pending = {each.id: each for each in state.activities if each.id not in newer} if state else {}
        last: Mapping[str, LastAttempt] = {}
        gone = frozenset(each for each in named if over or each not in pending)
        if closely and self.leaves_events and gone:
            last = await last_attempts(self._events(call), gone, up_to=_seen(call))
        return [
            Sighting(id=each, state=state, activity=pending.get(each), run_is_over=over, last=last.get(each))
            for each in named
        ]

    def _events(self, call: ToolCall) -> AsyncIterator[HistoryEvent]:
        run = run_of(call)
        return self._bench.cluster.latest_events(run.workflow_id, run.run_id)

    def _misfit(self, activity: PendingActivity) -> str:
        if not can_be_named(activity.id):
            return f"the id of activity {shown(activity.id)!r} cannot be shown, or reads as a range of others"
        return self.misfit(activity)

    def _not_that(self, activity: PendingActivity, arguments: Mapping[str, JsonValue]) -> str:
        """Attempts only go up: fewer than were seen are those of another activity with this id, or it was reset."""
        seen = arguments.get("attempt_seen")
        if not isinstance(seen, int) or activity.attempt >= seen:
            return ""
        return f"activity {shown(activity.id)!r} is at attempt {activity.attempt}: it is another one, or was reset"

    def _chosen(self, state: WorkflowState, arguments: Mapping[str, JsonValue]) -> tuple[PendingActivity, ...]:
        """Those that are named and fit, or all that fit, where these are alike; of those that are not alike, the most.

        Between a plan and its execution some may have changed: they are left then.
        """
        if "activities" not in arguments:
            groups = sorts_of(state, [each for each in state.activities if not self._misfit(each)])
            return groups[0] if len(groups) == 1 else ()
        pending = {each.id: each for each in state.activities}
        named = [pending[each] for each in ids_named(arguments["activities"]) if each in pending]
        fitting = [each for each in named if not (self._not_that(each, arguments) or self._misfit(each))]
        return max(sorts_of(state, fitting), key=len, default=())

    def _misfit_of(self, state: WorkflowState, arguments: Mapping[str, JsonValue]) -> str:
        """Why it is for none of those that are named; nothing where it is for one."""
        pending = {each.id: each for each in state.activities}
        first = ""
        for activity_id in ids_named(arguments["activities"]):
            activity = pending.get(activity_id)
            if activity is None:
                why = f"no activity {shown(activity_id)!r} of it is pending"
            else:
                why = self._not_that(activity, arguments) or self._misfit(activity)
            if not why:
                return ""
            first = first or why
        return first or "its activities are named by a list of their ids"

    def _answered(
        self, record: WorkflowRecord, chosen: Sequence[PendingActivity], arguments: Mapping[str, JsonValue]
    ) -> frozenset[str]:
        """The problems of which all activities are named that it fits: one of many repairs nothing."""
        named = {each.id for each in chosen}
        found = [each for each in self._findings(record.state, chosen[0]) if self.repairs(each, arguments)]
        return frozenset(
            each.fingerprint for each in found if {one.id for one in self.activities_of(each, record)} <= named
        )

    def _having(self, state: WorkflowState) -> Mapping[str, Sequence[PendingActivity]]:
        """The activities by their problems. A workflow may have thousands, each with one, and is asked for each."""
        if self._looked_at is None or self._looked_at[0] is not state:
            having: dict[str, list[PendingActivity]] = {}
            for each in state.activities:
                for found in self._findings(state, each):
                    having.setdefault(found.fingerprint, []).append(each)
            self._looked_at = state, having
        return self._looked_at[1]

    def _findings(self, state: WorkflowState, activity: PendingActivity) -> list[Finding]:
        alone = replace(state, activities=(activity,), pause=None, problems=(), ended=())
        return [
            each for each in workflow_findings(alone, self._bench.options, self._clock()) if each.kind in self.kinds
        ]


def is_over(records: Sequence[Record], call: ToolCall) -> bool:
    """Whether the run of a call is over: it takes no request any more."""
    record = workflow_in(records, call.record_id)
    return record is not None and not (record.state.is_running and record.state.run_id == call.arguments["run_id"])


def is_ours(activity: PendingActivity, key: str) -> bool:
    """Whether the activity was paused with this key."""
    return activity.paused and activity.pause is not None and activity.pause.reason.startswith(f"{TRACE}{key}")


def _seen(call: ToolCall) -> int:
    """The last event of the run when the plan saw it."""
    return _NUMBER.validate_python(call.arguments["event_seen"], strict=True)


def _without(record: Record, ids: Collection[str]) -> Record:
    """A workflow without the activities of these ids."""
    if not isinstance(record, WorkflowRecord) or not ids:
        return record
    left = tuple(each for each in record.state.activities if each.id not in ids)
    return replace(record, state=replace(record.state, activities=left))


def _done(call: ToolCall, effect: Effect) -> tuple[str, ...]:
    """The activities that an effect was done to."""
    left = set(ids_named(effect.after.get(LEFT)))
    return tuple(each for each in ids_named(call.arguments.get("activities")) if each not in left)


def _names(activities: Iterable[PendingActivity]) -> list[JsonValue]:
    return [*names_of(each.id for each in activities)]


def _is_attempt(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
