"""The names by which Temporal knows repairs: workflow type, search attributes and memo fields."""

from temporalio.common import SearchAttributeKey

WORKFLOW_NAME = "RepairAgentWorkflow"
PHASE_ATTRIBUTE = SearchAttributeKey.for_keyword("DaperPhase")
USER_ATTRIBUTE = SearchAttributeKey.for_keyword("DaperUser")
# The same, for servers where nobody registered the attributes.
PHASE_MEMO = "daper_phase"
USER_MEMO = "daper_user"
# What was asked for, as a digest: the same request is recognised again.
REQUEST_MEMO = "daper_request"
