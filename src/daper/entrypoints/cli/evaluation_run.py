"""Runs the product once over all cases: new records, a worker, one repair, and a person who approves all of it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from temporalio.client import Client

from daper.bootstrap import open_domains, open_service
from daper.core.cases import CaseSet
from daper.core.errors import DaperError, UserError
from daper.core.models import MOST_PROBLEMS, Decision, Person, Scope, Verdict
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.views import PlanView, RepairView
from daper.entrypoints.cli.exits import UsageError
from daper.evaluation.observation import RecordState, Run
from daper.ports import Domain, Evaluable
from daper.ports.entry import why_absent
from daper.service.records import find_domain
from daper.service.repairs import RepairService
from daper.service.requests import StartRepair
from daper.service.whole_plan import look_at_whole_plan
from daper.settings import Settings
from daper.workers import working

DOOR = "evaluation"
_JUDGE = Person(name="evaluation")


@dataclass(frozen=True, kw_only=True)
class WantedCases:
    """Which cases are to be made."""

    seed: int
    per_kind: int
    kinds: Collection[str] = ()


Tell = Callable[[Phase], None]


async def run_cases(client: Client, settings: Settings, wanted: WantedCases, *, tell: Tell) -> tuple[CaseSet, Run]:
    """One run on the settings' home, which must be new. `tell` is called with each phase.

    Raises UserError for a domain that has no cases, UsageError for cases that cannot be made.
    """
    domains = open_domains(settings)
    # One that needs a setting has records of somebody's own, and no cases: here nothing is set of any.
    domain = None if why_absent(domains, settings.domain) else find_domain(domains, settings.domain)
    if not isinstance(domain, Evaluable):
        raise UserError(f"domain {settings.domain!r} has no cases to evaluate on: it offers no `install_cases`")
    try:
        case_set = await domain.install_cases(seed=wanted.seed, per_kind=wanted.per_kind, kinds=wanted.kinds)
    except UserError as error:
        raise UsageError(str(error)) from error
    before = await _states(domain, case_set)
    async with working(client, settings, domains=domains):
        service = await open_service(settings, client=client)
        scope = Scope(limit=MOST_PROBLEMS)
        started = await service.start(StartRepair(requested_by=_JUDGE, domain=settings.domain, scope=scope))
        result = await _follow(service, started.repair_id, tell=tell)
    return case_set, Run(result=result, before=before, after=await _states(domain, case_set))


async def _follow(service: RepairService, repair_id: str, *, tell: Tell) -> RepairResult:
    decided = ""
    async for look in service.follow(repair_id):
        if isinstance(look, RepairResult):
            return look
        if not isinstance(look, RepairView):
            continue
        tell(look.phase)
        if look.phase is Phase.PENDING_APPROVAL and look.plan is not None and look.plan.digest != decided:
            whole = await look_at_whole_plan(service, repair_id)
            if isinstance(whole, RepairView) and whole.plan is not None:
                await service.decide(repair_id, _approval(whole.plan))
                decided = whole.plan.digest
    raise DaperError(f"repair {repair_id!r} left no result")


def _approval(plan: PlanView) -> Decision:
    """Yes to every main action; what is proposed instead of one cannot be approved beside it."""
    main = {action.id: Verdict.APPROVE for action in plan.actions if not action.instead_of}
    return Decision(plan_digest=plan.digest, verdicts=main, by=_JUDGE, door=DOOR)


async def _states(domain: Domain, case_set: CaseSet) -> Mapping[str, RecordState]:
    records = await domain.context([case.record_id for case in case_set.cases])
    heads = ((record, domain.head(record)) for record in records)
    return {head.record_id: RecordState(status=head.status, version=record.version) for record, head in heads if head}
