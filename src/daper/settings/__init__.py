"""Everything that may be configured: the only reader of the environment and of `.env` in the current folder."""

from daper.settings.domain_options import every_setting
from daper.settings.environment import Settings, load_settings
from daper.settings.overview import Shown, shown_settings
from daper.settings.parts import STARTING, WORKING, Part
from daper.settings.people import refuse_unknown
from daper.settings.policy import PolicySource, policy_document, policy_rows, read_policy
from daper.settings.table import DEFAULT, ChatApproval, Setting
from daper.settings.temporal_profile import CONFIGURED
from daper.settings.worker import ModelLimits, PagesAddress, WorkerSettings

__all__ = (
    "CONFIGURED",
    "DEFAULT",
    "STARTING",
    "WORKING",
    "ChatApproval",
    "ModelLimits",
    "PagesAddress",
    "Part",
    "PolicySource",
    "Setting",
    "Settings",
    "Shown",
    "WorkerSettings",
    "every_setting",
    "load_settings",
    "policy_document",
    "policy_rows",
    "read_policy",
    "refuse_unknown",
    "shown_settings",
)
