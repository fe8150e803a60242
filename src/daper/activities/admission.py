"""Every proposal, whoever made it, goes through the guard here; what it lets through becomes an action of the plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pydantic import JsonValue, ValidationError

from daper.activities.plan_caps import PlanRoom, beyond_caps, caps_of
from daper.core.guard import Bindable, GuardCase, bind, complete, refuse_proposal
from daper.core.messages import Advice, PlanInput
from daper.core.models import RULES, BlockedProposal, Change, Finding, Proposal, ProposedAction, SuppressedFinding
from daper.core.second_opinion import Option, add_advice, doubt
from daper.core.weights import MOST_OF_ACTIONS, weight
from daper.ports import Chaining, Domain, ProposalSet, Record, RepairTool, Terms, Undoable


@dataclass(frozen=True, kw_only=True)
class Sifted:
    """What may become actions, what the guard refuses, and the problems that are left to another repair."""

    options: list[Option]
    blocked: list[BlockedProposal]
    over: frozenset[str]


class Guarding:
    """The guard on one snapshot of the records of a plan."""

    def __init__(
        self,
        *,
        domain: Domain,
        records: Sequence[Record],
        findings: Sequence[Finding],
        suppressed: tuple[SuppressedFinding, ...] = (),
    ) -> None:
        self._domain = domain
        self._records = records
        self._case = GuardCase(
            record_ids=frozenset(record.record_id for record in records if domain.head(record) is not None),
            findings={finding.fingerprint: finding for finding in findings},
            tools=domain.tools.keys(),
            suppressed=suppressed,
        )

    def review(self, proposals: Sequence[Proposal]) -> list[tuple[Proposal, str | None]]:
        """Each proposal as it would be bound, and why it is refused, or None."""
        seen: list[Proposal] = []
        reviewed: list[tuple[Proposal, str | None]] = []
        for given in proposals:
            proposal, _, why = self._look(given)
            why = why or _repeated(proposal, seen)
            seen += [] if why else [proposal]
            reviewed.append((proposal, why))
        return reviewed

    def sift(self, proposals: Sequence[Proposal], advice: Advice, *, limit: int) -> "Sifted":
        """What may become actions, with each alternative and each doubt; and what the guard refuses, with why.

        The first `limit` proposals count, and of each tool as many as its caps let in. What is advised on a problem
        that is left to another repair is left to it.
        """
        blocked: list[BlockedProposal] = []
        room = PlanRoom(self._domain.tools)
        first, capped = room.take(self._fitting(proposals[:limit], blocked))
        over = capped | {fingerprint for proposal in proposals[limit:] for fingerprint in proposal.answers}
        advised = [each for each in self._fitting(advice.proposals, blocked) if not over & set(each.proposal.answers)]
        options = add_advice(first, advised, room=limit - len(first), fits=room.fits)
        doubted = [doubt(option, advice.doubts, self._case.findings) for option in options]
        return Sifted(options=doubted, blocked=blocked, over=over)

    def sift_to_fit(self, proposals: Sequence[Proposal], input: PlanInput) -> tuple[PlanInput, "Sifted"]:
        """As `sift`, but no more than one plan can carry; and the input with a limit that says so."""
        while True:
            sifted = self.sift(proposals, input.advice, limit=input.limit)
            weighs, number = weight(self.bind(sifted.options, input)), min(input.limit, len(sifted.options))
            if weighs <= MOST_OF_ACTIONS or number <= 1:
                return input, sifted
            input = input.model_copy(update={"limit": max(1, number * MOST_OF_ACTIONS // weighs)})

    def bind(self, options: Sequence[Option], input: PlanInput) -> tuple[ProposedAction, ...]:
        """The options as actions: those on one record together, each alternative after what it is instead of."""
        first: dict[str, int] = {}
        for place, option in enumerate(options):
            first.setdefault(option.proposal.record_id, place)
        order = sorted(range(len(options)), key=lambda at: (first[options[at].proposal.record_id], at))
        ids = {at: f"a{input.first_action + place}" for place, at in enumerate(order)}
        previews = self._previews(options, order)
        return tuple(
            bind(
                options[at].proposal,
                options[at].bindable.model_copy(update={"preview": previews[at]}),
                action_id=ids[at],
                cycle_id=input.cycle.cycle_id,
                round_number=input.round,
                domain=self._domain.name,
                store_id=input.cycle.store_id,
                instead_of="" if (other := options[at].instead_of) is None else ids[other],
            )
            for at in order
        )

    def _previews(self, options: Sequence[Option], order: Sequence[int]) -> dict[int, tuple[Change, ...]]:
        """What each would change, by its place: from what those before it leave. Alternatives stand alone."""
        found = {at: options[at].bindable.preview for at in order}
        chain = [at for at in order if options[at].instead_of is None]
        if isinstance(self._domain, Chaining):
            proposals = [options[at].proposal for at in chain]
            found |= zip(chain, self._domain.previews(proposals, self._records), strict=True)
        return found

    def _fitting(self, proposals: Sequence[Proposal], blocked: list[BlockedProposal]) -> list[Option]:
        fitting: list[Option] = []
        for given in proposals:
            proposal, bindable, why = self._look(given)
            why = why or _repeated(proposal, [option.proposal for option in fitting])
            if why or bindable is None:
                blocked.append(
                    BlockedProposal(
                        record_id=given.record_id,
                        tool=given.tool,
                        arguments=given.arguments,
                        reason=why or "",
                        proposed_by=given.proposed_by,
                    )
                )
            else:
                fitting.append(Option(proposal=proposal, bindable=bindable))
        return fitting

    def _look(self, proposal: Proposal) -> tuple[Proposal, Bindable | None, str | None]:
        tool = self._domain.tools.get(proposal.tool)
        if tool is None:
            return proposal, None, refuse_proposal(proposal, None, self._case)
        try:
            bindable = _bindable(tool, self._domain.terms(proposal, self._records))
            whole = complete(proposal, bindable, self._case, words=self._words(proposal, tool))
            if whole.arguments != proposal.arguments:  # a preview is of what would run
                bindable = _bindable(tool, self._domain.terms(whole, self._records))
        except ValidationError as error:  # one record with impossible terms must not stop the others
            return proposal, None, f"its terms make no sense: {error.errors()[0]['msg']}"
        why = refuse_proposal(whole, bindable, self._case) or beyond_caps(tool, bindable.spends)
        return whole, bindable, why

    @cached_property
    def _by_rules(self) -> ProposalSet:
        found = tuple(finding for finding in self._case.findings.values() if finding.found_by == RULES)
        return self._domain.propose(found, self._records)

    def _words(self, proposal: Proposal, tool: RepairTool) -> Mapping[str, JsonValue]:
        """The arguments of what the rules propose with the same tool: their sentences can be lent to another."""
        if tool.args.model_fields.keys() <= proposal.arguments.keys():
            return {}
        for each in self._by_rules.proposals:
            if (each.record_id, each.tool) == (proposal.record_id, proposal.tool):
                return each.arguments
        return {}


def _repeated(proposal: Proposal, before: Sequence[Proposal]) -> str | None:
    """Why a proposal is one too many, or None: the same thing is done once, and one problem is repaired in one way."""
    for each in before:
        if each.record_id != proposal.record_id:
            continue
        if each.tool == proposal.tool and each.arguments == proposal.arguments:
            return f"{proposal.tool} with the same arguments is proposed already"
        if set(each.answers) & set(proposal.answers):
            return f"{each.tool} is proposed already, and answers the same problem"
    return None


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
        canary=caps_of(tool).canary,
        alike=terms.alike,
        kinds=terms.answers,
        findings=terms.findings,
    )
