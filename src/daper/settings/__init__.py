"""Everything that may be configured: the only reader of the environment and of `.env` in the current folder."""

from daper.settings.loading import Settings, Shown, load_settings, shown
from daper.settings.people import refuse_unknown
from daper.settings.policy import PolicySource, policy_document, policy_rows, read_policy
from daper.settings.table import DEFAULT, SETTINGS, ChatApproval, Setting
from daper.settings.temporal import CONFIGURED

__all__ = (
    "CONFIGURED",
    "DEFAULT",
    "SETTINGS",
    "ChatApproval",
    "PolicySource",
    "Setting",
    "Settings",
    "Shown",
    "load_settings",
    "policy_document",
    "policy_rows",
    "read_policy",
    "refuse_unknown",
    "shown",
)
