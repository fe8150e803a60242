"""The names by which Temporal knows repairs and agents: workflow types, search attributes and memo fields."""

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from daper.core.messages import RepairRequest, asked_for
from daper.core.models import Scope
from daper.core.text import markdown

WORKFLOW_NAME = "RepairAgentWorkflow"
PROACTIVE_NAME = "RepairAgentWorkflowProactive"
EVENT_DRIVEN_NAME = "RepairAgentWorkflowEventDriven"
PHASE_ATTRIBUTE = SearchAttributeKey.for_keyword("DaperPhase")
USER_ATTRIBUTE = SearchAttributeKey.for_keyword("DaperUser")
# The same, for servers where nobody registered the attributes.
PHASE_MEMO = "daper_phase"
USER_MEMO = "daper_user"
# What was asked for, as a digest: the same request is recognised again.
REQUEST_MEMO = "daper_request"
# Which call of somebody's an event-driven agent began a repair for: of several with one id, only one made it.
CALL_MEMO = "daper_call"
# The signal by which a repair lets its event-driven agent go on.
REPAIR_ENDED = "repair_ended"
# Of an event-driven agent alone: whether anything waits for its turn, so that nobody asks it in vain.
WAITS_MEMO = "daper_waits"
# What it repairs, told also where nobody works.
DOMAIN_MEMO = "daper_domain"
# Of a proactive agent alone: where that is.
STORE_MEMO = "daper_store"
PLACE_MEMO = "daper_place"


def user_attributes(user: str, *, indexed: bool) -> TypedSearchAttributes | None:
    """The search attributes that a repair or an agent starts with, where they are registered."""
    return TypedSearchAttributes([SearchAttributePair(USER_ATTRIBUTE, user)]) if indexed else None


def repair_memo(request: RepairRequest) -> dict[str, str]:
    """What a repair is known by where no search attributes are: whose it is, what was asked for, and where."""
    return {USER_MEMO: request.requested_by.name, REQUEST_MEMO: asked_for(request), DOMAIN_MEMO: request.domain}


def repair_summary(request: RepairRequest) -> str:
    """The line by which the Temporal UI lists a repair."""
    return summary(repairs_what("Repair", request.scope), request.domain, request.requested_by.name)


def repairs_what(does: str, scope: Scope) -> str:
    """What is done, and in which part of the records, if not in all."""
    return does if scope.partition is None else f"{does} part {scope.partition} of"


def summary(does: str, domain: str, user: str) -> str:
    """The line by which the Temporal UI lists a workflow, which it shows as Markdown."""
    return f"{does} {markdown(domain, longest=60)} for {markdown(user, longest=60)}"
