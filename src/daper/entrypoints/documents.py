"""The documents for programs, one of each kind for every door: what `--json` prints, and what the API answers."""

import json
from collections.abc import Mapping

from pydantic import Field, JsonValue

from daper.adapters.reports.repair_document import EndedRepair, OpenRepair, repair_document
from daper.core.base import Wire
from daper.core.models import Finding
from daper.core.proactive import AgentPhase, ProactiveView
from daper.service.requests import Collected, ProactiveStarted, ProactiveStatus, RepairLine, Started
from daper.service.schedule_orders import ScheduleLine
from daper.service.selection import RecordLine


class StartedDocument(Started):
    """A repair that was started, or found. `lacking`: why nobody works on it now, and what to start; else empty."""

    lacking: str = ""


class RepairsDocument(Wire):
    """The newest repairs, and what was reported and has not begun. `collected_trouble`: why some of it is not told.

    `more`: of what waits, how many more there are than were asked for.
    """

    repairs: tuple[RepairLine, ...]
    more: int = 0
    collected: tuple[Collected, ...] = ()
    collected_trouble: str = ""


class AgentStartedDocument(ProactiveStarted):
    """An agent that was started, or runs already. `lacking`: as of a repair that was started."""

    lacking: str = ""


class SchedulesDocument(Wire):
    """Schedules, by id."""

    schedules: tuple[ScheduleLine, ...]


class RecordDocument(Wire):
    """One record in full, as its store has it, with what the rules find wrong with it."""

    record: dict[str, JsonValue]
    problems: tuple[Finding, ...]


class AgentDocument(ProactiveView):
    """A proactive agent, and the cycle that runs.

    `phase`: of that cycle, or else of the agent, as `agent_phase` says it. `ended`: how the agent ended; empty while it
    runs. `trouble`: why the cycle could not be looked at.
    """

    phase: str  # type: ignore[assignment]  # of the cycle too
    agent_phase: AgentPhase
    ended: str = ""
    repair: OpenRepair | EndedRepair | None = Field(default=None, discriminator="ended")
    trouble: str = ""


def agent_document(found: ProactiveStatus) -> AgentDocument:
    """A proactive agent, with its repair as the document of that."""
    agent = found.agent
    beside = {
        "phase": found.phase,
        "agent_phase": agent.phase,
        "ended": found.ended,
        "repair": repair_document(found.repair) if found.repair else None,
        "trouble": found.trouble,
    }
    return AgentDocument.model_validate({**dict(agent), **beside})


def record_document(line: RecordLine, data: Mapping[str, object]) -> RecordDocument:
    """A record; what JSON has no form for, as an exact amount, is a text in it."""
    return RecordDocument(record=json.loads(json.dumps(data, default=str)), problems=line.problems)
