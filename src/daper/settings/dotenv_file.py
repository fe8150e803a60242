"""The file `.env`: lines of NAME=VALUE, each value taken as it stands."""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from daper.adapters.regular_file import read_if_there
from daper.core.errors import SettingError

FILE: Final = ".env"
_REFERENCE: Final = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^}]*)?\}")


def read_dotenv(folder: Path) -> dict[str, str]:
    """What the `.env` of a folder says; nothing where there is none. `${NAME}` in a value means itself.

    Raises SettingError where something by that name cannot be used: what it is, or the line, of which nothing is shown.
    """
    path = folder / FILE
    try:
        data = read_if_there(path)
        if data is None:
            return {}
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeError) as error:
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeError) else error.strerror
        raise SettingError(f"cannot read {str(path)!r}: {reason}; mend the file or remove it") from error
    return _parsed(text, path)


def references(values: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the variables whose value holds a `${NAME}`, which other programs would put something else for."""
    return tuple(name for name, value in values.items() if _REFERENCE.search(value))


def _parsed(text: str, path: Path) -> dict[str, str]:
    from dotenv.parser import parse_stream  # 20 ms that most starts need not pay

    found: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            line = binding.original.line + len(binding.original.string) - len(binding.original.string.lstrip("\r\n"))
            raise SettingError(
                f"{str(path)!r}, line {line}, does not read as NAME=VALUE (not shown); mend it, or put # before it"
            )
        if binding.key is not None and binding.value is not None:
            found[binding.key] = binding.value
    return found
