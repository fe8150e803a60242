"""Activities that look and think: they change nothing but what a plan claims."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from temporalio import activity

from daper.activities.absent_records import no_record
from daper.activities.admission import Guarding
from daper.activities.backlog import Backlog, backlog, first_of
from daper.activities.claims import Claims
from daper.activities.edge import at_edge, domain_of, known_domain
from daper.activities.remainder import remainder, since_analysis
from daper.activities.scopes import judged_pages, open_records, unknown_status
from daper.core.errors import ModelError, SettingError, WrongStore
from daper.core.guard import seal
from daper.core.messages import (
    Advice,
    AnalyzeInput,
    AnalyzeResult,
    CycleRef,
    DetectInput,
    DetectResult,
    DivideInput,
    DivideResult,
    OnOutage,
    OpenCycleInput,
    OpenCycleResult,
    PlanInput,
    ProposeInput,
)
from daper.core.models import (
    MOST_PROBLEMS,
    RULES,
    Detection,
    Finding,
    Plan,
    ProposedAction,
    Scope,
)
from daper.core.partition import Partition, within
from daper.core.policy import ALONE_RISK, Alone, ApprovalPolicy
from daper.core.text import counted, shown
from daper.core.usage import CallSpent, Role, Spent
from daper.core.weights import light
from daper.ports import Agents, Chronicled, Domain, Record, Work

_LONGEST_NOTES = 2000
_LONGEST_DEED = 200
_MOST_DEEDS = 3  # of one record: a plan at its cap has five hundred


class DiagnoseActivities:
    """Detection, analysis and planning on a domain's records: by rules, and by language models if there are any.

    `policy` reads the worker's own policy, as it is whenever it is asked for.
    """

    def __init__(
        self,
        *,
        domains: Mapping[str, Domain],
        agents: Agents,
        claims: Claims,
        models: Agents | None = None,
        on_outage: OnOutage = OnOutage.FAIL,
        policy: Callable[[], ApprovalPolicy] = ApprovalPolicy,
        ahead: Callable[[], timedelta | None] = lambda: None,
    ) -> None:
        self._domains = domains
        self._agents = agents
        self._claims = claims
        self._models = models
        self._on_outage = on_outage
        self._policy = policy
        self._ahead = ahead

    @activity.defn(name="open_cycle")
    @at_edge
    async def open_cycle(self, input: OpenCycleInput) -> OpenCycleResult:
        """Make sure the store is the right one, and read "today" once for the whole cycle.

        Raises NotFound where it has none of the named records, WrongStore.
        """
        domain = known_domain(self._domains, input.domain)
        store = await domain.store()
        if store.store_id != input.store_id:
            raise WrongStore(f"the repair is for store {input.store_id!r}, but {store.store_id!r} answers")
        missing: tuple[str, ...] = ()
        if input.record_ids:
            known = {record.record_id for record in await domain.context(input.record_ids)}
            missing = tuple(record_id for record_id in input.record_ids if record_id not in known)
            if len(missing) == len(input.record_ids):
                raise await no_record(domain, missing[0], place=domain.name)
        named = tuple(record_id for record_id in input.record_ids if record_id not in missing)
        scope = Scope(record_ids=named, partition=input.partition)
        who = self._models or self._agents
        alone, trouble = await asyncio.to_thread(self._alone, input.domain) if input.may_act_alone else (None, "")
        return OpenCycleResult(
            store=store,
            today=store.as_of or input.now,
            open_records=await open_records(domain, scope),
            missing=missing,
            thinkers={role: who.name(role) for role in Role},
            on_outage=self._on_outage,
            alone=alone,
            alone_trouble=trouble,
            clock_ahead=self._ahead() or timedelta(),
        )

    @activity.defn(name="divide_work")
    @at_edge
    async def divide_work(self, input: DivideInput) -> DivideResult:
        """Divide named records, or a page of a scope, into batches of which each fits one call of a model."""
        domain = await domain_of(self._domains, input.cycle)
        next_page = None
        if input.scope is None:
            records = await domain.context(input.record_ids)
        else:
            found = await domain.scan(input.scope, input.page)
            records, next_page = found.records, found.next_page
        work = _work(domain, records, input.cycle, input.scope and input.scope.partition)
        agents = self._thinking(input.role, by_model=True)
        return DivideResult(batches=await asyncio.to_thread(agents.divide, input.role, work), next_page=next_page)

    @activity.defn(name="detect_problems")
    @at_edge
    async def detect_problems(self, input: DetectInput) -> DetectResult:
        """Whether there are problems at all, and which records are suspect: in the scope, or in a model's batch."""
        domain = await domain_of(self._domains, input.cycle)
        if input.by_model:
            work = _work(domain, await domain.context(input.record_ids), input.cycle)
            suspicion = await self._thinking(Role.DETECT, by_model=True).detect(work)
            detected = _detected(dict(suspicion.suspects), len(work.record_ids))
            spent = _call(Role.DETECT, work, suspicion.spent)
            return detected.model_copy(
                update={"scores": dict(suspicion.suspects), "why": dict(suspicion.why), "spent": spent}
            )
        suspects: dict[str, float] = {}
        scanned, in_scope = 0, None
        async for found in judged_pages(domain, input.scope):
            work = _work(domain, found.records, input.cycle, input.scope.partition)
            scanned, in_scope = scanned + len(work.record_ids), in_scope or found.total
            found_here = (await self._agents.detect(work)).suspects
            # Here, for every domain: one that knows no partitions must not break what they promise.
            suspects |= {each: found_here[each] for each in within(input.scope.partition, found_here)}
        if in_scope is not None and input.scope.partition is None:
            scanned = in_scope  # closed ones were looked at too, though not read
        if len(suspects) > MOST_PROBLEMS:
            chosen = await backlog(tuple(suspects), input, domain=domain, claims=self._claims, most=MOST_PROBLEMS)
            return _detected(suspects, scanned, chosen)
        notes = "" if scanned else await unknown_status(domain, input.scope)
        return _detected(suspects, scanned, notes=notes)

    @activity.defn(name="analyze_problems")
    @at_edge
    async def analyze_problems(self, input: AnalyzeInput) -> AnalyzeResult:
        """What exactly is wrong with the suspects."""
        domain = await domain_of(self._domains, input.cycle)
        records = await domain.context(input.record_ids)
        work = _work(domain, records, input.cycle)
        analysis = await self._thinking(Role.ANALYZE, by_model=input.by_model).analyze(work, input.known)
        wanted, only = set(input.record_ids), set(input.only)
        findings = tuple(
            finding
            for finding in analysis.findings
            if finding.record_id in wanted and (not only or finding.fingerprint in only)
        )
        kept = await asyncio.to_thread(light, first_of(findings, input.record_ids, most=MOST_PROBLEMS))
        concerned = {finding.record_id for finding in kept}
        heads = (domain.head(record) for record in records if record.record_id in concerned)
        return AnalyzeResult(
            findings=kept,
            heads=tuple(head for head in heads if head),
            left_out=len(findings) - len(kept),
            doubts=analysis.doubts,
            spent=_call(Role.ANALYZE, work, analysis.spent) if input.by_model else None,
        )

    @activity.defn(name="propose_actions")
    @at_edge
    async def propose_actions(self, input: ProposeInput) -> Advice:
        """What a model would do about some findings; the guard's refusals are told to it once."""
        domain = await domain_of(self._domains, input.cycle)
        records = await domain.context(_records_of(input.findings))
        guarding = await asyncio.to_thread(_guarding, domain, records, input)
        work = _work(domain, records, input.cycle)
        proposed = await self._thinking(Role.PLAN, by_model=True).plan(work, input.findings, guarding.review)
        return Advice(
            proposals=proposed.proposals,
            doubts=proposed.doubts,
            notes=(proposed.notes,) if proposed.notes else (),
            spent=_call(Role.PLAN, work, proposed.spent),
        )

    @activity.defn(name="plan_repair")
    @at_edge
    async def plan_repair(self, input: PlanInput) -> Plan:
        """Propose actions, let the guard see each one, claim their records, and seal what is left with a digest."""
        domain = await domain_of(self._domains, input.cycle)
        records = await domain.context(_records_of(input.findings))
        guarding = await asyncio.to_thread(_guarding, domain, records, input)
        work = _work(domain, records, input.cycle)
        # The rules act on what the rules found: a model that names another kind must not get a kept-back repair done.
        by_rules = [finding for finding in input.findings if finding.found_by == RULES]
        proposed = await self._agents.plan(work, by_rules, guarding.review)
        present = await asyncio.to_thread(domain.detect, records, input.cycle.today)
        # In a thread: a large plan must not keep the worker from its heartbeats.
        input, sifted = await asyncio.to_thread(guarding.sift_to_fit, proposed.proposals, input)
        options, held = await self._claims.hold(sifted.options, input, domain=domain, records=records)
        actions = await _with_history(domain, await asyncio.to_thread(guarding.bind, options, input))
        for_person, left_out = remainder(input, proposed, actions, held, over=sifted.over)
        for_person += since_analysis(input, present)
        plan = Plan(
            round=input.round,
            actions=actions,
            overall_confidence_score=min(
                (action.confidence_score for action in actions if not action.instead_of), default=0.0
            ),
            additional_notes=" ".join((proposed.notes, *input.advice.notes)).strip()[:_LONGEST_NOTES],
            suppressed=(*input.suppressed, *held),
            blocked=tuple(sifted.blocked),
            for_person=for_person,
            left_out=input.left_out + left_out,
            baseline=tuple(sorted({finding.fingerprint for finding in (*present, *input.findings)})),
        )
        return seal(plan, cycle_id=input.cycle.cycle_id)

    def _alone(self, domain: str) -> tuple[Alone | None, str]:
        """What this worker lets an agent do alone in a domain. Of a policy that cannot be read: nothing, and why."""
        try:
            policy = self._policy().of(domain)
        except SettingError as error:
            return None, str(error)
        if policy.needs_passkey(ALONE_RISK):
            return None, f"by the policy of the worker, risk {ALONE_RISK} is approved by a passkey alone"
        return policy.alone, ""

    def _thinking(self, role: Role, *, by_model: bool) -> Agents:
        """Raises ModelError where a model is asked for, and this worker has none."""
        if not by_model:
            return self._agents
        if self._models is None:
            raise ModelError(
                f"this worker has no language model for {role}; set LLM_MODEL, or DAPER_{role.upper()}_MODEL, for it"
            )
        return self._models


def _work(domain: Domain, records: Sequence[Record], cycle: CycleRef, partition: Partition | None = None) -> Work:
    ids = within(partition, (record.record_id for record in records if domain.head(record) is not None))
    return Work(cycle=cycle, domain=domain, records=records, record_ids=ids)


async def _with_history(domain: Domain, actions: tuple[ProposedAction, ...]) -> tuple[ProposedAction, ...]:
    """The actions, each with what was done to its record before. It explains, and is no part of what would run."""
    if not actions or not isinstance(domain, Chronicled):
        return actions
    known = await domain.done_before(tuple(dict.fromkeys(action.bound.record_id for action in actions)))
    told = {
        record_id: tuple(shown(each, longest=_LONGEST_DEED) for each in list(deeds)[-_MOST_DEEDS:])
        for record_id, deeds in known.items()
    }
    return tuple(
        action.model_copy(update={"done_before": told[action.bound.record_id]})
        if told.get(action.bound.record_id)
        else action
        for action in actions
    )


def _call(role: Role, work: Work, spent: Spent) -> CallSpent:
    return CallSpent(role=role, record_ids=work.record_ids, spent=spent)


def _records_of(findings: Sequence[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(finding.record_id for finding in findings))


def _guarding(domain: Domain, records: Sequence[Record], input: ProposeInput | PlanInput) -> Guarding:
    return Guarding(domain=domain, records=records, findings=input.findings, suppressed=input.suppressed)


def _detected(
    suspects: Mapping[str, float], scanned: int, chosen: Backlog | None = None, *, notes: str = ""
) -> DetectResult:
    kept = chosen or Backlog(suspects=tuple(suspects)[:MOST_PROBLEMS], left_out=0, known=0)
    if kept.known:
        known = f"{counted(kept.known, 'more problem')} {'is' if kept.known == 1 else 'are'} left alone"
        notes = f"{known}: planned for elsewhere, rejected or tried too often"
    return DetectResult(
        detection=Detection(
            confidence_score=max(suspects.values(), default=0.0),
            suspects=len(suspects),
            scanned=scanned,
            notes=notes,
        ),
        suspects=kept.suspects,
        left_out=kept.left_out,
    )
