"""Everything that may be configured: the only reader of the environment and of `.env` in the current folder."""

from daper.settings.loading import Settings, Shown, load_settings, shown
from daper.settings.people import refuse_unknown
from daper.settings.table import DEFAULT, SETTINGS, ChatApproval, Setting
from daper.settings.temporal import CONFIGURED

__all__ = (
    "CONFIGURED",
    "DEFAULT",
    "SETTINGS",
    "ChatApproval",
    "Setting",
    "Settings",
    "Shown",
    "load_settings",
    "refuse_unknown",
    "shown",
)
