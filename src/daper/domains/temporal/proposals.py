"""Which tool is proposed for which problem, and what a person is told where none is. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from daper.core.limits import Exactly, OneOf
from daper.core.models import Finding, Proposal
from daper.core.text import said
from daper.domains.temporal import findings as kinds
from daper.domains.temporal.forecast import forecast
from daper.domains.temporal.histories import RESET, START_AGAIN
from daper.domains.temporal.options import TemporalOptions
from daper.domains.temporal.tools.base import WorkflowTool, workflow_in
from daper.domains.temporal.tools.run_tool import history_in
from daper.ports.domain import ProposalSet, Record

_USUAL: Final = {kinds.PAUSED: "unpause_activity", kinds.TIMED_OUT: START_AGAIN}
_LEFT: Final = {
    kinds.TASK_FAILING: "a fixed worker heals it by itself: mend the code and start workers with it, it needs no reset",
    kinds.NOBODY_POLLS: "start a worker for that task queue: whatever waits there goes on by itself",
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
        type_ = record.state.type if record else ""
        name = options.fix(finding.kind, type_) or _usual(finding, records)
        tool = tools.get(name)
        if tool is None or record is None:
            left[finding.fingerprint] = _LEFT.get(finding.kind, "a person looks at it")
            continue
        terms = tool.terms(finding.record_id, {}, records)
        if terms.obstacle:
            left[finding.fingerprint] = said(f"{name} does not fit: {terms.obstacle}")
            continue
        arguments = {
            key: limit.value if isinstance(limit, Exactly) else limit.values[0]
            for key, limit in terms.limits.items()
            if isinstance(limit, Exactly | OneOf)
        }
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


def _usual(finding: Finding, records: Sequence[Record]) -> str:
    """The usual tool. What has failed goes back to a point that keeps something, and else begins again."""
    if finding.kind != kinds.FAILED:
        return _USUAL.get(finding.kind, "")
    record = history_in(records, finding.record_id)
    if record is None or record.history is None:
        return RESET
    return RESET if forecast(record.history).kept else START_AGAIN
