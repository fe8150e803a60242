"""Activities that change records, and those that look whether it helped. One action, one activity, one key."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from temporalio import activity

from daper.activities.edge import at_lasting_edge, domain_of, let_through
from daper.activities.server_clock import ServerClock
from daper.core.digests import digest, effect_key, undo_key
from daper.core.errors import ActionFailed, ApprovalLapsed, CannotSettle, DaperError, StoreDamaged, StoreError
from daper.core.messages import ActionRef, Applied, SettleResult, UndoInput, VerifyInput
from daper.core.models import Fallback, Finding, ProposedAction
from daper.core.outbox import in_words
from daper.core.outcomes import (
    ActionOutcome,
    Effect,
    Holding,
    OutcomeStatus,
    Postcondition,
    Verification,
    VerificationStatus,
    VerifiedFinding,
)
from daper.core.text import shown, visible
from daper.core.weights import line, lines
from daper.ports import Corresponding, Domain, RepairTool, Settleable, ToolCall, Undoable

_UNDOES = frozenset({OutcomeStatus.UNDONE, OutcomeStatus.UNDO_BLOCKED})
_APPLIES = frozenset(
    {
        OutcomeStatus.APPLIED,
        OutcomeStatus.ALREADY_APPLIED,
        OutcomeStatus.STALE,
        OutcomeStatus.BLOCKED,
        OutcomeStatus.LAPSED,
        OutcomeStatus.FAILED,
    }
)
_WORDS_AT_ONCE = 5  # a system that hangs is waited for by few, so that all are asked within the time of an attempt


class RepairActivities:
    """Applies, settles, undoes and verifies approved actions with the tools of a domain."""

    def __init__(
        self,
        *,
        domains: Mapping[str, Domain],
        now: Callable[[], datetime],
        ahead: Callable[[], timedelta | None] = lambda: None,
    ) -> None:
        """`now`: by the clock that deadlines are set by; `ahead`: how far this machine's shows itself ahead of that."""
        self._domains = domains
        self._now = now
        self._ahead = ahead
        self._server_clock = ServerClock()

    @activity.defn(name="apply_action")
    @at_lasting_edge(StoreDamaged)
    async def apply_action(self, input: ActionRef) -> ActionOutcome:
        """Run exactly what the approved digest covers, once for its key, while its approval is valid."""
        _refuse_unless_approved(input)
        self._refuse_too_late(input)
        tool = _tool(await domain_of(self._domains, input.cycle), input.action)
        return _outcome(input, _within(_APPLIES, await let_through(tool.apply(_call(input)))))

    def _refuse_too_late(self, input: ActionRef) -> None:
        """By Temporal's clock, which set the time. Raises ApprovalLapsed, ClockMoved."""
        if input.valid_until is None:
            return
        # First, for it is certain whatever the clock here does: it was sent too late.
        if self._now() > input.valid_until:
            until = f"{input.valid_until:%Y-%m-%d %H:%M:%S} UTC"
            raise ApprovalLapsed(f"action {input.action.id!r} did not begin by {until}")
        if (shown := self._ahead()) is not None:
            self._server_clock.check(input.key, shown)

    @activity.defn(name="settle_action")
    @at_lasting_edge(StoreError)
    async def settle_action(self, input: ActionRef) -> SettleResult:
        """Find out for good whether an effect happened; if not, a late attempt will change nothing."""
        tool = _tool(await domain_of(self._domains, input.cycle), input.action)
        if not isinstance(tool, Settleable):
            raise CannotSettle(
                f"{tool.name} cannot tell whether its effect on {input.action.bound.record_id!r} happened"
            )
        effect = await tool.settle(input.key)
        return SettleResult(outcome=None if effect is None else _outcome(input, _within(_APPLIES | _UNDOES, effect)))

    @activity.defn(name="undo_action")
    @at_lasting_edge(StoreError)
    async def undo_action(self, input: UndoInput) -> ActionOutcome:
        """Take back one effect, where its records still have the versions that it left."""
        _refuse_unless_approved(input.ref)
        tool = _tool(await domain_of(self._domains, input.ref.cycle), input.ref.action)
        if not isinstance(tool, Undoable) or input.ref.action.bound.if_it_does_not_help is not Fallback.UNDO:
            raise ActionFailed(f"{tool.name} has no undo that was approved")
        done = input.outcome
        undone = await tool.undo(_call(input.ref), _effect_of(done), key=undo_key(input.ref.key))
        status = undone.status if undone.status in _UNDOES else OutcomeStatus.UNDO_BLOCKED
        update = {"status": status, "evidence": (*done.evidence, *undone.evidence), "undo_messages": undone.messages}
        return done.model_copy(update=update)

    @activity.defn(name="verify_repair")
    @at_lasting_edge(StoreError)
    async def verify_repair(self, input: VerifyInput) -> Verification:
        """Look again, on freshly read records: postcondition, detector, and whether anything new went wrong."""
        domain = await domain_of(self._domains, input.cycle)
        slots = asyncio.Semaphore(_WORDS_AT_ONCE)

        async def told(item: Applied) -> tuple[ActionRef, Postcondition]:
            tool = _tool(domain, item.ref.action)
            async with slots:
                word = await _word(tool, item)
                return item.ref, await _as_far_as_told(word, domain, item)

        words = await asyncio.gather(*map(told, input.applied))
        records = await domain.context(input.record_ids)
        now = await asyncio.to_thread(domain.detect, records, input.cycle.today)
        verified = [each for ref, word in words for each in _verify(ref, word, given=input, now=now)]
        heads = [domain.head(record) for record in records]
        return Verification(findings=tuple(verified), heads=tuple(head for head in heads if head))


def _refuse_unless_approved(input: ActionRef) -> None:
    action, bound = input.action, input.action.bound
    if digest(action.text) != action.digest or action.digest != input.approved_digest:
        raise ActionFailed(f"action {action.id!r} is not what was approved: its digest differs; nothing was run")
    here = (input.cycle.cycle_id, input.cycle.store_id, input.cycle.domain)
    if (bound.cycle_id, bound.store_id, bound.domain) != here:
        raise ActionFailed(f"action {action.id!r} belongs to another cycle or store; nothing was run")
    if input.key != effect_key(input.cycle.cycle_id, action.digest):
        raise ActionFailed(f"action {action.id!r} came with a key that is not its own; nothing was run")
    if set(input.expected) != set(bound.reads):
        raise ActionFailed(f"action {action.id!r} came without the versions of what it read; nothing was run")


def _tool(domain: Domain, action: ProposedAction) -> RepairTool:
    tool = domain.tools.get(action.bound.tool)
    if tool is None:
        raise ActionFailed(f"domain {domain.name} has no tool {action.bound.tool!r} (any more); nothing was run")
    return tool


def _call(ref: ActionRef) -> ToolCall:
    bound = ref.action.bound
    return ToolCall(
        key=ref.key,
        record_id=bound.record_id,
        arguments=bound.arguments,
        expected=ref.expected,
        today=ref.cycle.today,
        valid_until=ref.valid_until,
    )


def _outcome(ref: ActionRef, effect: Effect) -> ActionOutcome:
    bound = ref.action.bound
    return ActionOutcome(
        action_id=ref.action.id,
        record_id=bound.record_id,
        tool=bound.tool,
        status=effect.status,
        arguments=bound.arguments,
        before=effect.before,
        after=effect.after,
        wrote=effect.wrote,
        evidence=lines(effect.evidence),
        simulated=effect.simulated,
        at=effect.at,
        messages=effect.messages,
        key=ref.key,
        digest=ref.action.digest,
    )


def _effect_of(outcome: ActionOutcome) -> Effect:
    return Effect(
        status=outcome.status,
        before=outcome.before,
        after=outcome.after,
        wrote=outcome.wrote,
        evidence=outcome.evidence,
        simulated=outcome.simulated,
        at=outcome.at,
        messages=outcome.messages,
    )


async def _word(tool: RepairTool, item: Applied) -> Postcondition:
    """The tool's word on one effect. A tool that breaks over it takes nobody else's verification with it."""
    try:
        return await tool.holds(_call(item.ref), _effect_of(item.outcome))
    except Exception as error:
        if isinstance(error, DaperError) and error.retryable:
            raise
        told = visible(f"{type(error).__name__}: {error}", longest=300)
        return Postcondition(holding=Holding.UNKNOWN, evidence=f"{tool.name} could not look: {told}")


async def _as_far_as_told(word: Postcondition, domain: Domain, item: Applied) -> Postcondition:
    """Nobody is waited for who was not told: what waits for a message that was not sent waits for a person here."""
    if word.holding is not Holding.WAITING or not isinstance(domain, Corresponding):
        return word
    untold = [message for message in await domain.messages_of(item.ref.key) if not message.state.told]
    if not untold:
        return word
    first = untold[0]
    told = f"the message to {shown(first.to)} is {in_words(first.state, first.note)}"
    more = f"; and {len(untold) - 1} more" if len(untold) > 1 else ""
    return Postcondition(holding=Holding.UNTOLD, evidence=told + more)


def _within(allowed: frozenset[OutcomeStatus], effect: Effect) -> Effect:
    """The effect, if its status is one that a tool may give; else nobody can tell what it did."""
    if effect.status in allowed:
        return effect
    told = f"the tool answered {str(effect.status)!r}, which says nothing of what it did"
    return effect.model_copy(update={"status": OutcomeStatus.UNKNOWN, "evidence": (*effect.evidence, told)})


def _verify(
    ref: ActionRef, word: Postcondition, *, given: VerifyInput, now: Sequence[Finding]
) -> list[VerifiedFinding]:
    """Resolved takes all three: the postcondition holds, the finding is gone, nothing new on the record."""
    record_id = ref.action.bound.record_id
    known = {finding.fingerprint for finding in given.findings} | set(given.known)
    present = {finding.fingerprint for finding in now}
    new = [finding for finding in now if finding.record_id == record_id and finding.fingerprint not in known]
    verified: list[VerifiedFinding] = []
    for finding in given.findings:
        if finding.fingerprint not in ref.action.answers:
            continue
        status, evidence = _judge(word, still_there=finding.fingerprint in present, new=new)
        verified.append(
            VerifiedFinding(
                fingerprint=finding.fingerprint,
                record_id=record_id,
                kind=finding.kind,
                action_id=ref.action.id,
                status=status,
                evidence=line(evidence),
            )
        )
    return verified


def _judge(word: Postcondition, *, still_there: bool, new: Sequence[Finding]) -> tuple[VerificationStatus, str]:
    if new:
        return VerificationStatus.WORSE, f"new on the record: {new[0].kind}: {new[0].issue}"
    match word.holding:
        case Holding.UNKNOWN:
            return VerificationStatus.NOT_VERIFIABLE, word.evidence
        case Holding.NO:
            return VerificationStatus.STILL_OPEN, word.evidence
        case Holding.WAITING:
            return VerificationStatus.WAITING_ON_OTHER, word.evidence
        case Holding.UNTOLD:
            return VerificationStatus.WAITING_ON_PERSON, word.evidence
        case Holding.YES if still_there:
            return VerificationStatus.STILL_OPEN, f"{word.evidence}; but the problem is still found"
        case Holding.YES:
            return VerificationStatus.RESOLVED, word.evidence
