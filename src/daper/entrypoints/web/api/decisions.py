"""Decisions on plans: the plan by its digest, what is decided on which action, and never who decides."""

from typing import Final

from pydantic import Field, JsonValue

from daper.core.access import Access
from daper.core.base import Reply
from daper.core.models import MOST_PROBLEMS, ActionId, Decision, Digest, Line, Verdict
from daper.entrypoints.web.api.operations import Answer, AnyOperation, Call, Nothing, Operation, Replied
from daper.entrypoints.web.api.problems import Kind, Refusal
from daper.service.answers import AnswerKind, DecisionAnswer, Shown

DOOR: Final = "api"
_KINDS: Final = {
    AnswerKind.ALREADY_DECIDED: Kind.ALREADY_DECIDED,
    AnswerKind.CHANGED: Kind.CHANGED,
    AnswerKind.EXPIRED: Kind.EXPIRED,
    AnswerKind.NOT_YOURS: Kind.NOT_ALLOWED,
}


class DecisionBody(Reply):
    """What is decided on a plan. `plan_digest`: of the plan as it was seen; another one is never decided.

    `verdicts`: of each action that is decided on; what is not named is not approved. `edits`: arguments of approved
    actions, changed within their limits. Who decides is the person whose token it is, or who has signed in.
    """

    plan_digest: Digest = Field(min_length=1)
    verdicts: dict[ActionId, Verdict] = Field(min_length=1, max_length=MOST_PROBLEMS)
    edits: dict[ActionId, dict[Line, JsonValue]] = Field(
        default_factory=dict[ActionId, dict[Line, JsonValue]], max_length=MOST_PROBLEMS
    )
    comment: str = Field(default="", max_length=2000)


async def _decide(call: Call[Nothing, DecisionBody]) -> Replied:
    said = call.body
    decision = Decision(
        plan_digest=said.plan_digest,
        verdicts=said.verdicts,
        edits=said.edits,
        by=call.person,
        door=DOOR,
        comment=said.comment,
    )
    seen = Shown(digest=said.plan_digest, action_ids=frozenset((*said.verdicts, *said.edits)))
    answer = await call.console.services.repairs.answer(call.path["repair_id"], decision, shown=seen)
    await call.console.board.touch(call.path["repair_id"])
    if answer.kind is not AnswerKind.RECORDED:
        raise Refusal(_KINDS[answer.kind], answer.sentence, answer=answer)
    return Replied(document=answer)


OPERATIONS: Final[tuple[AnyOperation, ...]] = (
    Operation(
        method="POST",
        path="/repairs/{repair_id}/decision",
        name="decide",
        tag="repairs",
        said="Answer the plan that waits: once, and only the plan with this digest. The same answer again is recorded.",
        does=_decide,
        answers={200: Answer(said="The decision is recorded.", model=DecisionAnswer)},
        query=Nothing,
        body=DecisionBody,
        access=Access.APPROVE,
        problems=frozenset({Kind.NOT_FOUND, Kind.NOT_BEGUN, Kind.REFUSED_DECISION, *_KINDS.values()}),
    ),
)
