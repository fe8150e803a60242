"""Which tool is proposed for which problem, and what a person is told where none is. Reads nothing but the clock."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from daper.clock import agreed_now
from daper.core.models import Finding, Proposal
from daper.core.text import said, shown
from daper.domains.temporal import findings as kinds
from daper.domains.temporal.forecast import forecast
from daper.domains.temporal.histories import RESET, START_AGAIN
from daper.domains.temporal.options import TemporalOptions
from daper.domains.temporal.tools.activity import ActivityTool
from daper.domains.temporal.tools.activity_options import ChangeActivityOptions, too_short
from daper.domains.temporal.tools.activity_pause import UnpauseActivity
from daper.domains.temporal.tools.activity_reset import ResetActivity
from daper.domains.temporal.tools.base import WorkflowTool, workflow_in
from daper.domains.temporal.tools.run_tool import history_in
from daper.domains.temporal.tools.signal import SignalWorkflow
from daper.domains.temporal.tools.version_move import MoveToVersion
from daper.domains.temporal.workflow import PendingActivity, WorkflowRecord
from daper.ports.domain import ProposalSet, Record, Terms

FAR_OFF: Final = timedelta(minutes=5)
"""What is tried again sooner needs nobody who does it."""

_USUAL: Final = {kinds.PAUSED: UnpauseActivity.name, kinds.TIMED_OUT: START_AGAIN}
_LEFT: Final = {
    kinds.TASK_FAILING: "a fixed worker heals it by itself: mend the code and start workers with it, it needs no reset",
    kinds.NOBODY_POLLS: "start a worker for that task queue: whatever waits there goes on by itself",
    kinds.OPERATION_RETRYING: "no tool does anything with a Nexus operation: whoever serves it looks why it fails",
    kinds.VERSION_SILENT: "start workers of that version; it goes to another only where DAPER_TEMPORAL_FIXES says so",
    kinds.TOO_LONG: "a person looks what it waits for: no signal is allowed for that, and ending it is not set",
}


def proposals(
    findings: Sequence[Finding],
    records: Sequence[Record],
    *,
    tools: Mapping[str, WorkflowTool],
    options: TemporalOptions,
) -> ProposalSet:
    """For each finding the tool that is set for it, or the usual one, where that fits; else why a person has to."""
    made: list[Proposal] = []
    left: dict[str, str] = {}
    for finding in findings:
        record = workflow_in(records, finding.record_id)
        name = options.fix(finding.kind, record.state.type) if record else None
        why = _LEFT.get(finding.kind, "a person looks at it")
        if not name:
            name, why = _usual(finding, records, tools, why)
        tool = tools.get(name)
        if tool is None or record is None:
            left[finding.fingerprint] = said(f"there is no tool {shown(name)!r}" if name and record else why)
            continue
        arguments = tool.proposed(record, finding, records)
        terms = tool.terms(finding.record_id, arguments, records)
        if obstacle := _beside_it(tool, finding) or terms.obstacle or _elsewhere(finding, terms):
            left[finding.fingerprint] = said(f"{name} does not fit: {obstacle}")
            continue
        made.append(
            Proposal(
                record_id=finding.record_id,
                tool=name,
                arguments=arguments,
                answers=(finding.fingerprint,),
                rationale=tool.does,
            )
        )
    return ProposalSet(proposals=tuple(made), for_person=left)


def _usual(finding: Finding, records: Sequence[Record], tools: Mapping[str, WorkflowTool], why: str) -> tuple[str, str]:
    """The usual tool for a problem; none, and why, where a person decides."""
    record = workflow_in(records, finding.record_id)
    if record is None:
        return "", why
    if finding.kind == kinds.FAILED:
        return _for_failed(finding, records), why
    if finding.kind == kinds.ACTIVITY_RETRYING:
        return _for_retries(_activities_of(finding, record, tools), agreed_now())
    signal = tools.get(SignalWorkflow.name)
    if isinstance(signal, SignalWorkflow) and signal.meant_for(finding.kind, record.state):
        return signal.name, why
    move = tools.get(MoveToVersion.name)
    if finding.kind == kinds.TASK_FAILING and record.state.pinned and move is not None and not move.unfit(record.state):
        return move.name, why
    return _USUAL.get(finding.kind, ""), why


def _for_failed(finding: Finding, records: Sequence[Record]) -> str:
    """What has failed goes back to a point that keeps something, and else begins again."""
    record = history_in(records, finding.record_id)
    if record is None or record.history is None:
        return RESET
    return RESET if forecast(record.history).kept else START_AGAIN


def _for_retries(activities: Sequence[PendingActivity], now: datetime) -> tuple[str, str]:
    """By the one of those that fail alike that would be tried again last."""
    if not activities:
        return "", "a person looks at it"
    if too_short(activities[0]):
        return ChangeActivityOptions.name, ""
    due = max((each.next_at for each in activities if each.next_at is not None), default=None)
    if due is None:
        return "", "it is tried just now: a person looks why it fails"
    if due - now >= FAR_OFF:
        return ResetActivity.name, ""
    return "", f"it is tried again by {kinds.when(due)}, whatever is done: a person looks why it fails"


def _activities_of(
    finding: Finding, record: WorkflowRecord, tools: Mapping[str, WorkflowTool]
) -> tuple[PendingActivity, ...]:
    reset = tools.get(ResetActivity.name)
    return reset.activities_of(finding, record) if isinstance(reset, ActivityTool) else ()


def _beside_it(tool: WorkflowTool, finding: Finding) -> str:
    return "" if finding.kind in tool.kinds else f"it is not for {finding.kind}"


def _elsewhere(finding: Finding, terms: Terms) -> str:
    of_this = terms.findings is None or finding.fingerprint in terms.findings
    return "" if of_this else "it is for something else of this workflow"
