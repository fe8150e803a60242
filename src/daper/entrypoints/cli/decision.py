"""`daper repair approve`, `reject` and `stop`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from cyclopts import Parameter
from pydantic import JsonValue

from daper.bootstrap import open_service
from daper.core.decisions import answer_plan
from daper.core.errors import DecisionRefused
from daper.core.models import Decision, Person, Verdict
from daper.core.outcomes import RepairResult
from daper.core.selections import Choice, choose, in_short
from daper.core.views import PlanView, whole_plans
from daper.entrypoints.cli.exits import Exit, UsageError
from daper.entrypoints.cli.output import console, print_json, say
from daper.entrypoints.cli.parameters import NONE, Comment, Json, Names, said_right, selections
from daper.entrypoints.cli.plan_lines import plan_lines
from daper.entrypoints.cli.plan_prompt import AT_THE_QUESTION, PlanPrompt
from daper.entrypoints.cli.questions import DOOR, parse_edits, who_asks
from daper.entrypoints.cli.runner import on_terminal, run_to_end
from daper.entrypoints.cli.story import decided
from daper.service.repairs import RepairService
from daper.service.whole_plan import look_at_whole_plan
from daper.settings import Part, load_settings

As = Annotated[str | None, Parameter(name="--as")]


@dataclass(frozen=True, kw_only=True)
class _Words:
    """What was said on the command line of a decision."""

    verdict: Verdict
    plan: str | None
    actions: Sequence[str]
    rejecting: Sequence[str] = ()
    where: Sequence[str] = ()
    edits: Sequence[str] = ()
    comment: str
    as_name: str | None
    as_json: bool

    @property
    def names_some(self) -> bool:
        """Whether it says which actions."""
        return bool(self.actions or self.rejecting or self.where or self.edits)


def approve(
    repair_id: str,
    *,
    plan: str | None = None,
    action: Names = NONE,
    where: Names = NONE,
    reject: Names = NONE,
    edit: Names = NONE,
    comment: Comment = "",
    as_name: As = None,
    as_json: Json = False,
) -> int:
    """Approve the plan that waits, or some of its actions, and reject others. What is not named is not approved.

    Without --plan on a terminal it prints the plan, asks, and quotes what it printed; the answer may name some of it,
    and what is much is asked once more.

    Parameters
    ----------
    repair_id
        The id that `repair start` printed, or how it begins.
    plan
        The digest of the plan you saw.
    action
        Only these actions: a1, "a1-a48, a50", "all but a7", tool:NAME, kind:NAME, risk:low, "amount<100"; may be given
        several times. All that are not rejected if not given.
    where
        And only those of which this holds too: "spends < 100", "risk = low and kind = NAME"; said in the same ways, and
        each of several has to hold.
    reject
        Reject these actions, said in the same ways; they are then left alone.
    edit
        Change an argument within its limits: a1.quantity=250.
    comment
        Kept with the decision.
    as_name
        Decide under this name; it is recorded as claimed.
    as_json
        Print the recorded decision as one JSON document.
    """
    return _decide(
        repair_id,
        _Words(
            verdict=Verdict.APPROVE,
            plan=plan,
            actions=selections("--action", action),
            where=selections("--where", where),
            rejecting=selections("--reject", reject),
            edits=edit,
            comment=comment,
            as_name=as_name,
            as_json=as_json,
        ),
    )


def reject(
    repair_id: str,
    *,
    plan: str | None = None,
    action: Names = NONE,
    where: Names = NONE,
    comment: Comment = "",
    as_name: As = None,
    as_json: Json = False,
) -> int:
    """Reject the plan that waits, or some of its actions; the rest is then not approved. The repair ends.

    Parameters
    ----------
    repair_id
        The id that `repair start` printed, or how it begins.
    plan
        The digest of the plan you saw.
    action
        Only these actions: a1, "a1-a48, a50", "all but a7", tool:NAME, kind:NAME, risk:low, "amount<100"; may be given
        several times. All of them if not given.
    where
        And only those of which this holds too: "spends < 100", "risk = low and kind = NAME"; said in the same ways, and
        each of several has to hold.
    comment
        Kept with the decision.
    as_name
        Decide under this name; it is recorded as claimed.
    as_json
        Print the recorded decision as one JSON document.
    """
    return _decide(
        repair_id,
        _Words(
            verdict=Verdict.REJECT,
            plan=plan,
            actions=selections("--action", action),
            where=selections("--where", where),
            comment=comment,
            as_name=as_name,
            as_json=as_json,
        ),
    )


def stop(repair_id: str, *, reason: Comment = "") -> int:
    """End a repair. What has not begun does not begin; effects in flight are settled, then it reports.

    Parameters
    ----------
    repair_id
        The id that `repair start` printed, or how it begins.
    reason
        Kept in the report.
    """
    settings, said_id = load_settings(needs={Part.TEMPORAL, Part.USER}), repair_id

    async def run() -> int:
        service = await open_service(settings)
        repair_id = await service.whole_id(said_id)
        await service.stop(repair_id, by=who_asks(settings).name, reason=reason)
        say(console(), f"asked to stop: {repair_id}; see: daper repair show {repair_id}")
        return Exit.OK

    return run_to_end(run())


def _decide(repair_id: str, words: _Words) -> int:
    settings = load_settings(needs={Part.TEMPORAL, Part.TERMINAL, *(() if words.as_name else (Part.USER,))})
    screen = console()
    with said_right():
        by = who_asks(settings, claimed=words.as_name)
    edits, said_id = parse_edits(words.edits), repair_id
    asks = words.plan is None and on_terminal()
    if words.plan is None and not asks:
        raise UsageError(f"without a terminal, --plan DIGEST is needed; see: daper repair show {repair_id}")

    async def run() -> int:
        service = await open_service(settings)
        repair_id = await service.whole_id(said_id)
        plan, domain, decide_by = await _waiting_plan(service, repair_id)
        with said_right():
            chosen = _chosen(words, plan, edits)
            decision = _decision(words, plan, chosen, edits, by=by)
        if asks:
            for line in plan_lines(plan, domain=domain, decide_by=decide_by, edits=edits, more=AT_THE_QUESTION):
                say(screen, line)
            prompt = PlanPrompt(screen=screen, plan=plan, domain=domain, settings=settings, edits=edits)
            in_words = words.verdict is Verdict.APPROVE and not words.names_some
            question = _question(words, plan, decision)
            answered = await prompt.ask(question, yes=chosen, no=None, in_words=in_words)
            if answered is None:
                say(screen, "left open; nothing was decided")
                return Exit.OK
            with said_right():
                decision = _decision(words, plan, answered, edits, by=by)
        receipt = await service.decide(repair_id, decision)
        if words.as_json:
            print_json(receipt)
        else:
            say(screen, f"{'Already recorded. ' if receipt.repeated else ''}{decided(receipt.recorded)}")
        return Exit.OK

    return run_to_end(run())


def _chosen(words: _Words, plan: PlanView, edits: dict[str, dict[str, JsonValue]]) -> Choice:
    return choose(
        plan, words.verdict, actions=words.actions, rejecting=words.rejecting, where=words.where, edited=edits
    )


def _decision(
    words: _Words, plan: PlanView, chosen: Choice, edits: dict[str, dict[str, JsonValue]], *, by: Person
) -> Decision:
    decision = answer_plan(
        plan,
        approved=chosen.approved,
        rejected=chosen.rejected,
        edits=edits,
        by=by,
        door=DOOR,
        comment=words.comment,
    )
    return decision.model_copy(update={"plan_digest": words.plan or plan.digest})


def _question(words: _Words, plan: PlanView, decision: Decision) -> str:
    """What y says yes to: the actions by their ids, and all of them where none was named."""
    if not words.names_some:
        return f"{words.verdict.title()} all of it?"
    given = decision.verdicts
    named = {verdict: [action_id for action_id in given if given[action_id] is verdict] for verdict in Verdict}
    said = [f"{verdict} {in_short(ids, plan)}" for verdict, ids in named.items() if ids]
    return f"{' and '.join(said).capitalize() or 'Decide nothing'}?"


async def _waiting_plan(service: RepairService, repair_id: str) -> tuple[PlanView, str, datetime | None]:
    """The whole plan of the current round, of which domain, and until when it waits. Raises DecisionRefused."""
    look = await look_at_whole_plan(service, repair_id)
    if isinstance(look, RepairResult):
        if not look.plans:
            raise DecisionRefused(f"repair {repair_id!r} ended as {look.phase}; there was no plan to decide on")
        return whole_plans(look)[-1], look.domain, None
    if look.plan is None:
        raise DecisionRefused(f"no plan is waiting for a decision yet (phase {look.phase})")
    return look.plan, look.domain, look.decide_by
