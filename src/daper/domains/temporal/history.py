"""What one run did, by its history: an event is known by its number. Pure; payloads are not kept."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import ContinueAsNewInitiator
from temporalio.api.history.v1 import (
    WorkflowExecutionStartedEventAttributes,
)
from temporalio.api.sdk.v1 import UserMetadata

from daper.ports.domain import Record

_ID: Final = re.compile(r"[0-9]+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}.*")


class Sort(StrEnum):
    """What a workflow can ask for."""

    ACTIVITY = "activity"
    LOCAL = "local activity"
    CHILD = "child"
    TIMER = "timer"
    NEXUS = "Nexus operation"
    SIGNAL = "signal to"
    CANCEL = "cancel request to"
    SIDE_EFFECT = "side effect"


COMPLETED: Final = "completed"
CANCEL: Final = "request to cancel"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that a workflow asked for. `at`: the event that says so; `task`: the workflow task that asked.

    `closed`: the event by which it ended, and `outcome` how; 0 and "" while it has not. Of a child also where it is,
    and `runs`: whether it runs now; None where nobody has looked, or another runs under its id.
    """

    sort: Sort
    name: str
    id: str
    at: int
    task: int
    closed: int = 0
    outcome: str = ""
    run_id: str = ""
    namespace: str = ""
    runs: bool | None = None

    @property
    def label(self) -> str:
        """What it is called: its type, and its id where somebody chose that."""
        named = f"{self.name} {self.id}" if self.id != self.name and not self.has_made_up_id else self.name
        return named if self.sort is Sort.ACTIVITY else f"{self.sort} {named}".strip()

    @property
    def has_made_up_id(self) -> bool:
        """Whether a library made up its id, so that it has another one the next time."""
        return not self.id or _ID.fullmatch(self.id) is not None


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What came from outside: a signal, an update, or a request to cancel."""

    sort: str
    name: str
    at: int

    @property
    def label(self) -> str:
        """What it is called."""
        return f"{self.sort} {self.name}".strip()


@dataclass(frozen=True, kw_only=True)
class ResetTrace:
    """A reset that made this run, or one that it was made of: its reason, from which run, and to which."""

    at: int
    reason: str
    base_run_id: str
    new_run_id: str


@dataclass(frozen=True, kw_only=True)
class RunHistory:
    """One run. `tasks`: its completed workflow tasks; `failing`: whether the last one that began has failed.

    `ending`: how it ended, or ""; `culprit`: what its failure names as the cause, by its event; 0 where that is its own
    code. `started`: what it was started with. `strange`: whether it has events that only a newer server knows.
    """

    workflow_id: str
    run_id: str
    last_event: int = 0
    tasks: tuple[int, ...] = ()
    failing: bool = False
    steps: tuple[Step, ...] = ()
    heard: tuple[Heard, ...] = ()
    ending: str = ""
    culprit: int = 0
    resets: tuple[ResetTrace, ...] = ()
    strange: bool = False
    continued_from: str = ""
    started: WorkflowExecutionStartedEventAttributes | None = None
    metadata: UserMetadata | None = None

    @property
    def version(self) -> str:
        """Changes with each event."""
        return f"{self.run_id} {self.last_event}"

    def continues(self, run_id: str) -> bool:
        """Whether it continues from that run by itself, at once or by way of others; not where it was reset."""
        first = self.started.first_execution_run_id if self.started else ""
        return bool(self.continued_from) and not self.resets and run_id in (self.continued_from, first)

    @property
    def failed_before(self) -> bool:
        """Whether the run that it continues from had failed, or run out of its time."""
        if self.started is None or not self.continued_from:
            return False
        retried = self.started.initiator == ContinueAsNewInitiator.CONTINUE_AS_NEW_INITIATOR_RETRY
        scheduled = self.started.initiator == ContinueAsNewInitiator.CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE
        return retried or (scheduled and self.started.HasField("continued_failure"))

    def waits_for_children(self) -> tuple[Step, ...]:
        """The children of which it has heard no end."""
        return tuple(each for each in self.steps if each.sort is Sort.CHILD and not each.closed)

    def with_children(self, looked_at: Mapping[int, bool | None]) -> "RunHistory":
        """The same, now that somebody has looked whether these run, by their events."""
        steps = tuple(replace(each, runs=looked_at[each.at]) if each.at in looked_at else each for each in self.steps)
        return replace(self, steps=steps)


@dataclass(frozen=True, kw_only=True)
class HistoryRecord(Record):
    """The history of a workflow's latest run; None for one that is too long to be read."""

    history: RunHistory | None


def history_ref(workflow_id: str) -> str:
    """How a history is named in what a plan read."""
    return f"histories/{workflow_id}"


def history_record(workflow_id: str, history: RunHistory | None, *, version: str) -> HistoryRecord:
    """A history as a record beside its workflow's."""
    ref = history_ref(workflow_id)
    return HistoryRecord(ref=ref, record_id=ref, version=version, data={}, history=history)


def payloads_in(history: RunHistory) -> Payloads:
    """What it was started with."""
    return history.started.input if history.started is not None else Payloads()
