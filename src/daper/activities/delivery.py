"""Activities that send: a notice to one target of one event, and one message of an outbox to the other side."""

from collections.abc import Callable, Mapping
from datetime import datetime

from temporalio import activity

from daper.activities.edge import at_edge, domain_of, let_through
from daper.activities.posting import Posting
from daper.core.errors import NotFound, TargetUnreachable
from daper.core.messages import DeliverInput
from daper.core.notices import Delivery, TellInput
from daper.core.outbox import MessageOutcome, MessageState, withdrawn
from daper.ports import Corresponding, Courier, Domain, Message, Notifier


class TellingActivities:
    """Tells people; where a target leads to is resolved here, and not before."""

    def __init__(self, *, notifier: Notifier) -> None:
        self._notifier = notifier

    @activity.defn(name="tell_person")
    @at_edge
    async def tell_person(self, input: TellInput) -> Delivery:
        """Send one message; again with the same id where an attempt before it may have arrived."""
        return await self._notifier.tell(input)


class OutboxActivities:
    """Sends what effects wrote into the outbox of their domain."""

    def __init__(
        self, *, domains: Mapping[str, Domain], courier: Courier, now: Callable[[], datetime], tries: int
    ) -> None:
        """`tries`: how often the workflow has one message tried."""
        self._domains = domains
        self._courier = courier
        self._now = now
        self._tries = tries

    @activity.defn(name="deliver_message")
    @at_edge
    async def deliver_message(self, input: DeliverInput) -> MessageOutcome:
        """Send one message, once; tried again only where it was certainly not taken."""
        posting = await self._posting(input)
        if input.takes_back and await posting.withdraw(input.takes_back, input.key):
            return _outcome(input, await posting.look(input.key, input.number))
        try:
            message = await let_through(posting.deliver(input.key, input.number))
        except TargetUnreachable:
            if activity.info().attempt < self._tries:
                raise
            message = await posting.look(input.key, input.number)
        return _outcome(input, message)

    @activity.defn(name="look_at_message")
    @at_edge
    async def look_at_message(self, input: DeliverInput) -> MessageOutcome:
        """What the outbox says of one message, where nobody could wait any longer for its delivery.

        An attempt may still be on its way: what it has not begun to send by now, it does not send.
        """
        posting = await self._posting(input)
        return _outcome(input, await posting.give_up(input.key, input.number))

    async def _posting(self, input: DeliverInput) -> Posting:
        domain = await domain_of(self._domains, input.cycle)
        if not isinstance(domain, Corresponding):
            raise NotFound(f"domain {domain.name} keeps no outbox that could be delivered")
        return Posting(domain.name, domain, self._courier, now=self._now)


def _outcome(input: DeliverInput, message: Message) -> MessageOutcome:
    """What became of it; what it says goes along where somebody may have to send it by hand."""
    return MessageOutcome(
        id=message.id,
        sequence=message.sequence,
        action_id=input.action_id,
        record_id=message.record_id,
        to=message.to,
        subject=message.subject,
        state=message.state,
        note=message.note,
        text="" if message.state is MessageState.SENT or withdrawn(message.note) else message.body,
    )
