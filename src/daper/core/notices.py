"""What people are told of a repair, and why: one message for each event, bounded, in which nothing is hidden. Pure."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from daper.core.action_groups import ActionGroup, alike
from daper.core.base import Wire
from daper.core.decisions import who
from daper.core.digests import canonical, digest
from daper.core.lines import FieldLine, LineKind, PlanHead, action_lines, left_alone_lines
from daper.core.outcomes import Counts, RepairResult
from daper.core.people import SignalCallback
from daper.core.phases import Phase
from daper.core.proactive import ProactiveView
from daper.core.selections import in_short
from daper.core.text import counted, visible
from daper.core.views import ActionView, PlanView, RepairView

MOST_PROBLEMS_TOLD = 10
MOST_ACTIONS_TOLD = 20
MOST_LEFT_TOLD = 10
MOST_LINES_TOLD = 40  # of one action
MOST_GROUPS_TOLD = 5
MOST_ROWS_TOLD = 5  # of one group
MOST_OWN_TOLD = 10  # fields of one row

_LONGEST = 200
_MOST_TEXT = 12_000  # characters of all actions together


class Occasion(StrEnum):
    """Why somebody is told."""

    PLAN_WAITS = "plan-waits"
    PLAN_STILL_WAITS = "plan-still-waits"
    PLAN_EXPIRED = "plan-expired"
    PLAN_REJECTED = "plan-rejected"
    REPAIR_DONE = "repair-done"
    REPAIR_NEEDS_HAND = "repair-needs-hand"
    REPAIR_FAILED = "repair-failed"
    REPAIR_STOPPED = "repair-stopped"
    CYCLES_FAIL = "cycles-fail"
    TEST = "test"

    @property
    def ends(self) -> bool:
        """Whether the repair is over, so that there is a report."""
        return self in _ENDS

    @property
    def asks(self) -> bool:
        """Whether a plan waits for the reader."""
        return self in {Occasion.PLAN_WAITS, Occasion.PLAN_STILL_WAITS}


_ENDS = frozenset(
    {
        Occasion.PLAN_EXPIRED,
        Occasion.PLAN_REJECTED,
        Occasion.REPAIR_DONE,
        Occasion.REPAIR_NEEDS_HAND,
        Occasion.REPAIR_FAILED,
        Occasion.REPAIR_STOPPED,
    }
)


class ToldLine(Wire):
    """One field of an action, as far as a message tells it."""

    kind: LineKind
    label: str
    text: str


class ActionLine(Wire):
    """One action of a plan, as far as a message tells it. `told`: its fields, in order; `untold`: how many are not.

    `alike`: it is one of those that `groups` tells, too.
    """

    id: str
    record: str
    tool: str
    does: str
    risk: str
    spends: str
    doubts: int = 0
    told: tuple[ToldLine, ...] = ()
    untold: int = 0
    alike: bool = False


class RowLine(Wire):
    """One action of a group: its record, and what it alone has. `untold`: how many of its fields are not told."""

    id: str
    record: str
    told: tuple[ToldLine, ...] = ()
    untold: int = 0


class GroupLine(Wire):
    """Actions of a plan that are the same but for their record, as far as a message tells them.

    `told`: the fields that all of them have; `rows`: the first of them; `more`: how many have no row.
    """

    ids: str
    heading: str
    actions: int
    told: tuple[ToldLine, ...] = ()
    rows: tuple[RowLine, ...] = ()
    more: int = 0


class Notice(Wire):
    """What is told. Every text is one visible line of bounded length; the counts say how much is not shown.

    `subject_id`: the repair, or the proactive agent. `spends`: what the whole plan costs. `left`: for a person to do.
    `notes`, `confidence_score`, `left_out` and `alone` are of a plan: problems over the cap of one repair, and what is
    blocked or suppressed. `partition`: the part of all records in which the repair looks. `by_link`: the policy lets a
    person decide on the plan with that digest by the link of a message. `groups`: actions that are the same but for
    their record; of `action_lines` the others come first.
    """

    event: Occasion
    subject_id: str
    headline: str
    at: datetime
    user: str = ""
    domain: str = ""
    phase: str = ""
    reason: str = ""
    decide_by: datetime | None = None
    spends: str = ""
    problems: int = 0
    problem_lines: tuple[str, ...] = ()
    actions: int = 0
    action_lines: tuple[ActionLine, ...] = ()
    left: int = 0
    left_lines: tuple[str, ...] = ()
    counts: Counts = Counts()
    confidence_score: float | None = None
    notes: str = ""
    left_out: int = 0
    partition: str = ""
    alone: int = 0
    alone_lines: tuple[str, ...] = ()
    plan_digest: str = ""
    by_link: bool = False
    groups: tuple[GroupLine, ...] = ()

    @property
    def head(self) -> PlanHead:
        """The head of the plan that waits; an empty one where none does."""
        return PlanHead(
            actions=self.actions,
            spends=self.spends,
            confidence_score=self.confidence_score,
            decide_by=self.decide_by,
            notes=self.notes,
            partition=self.partition,
            left_out=self.left_out,
            left_alone=self.left + self.alone if self.plan_digest else 0,
        )


class TellInput(Wire):
    """Tell one target of one event. The target is a name; where it leads to is known to settings alone."""

    event_id: str
    target: str
    message: Notice


class Delivery(Wire):
    """What came of telling: sent; or it is the workflow's to send, as a signal."""

    callback: SignalCallback | None = None


def event_id(cycle_id: str, round_number: int, event: Occasion, target: str, *, number: int = 1) -> str:
    """The one id of one event for one target: the same in every attempt. `number`: which one of its kind in a round."""
    told = {"cycle": cycle_id, "round": round_number, "event": event, "target": target}
    return digest(canonical(told if number == 1 else {**told, "number": number}))


def plan_message(event: Occasion, view: RepairView, *, at: datetime, by_link: bool = False) -> Notice:
    """A plan waits, or waits still; `view` has all of it on one page. `by_link`: a link may decide on it."""
    plan = view.plan
    actions = plan.actions if plan else ()
    total = plan.total_actions if plan else 0
    groups = _groups(plan) if plan else ()
    together = {action_id for group, _ in groups for action_id in group.ids}
    ordered = (
        *(each for each in actions if each.id not in together),
        *(each for each in actions if each.id in together),
    )
    left = [f"{item.record_id}: {item.kind}: {item.reason}" for item in plan.for_person] if plan else []
    aside = left_alone_lines(plan) if plan else ()
    alone = [line.text for line in aside if line.kind is not LineKind.FOR_PERSON]
    what = f"a plan of {counted(total, 'action')} waits for a decision"
    return Notice(
        event=event,
        subject_id=view.repair_id,
        headline=_line(f"{view.domain}: {'reminder: ' if event is Occasion.PLAN_STILL_WAITS else ''}{what}"),
        at=at,
        user=_line(who(view.requested_by)),
        domain=_line(view.domain),
        phase=str(view.phase),
        reason=_line(view.message),
        decide_by=view.decide_by,
        spends=plan.spends if plan else "",
        problems=view.problems,
        problem_lines=_problems(actions),
        actions=total,
        action_lines=_told(
            ordered[:MOST_ACTIONS_TOLD], together, left=_MOST_TEXT - sum(_size(line) for _, line in groups)
        ),
        groups=tuple(line for _, line in groups),
        left=len(left),
        left_lines=tuple(map(_line, left[:MOST_LEFT_TOLD])),
        confidence_score=plan.overall_confidence_score if plan else None,
        notes=_line(plan.additional_notes) if plan else "",
        left_out=plan.left_out if plan else 0,
        partition=view.partition,
        alone=len(alone),
        alone_lines=tuple(map(_line, alone[:MOST_LEFT_TOLD])),
        plan_digest=plan.digest if plan else "",
        by_link=by_link,
    )


def event_of(result: RepairResult) -> Occasion | None:
    """What the end of a repair is to people; None where there was nothing to do, which is no news."""
    match result.phase:
        case Phase.APPROVAL_EXPIRED:
            return Occasion.PLAN_EXPIRED
        case Phase.REPAIR_FAILED:
            return Occasion.REPAIR_FAILED
        case Phase.CANCELLED:
            return Occasion.REPAIR_STOPPED
        case _ if result.needs_person:
            return Occasion.REPAIR_NEEDS_HAND
        case Phase.REJECTED:
            return Occasion.PLAN_REJECTED
        case Phase.NO_REPAIR_NEEDED:
            return None
        case _:
            return Occasion.REPAIR_DONE


_ENDED = {
    Occasion.PLAN_EXPIRED: "nobody decided on the plan in time",
    Occasion.PLAN_REJECTED: "the plan was rejected",
    Occasion.REPAIR_DONE: "the repair is done",
    Occasion.REPAIR_NEEDS_HAND: "the repair ended, and needs a hand",
    Occasion.REPAIR_FAILED: "the repair could not go on",
    Occasion.REPAIR_STOPPED: "the repair was stopped",
}


def end_message(event: Occasion, result: RepairResult, *, at: datetime) -> Notice:
    """A repair is over."""
    left = result.report.left_for_person if result.report else ()
    issues = [f"{finding.record_id}: {finding.issue}" for finding in result.findings]
    return Notice(
        event=event,
        subject_id=result.repair_id,
        headline=_line(f"{result.domain}: {_ENDED[event]}"),
        at=at,
        user=_line(result.user),
        domain=_line(result.domain),
        phase=str(result.phase),
        reason=_line(result.report.summary if result.report else result.reason, longest=500),
        problems=len(issues),
        problem_lines=tuple(map(_line, issues[:MOST_PROBLEMS_TOLD])),
        left=len(left),
        left_lines=tuple(map(_line, left[:MOST_LEFT_TOLD])),
        counts=result.counts,
    )


def cycles_message(view: ProactiveView, *, at: datetime) -> Notice:
    """Several cycles of a proactive agent in a row could not go on."""
    failed = [f"{ended.repair_id}: {ended.reason}" for ended in view.results if ended.failed]
    what = f"{counted(view.failures_in_a_row, 'cycle')} in a row could not go on"
    return Notice(
        event=Occasion.CYCLES_FAIL,
        subject_id=view.agent_id,
        headline=_line(f"{view.domain}: {what}"),
        at=at,
        user=_line(view.user),
        domain=_line(view.domain),
        phase=str(view.phase),
        reason=_line("The agent goes on trying, with growing pauses; nobody is told again before a cycle succeeded."),
        left=len(failed),
        left_lines=tuple(map(_line, failed[: view.failures_in_a_row][:MOST_LEFT_TOLD])),
    )


def trial_message(user: str, *, at: datetime) -> Notice:
    """Nothing happened; somebody tries out whether messages arrive."""
    return Notice(
        event=Occasion.TEST,
        subject_id="test",
        headline="a test: messages of daper arrive here",
        at=at,
        user=_line(user),
        reason=_line(f"{user} asked for this with: daper people test"),
    )


def _groups(plan: PlanView) -> tuple[tuple[ActionGroup, GroupLine], ...]:
    """As many groups, from the first on, as a message has room for."""
    told: list[tuple[ActionGroup, GroupLine]] = []
    left = _MOST_TEXT
    for group in alike(plan.actions)[:MOST_GROUPS_TOLD]:
        line = _group(group, plan)
        left -= _size(line)
        if told and left < 0:
            break
        told.append((group, line))
    return tuple(told)


def _group(group: ActionGroup, plan: PlanView) -> GroupLine:
    common = [line for line in group.common if line.kind is not LineKind.TOOL]
    rows = tuple(_row(action, group.own(action)) for action in group.actions[:MOST_ROWS_TOLD])
    return GroupLine(
        ids=_line(in_short(group.ids, plan)),
        heading=_line(group.heading.text),
        actions=len(group.actions),
        told=tuple(map(_told_line, common[:MOST_LINES_TOLD])),
        rows=rows,
        more=len(group.actions) - len(rows),
    )


def _size(group: GroupLine) -> int:
    return sum(len(each.label) + len(each.text) for row in (group, *group.rows) for each in row.told)


def _row(action: ActionView, own: Sequence[FieldLine]) -> RowLine:
    return RowLine(
        id=_line(action.id),
        record=_line(_record(action)),
        told=tuple(map(_told_line, own[:MOST_OWN_TOLD])),
        untold=max(0, len(own) - MOST_OWN_TOLD),
    )


def _told(actions: Iterable[ActionView], together: Collection[str], *, left: int) -> tuple[ActionLine, ...]:
    """As many actions, from the first on, as a message has room for."""
    told: list[ActionLine] = []
    for action in actions:
        line = _action(action).model_copy(update={"alike": action.id in together})
        left -= sum(len(each.label) + len(each.text) for each in line.told)
        if told and left < 0:
            break
        told.append(line)
    return tuple(told)


def _action(action: ActionView) -> ActionLine:
    change = next(iter(action.preview), None)
    lines = action_lines(action)
    return ActionLine(
        id=_line(action.id),
        record=_line(_record(action)),
        tool=_line(action.tool),
        does=_line(f"{change.field}: {change.before} → {change.after}") if change else "",
        risk=str(action.risk),
        spends=_line(action.spends),
        doubts=len(action.doubts),
        told=tuple(map(_told_line, lines[:MOST_LINES_TOLD])),
        untold=max(0, len(lines) - MOST_LINES_TOLD),
    )


def _record(action: ActionView) -> str:
    return f"{action.record_id} ({action.title})" if action.title else action.record_id


def _told_line(line: FieldLine) -> ToldLine:
    return ToldLine(kind=line.kind, label=_line(line.label), text=_line(line.text))


def _problems(actions: Iterable[ActionView]) -> tuple[str, ...]:
    issues = (f"{action.record_id}: {issue}" for action in actions for issue in action.problems)
    return tuple(map(_line, list(dict.fromkeys(issues))[:MOST_PROBLEMS_TOLD]))


def _line(text: object, *, longest: int = _LONGEST) -> str:
    return visible(text, longest=longest)
