"""What a plan claims, so that two open plans never want the same: asked of the memory, and of who still runs."""

from collections.abc import Collection, Sequence

from daper.core.messages import ClaimInput, ClaimResult, CycleRef, HoldInput, PlanInput
from daper.core.models import SuppressedFinding
from daper.core.record_holds import Ref, holds_of, not_planned, without_held
from daper.core.second_opinion import Option
from daper.ports import Domain, Memory, Record, Runs, RunState


class Claims:
    """Claims of open repairs. A repair that has ended holds nothing, also one that could not say so any more."""

    def __init__(self, *, memory: Memory, runs: Runs) -> None:
        self._memory = memory
        self._runs = runs

    async def claim(self, input: ClaimInput) -> ClaimResult:
        """Which findings may be planned for now. Raises Unreachable where nobody can say who still runs."""
        record_ids = tuple(dict.fromkeys(finding.record_id for finding in input.findings))
        holders = await self._memory.holders(input.cycle, record_ids=record_ids)
        await self._release_ended(input.cycle, holders, again=input.again)
        return await self._memory.claim(input)

    async def hold(
        self, options: Sequence[Option], input: PlanInput, *, domain: Domain, records: Sequence[Record]
    ) -> tuple[list[Option], tuple[SuppressedFinding, ...]]:
        """The options whose records no other open plan would write, now held for this one; what waits for another.

        Of the problems that are claimed and that the plan does not answer, nobody else is held back any more.
        """
        if input.until is None:
            return list(options), ()
        own = {each.record_id: _ref(each) for each in records if domain.head(each) is not None}
        wanted = tuple(holds_of(option, own) for option in options)
        refs = tuple(dict.fromkeys(hold.ref for holds in wanted for hold in holds))
        holders = await self._memory.holders(input.cycle, refs=refs)
        await self._release_ended(input.cycle, holders, again=input.again)
        asked = HoldInput(cycle=input.cycle, wanted=wanted, until=input.until, dry_run=input.dry_run)
        found = await self._memory.hold(asked)
        left, waiting = without_held(options, found.refused, input.findings)
        if free := not_planned(input.findings, left):
            await self._memory.let_go(input.cycle, free)
        return left, waiting

    async def _release_ended(self, cycle: CycleRef, holders: Collection[str], *, again: bool) -> None:
        """Where Temporal does not know a repair, its time counts; but a person who asks again need not wait for it."""
        if not holders:
            return
        over = {RunState.ENDED, RunState.UNKNOWN} if again else {RunState.ENDED}
        ended = [each for each, state in (await self._runs.states(holders)).items() if state in over]
        if ended:
            await self._memory.release(cycle, ended)


def _ref(record: Record) -> Ref:
    return Ref(ref=record.ref, version=record.version)
