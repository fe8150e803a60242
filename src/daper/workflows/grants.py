"""What policy decides on a plan in the place of a person: a grant that somebody asked for, or an agent's own right."""

from daper.core.models import Decision, Person, Plan
from daper.workflows.state import CycleState


def by_policy(state: CycleState, plan: Plan) -> tuple[Decision | None, str]:
    """The decision that policy makes on a plan; or None, and why, where policy was asked and a person has to."""
    request, told = state.request, ""
    if request.may_act_alone:
        why = _refuses_alone(state, plan)
        if why is None:
            return request.policy.act_alone(plan, request.requested_by), ""
        told = f"the agent may not do this alone ({why}); a person has to decide"
    if request.auto_approve:
        why = _refuses_grant(state, plan)
        if why is None:
            return request.policy.grant(plan, request.requested_by), ""
        told = f"auto-approval does not cover this plan ({why}); a person has to decide"
    return None, told


def _refuses_alone(state: CycleState, plan: Plan) -> str | None:
    """Why this plan may not run with nobody there, or None.

    Both policies have to let it: the one that the agent was started with, and that of the worker as it is now.
    """
    opened = state.opened
    if opened is None or opened.alone_trouble:
        return opened.alone_trouble if opened else "no store has answered"
    if state.decisions:
        return "only the first plan of a repair may run alone"
    if state.outages:
        return "a model that was to look at it did not answer"
    if why := state.request.policy.refuses_alone(plan, state.findings, opened.open_records):
        return why
    if opened.alone is None:
        return "the policy of the worker lets nothing run alone"
    why = opened.alone.refuses(plan, state.findings, opened.open_records)
    return f"by the policy of the worker, {why}" if why else None


def _refuses_grant(state: CycleState, plan: Plan) -> str | None:
    """Why policy may not approve this plan, or None. Once a person has decided in a cycle, only persons do."""
    if any(isinstance(recorded.decision.by, Person) for recorded in state.decisions):
        return "a person has decided on this repair before"
    return state.request.policy.refuses_grant(plan)
