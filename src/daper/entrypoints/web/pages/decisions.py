"""Decisions on several repairs, as the inbox sends them; what became of each is on the page that answers."""

from typing import Final

from pydantic import Field, ValidationError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daper.core.access import Access
from daper.core.base import Reply
from daper.core.errors import UserError
from daper.core.models import MOST_PROBLEMS, ActionId, Digest, Line, Verdict
from daper.core.text import counted
from daper.entrypoints.web.console import DOOR, console_of
from daper.entrypoints.web.rendering import page
from daper.entrypoints.web.visitors import require
from daper.service.answers import AnswerKind, Shown
from daper.service.list_decisions import MOST_AT_ONCE, ListDecisions, RepairAnswer, ShownRepair

_MOST_FIELDS: Final = 1000
_LONGEST_COMMENT: Final = 2000
_TONES: Final = {
    AnswerKind.RECORDED: "good",
    AnswerKind.ALREADY_DECIDED: "warn",
    AnswerKind.CHANGED: "warn",
    AnswerKind.EXPIRED: "warn",
    AnswerKind.NOT_YOURS: "bad",
    None: "bad",
}


class _Ticked(Reply):
    """What a box of the inbox sends: a repair, and what was shown of its plan."""

    repair: Line
    plan: Digest
    ids: frozenset[ActionId] = Field(min_length=1, max_length=MOST_PROBLEMS)


async def decide(request: Request) -> Response:
    """Decide on each repair that was ticked; every one gets its answer."""
    person, console = require(request, Access.APPROVE), console_of(request)
    form = await request.form(max_fields=_MOST_FIELDS)
    decisions = ListDecisions(console.services.repairs, console.board, policy=console.settings.policy)
    verdict = _verdict(form)
    comment = str(form.get("comment", "")).replace("\r\n", "\n").strip()
    if len(comment) > _LONGEST_COMMENT:
        raise UserError(f"nothing was decided: the comment has {len(comment)} characters, at most {_LONGEST_COMMENT}")
    answers = await decisions.decide(_ticked(form), verdict, by=person, door=DOOR, comment=comment)
    return page(request, "decided.html", answers=answers, title=_title(answers, verdict), tones=_TONES)


def _verdict(form: FormData) -> Verdict:
    try:
        return Verdict(str(form.get("verdict", "")))
    except ValueError as error:
        raise UserError("nothing was decided: the form says neither approve nor reject; load the inbox anew") from error


def _ticked(form: FormData) -> tuple[ShownRepair, ...]:
    """Raises UserError."""
    try:
        ticked = [_Ticked.model_validate_json(str(value)) for value in form.getlist("repair")]
    except ValidationError as error:
        raise UserError("nothing was decided: what was ticked cannot be read; load the inbox anew") from error
    if not ticked:
        raise UserError("nothing was decided: no repair was ticked; go back, and tick those that you mean")
    if len(ticked) > MOST_AT_ONCE:
        raise UserError(f"nothing was decided: {len(ticked)} repairs are more than the {MOST_AT_ONCE} of one go")
    return tuple(
        ShownRepair(repair_id=each.repair, shown=Shown(digest=each.plan, action_ids=each.ids)) for each in ticked
    )


def _title(answers: tuple[RepairAnswer, ...], verdict: Verdict) -> str:
    recorded = sum(answer.kind is AnswerKind.RECORDED for answer in answers)
    done = "approved" if verdict is Verdict.APPROVE else "rejected"
    told = f"{counted(recorded, 'repair')} {done}"
    return told if recorded == len(answers) else f"{told}, {len(answers) - recorded} not"


ROUTES: Final = (Route("/decisions", decide, methods=["POST"], name="decisions"),)
