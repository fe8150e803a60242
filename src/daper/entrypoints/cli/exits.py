"""How a command ends: its exit code, and the way out of the process."""

import contextlib
import os
import sys
from enum import IntEnum
from typing import NoReturn

from daper.core.errors import UserError


class Exit(IntEnum):
    """What an exit code of `daper` means."""

    OK = 0
    ERROR = 1
    USAGE = 2
    PERSON_NEEDED = 3


class UsageError(UserError):
    """The command line does not say enough, or contradicts itself."""


def leave(code: int) -> NoReturn:
    """Flush and end the process at once.

    A process that used a Temporal client may abort while Python tears it down (temporalio/sdk-python#300), after all
    its work is done; so it is not torn down.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
