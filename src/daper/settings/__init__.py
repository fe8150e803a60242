"""Everything that may be configured: the only reader of the environment and of `.env` in the current folder."""

from daper.settings.domain_options import every_setting
from daper.settings.environment import Settings, Shown, load_settings, shown_settings
from daper.settings.people import refuse_unknown
from daper.settings.policy import PolicySource, policy_document, policy_rows, read_policy
from daper.settings.table import DEFAULT, ChatApproval, Setting
from daper.settings.temporal_profile import CONFIGURED

__all__ = (
    "CONFIGURED",
    "DEFAULT",
    "ChatApproval",
    "PolicySource",
    "Setting",
    "Settings",
    "Shown",
    "every_setting",
    "load_settings",
    "policy_document",
    "policy_rows",
    "read_policy",
    "refuse_unknown",
    "shown_settings",
)
