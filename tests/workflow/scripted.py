"""Orders whose tools and scans a test can hold up or break, and agents that say what a test tells them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel

from daper.agents.deterministic import RulesAgents
from daper.core.models import Finding, Proposal, Risk, Scope
from daper.core.outcomes import Effect, Postcondition
from daper.domains.orders.domain import OrdersDomain
from daper.ports import ProposalSet, Record, RecordPage, RepairTool, Review, Settleable, ToolCall, Undoable, Work

Hook = Callable[[ToolCall], Awaitable[None]]


async def nothing(_: ToolCall) -> None:
    """The hook that does nothing."""


class ScriptedTool:
    """A tool of the shop with a hook before and one after its effect; it counts its calls."""

    def __init__(self, tool: RepairTool, *, before: Hook = nothing, after: Hook = nothing) -> None:
        assert isinstance(tool, Settleable)
        self.tool = tool
        self.settler: Settleable = tool
        self.before = before
        self.after = after
        self.calls: list[ToolCall] = []

    @property
    def name(self) -> str:
        return self.tool.name

    @property
    def risk(self) -> Risk:
        return self.tool.risk

    @property
    def args(self) -> type[BaseModel]:
        return self.tool.args

    @property
    def settling(self) -> timedelta:
        return self.tool.settling

    async def apply(self, call: ToolCall) -> Effect:
        self.calls.append(call)
        await self.before(call)
        effect = await self.tool.apply(call)
        await self.after(call)
        return effect

    async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
        return await self.tool.holds(call, effect)

    async def settle(self, key: str) -> Effect | None:
        return await self.settler.settle(key)


class UndoableScript(ScriptedTool):
    """The same, for a tool that has an undo."""

    async def undo(self, call: ToolCall, effect: Effect, *, key: str) -> Effect:
        assert isinstance(self.tool, Undoable)
        return await self.tool.undo(call, effect, key=key)


class ScriptedOrders(OrdersDomain):
    """The shop, whose scan waits for `may_scan`, and whose tools can be replaced."""

    def __init__(self, home: Path) -> None:
        super().__init__(
            folder=home / "data" / "orders", approvers=("approve-orders@diagonalley.co.uk",), dataset="hogwarts"
        )
        self.may_scan = asyncio.Event()
        self.may_scan.set()
        self.replaced: dict[str, RepairTool] = {}
        self.before_context: list[Callable[[], None]] = []

    @property
    def tools(self) -> Mapping[str, RepairTool]:
        return {**super().tools, **self.replaced}

    def script(self, name: str, *, before: Hook = nothing, after: Hook = nothing) -> ScriptedTool:
        """Put hooks around one tool."""
        tool = super().tools[name]
        kind = UndoableScript if isinstance(tool, Undoable) else ScriptedTool
        scripted = kind(tool, before=before, after=after)
        self.replaced[name] = scripted
        return scripted

    async def context(self, record_ids: Sequence[str]) -> tuple[Record, ...]:
        if self.before_context:
            self.before_context.pop(0)()
        return await super().context(record_ids)

    async def scan(self, scope: Scope, page: str | None = None) -> RecordPage:
        await self.may_scan.wait()
        return await super().scan(scope, page)


class ScriptedAgents(RulesAgents):
    """Rules that find, and a planner that proposes what the test tells it."""

    def __init__(self, plan: Callable[[Sequence[Finding]], ProposalSet]) -> None:
        self._plan = plan

    async def plan(self, work: Work, findings: Sequence[Finding], review: Review) -> ProposalSet:
        return self._plan(findings)


def proposal(findings: Sequence[Finding], record_id: str, tool: str, **arguments: object) -> Proposal:
    """A proposal that answers all findings of a record."""
    return Proposal.model_validate(
        {
            "record_id": record_id,
            "tool": tool,
            "arguments": arguments,
            "answers": tuple(finding.fingerprint for finding in findings if finding.record_id == record_id),
            "confidence_score": 1.0,
            "proposed_by": "a hijacked planner",
        }
    )
