"""What a proactive agent knows so far: cycles, nudges, failures; carried on when its workflow continues as new."""

from dataclasses import dataclass
from datetime import datetime

from daper.core.messages import Nudge
from daper.core.proactive import KEPT_CYCLES, AgentPhase, Carried, CycleEnd, ProactiveRequest, ProactiveView, words_of
from daper.workflows.options import backoff


@dataclass(kw_only=True)
class AgentState:
    """One agent, from its start to its stop. Only the workflow changes it."""

    request: ProactiveRequest
    agent_id: str
    known: Carried
    phase: AgentPhase = AgentPhase.WAITING_FOR_NEXT_CYCLE
    repair_id: str | None = None
    answering: int = 0
    answering_asked: str = ""
    cycles_in_run: int = 0
    stopping: str = ""
    stopped_by: Nudge | None = None
    ended_at: datetime | None = None
    notices: tuple[str, ...] = ()

    @property
    def nudges_waiting(self) -> int:
        """How many nudges no cycle has answered: the next one answers them all."""
        return self.known.nudges - self.known.answered

    def nudge(self, nudge: Nudge) -> None:
        """Somebody asks for a cycle that begins from now on."""
        self._learn(nudges=self.known.nudges + 1, asked=words_of(nudge))

    def stop(self, nudge: Nudge) -> None:
        """Somebody asks the agent to end; the first one counts."""
        if self.stopped_by is None:
            self.stopped_by = nudge
            self.stopping = f"stopped by {words_of(nudge)}"

    def begin(self) -> None:
        """A cycle begins, and answers all nudges up to now."""
        self.answering, self.answering_asked = self.nudges_waiting, self.known.asked
        self.cycles_in_run += 1
        self._learn(cycles=self.known.cycles + 1, answered=self.known.nudges, asked="")

    def end(self, ended: CycleEnd, now: datetime) -> None:
        """The cycle that ran ended; says when the next one is due."""
        failures = self.known.failures_in_a_row + 1 if ended.failed else 0
        self.repair_id = None
        self._learn(
            results=(ended, *self.known.results)[:KEPT_CYCLES],
            failures_in_a_row=failures,
            next_cycle_at=now + backoff(failures, interval=self.request.interval),
        )

    def note_untold(self, notice: str) -> None:
        """Somebody could not be told; the last ones are kept."""
        self.notices = (*self.notices, notice)[-KEPT_CYCLES:]

    def to_carry_on(self) -> ProactiveRequest:
        """The request with which the workflow continues as new."""
        return self.request.model_copy(update={"carried": self.known})

    def view(self) -> ProactiveView:
        """Where the agent stands."""
        waiting = self.phase is AgentPhase.WAITING_FOR_NEXT_CYCLE
        return ProactiveView(
            agent_id=self.agent_id,
            user=self.request.requested_by.name,
            domain=self.request.domain,
            store_id=self.request.store_id,
            phase=self.phase,
            interval=self.request.interval,
            approval_timeout=self.request.approval_timeout,
            started_at=self.known.started_at,
            ended_at=self.ended_at,
            cycles=self.known.cycles,
            repair_id=self.repair_id,
            next_cycle_at=self.known.next_cycle_at if waiting else None,
            results=self.known.results,
            failures_in_a_row=self.known.failures_in_a_row,
            nudges=self.known.nudges,
            nudges_waiting=self.nudges_waiting,
            stopping=self.stopping,
            notices=self.notices,
            partition=str(self.request.scope.partition or ""),
        )

    def _learn(self, **what: object) -> None:
        self.known = self.known.model_copy(update=what)
