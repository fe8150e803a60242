"""Names as people and programs write them: several in one text, and how often there is which."""

import json
from collections.abc import Iterable, Mapping
from shlex import quote
from typing import Final, cast

from daper.core.text import shown

_MOST_TOLD: Final = 20


def is_blank(value: object) -> bool:
    """Whether a value says nothing: so many programs send what they leave out."""
    return value is None or (isinstance(value, str) and not value.strip())


def names_in(text: str) -> tuple[str, ...]:
    """The names in one text: those of a JSON list, or what is between commas; each once, and none that is blank."""
    listed = _json_list(text)
    return distinct(text.split(",") if listed is None else listed)


def listed(text: str) -> tuple[str, ...]:
    """The entries of a JSON list of names, each once; a text that is none stands for itself."""
    found = _json_list(text)
    return (text,) if found is None else distinct(found)


def distinct(names: Iterable[object]) -> tuple[str, ...]:
    """Each name once, without outer blanks, and none that is blank. A whole number is the name that it reads as."""
    return tuple(dict.fromkeys(str(each).strip() for each in names if not is_blank(each)))


def asked_for(option: str, name: str) -> str:
    """An option with one name, for a shell and for `names_in`: whatever characters are in the name."""
    value = json.dumps([name], ensure_ascii=False) if names_in(name) != (name,) else name
    return f"{option}{'=' if value.startswith('-') else ' '}{quote(value)}"


def tally(counts: Mapping[str, int]) -> str:
    """How often there is which, the most frequent first; `none` where there is nothing."""
    often = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    told = [f"{shown(name) or '(blank)'} {count:,}" for name, count in often[:_MOST_TOLD]]
    more = len(often) - len(told)
    return ", ".join(told + ([f"and {more:,} more"] if more else [])) or "none"


def _json_list(text: str) -> list[object] | None:
    if not text.strip().startswith("["):
        return None
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list):
        return None
    entries = cast("list[object]", found)
    return entries if all(isinstance(each, str | int | None) for each in entries) else None
