"""Activities that look and think: they change nothing."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import ValidationError
from temporalio import activity

from daper.activities.edge import at_edge, domain_of, find_domain
from daper.core.errors import NotFound, WrongStore
from daper.core.guard import Bindable, bind, refuse_proposal, seal
from daper.core.messages import (
    AnalyzeInput,
    AnalyzeResult,
    DetectInput,
    DetectResult,
    OpenCycleInput,
    OpenCycleResult,
    PlanInput,
)
from daper.core.models import (
    MOST_PROBLEMS,
    BlockedProposal,
    Detection,
    Finding,
    ForPerson,
    Plan,
    Proposal,
    ProposedAction,
    Scope,
)
from daper.ports import Agents, Domain, ProposalSet, Record, RepairTool, Terms, Undoable


class DiagnoseActivities:
    """Detection, analysis and planning on a domain's records, by whichever agents are configured."""

    def __init__(self, *, domains: Mapping[str, Domain], agents: Agents) -> None:
        self._domains = domains
        self._agents = agents

    @activity.defn(name="open_cycle")
    @at_edge
    async def open_cycle(self, input: OpenCycleInput) -> OpenCycleResult:
        """Make sure the store is the right one, and read "today" once for the whole cycle."""
        domain = find_domain(self._domains, input.domain)
        store = await domain.store()
        if store.store_id != input.store_id:
            raise WrongStore(f"the repair is for store {input.store_id!r}, but {store.store_id!r} answers")
        scope = Scope(record_ids=input.record_ids)
        if input.record_ids:
            known = {record.record_id for record in await domain.context(input.record_ids)}
            if missing := [record_id for record_id in input.record_ids if record_id not in known]:
                raise NotFound(f"there is no record {missing[0]!r} in {domain.name}; see: daper records list")
        return OpenCycleResult(store=store, today=store.as_of or input.now, open_records=await domain.count_open(scope))

    @activity.defn(name="detect_problems")
    @at_edge
    async def detect_problems(self, input: DetectInput) -> DetectResult:
        """Whether there are problems in the scope at all, and which records are suspect."""
        domain = await domain_of(self._domains, input.cycle)
        suspects: dict[str, float] = {}
        scanned, page = 0, None
        while True:
            found = await domain.scan(input.scope, page)
            scanned += sum(domain.head(record) is not None for record in found.records)
            suspects |= await self._agents.detect(domain, found.records, input.cycle.today)
            page = found.next_page
            if page is None:
                break
        kept = tuple(suspects)[:MOST_PROBLEMS]
        left = len(suspects) - len(kept)
        return DetectResult(
            detection=Detection(
                confidence_score=max(suspects.values(), default=0.0),
                suspects=len(suspects),
                scanned=scanned,
                notes=f"{left} more suspects are left for a later cycle" if left else "",
            ),
            suspects=kept,
        )

    @activity.defn(name="analyze_problems")
    @at_edge
    async def analyze_problems(self, input: AnalyzeInput) -> AnalyzeResult:
        """What exactly is wrong with the suspects."""
        domain = await domain_of(self._domains, input.cycle)
        records = await domain.context(input.record_ids)
        wanted, only = set(input.record_ids), set(input.only)
        found = await self._agents.analyze(domain, records, input.cycle.today)
        findings = tuple(
            finding for finding in found if finding.record_id in wanted and (not only or finding.fingerprint in only)
        )
        kept = findings[:MOST_PROBLEMS]
        concerned = {finding.record_id for finding in kept}
        heads = (domain.head(record) for record in records if record.record_id in concerned)
        return AnalyzeResult(
            findings=kept, heads=tuple(head for head in heads if head), left_out=len(findings) - len(kept)
        )

    @activity.defn(name="plan_repair")
    @at_edge
    async def plan_repair(self, input: PlanInput) -> Plan:
        """Propose actions, let the guard see each one, and seal what is left with a digest."""
        domain = await domain_of(self._domains, input.cycle)
        record_ids = tuple(dict.fromkeys(finding.record_id for finding in input.findings))
        records = await domain.context(record_ids)
        proposed = await self._agents.plan(domain, input.findings, records)
        within = replace(proposed, proposals=proposed.proposals[: input.limit])
        present = await asyncio.to_thread(domain.detect, records, input.cycle.today)
        # In a thread: a large plan must not keep the worker from its heartbeats.
        actions, blocked = await asyncio.to_thread(_through_guard, domain, input, within, records)
        for_person, left_out = _rest(input, proposed, actions)
        for_person += _since_analysis(input, present)
        plan = Plan(
            round=input.round,
            actions=actions,
            overall_confidence_score=min((action.confidence_score for action in actions), default=0.0),
            additional_notes=proposed.notes,
            suppressed=input.suppressed,
            blocked=blocked,
            for_person=for_person,
            left_out=input.left_out + left_out,
            baseline=tuple(sorted({finding.fingerprint for finding in (*present, *input.findings)})),
        )
        return seal(plan, cycle_id=input.cycle.cycle_id)


def _through_guard(
    domain: Domain, input: PlanInput, proposed: ProposalSet, records: tuple[Record, ...]
) -> tuple[tuple[ProposedAction, ...], tuple[BlockedProposal, ...]]:
    findings = {finding.fingerprint: finding for finding in input.findings}
    actions: list[ProposedAction] = []
    blocked: list[BlockedProposal] = []
    for proposal in proposed.proposals:
        tool = domain.tools.get(proposal.tool)
        bindable, why = None, None
        try:
            bindable = _bindable(tool, domain.terms(proposal, records)) if tool is not None else None
        except ValidationError as error:  # one record with impossible terms must not stop the others
            why = f"its terms make no sense: {error.errors()[0]['msg']}"
        why = why or refuse_proposal(proposal, findings, bindable, domain.tools.keys())
        why = why or _refuse_repeated(proposal, actions)
        if why or bindable is None:
            blocked.append(
                BlockedProposal(
                    record_id=proposal.record_id,
                    tool=proposal.tool,
                    arguments=proposal.arguments,
                    reason=why or "",
                    proposed_by=proposal.proposed_by,
                )
            )
            continue
        actions.append(
            bind(
                proposal,
                bindable,
                action_id=f"a{input.first_action + len(actions)}",
                cycle_id=input.cycle.cycle_id,
                round_number=input.round,
                domain=domain.name,
                store_id=input.cycle.store_id,
            )
        )
    return tuple(actions), tuple(blocked)


def _refuse_repeated(proposal: Proposal, actions: Sequence[ProposedAction]) -> str | None:
    """Why a proposal is one too many, or None: the same thing is done once, and one problem is repaired in one way."""
    for action in actions:
        bound = action.bound
        if bound.record_id != proposal.record_id:
            continue
        if bound.tool == proposal.tool and bound.arguments == proposal.arguments:
            return f"it is the same as {action.id}"
        if set(action.answers) & set(proposal.answers):
            return f"{action.id} answers the same problem"
    return None


def _since_analysis(input: PlanInput, present: Sequence[Finding]) -> tuple[ForPerson, ...]:
    """What went wrong with the plan's records after they were analyzed: shown, and left to a person."""
    seen = {finding.fingerprint for finding in input.findings}
    seen |= {item.finding.fingerprint for item in input.suppressed} | set(input.asked_before)
    reason = "found only while the plan was made; another repair looks at it"
    new = [finding for finding in present if finding.fingerprint not in seen]
    return tuple(
        ForPerson(record_id=each.record_id, kind=each.kind, fingerprint=each.fingerprint, reason=reason)
        for each in new[: input.limit]
    )


def _bindable(tool: RepairTool, terms: Terms) -> Bindable:
    return Bindable(
        args=tool.args,
        risk=tool.risk,
        limits=dict(terms.limits),
        reads=dict(terms.reads),
        preview=terms.preview,
        spends=terms.spends,
        settles_in=tool.settling,
        can_undo=isinstance(tool, Undoable),
        kinds=terms.answers,
    )


def _rest(
    input: PlanInput, proposed: ProposalSet, actions: tuple[ProposedAction, ...]
) -> tuple[tuple[ForPerson, ...], int]:
    """The findings that no action answers, or that a person must see to besides, and how many more are over the cap.

    Over the cap are findings with a proposal, and such that only a person can mend; what was found is never lost.
    """
    answered = {fingerprint for action in actions for fingerprint in action.answers}
    over = {fingerprint for proposal in proposed.proposals[input.limit :] for fingerprint in proposal.answers}
    silent = (answered | over) - proposed.for_person.keys()
    for_person = tuple(
        ForPerson(
            record_id=finding.record_id,
            kind=finding.kind,
            fingerprint=finding.fingerprint,
            reason=proposed.for_person.get(finding.fingerprint, "no tool repairs this"),
        )
        for finding in input.findings
        if finding.fingerprint not in silent
    )
    return for_person[: input.limit], len(over) + max(0, len(for_person) - input.limit)
