"""What an evaluation looks at: a repair that ended, its records before and after, and who had a part in what."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from daper.core.digests import canonical
from daper.core.models import RULES
from daper.core.outcomes import RepairResult
from daper.core.report import left_for_person
from daper.core.usage import Role


@dataclass(frozen=True, kw_only=True)
class RecordState:
    """A record at one moment: its status, and a version that follows its content ("" where its store has none)."""

    status: str
    version: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run over all cases: what the repair came to, and each record before and after it."""

    result: RepairResult
    before: Mapping[str, RecordState]
    after: Mapping[str, RecordState]


@dataclass(frozen=True, kw_only=True)
class Done:
    """One action as far as it is judged: what is to be done with what, and whether somebody speaks against it."""

    tool: str
    arguments: Mapping[str, JsonValue]
    doubted: bool = False

    @property
    def text(self) -> str:
        """The same for the same action, in whichever round it was proposed."""
        return canonical([self.tool, dict(self.arguments)])


def models_of(result: RepairResult) -> tuple[str, ...]:
    """The language models that said what is wrong or what to do; one that only reports is none of them."""
    names = (result.thinkers.get(role, RULES) for role in (Role.ANALYZE, Role.PLAN))
    return tuple(dict.fromkeys(name for name in names if name != RULES))


def found(result: RepairResult, record_id: str, *, by: str = "") -> list[str]:
    """The kinds of problem found with a record; `by` a model: those that it found, or seconded."""
    return [
        finding.kind
        for finding in result.findings
        if finding.record_id == record_id and (not by or by in (finding.found_by, *finding.seconded_by))
    ]


def proposed(result: RepairResult, record_id: str, *, by: str = "") -> list[Done]:
    """The main actions proposed for a record; `by` a model: those that it proposed or seconded, alternatives too.

    What a model proposes instead of an action of the rules would be the main one if the model were alone.
    """
    actions = [
        action
        for plan in result.plans
        for action in plan.actions
        if action.bound.record_id == record_id
        and (by in (action.proposed_by, *action.seconded_by) if by else not action.instead_of)
    ]
    done = [
        Done(tool=action.bound.tool, arguments=action.bound.arguments, doubted=bool(action.doubts))
        for action in actions
    ]
    # An action that lapsed is asked for again in a later round.
    return list({each.text: each for each in done}.values())


def effects(result: RepairResult, record_id: str) -> list[Done]:
    """What took effect on a record, also what was undone afterwards."""
    return [
        Done(tool=outcome.tool, arguments=outcome.arguments)
        for outcome in result.outcomes
        if outcome.record_id == record_id and outcome.status.took_effect
    ]


def blocked(result: RepairResult, record_id: str, *, by: str = "") -> int:
    """How many proposals for a record the guard refused; `by` a model: its own."""
    return sum(
        proposal.record_id == record_id and (not by or proposal.proposed_by == by)
        for plan in result.plans
        for proposal in plan.blocked
    )


def persons_called(result: RepairResult) -> frozenset[str]:
    """The records of which a person is told that something is left to do."""
    # Each line of the report begins with its record.
    return frozenset(line.partition(": ")[0] for line in left_for_person(result))
