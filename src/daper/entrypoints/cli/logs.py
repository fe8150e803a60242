"""What a long-running command logs: to stderr, in lines in which nothing is hidden."""

import copy
import logging
import sys
from collections import OrderedDict
from typing import Final, TextIO, cast

from daper.core.errors import DaperError
from daper.core.text import visible

TOLD_FOR: Final = 3600.0
"""So many seconds the same error of a repair is not told again: each attempt has it."""
MOST_TOLD: Final = 1000
_ACTIVITIES: Final = "temporalio.activity"


class _Plain(logging.Formatter):
    """Log lines may quote a record, or a stranger's exception."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as it would be, each of its lines made visible."""
        lines = super().format(record).splitlines()
        return "\n".join(visible(line, longest=2000) for line in lines)


class Lines(logging.StreamHandler[TextIO]):
    """Log lines; of an activity that failed for a reason of ours one without traceback, and not at each attempt."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.setFormatter(_Plain("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()

    @property
    def remembered(self) -> int:
        """How many errors it would not tell again."""
        return len(self._told)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, if it is to be."""
        reason = _reason(record)
        if reason is None:
            super().emit(record)
        elif self._is_new(*reason, at=record.created):
            line = copy.copy(record)
            line.msg, line.args, line.exc_info, line.exc_text = (
                ": ".join(each for each in reason if each),
                (),
                None,
                None,
            )
            super().emit(line)

    def _is_new(self, who: str, said: str, *, at: float) -> bool:
        told = self._told.get((who, said))
        if told is not None and at - told <= TOLD_FOR:
            return False
        self._told[who, said] = at
        self._told.move_to_end((who, said))
        while len(self._told) > MOST_TOLD:
            self._told.popitem(last=False)
        return True


def _reason(record: logging.LogRecord) -> tuple[str, str] | None:
    """Whose activity failed, and why, where that is an error of ours; None for all else."""
    error = record.exc_info[1] if record.name == _ACTIVITIES and record.exc_info else None
    cause = error.__cause__ if error is not None else None
    if not isinstance(cause, DaperError):
        return None
    known = cast("dict[str, object]", getattr(record, "temporal_activity", {}))
    of = [str(known[name]) for name in ("workflow_id", "activity_type") if name in known]
    return ": ".join(of), str(cause)


def log_to_stderr(*, quiet: bool = False) -> None:
    """Log from now on; `quiet`: only what somebody has to know."""
    logging.basicConfig(level=logging.WARNING if quiet else logging.INFO, handlers=[Lines(sys.stderr)])
