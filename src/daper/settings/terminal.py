"""What is configured of people at a terminal: when an approval is asked for once more, and the pager."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from daper.core.choices import AskAgain
from daper.settings.dotenv_file import FILE
from daper.settings.values import amount, whole_value

_PAGERS: Final = ("DAPER_PAGER", "PAGER")
_LESS: Final = "less"
_NONE: Final = ("off", "cat")


@dataclass(frozen=True, kw_only=True)
class TerminalSettings:
    """`ask_again`: above what an approval is asked for once more. `pager`: a command of the shell; empty for none."""

    ask_again: AskAgain = field(default_factory=AskAgain)
    pager: str = _LESS


def terminal_of(values: Mapping[str, str], pager: str) -> TerminalSettings:
    """What is configured, and the pager that was found. Raises SettingError."""
    return TerminalSettings(
        ask_again=AskAgain(
            actions=whole_value(values, "DAPER_ASK_AGAIN_ACTIONS", least=0, most=10_000),
            amount=amount(values, "DAPER_ASK_AGAIN_AMOUNT"),
        ),
        pager=pager,
    )


def pager_of(found: Mapping[str, tuple[str, str]]) -> str:
    """The pager: only the environment says it, since a `.env` that came with a folder must not run a program."""
    said = (found[name] for name in _PAGERS if name in found)
    pager = next((value for value, source in said if source != FILE), _LESS)
    return "" if pager in _NONE else pager
