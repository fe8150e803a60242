"""How a command ends: its exit code, and the way out of the process."""

import errno
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


class Interrupted(BaseException):
    """A signal ended the command, or would have: whoever read its output is gone (SIGPIPE)."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.exit_code = 128 + number


def mute() -> None:
    """Send what is still printed to nobody: the reader of stdout is gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def leave(code: int) -> NoReturn:
    """Flush and end the process at once. What could not be written makes an exit code of 0 an error.

    A process that used a Temporal client may abort while Python tears it down (temporalio/sdk-python#300), after all
    its work is done; so it is not torn down.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError) as error:
            gone = isinstance(error, OSError) and error.errno == errno.EPIPE
            code = code or (Exit.OK if gone else Exit.ERROR)
    os._exit(code)
