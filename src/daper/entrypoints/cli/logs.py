"""What a long-running command logs: to stderr, in lines in which nothing is hidden."""

import logging
import sys

from daper.core.text import visible


class _Plain(logging.Formatter):
    """Log lines may quote a record, or a stranger's exception."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as it would be, each of its lines made visible."""
        lines = super().format(record).splitlines()
        return "\n".join(visible(line, longest=2000) for line in lines)


def log_to_stderr(*, quiet: bool = False) -> None:
    """Log from now on; `quiet`: only what somebody has to know."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Plain("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING if quiet else logging.INFO, handlers=[handler])
