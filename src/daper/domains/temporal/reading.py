"""Which workflows are looked at, by the cheapest call that shows them, the oldest first."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from daper.core.errors import UserError
from daper.domains.temporal.cluster import Cluster, Listed
from daper.domains.temporal.options import TemporalOptions
from daper.domains.temporal.workflow import WorkflowRecord, WorkflowState, workflow_record
from daper.ports.domain import RecordPage
from daper.workflows.labels import EVENT_DRIVEN_NAME, PROACTIVE_NAME, WORKFLOW_NAME

OWN_TYPES: Final = frozenset({WORKFLOW_NAME, PROACTIVE_NAME, EVENT_DRIVEN_NAME})
"""Of daper itself: never looked at, and never named."""

_AT_ONCE: Final = 20
_STAGES: Final = 3


class WorkflowReading:
    """Reads workflows of a cluster, as records."""

    def __init__(self, cluster: Cluster, options: TemporalOptions) -> None:
        self._cluster = cluster
        self._options = options

    async def named(self, workflow_ids: Sequence[str]) -> tuple[WorkflowRecord, ...]:
        """The named workflows; those that are not there, and daper's own, are left out."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(workflow_id: str) -> WorkflowState | None:
            async with gate:
                return await self._cluster.state(workflow_id)

        found = await asyncio.gather(*map(one, dict.fromkeys(workflow_ids)))
        return tuple(workflow_record(state) for state in found if state is not None and state.type not in OWN_TYPES)

    async def page(self, page: str | None, now: datetime) -> RecordPage:
        """Some of those that may have a problem: with failing tasks first, then failed ones, then all that run.

        Raises UserError for a page that was never given out.
        """
        stage, token = _place_of(page)
        listed = await self._listed(stage, token, now)
        records = await self.named([info.execution.workflow_id for info in listed.found])
        following = _page_of(stage, listed.next_page)
        return RecordPage(records=records, next_page=following)

    async def count(self) -> int:
        """How many run."""
        return await self._cluster.count(self._filter(['ExecutionStatus = "Running"']))

    async def _listed(self, stage: int, token: bytes, now: datetime) -> Listed:
        since = (now - self._options.failed_within).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        conditions = (
            ['ExecutionStatus = "Running"', "TemporalReportedProblems IS NOT NULL"],
            ['ExecutionStatus IN ("Failed", "TimedOut")', f'CloseTime > "{since}"'],
            ['ExecutionStatus = "Running"', "TemporalReportedProblems IS NULL"],
        )[stage]
        return await self._cluster.listed(self._filter(conditions), token)

    def _filter(self, conditions: Iterable[str]) -> str:
        theirs = [f"({self._options.query})"] if self._options.query else []
        own = ", ".join(f'"{name}"' for name in sorted(OWN_TYPES))
        return " AND ".join([*theirs, *conditions, f"WorkflowType NOT IN ({own})"])


def _page_of(stage: int, token: bytes) -> str | None:
    if token:
        return f"{stage}:{token.hex()}"
    return f"{stage + 1}:" if stage + 1 < _STAGES else None


def _place_of(page: str | None) -> tuple[int, bytes]:
    if page is None:
        return 0, b""
    stage, colon, token = page.partition(":")
    try:
        found = int(stage), bytes.fromhex(token)
    except ValueError:
        colon, found = "", (0, b"")
    if not colon or not 0 <= found[0] < _STAGES:
        raise UserError(f"there is no page {page!r}; ask for the first one, and then for the next that it names")
    return found
