"""What one cycle knows so far, and what is made of it: the view of an open repair, the result of an ended one."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from daper.core.decisions import decided_by
from daper.core.messages import (
    MOST_ROUNDS,
    AnalyzeResult,
    Applied,
    CycleRef,
    OnOutage,
    OpenCycleResult,
    RepairRequest,
    VerifyInput,
)
from daper.core.models import (
    RULES,
    Detection,
    Finding,
    Plan,
    RecordedDecision,
    RecordHead,
    StoreInfo,
    Verdict,
)
from daper.core.outbox import MessageOutcome
from daper.core.outcomes import (
    ActionOutcome,
    OutcomeStatus,
    RepairResult,
    Report,
    ReportPaths,
    Verification,
    VerificationStatus,
    VerifiedFinding,
)
from daper.core.partition import within
from daper.core.phases import ImpossibleStep, Phase, PhaseEntry, may_follow
from daper.core.report import count
from daper.core.text import ahead_words, counted
from daper.core.usage import CallSpent, Role, Usage
from daper.core.views import PlanView, RepairView, current_plan, view_plan

TOLD_CLOCK = timedelta(minutes=1)  # off by so much, it is worth a word
_MISSING_NAMED = 10
_HOLDERS_NAMED = 5
_WAITS_NAMED = 3


@dataclass(kw_only=True)
class CycleState:
    """One cycle, from its first look to its report. Only the workflow changes it."""

    request: RepairRequest
    repair_id: str
    cycle_id: str
    started_at: datetime
    asked: str = ""
    phase: Phase = Phase.INITIALIZING
    phase_since: datetime
    phases: list[tuple[Phase, datetime]] = field(default_factory=list[tuple[Phase, datetime]])
    message: str = ""
    waits: dict[int, str] = field(default_factory=dict[int, str])
    waits_until: datetime | None = None
    reason: str = ""
    today: datetime | None = None
    store: StoreInfo | None = None
    opened: OpenCycleResult | None = None
    detection: Detection | None = None
    undetected: int = 0  # problems of suspects that were more than a cycle holds
    findings: dict[str, Finding] = field(default_factory=dict[str, Finding])
    heads: dict[str, RecordHead] = field(default_factory=dict[str, RecordHead])
    plans: list[Plan] = field(default_factory=list[Plan])
    decision: RecordedDecision | None = None
    decisions: list[RecordedDecision] = field(default_factory=list[RecordedDecision])
    decide_by: datetime | None = None
    outcomes: dict[str, ActionOutcome] = field(default_factory=dict[str, ActionOutcome])
    verified: dict[str, VerifiedFinding] = field(default_factory=dict[str, VerifiedFinding])
    heads_after: dict[str, RecordHead] = field(default_factory=dict[str, RecordHead])
    messages: dict[str, MessageOutcome] = field(default_factory=dict[str, MessageOutcome])
    troubles: list[str] = field(default_factory=list[str])
    thinkers: dict[Role, str] = field(default_factory=dict[Role, str])
    on_outage: OnOutage = OnOutage.FAIL
    outages: dict[tuple[Role, str], int] = field(default_factory=dict[tuple[Role, str], int])
    untold: list[str] = field(default_factory=list[str])
    calls: list[CallSpent] = field(default_factory=list[CallSpent])
    usage: Usage | None = None
    ended_at: datetime | None = None
    report: Report | None = None
    paths: ReportPaths | None = None

    @property
    def plan(self) -> Plan | None:
        """The plan of the current round."""
        return self.plans[-1] if self.plans else None

    @property
    def shown_plan(self) -> Plan | None:
        """The plan as whoever looks is to see it."""
        return current_plan(self.plans)

    @property
    def cycle(self) -> CycleRef:
        """What every activity is told of this cycle."""
        return CycleRef(
            repair_id=self.repair_id,
            cycle_id=self.cycle_id,
            domain=self.request.domain,
            store_id=self.request.store_id,
            today=self.today or self.started_at,
        )

    def enter(self, phase: Phase, now: datetime) -> None:
        """Go on to a phase.

        Raises ImpossibleStep, which is a bug of ours: the repair stays open, as it was, until the code is mended.
        """
        if not (may_follow(self.phase, phase) if self.phases else phase is Phase.INITIALIZING):
            raise ImpossibleStep(self.phase, phase)
        self.phase, self.phase_since = phase, now
        self.phases.append((phase, now))

    def note_opened(self, opened: OpenCycleResult) -> None:
        """Keep which store answered, what day it is there, and who thinks."""
        self.opened, self.store, self.today = opened, opened.store, opened.today
        self.thinkers, self.on_outage = opened.thinkers, opened.on_outage
        if opened.missing:
            named = ", ".join(map(repr, opened.missing[:_MISSING_NAMED]))
            more = f" and {len(opened.missing) - _MISSING_NAMED} more" if opened.missing[_MISSING_NAMED:] else ""
            self.troubles.append(f"{self.request.domain} has no record {named}{more}: nothing was done about it")

    @property
    def named_records(self) -> tuple[str, ...]:
        """The records that the cycle was asked for by name, as far as they exist."""
        missing = set(self.opened.missing) if self.opened else set[str]()
        scope = self.request.scope
        return within(scope.partition, (record_id for record_id in scope.record_ids if record_id not in missing))

    def note_analysis(self, analyzed: AnalyzeResult) -> None:
        """Keep what was found; how a record stood is what it was when it was first looked at."""
        self.findings |= {finding.fingerprint: finding for finding in analyzed.findings}
        self.heads = {head.record_id: head for head in analyzed.heads} | self.heads

    def note_spent(self, calls: Iterable[CallSpent]) -> None:
        """Keep what answers of models took."""
        self.calls += calls

    def note_outage(self, role: Role, reason: str, *, records: int = 0) -> None:
        """Keep that a model did not answer, and that the rules alone count then."""
        self.outages[role, reason] = self.outages.get((role, reason), 0) + records

    @property
    def notices(self) -> tuple[str, ...]:
        """What went otherwise than it was set up, and was coped with."""
        silent = (
            f"{role}: {self.thinkers.get(role, 'the model')} did not answer"
            + (f" about {counted(records, 'record')}" if records else "")
            + f", so the rules alone count: {reason}"
            for (role, reason), records in self.outages.items()
        )
        return (*self._clock_off(), *silent, *self.untold)

    def _clock_off(self) -> Iterator[str]:
        """That the worker's clock does not go as Temporal's does, where a person would notice."""
        off = self.opened.clock_ahead if self.opened else timedelta()
        if abs(off) >= TOLD_CLOCK:
            told = f"the worker's clock is {ahead_words(off)} Temporal's, by which every deadline is judged"
            yield f"{told}; put it right"

    @property
    def thinks(self) -> bool:
        """Whether a language model plays any role."""
        return any(name != RULES for name in self.thinkers.values())

    @property
    def told(self) -> str:
        """Where it stands, in words: before all else, what it waits for where a disk refuses."""
        if not self.waits:
            return self.message or self.reason
        different = tuple(dict.fromkeys(self.waits.values()))
        more = len(different) - _WAITS_NAMED
        waits = "; ".join(different[:_WAITS_NAMED]) + (f"; and {counted(more, 'more reason')}" if more > 0 else "")
        if self.waits_until is not None:
            return f"it is being stopped, and waits until {self.waits_until:%H:%M:%S} UTC for the last word: {waits}"
        return f"it waits: {waits}. The repair goes on by itself after that, unless it is stopped"

    def spent(self) -> Usage:
        """What models took: as the ledger has it, or so far, as their answers said."""
        return self.usage or Usage.of(self.calls)

    def note_verification(self, verification: Verification) -> None:
        """Keep what was verified in this round beside what earlier rounds verified."""
        self.verified |= {f"{each.action_id} {each.fingerprint}": each for each in verification.findings}
        self.heads_after |= {head.record_id: head for head in verification.heads}

    @property
    def decided(self) -> str:
        """Who decided on the plan of the current round, in words; empty while nobody has."""
        return decided_by(self.decision.decision) if self.decision else ""

    def ending_without_actions(self, plan: Plan) -> Phase:
        """How a cycle ends of whose plan nothing is to run."""
        something = bool(plan.actions or plan.for_person or plan.blocked)
        self.reason = self.reason or _where_it_waits(plan)
        if self.outcomes:
            return Phase.REPORT_COMPLETED
        if self.request.dry_run and something:
            return Phase.PLAN_ONLY
        return Phase.REPORT_COMPLETED if something else Phase.NO_REPAIR_NEEDED

    def ending_without_approval(self, recorded: RecordedDecision) -> Phase:
        """How a cycle ends when nothing of its plan was approved: rejected only if no earlier round did anything."""
        touched = any(
            outcome.status.took_effect or outcome.status is OutcomeStatus.UNKNOWN for outcome in self.outcomes.values()
        )
        rejected = Verdict.REJECT in recorded.decision.verdicts.values()
        return Phase.REJECTED if rejected and not touched else Phase.REPORT_COMPLETED

    def to_ask_again(self, plan: Plan) -> tuple[tuple[str, ...], frozenset[str]]:
        """The records of approved actions that lapsed, and the problems that these, or those behind them, answer.

        None after the last round that a cycle has.
        """
        if len(self.plans) >= MOST_ROUNDS:
            return (), frozenset()
        approved = self.decision.will_run if self.decision else {}
        mine = [(action, self.outcomes[action.id].status) for action in plan.actions if action.id in approved]
        records = {action.bound.record_id for action, status in mine if status is OutcomeStatus.LAPSED}
        again = {OutcomeStatus.LAPSED, OutcomeStatus.SKIPPED}
        fingerprints = frozenset(
            fingerprint
            for action, status in mine
            if status in again and action.bound.record_id in records
            for fingerprint in action.answers
        )
        return tuple(sorted(records)), fingerprints

    def to_verify(self, applied: Sequence[Applied]) -> VerifyInput:
        """What verification needs of some applied actions: their records, and what was known to be wrong with those."""
        record_ids = tuple(dict.fromkeys(item.ref.action.bound.record_id for item in applied))
        return VerifyInput(
            cycle=self.cycle,
            findings=tuple(finding for finding in self.findings.values() if finding.record_id in record_ids),
            known=tuple(fingerprint for plan in self.plans for fingerprint in plan.baseline),
            applied=tuple(applied),
            record_ids=record_ids,
        )

    def did_not_help(self, action_id: str) -> bool:
        """Whether verification found a problem of this action still open, or something worse."""
        return bool(set(self.seen(action_id)) & {VerificationStatus.STILL_OPEN, VerificationStatus.WORSE})

    def seen(self, action_id: str) -> list[VerificationStatus]:
        """What verification saw of the problems of this action."""
        return [each.status for each in self.verified.values() if each.action_id == action_id]

    def helped(self, action_id: str) -> bool:
        """Whether verification saw every problem of this action gone."""
        seen = self.seen(action_id)
        return bool(seen) and all(status is VerificationStatus.RESOLVED for status in seen)

    def durations(self, now: datetime) -> dict[str, timedelta]:
        """How long each phase took, up to now."""
        ends = [at for _, at in self.phases[1:]] + [now]
        spans: dict[str, timedelta] = {}
        for (phase, since), end in zip(self.phases, ends, strict=True):
            # A cycle ends when its result is made; its last phase is entered a moment after that.
            spans[str(phase)] = spans.get(str(phase), timedelta()) + max(end - since, timedelta())
        return spans

    def view(self, page: int, size: int) -> RepairView:
        """Where the repair stands, with one page of its plan."""
        waiting = self.phase is Phase.PENDING_APPROVAL
        return RepairView(
            repair_id=self.repair_id,
            phase=self.phase,
            requested_by=self.request.requested_by,
            domain=self.request.domain,
            store_id=self.request.store_id,
            started_at=self.started_at,
            phase_since=self.phase_since,
            message=self.told,
            detection=self.detection,
            problems=len(self.findings),
            plan=self._plan_page(page, size),
            decide_by=self.decide_by if waiting else None,
            decision=self.decision,
            actions_to_run=len(self.decision.will_run) if self.decision else 0,
            actions_done=self._done(),
            phases_seen=tuple(phase for phase, _ in self.phases),
            counts=count(self.result(self.phase_since)),
            paths=self.paths,
            thinkers=self.thinkers,
            usage=self.spent().model_copy(update={"by_record": {}}),  # each action of the page tells its own
            notices=self.notices,
            partition=self.partition,
            timeline=self.timeline,
        )

    @property
    def timeline(self) -> tuple[PhaseEntry, ...]:
        """Every phase so far, and when it began."""
        return tuple(PhaseEntry(phase=phase, at=at) for phase, at in self.phases)

    @property
    def partition(self) -> str:
        """The part of all records in which it looks, in words; empty where it looks in all."""
        return str(self.request.scope.partition or "")

    def _plan_page(self, page: int, size: int) -> PlanView | None:
        plan = self.shown_plan
        if plan is None:
            return None
        spent = self.spent().by_record
        return view_plan(
            plan,
            page=page,
            size=size,
            heads=self.heads,
            findings=self.findings,
            spent=spent,
            partition=self.partition,
        )

    def _done(self) -> int:
        if self.decision is None:
            return 0
        return sum(action_id in self.outcomes for action_id in self.decision.will_run)

    def _in_plan_order(self) -> tuple[ActionOutcome, ...]:
        """The outcomes as the plans list their actions, whichever ran first."""
        planned = (action.id for plan in self.plans for action in plan.actions)
        return tuple(self.outcomes[action_id] for action_id in planned if action_id in self.outcomes)

    def _messages(self) -> tuple[MessageOutcome, ...]:
        """Those of the cycle in the order in which they were written, whichever was sent first."""
        return tuple(sorted(self.messages.values(), key=lambda message: (message.sequence, message.id)))

    def ended(self, ending: Phase, now: datetime) -> RepairResult:
        """The result as the report shows it, while the report itself is still to be written."""
        self.ended_at = now
        return self.result(now).model_copy(update={"phase": ending})

    def result(self, now: datetime) -> RepairResult:
        """Everything that happened, as one value; `now` counts as its end."""
        verification = None
        if self.verified or self.heads_after:
            verification = Verification(findings=tuple(self.verified.values()), heads=tuple(self.heads_after.values()))
        result = RepairResult(
            repair_id=self.repair_id,
            cycle_id=self.cycle_id,
            user=self.request.requested_by.name,
            domain=self.request.domain,
            store=self.store,
            phase=self.phase,
            reason=self.reason,
            started_at=self.started_at,
            ended_at=self.ended_at or now,
            durations=self.durations(self.ended_at or now),
            today=self.today,
            detection=self.detection,
            findings=tuple(self.findings.values()),
            heads=tuple(self.heads.values()),
            plans=tuple(self.plans),
            decisions=tuple(self.decisions),
            outcomes=self._in_plan_order(),
            verification=verification,
            troubles=tuple(self.troubles),
            notices=self.notices,
            usage=self.spent(),
            thinkers=self.thinkers,
            report=self.report,
            paths=self.paths,
            asked=self.asked,
            partition=self.partition,
            timeline=self.timeline,
            messages=self._messages(),
        )
        return result.model_copy(update={"counts": count(result)})


def _where_it_waits(plan: Plan) -> str:
    """Which records wait for a decision in another repair, and in which; nothing where none does."""
    records: dict[str, dict[str, None]] = {}
    for item in plan.suppressed:
        if item.held_by:
            records.setdefault(item.held_by, {})[item.finding.record_id] = None
    told = [f"{_named(tuple(ids))} waits for a decision in {repair_id}" for repair_id, ids in records.items()]
    more = len(told) - _HOLDERS_NAMED
    return "; ".join(told[:_HOLDERS_NAMED]) + (f"; and {counted(more, 'more repair')}" if more > 0 else "")


def _named(record_ids: Sequence[str]) -> str:
    more = len(record_ids) - _MISSING_NAMED
    return ", ".join(record_ids[:_MISSING_NAMED]) + (f" and {more} more" if more > 0 else "")
