"""What the rules propose for each finding, and what they leave to a person. Pure."""

from collections.abc import Mapping, Sequence

from daper.core.models import Finding, Proposal
from daper.domains.orders.handover import remedy_kind, why_held, why_no_tool
from daper.domains.orders.tools.order_tool import OrderTool
from daper.domains.orders.world import World
from daper.ports import ProposalSet


def propose(findings: Sequence[Finding], world: World, *, tools: Sequence[OrderTool]) -> ProposalSet:
    """A tool for each finding that one fits, in the order in which they must run; the reason for each other one.

    What is only put on hold is left to a person too: the hold decides nothing.
    """
    by_record: dict[str, list[Finding]] = {}
    for finding in findings:
        by_record.setdefault(finding.record_id, []).append(finding)
    proposals: list[Proposal] = []
    moved: dict[str, int] = {}
    for record_id, found in by_record.items():
        order = world.orders.get(record_id)
        for tool in tools if order is not None else ():
            mine = [finding for finding in found if remedy_kind(finding) in tool.answers]
            if mine:
                proposals += tool.proposals(world.orders[record_id], world, mine, moved)
    answered = {fingerprint for proposal in proposals for fingerprint in proposal.answers}
    parking = {tool.name for tool in tools if tool.parks}
    held = {fingerprint for proposal in proposals if proposal.tool in parking for fingerprint in proposal.answers}
    left = {
        finding.fingerprint: why_no_tool(finding, world, tools=tools)
        for finding in findings
        if finding.fingerprint not in answered
    }
    left |= {finding.fingerprint: why_held(finding) for finding in findings if finding.fingerprint in held}
    return ProposalSet(proposals=tuple(proposals), for_person=left, messages=_messages(findings, left, world, tools))


def _messages(
    findings: Sequence[Finding], left: Mapping[str, str], world: World, tools: Sequence[OrderTool]
) -> dict[str, str]:
    """What a person may send where a tool fits, and only the address is missing."""
    found: dict[str, str] = {}
    for finding in findings:
        order = world.orders.get(finding.record_id)
        if order is None or finding.fingerprint not in left:
            continue
        drafts = (tool.draft_for(finding, order, world) for tool in tools if remedy_kind(finding) in tool.answers)
        if draft := next(filter(None, drafts), ""):
            found[finding.fingerprint] = draft
    return found
