"""What Temporal knows of repairs, for whoever works on one and needs to know of others."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Protocol


class RunState(StrEnum):
    """Whether a repair runs."""

    OPEN = "open"
    ENDED = "ended"  # however: also terminated, which no repair can tell of itself
    UNKNOWN = "unknown"  # to this Temporal: it kept it for long enough, lost it, or never had it


class Runs(Protocol):
    """Which repairs run."""

    async def states(self, repair_ids: Collection[str]) -> Mapping[str, RunState]:
        """The state of each. Raises Unreachable."""
        ...
