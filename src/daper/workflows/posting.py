"""Has the messages of effects sent: one activity for each, beside the effects; awaited before these are verified."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from daper.activities.delivery import OutboxActivities
    from daper.core.digests import undo_key
    from daper.core.messages import DeliverInput
    from daper.core.outbox import TAKEN_BACK, MessageOutcome
    from daper.core.outcomes import ActionOutcome
    from daper.workflows import options
    from daper.workflows.activity_failures import why
    from daper.workflows.queues import people_queue
    from daper.workflows.state import CycleState

_DELIVERS = "delivers-the-outbox"
_MOST_TEXT = 50_000  # characters of all messages of a cycle that are to be copied


class Posting:
    """The messages of one cycle. What became of each stands in its state."""

    def __init__(self, state: CycleState) -> None:
        self._state = state
        self._sending: list[asyncio.Task[None]] = []
        self._slots = asyncio.Semaphore(options.PARALLEL_MESSAGES)
        self._text = 0

    def begin(self, outcome: ActionOutcome) -> None:
        """Begin to send what an effect wrote into the outbox. In histories of earlier releases nobody does."""
        if outcome.status.took_effect and outcome.messages and workflow.patched(_DELIVERS):
            self._begin(outcome, outcome.key, outcome.messages)

    def begin_undone(self, outcome: ActionOutcome) -> None:
        """Begin to send what the undo of an effect wrote."""
        if outcome.undo_messages and workflow.patched(_DELIVERS):
            self._begin(outcome, undo_key(outcome.key), outcome.undo_messages, takes_back=outcome.key)

    async def settle(self) -> None:
        """Wait until of each message the outbox says what became of it, or nobody can wait any longer."""
        while self._sending:
            sending, self._sending = self._sending, []
            await asyncio.gather(*sending)

    def _begin(self, outcome: ActionOutcome, key: str, messages: int, *, takes_back: str = "") -> None:
        for number in range(1, messages + 1):
            given = DeliverInput(
                cycle=self._state.cycle, action_id=outcome.action_id, key=key, number=number, takes_back=takes_back
            )
            self._sending.append(asyncio.create_task(self._deliver(given)))

    async def _deliver(self, given: DeliverInput) -> None:
        async with self._slots:
            try:
                self._note(await self._sent(given))
            except ActivityError as error:
                told = f"what became of message {given.number} of {given.action_id} could not be read"
                self._state.troubles.append(f"{told}; look at it in the outbox: {why(error)}")

    async def _sent(self, given: DeliverInput) -> MessageOutcome:
        """What became of a message. Raises ActivityError where nobody can say."""
        queue = self._state.request.activity_queue
        try:
            return await workflow.execute_activity_method(
                OutboxActivities.deliver_message, given, **options.deliver(people_queue(queue))
            )
        except ActivityError:
            return await workflow.execute_activity_method(
                OutboxActivities.look_at_message, given, **options.read(people_queue(queue))
            )

    def _note(self, message: MessageOutcome) -> None:
        self._text += len(message.text)
        if self._text > _MOST_TEXT:
            message = message.model_copy(update={"text": ""})
        self._state.messages[message.id] = message
        if message.note == TAKEN_BACK:
            gone = {"state": message.state, "note": message.note, "text": ""}
            mine = {each.id: each for each in self._state.messages.values() if each.action_id == message.action_id}
            self._state.messages |= {key: each.model_copy(update=gone) for key, each in mine.items()}
