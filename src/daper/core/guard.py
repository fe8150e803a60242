"""The guard: the same for rules, language models and people. What it refuses can never run. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BaseModel, Field, JsonValue, ValidationError

from daper.core.digests import canonical, digest
from daper.core.limits import Exactly, Limit, OneOf, Sentence, is_editable
from daper.core.models import (
    RULES,
    BoundAction,
    Change,
    Fallback,
    Finding,
    Plan,
    Proposal,
    ProposedAction,
    Risk,
    SuppressedFinding,
)
from daper.core.text import visible

# Every screen and page shows this much of one argument; what was cut was not shown, and so not approved.
LONGEST_ARGUMENT: Final = 1500


class Bindable(BaseModel):
    """What a tool and its domain say of one proposal: enough to bind or refuse it."""

    args: type[BaseModel]
    risk: Risk
    limits: dict[str, Limit]
    reads: dict[str, str]
    preview: tuple[Change, ...] = ()
    spends: Annotated[Decimal, Field(ge=0)] | None = Decimal(0)
    settles_in: timedelta = timedelta()
    can_undo: bool = False
    canary: int = 0
    alike: str = ""
    kinds: frozenset[str]
    findings: frozenset[str] | None = None

    def repairs(self, finding: Finding) -> bool:
        """Whether the tool, with the arguments of this proposal, repairs that finding."""
        return finding.kind in self.kinds and (self.findings is None or finding.fingerprint in self.findings)


@dataclass(frozen=True, kw_only=True)
class GuardCase:
    """What a plan is about: its records, its findings by fingerprint, those kept back with the reason, its tools."""

    record_ids: Collection[str]
    findings: Mapping[str, Finding]
    tools: Collection[str]
    suppressed: tuple[SuppressedFinding, ...] = ()


def complete(proposal: Proposal, bindable: Bindable, case: GuardCase, *, words: Mapping[str, JsonValue]) -> Proposal:
    """The proposal with what only code may say: arguments of which the record leaves no choice, findings it answers.

    `words` are the sentences for arguments that are read by people, where the proposal has none of its own. Arguments
    that were given stay as they were given, also wrong ones: `refuse_proposal` tells them.
    """
    known: dict[str, JsonValue] = {}
    for name, limit in bindable.limits.items():
        match limit:
            case Exactly(value=value) | OneOf(values=(value,)):
                known[name] = value
            case Sentence() if name in words:
                known[name] = words[name]
            case _:
                pass
    answers = proposal.answers or tuple(
        fingerprint
        for fingerprint, finding in case.findings.items()
        if finding.record_id == proposal.record_id and bindable.repairs(finding)
    )
    return proposal.model_copy(update={"arguments": known | proposal.arguments, "answers": answers})


def refuse_proposal(proposal: Proposal, bindable: Bindable | None, case: GuardCase) -> str | None:
    """Why a proposal may not become an action, or None.

    It must answer a finding on its own record with a known tool, and every argument must be within the limits that the
    record, the settings and the tool give. An argument without a limit is refused, and one too long to be shown whole.
    What waits for somebody's decision, or was rejected, is not proposed again.
    """
    if bindable is None:
        return f"there is no tool {_quoted(proposal.tool)}; the tools are: {', '.join(sorted(case.tools))}"
    if proposal.record_id not in case.record_ids:
        return f"record {_quoted(proposal.record_id)} is not among those that were asked about"
    found = [case.findings[each] for each in proposal.answers if each in case.findings]
    if not any(finding.found_by == RULES for finding in found) and (why := _kept_back(proposal, bindable, case)):
        return why
    if not proposal.answers:
        return "it answers no finding: nothing is done to a healthy record"
    for fingerprint in proposal.answers:
        finding = case.findings.get(fingerprint)
        if finding is None or finding.record_id != proposal.record_id:
            return f"it answers a finding that record {proposal.record_id!r} does not have"
        if not bindable.repairs(finding):
            return f"{proposal.tool} does not repair {finding.kind}"
    return _refuse_unreadable(proposal.arguments) or refuse_arguments(
        proposal.arguments, bindable.args, bindable.limits
    )


def _kept_back(proposal: Proposal, bindable: Bindable, case: GuardCase) -> str | None:
    """Why the repair waits or was rejected, whatever other name a model has for its problem, or None."""
    for item in case.suppressed:
        if item.finding.record_id == proposal.record_id and bindable.repairs(item.finding):
            return f"{item.finding.kind} is kept back: {item.reason}"
    return None


def _quoted(text: str) -> str:
    """A name from outside, short enough for a message."""
    return visible(repr(text), longest=80)


def _refuse_unreadable(arguments: Mapping[str, JsonValue]) -> str | None:
    for name, value in arguments.items():
        try:
            length = len(value if isinstance(value, str) else canonical(value))
        except (TypeError, ValueError):  # a number that is none: JSON does not know it, and models write it
            return f"argument {name!r} is no JSON value"
        if length > LONGEST_ARGUMENT:
            return f"argument {name!r} has {length} characters; a person is shown at most {LONGEST_ARGUMENT} of one"
    return None


def refuse_arguments(
    arguments: Mapping[str, JsonValue], args: type[BaseModel], limits: Mapping[str, Limit]
) -> str | None:
    """Why arguments do not fit their tool and their record, or None."""
    try:
        args.model_validate(arguments)
    except ValidationError as error:
        first = error.errors()[0]
        return f"argument {'.'.join(str(part) for part in first['loc']) or '?'}: {first['msg']}"
    for name, value in arguments.items():
        limit = limits.get(name)
        if limit is None:
            return f"argument {name!r} has no limit, so it may not be given"
        if why := limit.refuses(value):
            return f"argument {name!r} {why}"
    return None


def bind(
    proposal: Proposal,
    bindable: Bindable,
    *,
    action_id: str,
    cycle_id: str,
    round_number: int,
    domain: str,
    store_id: str,
    instead_of: str = "",
) -> ProposedAction:
    """Turn a proposal that `refuse_proposal` let through into an action: its text is made here, once."""
    text = BoundAction(
        cycle_id=cycle_id,
        round=round_number,
        domain=domain,
        store_id=store_id,
        tool=proposal.tool,
        record_id=proposal.record_id,
        arguments=proposal.arguments,
        reads=bindable.reads,
        editable={name: limit for name, limit in bindable.limits.items() if is_editable(limit)},
        risk=bindable.risk,
        spends=bindable.spends,
        settles_in=bindable.settles_in,
        if_it_does_not_help=Fallback.UNDO if bindable.can_undo else Fallback.HAND_OVER,
        canary=bindable.canary,
        alike=bindable.alike,
    ).to_text()
    return ProposedAction(
        id=action_id,
        text=text,
        digest=digest(text),
        preview=bindable.preview,
        confidence_score=proposal.confidence_score,
        rationale=proposal.rationale,
        proposed_by=proposal.proposed_by,
        seconded_by=proposal.seconded_by,
        doubts=proposal.doubts,
        instead_of=instead_of,
        answers=proposal.answers,
    )


def seal(plan: Plan, *, cycle_id: str) -> Plan:
    """The plan with its digest, over every action's digest in order, the round and the cycle."""
    text = canonical(
        {"cycle": cycle_id, "round": plan.round, "actions": [[action.id, action.digest] for action in plan.actions]}
    )
    return plan.model_copy(update={"digest": digest(text)})
