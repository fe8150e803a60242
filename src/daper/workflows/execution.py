"""Runs what was approved, each effect once, and takes back what did not help."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, TimeoutError, TimeoutType

with workflow.unsafe.imports_passed_through():
    from daper.activities.repair import RepairActivities
    from daper.core.decisions import edited
    from daper.core.digests import effect_key, undo_key
    from daper.core.errors import ApprovalLapsed, LedgerContradicted
    from daper.core.grouping import independent_groups
    from daper.core.messages import ActionRef, Applied, CycleRef, SettleResult, UndoInput
    from daper.core.models import Fallback, Person, Plan, ProposedAction, RecordedDecision, Verdict
    from daper.core.outcomes import ActionOutcome, OutcomeStatus
    from daper.core.policy import LOW_CONFIDENCE
    from daper.workflows import counts, options
    from daper.workflows.activity_failures import ended_by, why
    from daper.workflows.patience import ANY, MENDED, Patience
    from daper.workflows.posting import Posting

_STOPS_ITS_RECORD = {
    OutcomeStatus.STALE,
    OutcomeStatus.BLOCKED,
    OutcomeStatus.FAILED,
    OutcomeStatus.LAPSED,
    OutcomeStatus.UNKNOWN,
}


class Execution:
    """One round: a plan, its decision, and what became of each action."""

    def __init__(
        self,
        *,
        cycle: CycleRef,
        queue: str,
        plan: Plan,
        recorded: RecordedDecision,
        valid_for: timedelta,
        stopping: Callable[[], bool],
        outcomes: dict[str, ActionOutcome],
        patience: Patience,
        posting: Posting,
    ) -> None:
        self._cycle = cycle
        self._queue = queue
        self._plan = plan
        self._recorded = recorded
        self._valid_until = recorded.decided_at + valid_for
        self._stopping = stopping
        self._outcomes = outcomes
        self._patience = patience
        self._posting = posting
        self._written: dict[str, str] = {}
        self._refs: dict[str, ActionRef] = {}
        self._groups = independent_groups(plan.actions)
        self._group_of = {action.id: group for group in self._groups for action in group}
        self._stopped: dict[str, str] = {}
        self._held: dict[tuple[str, str], str] = {}
        self._taken: set[str] = set()
        self._slots = asyncio.Semaphore(options.PARALLEL_EFFECTS)

    async def run(self) -> None:
        """Run what is approved: groups that share no record beside each other, inside a group in plan order."""
        await asyncio.gather(*(self._run_group(group) for group in self._groups))

    async def run_first(self, actions: Sequence[ProposedAction]) -> None:
        """Run these of those that are left, no two of one group, and what has to run before each."""
        groups = [self._group_of[action.id] for action in actions]
        up_to = [group[: group.index(action) + 1] for group, action in zip(groups, actions, strict=True)]
        await asyncio.gather(*map(self._run_group, up_to))

    def before(self, action: ProposedAction) -> tuple[ProposedAction, ...]:
        """The approved actions that have not run, and have to run before this one."""
        group = self._group_of[action.id]
        approved = self._recorded.will_run
        earlier = group[: group.index(action)]
        return tuple(each for each in earlier if each.id in approved and each.id not in self._outcomes)

    def left(self) -> tuple[ProposedAction, ...]:
        """The approved actions that have not run, in plan order."""
        approved = self._recorded.will_run
        return tuple(each for each in self._plan.actions if each.id in approved and each.id not in self._outcomes)

    def hold(self, peers: tuple[str, str], why: str) -> None:
        """Run no more actions that are alike; those that are left are skipped."""
        self._held[peers] = why

    def take_applied(self) -> tuple[Applied, ...]:
        """The actions that took effect since this was asked last, in the order in which they took it."""
        new = [action_id for action_id in self._refs if action_id not in self._taken]
        self._taken.update(new)
        mine = [(self._refs[action_id], self._outcomes[action_id]) for action_id in new]
        return tuple(Applied(ref=ref, outcome=outcome) for ref, outcome in mine if outcome.status.took_effect)

    async def undo_or_hand_over(self, applied: Applied) -> ActionOutcome:
        """Take one effect back if its plan said so; what cannot be settled is unknown, and a person's."""
        if applied.ref.action.bound.if_it_does_not_help is not Fallback.UNDO:
            return applied.outcome
        given = UndoInput(ref=applied.ref, outcome=applied.outcome)
        try:
            outcome = await self._patience.run(
                lambda how: workflow.execute_activity_method(RepairActivities.undo_action, given, **how),
                lambda: options.settle(self._queue),
                kinds=ANY,
                last_word=True,
            )
        except ActivityError as error:
            outcome = await self._settle_undo(applied, error)
        self._posting.begin_undone(outcome)
        counts.acted(outcome, self._cycle.domain)
        self._stopped[outcome.record_id] = f"{outcome.action_id} on the same record ended as {outcome.status}"
        return outcome

    async def _settle_undo(self, applied: Applied, error: ActivityError) -> ActionOutcome:
        """The ledger says whether the undo happened, as it does for an effect."""
        ref = applied.ref.model_copy(update={"key": undo_key(applied.ref.key)})
        try:
            settled = await self._last_word(ref)
        except ActivityError as unsettled:
            status, told = OutcomeStatus.UNKNOWN, f"its undo could not be settled: {why(unsettled)}"
        else:
            undone = settled.outcome is not None and settled.outcome.status is OutcomeStatus.UNDONE
            contradicted = not undone and _contradicted(error)
            status = OutcomeStatus.UNDONE if undone else OutcomeStatus.UNDO_BLOCKED
            status = OutcomeStatus.UNKNOWN if contradicted else status
            told = "undone, says the ledger" if undone else f"undo failed: {why(error)}"
            messages = settled.outcome.messages if settled.outcome is not None else 0
            return _with(applied.outcome, status, told, undo_messages=messages if undone else 0)
        return _with(applied.outcome, status, told)

    async def _run_group(self, group: tuple[ProposedAction, ...]) -> None:
        for action in group:
            if action.id in self._outcomes:
                continue
            record_id = action.bound.record_id
            outcome = self._not_to_run(action, self._stopped.get(record_id) or self._held.get(action.bound.peers))
            if outcome is None:
                async with self._slots:
                    outcome = await self._run(action)
            self._outcomes[action.id] = outcome
            self._posting.begin(outcome)
            counts.acted(outcome, self._cycle.domain)
            # Only of what it read: a record that it wrote unread may have been edited by somebody else.
            self._written |= {ref: made for ref, made in outcome.wrote.items() if ref in action.bound.reads}
            if outcome.status in _STOPS_ITS_RECORD:
                self._stopped[record_id] = f"{action.id} on the same record ended as {outcome.status}"

    def _not_to_run(self, action: ProposedAction, stopped: str | None) -> ActionOutcome | None:
        verdict = self._recorded.decision.verdicts.get(action.id)
        if verdict is Verdict.REJECT:
            return _outcome(action, OutcomeStatus.REJECTED, "rejected")
        if verdict is None:
            why = None if isinstance(self._recorded.decision.by, Person) else _unsure(action)
            if why:
                return _outcome(action, OutcomeStatus.SKIPPED, why)
            return _outcome(action, OutcomeStatus.NOT_APPROVED, "not named in the decision")
        if stopped:
            return _outcome(action, OutcomeStatus.SKIPPED, stopped)
        return None

    async def _run(self, action: ProposedAction) -> ActionOutcome:
        if self._stopping():
            return _outcome(action, OutcomeStatus.LAPSED, "the repair was stopped before this began")
        left = self._valid_until - workflow.now()
        if left <= timedelta():
            return _outcome(action, OutcomeStatus.LAPSED, f"not begun by {_stamp(self._valid_until)}")
        return await self._apply(self._ref(action))

    def _ref(self, action: ProposedAction) -> ActionRef:
        to_run = edited(action, self._recorded.decision.edits.get(action.id, {}))
        ref = ActionRef(
            cycle=self._cycle,
            # Without what only explains it: effects are many, and a history has to hold them all.
            action=to_run.model_copy(update={"preview": (), "rationale": ""}),
            approved_digest=self._recorded.will_run[action.id],
            key=effect_key(self._cycle.cycle_id, to_run.digest),
            expected=_expected(to_run, self._written),
            valid_until=self._valid_until,
        )
        self._refs[action.id] = ref
        return ref

    async def _apply(self, ref: ActionRef) -> ActionOutcome:
        try:
            return await self._patience.run(
                lambda how: workflow.execute_activity_method(RepairActivities.apply_action, ref, **how),
                lambda: options.effect(self._queue, begin_within=self._valid_until - workflow.now()),
                kinds=MENDED,
                acts=True,
            )
        except ActivityError as error:
            return await self._settle(ref, error)

    async def _last_word(self, ref: ActionRef) -> SettleResult:
        """The ledger's word on a key, for however long the disk keeps it to itself."""
        return await self._patience.run(
            lambda how: workflow.execute_activity_method(RepairActivities.settle_action, ref, **how),
            lambda: options.settle(self._queue),
            kinds=ANY,
            last_word=True,
        )

    async def _settle(self, ref: ActionRef, error: ActivityError) -> ActionOutcome:
        """No outcome but the ledger's own: whatever ended the attempts, the tool has the last word."""
        try:
            settled = await self._last_word(ref)
        except ActivityError as unsettled:
            told = f"{why(error)}; could not be settled: {why(unsettled)}"
            return _outcome(ref.action, OutcomeStatus.UNKNOWN, told, ref=ref)
        if _contradicted(error) and not (settled.outcome and settled.outcome.status.took_effect):
            return _outcome(ref.action, OutcomeStatus.UNKNOWN, why(error), ref=ref)
        if settled.outcome is not None:
            return settled.outcome
        if _never_started(error):
            return _outcome(ref.action, OutcomeStatus.LAPSED, f"not begun by {_stamp(self._valid_until)}", ref=ref)
        if self._stopping() and ended_by(error, ANY | MENDED):
            return _outcome(ref.action, OutcomeStatus.LAPSED, "the repair was stopped before this began", ref=ref)
        return _outcome(ref.action, OutcomeStatus.FAILED, why(error), ref=ref)


def _with(outcome: ActionOutcome, status: OutcomeStatus, told: str, *, undo_messages: int = 0) -> ActionOutcome:
    update = {"status": status, "evidence": (*outcome.evidence, told), "undo_messages": undo_messages}
    return outcome.model_copy(update=update)


def _unsure(action: ProposedAction) -> str | None:
    """Why a grant by policy passes over an action, or None."""
    if action.confidence_score < LOW_CONFIDENCE:
        return f"confidence {action.confidence_score} is low"
    return f"doubted by {action.doubts[0]}" if action.doubts else None


def _contradicted(error: ActivityError) -> bool:
    """Whether an outside system did what the ledger says never happens: the ledger's word is no outcome then."""
    return ended_by(error, {LedgerContradicted.__name__})


def _never_started(error: ActivityError) -> bool:
    """Whether the approval ran out before a worker began, or before an attempt did."""
    cause = error.cause
    if isinstance(cause, TimeoutError):
        return cause.type is TimeoutType.SCHEDULE_TO_START
    return ended_by(error, {ApprovalLapsed.__name__})


def _expected(action: ProposedAction, written: Mapping[str, str]) -> dict[str, str]:
    """The version each record must have: as planned, or as an earlier action of the same plan left it."""
    return {ref: written.get(ref, version) for ref, version in action.bound.reads.items()}


def _stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC, until when the approval was valid"


def _outcome(
    action: ProposedAction, status: OutcomeStatus, evidence: str, *, ref: ActionRef | None = None
) -> ActionOutcome:
    return ActionOutcome(
        action_id=action.id,
        record_id=action.bound.record_id,
        tool=action.bound.tool,
        status=status,
        arguments=action.bound.arguments,
        evidence=(evidence,),
        key=ref.key if ref else "",
        digest=action.digest,
    )
