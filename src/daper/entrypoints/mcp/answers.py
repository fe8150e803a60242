"""What the tools answer: the models that become their output schemas. Compact and paged."""

from datetime import datetime
from decimal import Decimal

from pydantic import Field, JsonValue

from daper.core.base import Wire


class RepairState(Wire):
    """Where a repair stands, in short. `needs_person`: something waits for a person. `next_step`: what to do now.

    `what_was_decided`: on its plan, by whom, when and how; or that nothing was.
    """

    repair_id: str
    phase: str
    ended: bool
    needs_person: bool
    message: str = ""
    what_was_decided: str = ""
    plan_digest: str = ""
    decide_by: datetime | None = None
    next_step: str


class StartedRepair(RepairState):
    """A repair, as it stands right after it was asked for. `created`: by this call, and not by an earlier one."""

    created: bool
    store: str


class Problem(Wire):
    """One problem with one record."""

    record_id: str
    issue: str
    kind: str = ""
    confidence_score: float | None = None
    opinions: tuple[str, ...] = ()


class PlannedAction(Wire):
    """One action as it would run. `editable`: arguments that the person may change, with their limits."""

    id: str
    record_id: str
    about: str
    tool: str
    risk: str
    confidence_score: float
    proposed_by: str
    problems: tuple[str, ...]
    rationale: str
    done_before: tuple[str, ...] = ()
    arguments: dict[str, JsonValue]
    editable: dict[str, str]
    changes: tuple[str, ...]
    spends: str
    if_it_does_not_help: str
    doubts: tuple[str, ...] = ()
    instead_of: str = ""


class LeftAlone(Wire):
    """What the plan does not act on, and why: suppressed, blocked by the guard, or for a person.

    `message`: the lines of what a person may send by hand, if anything.
    """

    record_id: str
    what: str
    why: str
    message: tuple[str, ...] = ()


class ProposedPlan(Wire):
    """A page of the plan. A decision quotes its `digest`."""

    digest: str
    round: int
    total_actions: int
    spends: str
    overall_confidence_score: float
    notes: str
    left_out: int
    actions: tuple[PlannedAction, ...]
    suppressed: tuple[LeftAlone, ...]
    blocked: tuple[LeftAlone, ...]
    for_person: tuple[LeftAlone, ...]


class Decided(Wire):
    """A decision as it was recorded."""

    by: str
    at: datetime
    approved: tuple[str, ...]
    rejected: tuple[str, ...]
    edits: dict[str, dict[str, JsonValue]] = Field(default_factory=dict[str, dict[str, JsonValue]])
    comment: str = ""


class Outcome(Wire):
    """What became of one action, and whether it helped."""

    action_id: str
    record_id: str
    tool: str
    status: str
    evidence: tuple[str, ...]
    verified: tuple[str, ...]
    simulated: bool


class RepairDetails(RepairState):
    """A repair in detail, one page of its actions at a time."""

    requested_by: str
    domain: str
    partition: str = ""
    started_at: datetime
    ended_at: datetime | None = None
    detection_confidence_score: float | None = None
    suspects: int = 0
    total_problems: int = 0
    problems: tuple[Problem, ...] = ()
    plan: ProposedPlan | None = None
    decisions: tuple[Decided, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    summary: str = ""
    left_for_person: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    model_tokens: int = 0
    model_cost_usd: Decimal = Decimal(0)
    page: int = 1
    pages: int = 1


class AgentCycle(Wire):
    """One cycle of a proactive agent that has ended."""

    repair_id: str
    phase: str
    ended_at: datetime
    needs_person: bool
    reason: str = ""


class ProactiveAgent(Wire):
    """A proactive agent. `phase`: that of the repair that runs, else its own; `repair`: the repair that runs.

    `cycles`: how many were begun; `last_cycles`: the newest that ended, at most ten.
    """

    agent_id: str
    phase: str
    domain: str
    partition: str = ""
    interval_minutes: float
    next_cycle_at: datetime | None = None
    cycles: int = 0
    failures_in_a_row: int = 0
    repair: RepairState | None = None
    last_cycles: tuple[AgentCycle, ...] = ()
    trouble: str = ""
    already_running: bool | None = None
    next_step: str


class RecordAnswer(Wire):
    """One record of the store, with what the rules find wrong with it; `fields` only where one record is asked for."""

    record_id: str
    about: str
    status: str
    problems: tuple[Problem, ...]
    fields: dict[str, JsonValue] = Field(default_factory=dict)


class ListedRecords(Wire):
    """Some records of a store. `total` counts all that were asked for.

    `message`: where there is none, why, and what there is.
    """

    store: str
    records: tuple[RecordAnswer, ...]
    total: int
    page: int
    pages: int
    message: str = ""


class RepairHead(Wire):
    """One repair in a list. Of a plan that waits: its `actions`, what they spend in all, and until when it waits.

    `kept_from`: why this person may not decide on it.
    """

    repair_id: str
    phase: str
    user: str
    started_at: datetime
    ended_at: datetime | None = None
    actions: int | None = None
    spends: str = ""
    decide_by: datetime | None = None
    kept_from: str = ""


class CollectedRepair(Wire):
    """A repair of what was reported, which has not begun, and what it waits for."""

    repair_id: str
    waits_for: str
    user: str
    domain: str
    record_ids: tuple[str, ...]
    events: int


class RepairPage(Wire):
    """The newest repairs, and those of what was reported that have not begun.

    `collected_trouble`: why nobody can say which have not. `message`: where none is in the phase, which there are.
    """

    repairs: tuple[RepairHead, ...]
    collected: tuple[CollectedRepair, ...] = ()
    collected_trouble: str = ""
    message: str = ""


class ReportPage(Wire):
    """A part of a report in Markdown. `next_offset`: where it goes on; null at its end."""

    repair_id: str
    text: str
    total_chars: int
    next_offset: int | None = None


class FactTold(Wire):
    """What became of telling a fact. `told` false: nothing was written down. `known`: it was known before.

    `problems`: the kinds of what is wrong with the record now; `agents`: those that look at it at once; `unsent`: the
    numbers of messages that ask for what has happened, and were not sent.
    """

    record_id: str
    fact: str
    told: bool
    known: bool = False
    evidence: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    unsent: tuple[int, ...] = ()
    message: str = ""
    next_step: str


class DecisionAnswer(Wire):
    """What became of a decision. `decided` false: nothing was recorded by this call.

    `form_open`: a form is open, and what the person says in it counts. `what_was_decided`: on the plan until now.
    """

    repair_id: str
    decided: bool
    repeated: bool = False
    form_open: bool = False
    decision: Decided | None = None
    message: str = ""
    what_was_decided: str = ""
    next_step: str
