"""The plan report: what a repair proposes, for the person who decides; afterwards, how it was decided. Pure."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from daper.adapters.reports.actions import Proposed, blocked_table, proposed_table
from daper.adapters.reports.decision_log import (
    decision_log,
    for_person_table,
    messages_to_send,
    suppressed_table,
)
from daper.adapters.reports.repair_report import state
from daper.core.action_groups import alike
from daper.core.decisions import who
from daper.core.lines import FieldLine, LineKind, PlanHead, action_lines, left_out_line
from daper.core.models import Detection, RecordedDecision
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.selections import in_short
from daper.core.views import ActionView, PlanView, RepairView
from daper.documents.blocks import (
    Commands,
    Document,
    Facts,
    Line,
    Paragraph,
    Section,
    Table,
)
from daper.documents.cells import cell, code, facts, moment, prose, score, section, text, worded


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What a plan report tells, whether the repair is open or over."""

    repair_id: str
    phase: Phase
    reason: str
    user: str
    domain: str
    started_at: datetime
    made_at: datetime
    detection: Detection | None
    problems: int
    decisions: tuple[RecordedDecision, ...]
    decide_by: datetime | None = None


def plan_report(look: RepairView | RepairResult, plans: Sequence[PlanView]) -> Document:
    """The plan report of a repair with at least one plan, each of its plans whole; the last one is the current one."""
    asked, current = _asked(look), plans[-1]
    waits = asked.phase is Phase.PENDING_APPROVAL and not asked.decisions
    return Document(
        title="Repair plan",
        repair_id=asked.repair_id,
        made_at=asked.made_at,
        summary=_summary(current, asked.problems, waits=waits),
        state=state(asked.phase, asked.reason),
        about=_about(asked, current),
        sections=(
            *section("What was found", _found(asked)),
            *(part for plan in plans for part in _proposed(plan, several=len(plans) > 1)),
            *section("How it was decided", *decision_log(asked.decisions, _ids(plans))),
            *(_how_to_decide(asked, current) if waits else ()),
        ),
    )


def _asked(look: RepairView | RepairResult) -> _Asked:
    if isinstance(look, RepairResult):
        return _Asked(
            repair_id=look.repair_id,
            phase=look.phase,
            reason=look.reason,
            user=look.user,
            domain=look.domain,
            started_at=look.started_at,
            made_at=look.ended_at,
            detection=look.detection,
            problems=len(look.findings),
            decisions=look.decisions,
        )
    return _Asked(
        repair_id=look.repair_id,
        phase=look.phase,
        reason=look.message,
        user=who(look.requested_by),
        domain=look.domain,
        started_at=look.started_at,
        made_at=look.phase_since,
        detection=look.detection,
        problems=look.problems,
        decisions=(look.decision,) if look.decision else (),
        decide_by=look.decide_by,
    )


def _summary(plan: PlanView, problems: int, *, waits: bool) -> Line:
    left = len(plan.for_person) + len(plan.blocked)
    said = [f"{problems} problems found, {plan.total_actions} actions proposed"]
    said += [f"{left} left for a person"] if left else []
    said += [f"{len(plan.suppressed)} left alone"] if plan.suppressed else []
    said += [f"{plan.left_out} over the cap of one repair"] if plan.left_out else []
    tail = " Nothing is done before somebody decides." if waits else ""
    return text("; ".join(said) + "." + tail)


def _about(asked: _Asked, plan: PlanView) -> Facts:
    head = PlanHead.of(plan, decide_by=asked.decide_by)
    return facts(
        [
            ("requested by", cell(text(asked.user))),
            ("domain", cell(code(asked.domain))),
            ("started", cell(text(moment(asked.started_at)))),
            ("plan", cell(code(plan.digest))),
            *((line.label, cell(worded(line))) for line in head.lines() if line.kind is not LineKind.LEFT_OUT),
        ]
    )


def _found(asked: _Asked) -> Facts:
    found = asked.detection
    return facts(
        [
            ("records looked through", cell(text(found.scanned if found else ""))),
            ("suspect", cell(text(f"{found.suspects} ({score(found.confidence_score)} sure)" if found else ""))),
            ("notes", cell(prose(found.notes if found else ""))),
            ("problems", cell(text(asked.problems))),
        ]
    )


def _proposed(plan: PlanView, *, several: bool) -> tuple[Section, ...]:
    round_ = f", round {plan.round}" if several else ""
    more = left_out_line(plan.left_out).text if plan.left_out else ""
    return (
        *section(f"What is proposed{round_}", _proposed_actions(plan), otherwise="Nothing is proposed."),
        *section(f"Left for a person{round_}", for_person_table(plan.for_person)),
        *section(f"Messages to send by hand{round_}", *messages_to_send(plan.for_person)),
        *section(f"Blocked proposals{round_}", blocked_table(plan.blocked)),
        *section(f"Suppressed problems{round_}", suppressed_table(plan.suppressed)),
        *section(f"Left for another repair{round_}", otherwise=more),
    )


def _proposed_actions(plan: PlanView) -> Table | None:
    """All that would run; what is the same but for its record once, above a row for each with what is its own."""
    groups = alike(plan.actions)
    of = {action_id: group for group in groups for action_id in group.ids}
    rows = list[Proposed]()
    for action in plan.actions:
        group = of.get(action.id)
        if group is None:
            rows.append(_row(action, action_lines(action)))
        elif action.id == group.ids[0]:
            common = [line for line in group.common if line.kind is not LineKind.TOOL]
            rows.append(Proposed(action_id=in_short(group.ids, plan), lines=[group.heading, *common]))
            rows += (_row(each, group.own(each)) for each in group.actions)
    return proposed_table(rows)


def _row(action: ActionView, lines: Sequence[FieldLine]) -> Proposed:
    return Proposed(action_id=action.id, record=action.record_id, about=action.title, lines=lines)


def _ids(plans: Sequence[PlanView]) -> dict[str, list[str]]:
    return {plan.digest: [action.id for action in plan.actions] for plan in plans}


def _how_to_decide(asked: _Asked, plan: PlanView) -> tuple[Section, ...]:
    return section(
        "How to decide",
        Paragraph(
            text("Tell whoever runs daper which actions you approve, by their ids; what is not named is not done.")
        ),
        Paragraph(
            text("One of these commands records it: all, none, some, or with a value changed within its limits.")
        ),
        Commands(tuple(_commands(asked.repair_id, plan))),
    )


def _commands(repair_id: str, plan: PlanView) -> Iterator[tuple[str, ...]]:
    """Each would run as it stands, whatever the names in it look like."""
    named = shlex.quote(repair_id)
    approve, quoted = f"daper repair approve {named}", f"--plan {plan.digest}"
    yield approve, quoted
    yield f"daper repair reject {named}", quoted
    first = [action for action in plan.actions if not action.instead_of]
    if len(first) > 1:
        yield approve, quoted, " ".join(f"--action {shlex.quote(action.id)}" for action in first[:2])
    yield from ((approve, quoted, f"--action {shlex.quote(each.id)}") for each in plan.actions if each.instead_of)
    for action in plan.actions:
        for name in action.editable:
            yield approve, quoted, f"--edit {shlex.quote(f'{action.id}.{name}=VALUE')}"
            return
