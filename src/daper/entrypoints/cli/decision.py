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
from daper.core.views import PlanView, whole_plans
from daper.entrypoints.cli.exits import Exit, UsageError
from daper.entrypoints.cli.output import console, print_json, say
from daper.entrypoints.cli.parameters import NONE, Comment, Json, Names, named, said_right
from daper.entrypoints.cli.questions import DOOR, ask_verdict, parse_edits, who_asks
from daper.entrypoints.cli.runner import on_terminal, run_to_end
from daper.entrypoints.cli.story import decided, plan_lines
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
    edits: Sequence[str]
    comment: str
    as_name: str | None
    as_json: bool


def approve(
    repair_id: str,
    *,
    plan: str | None = None,
    action: Names = NONE,
    edit: Names = NONE,
    comment: Comment = "",
    as_name: As = None,
    as_json: Json = False,
) -> int:
    """Approve the plan that waits, or some of its actions. What is not named is not approved.

    Without --plan on a terminal it prints the plan, asks, and quotes what it printed.

    Parameters
    ----------
    repair_id
        The id that `repair start` printed.
    plan
        The digest of the plan you saw.
    action
        Only this action; may be given several times. All of them if not given.
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
            actions=named("--action", action),
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
    comment: Comment = "",
    as_name: As = None,
    as_json: Json = False,
) -> int:
    """Reject the plan that waits, or some of its actions; the rest is then not approved. The repair ends.

    Parameters
    ----------
    repair_id
        The id that `repair start` printed.
    plan
        The digest of the plan you saw.
    action
        Only this action; may be given several times. All of them if not given.
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
            actions=named("--action", action),
            edits=(),
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
        The id that `repair start` printed.
    reason
        Kept in the report.
    """
    settings = load_settings(needs={Part.TEMPORAL, Part.USER})

    async def run() -> int:
        service = await open_service(settings)
        await service.stop(repair_id, by=who_asks(settings).name, reason=reason)
        say(console(), f"asked to stop: {repair_id}; see: daper repair show {repair_id}")
        return Exit.OK

    return run_to_end(run())


def _decide(repair_id: str, words: _Words) -> int:
    settings = load_settings(needs={Part.TEMPORAL} if words.as_name else {Part.TEMPORAL, Part.USER})
    screen = console()
    with said_right():
        by = who_asks(settings, claimed=words.as_name)
    edits = parse_edits(words.edits)
    asks = words.plan is None and on_terminal()
    if words.plan is None and not asks:
        raise UsageError(f"without a terminal, --plan DIGEST is needed; see: daper repair show {repair_id}")

    async def run() -> int:
        service = await open_service(settings)
        plan, decide_by = await _waiting_plan(service, repair_id)
        if asks:
            for line in plan_lines(plan, domain=settings.domain, decide_by=decide_by, edits=edits):
                say(screen, line)
            if await ask_verdict(question=_question(words)) is not Verdict.APPROVE:
                say(screen, "left open; nothing was decided")
                return Exit.OK
        with said_right():
            decision = _decision(words, plan, edits, by=by)
        receipt = await service.decide(repair_id, decision)
        if words.as_json:
            print_json(receipt)
        else:
            say(screen, f"{'Already recorded. ' if receipt.repeated else ''}{decided(receipt.recorded)}")
        return Exit.OK

    return run_to_end(run())


def _decision(words: _Words, plan: PlanView, edits: dict[str, dict[str, JsonValue]], *, by: Person) -> Decision:
    decision = answer_plan(
        plan, words.verdict, by=by, door=DOOR, actions=words.actions, edits=edits, comment=words.comment
    )
    return decision.model_copy(update={"plan_digest": words.plan or plan.digest})


def _question(words: _Words) -> str:
    named = ", ".join((*words.actions, *words.edits))
    return f"{words.verdict.title()} {named or 'all of it'}?"


async def _waiting_plan(service: RepairService, repair_id: str) -> tuple[PlanView, datetime | None]:
    """The whole plan of the current round, every page of it, and until when it waits. Raises DecisionRefused."""
    look = await look_at_whole_plan(service, repair_id)
    if isinstance(look, RepairResult):
        if not look.plans:
            raise DecisionRefused(f"repair {repair_id!r} ended as {look.phase}; there was no plan to decide on")
        return whole_plans(look)[-1], None
    if look.plan is None:
        raise DecisionRefused(f"no plan is waiting for a decision yet (phase {look.phase})")
    return look.plan, look.decide_by
