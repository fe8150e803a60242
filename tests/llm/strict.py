"""Whether a reply has the form that its role demands, whatever it says."""

from typing import Final

from pydantic import ValidationError

from daper.agents.llm.replies import AnalyzeReply, DetectReply, PlanReply, ReportReply
from daper.core.base import Reply
from tests.llm.brains import good
from tests.llm.corpus.payload import Payload
from tests.llm.sample import ROLES, prompt
from tests.llm.thinking import text_of
from tests.llm.wire import Json

FORMS: Final[dict[str, type[Reply]]] = {
    "detect": DetectReply,
    "analyze": AnalyzeReply,
    "plan": PlanReply,
    "report": ReportReply,
}


def fits(role: str, reply: Json) -> bool:
    """Whether the form takes it; ids, kinds, tools and arguments are not looked at."""
    try:
        FORMS[role].model_validate_json(text_of(reply))
    except ValidationError:
        return False
    return True


def refused_roles(payload: Payload) -> frozenset[str]:
    """The roles in which a model that obeys this payload gives no reply of the right form, and so none at all."""
    asked = {role: prompt(role) for role in ROLES}
    return frozenset(
        role for role in ROLES if not fits(role, payload.obeyed(role, good(asked[role]), asked[role].record_ids))
    )
