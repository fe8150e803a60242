"""Where values come from: the environment, and `.env` in the current folder; nothing else reads them."""

import os
from collections.abc import Mapping
from pathlib import Path

from daper.settings.dotenv_file import FILE, read_dotenv


def read_values(environ: Mapping[str, str] | None, folder: Path, *, dotenv: bool = True) -> dict[str, tuple[str, str]]:
    """Variable → value and source, without the empty ones. The environment wins, also with an empty value.

    Raises SettingError where `.env` is there and cannot be used.
    """
    environ = os.environ if environ is None else environ  # noqa: TID251 - this is the one place
    found = {name: (value, FILE) for name, value in (read_dotenv(folder) if dotenv else {}).items()}
    found |= {name: (value, "environment") for name, value in environ.items()}
    return {name: (value.strip(), source) for name, (value, source) in found.items() if value.strip()}
