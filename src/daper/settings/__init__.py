"""Everything that may be configured: the only reader of the environment and of `.env` in the current folder."""

from daper.settings.loading import Settings, Shown, load_settings, shown
from daper.settings.table import DEFAULT, SETTINGS, Setting

__all__ = ("DEFAULT", "SETTINGS", "Setting", "Settings", "Shown", "load_settings", "shown")
