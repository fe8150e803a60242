"""What the installed domains add to the table of settings: DAPER_<DOMAIN>_<OPTION>, as each declares it."""

from typing import Final

from daper.domains.registry import declared_options, prefix_of
from daper.settings.table import SETTINGS, Setting

_AFTER: Final = "DAPER_DOMAIN"


def settings_of_domains() -> dict[str, tuple[Setting, ...]]:
    """The settings of each installed domain that declares some. Imports the domains, and opens none."""
    return {
        domain: tuple(
            Setting(f"{prefix_of(domain)}{option.name.upper()}", option.default, option.help, secret=option.secret)
            for option in options
        )
        for domain, options in declared_options().items()
    }


def every_setting() -> tuple[Setting, ...]:
    """The whole table; what belongs to domains stands below the choice of one."""
    at = [setting.name for setting in SETTINGS].index(_AFTER) + 1
    theirs = [setting for settings in settings_of_domains().values() for setting in settings]
    return (*SETTINGS[:at], *theirs, *SETTINGS[at:])
