"""Everything that may be configured: the only reader of the environment and of `.env` in the current folder."""

from daper.settings.loading import Settings, Shown, load_settings, shown
from daper.settings.table import DEFAULT, SETTINGS, Setting
from daper.settings.temporal import CONFIGURED

__all__ = ("CONFIGURED", "DEFAULT", "SETTINGS", "Setting", "Settings", "Shown", "load_settings", "shown")
