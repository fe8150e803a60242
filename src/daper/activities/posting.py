"""Sends what lies in an outbox, each message once: whatever is not certain is never tried again by itself."""

from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final

from daper.core.errors import DeliveryTaken, DeliveryUnknown, NotFound, TargetRefused, TargetUnreachable
from daper.core.outbox import OVERTAKEN, TAKEN_BACK, MessageState, in_words, withdrawn
from daper.core.text import visible
from daper.ports import Corresponding, Courier, Message, MessageNote, Noted, Overtaken

BEGUN: Final = "it was being sent, and nobody has noted what came of it"
GIVEN_UP: Final = "nothing took it in time"
_NOT_SENT: Final = frozenset({MessageState.WRITTEN, MessageState.REFUSED})
_OPEN: Final = frozenset({MessageState.WRITTEN, MessageState.REFUSED, MessageState.UNKNOWN})
_LONGEST_NOTE: Final = 500


class Posting:
    """The outbox of one domain, and what takes its messages. Raises what the domain's store raises."""

    def __init__(self, name: str, outbox: Corresponding, courier: Courier, *, now: Callable[[], datetime]) -> None:
        self._name = name
        self._outbox = outbox
        self._courier = courier
        self._now = now

    async def all(self) -> Sequence[Message]:
        """Every message, in the order of sending."""
        return await self._outbox.outbox()

    async def look(self, key: str, number: int) -> Message:
        """One message as it is now. Raises NotFound."""
        for message in await self._outbox.messages_of(key):
            if message.number == number:
                return message
        raise NotFound(f"the outbox of {self._name} has no message {key}-{number}")

    async def deliver(self, key: str, number: int, *, again: bool = False) -> Message:
        """Send one message that was only written, and say what became of it; `again`: one that was refused as well.

        The outbox says `unknown` from right before it may leave until it is known what came of it: killed in between,
        nobody sends it twice. Raises TargetUnreachable where it was certainly not taken this time.
        """
        message, may = await self.look(key, number), _NOT_SENT if again else {MessageState.WRITTEN}
        if message.state not in may or withdrawn(message.note) or await self._is_overtaken(message, may):
            return await self.look(key, number)
        if not self._courier.carries(self._name):
            told = f"nothing is set up to send it: people.toml has no table [outbox.{self._name}]"
            return message.model_copy(update={"note": told})
        seen = message

        async def begin() -> None:
            nonlocal seen
            if await self._is_overtaken(message, may):
                raise DeliveryTaken(f"message {message.id} is not needed any more")
            begun = await self._note(message, MessageState.UNKNOWN, BEGUN, expected=may, seen=message)
            if not begun.changed:
                raise DeliveryTaken(f"message {message.id} is not to be sent any more")
            seen = begun.message

        try:
            state, told = await self._carried(message, begin)
        except DeliveryTaken:
            now = await self.look(key, number)
            # Somebody else tried it meanwhile, in vain.
            tried = now.state in may and now.tries > message.tries
            return await self.deliver(key, number, again=again) if tried else now
        except TargetUnreachable as error:
            await self._note(message, MessageState.WRITTEN, str(error), expected={seen.state}, seen=seen, tried=True)
            raise
        vain = state is not MessageState.SENT
        await self._note(message, state, told, expected={seen.state}, seen=seen, tried=vain)
        return await self.look(key, number)

    async def _is_overtaken(self, message: Message, may: AbstractSet[MessageState]) -> bool:
        """Whether nobody needs it any more; then the outbox says so and why. What may have gone stays as it is."""
        why = await self._outbox.overtaken(message) if isinstance(self._outbox, Overtaken) else ""
        if not why:
            return False
        return (
            await self._note(message, MessageState.REFUSED, f"{OVERTAKEN}{why}", expected=may, seen=message)
        ).changed

    async def give_up(self, key: str, number: int) -> Message:
        """What is known of one that nobody waits for any longer; what has not begun to send it by then never does."""
        message = await self.look(key, number)
        if message.state is MessageState.WRITTEN:
            told = message.note or GIVEN_UP
            await self._note(message, MessageState.WRITTEN, told, expected={MessageState.WRITTEN}, seen=message)
        return await self.look(key, number)

    async def _carried(self, message: Message, begin: Callable[[], Awaitable[None]]) -> tuple[MessageState, str]:
        """What became of it, and why. Raises TargetUnreachable, DeliveryTaken."""
        try:
            await self._courier.carry(self._name, message, begin=begin)
        except TargetRefused as error:
            return MessageState.REFUSED, str(error)
        except DeliveryUnknown as error:
            return MessageState.UNKNOWN, str(error)
        return MessageState.SENT, ""

    async def withdraw(self, key: str, undo_key: str) -> bool:
        """Note of the messages of an effect and of its undo that nobody needs them; False where one may have gone."""
        messages = await self._outbox.messages_of(key)
        for message in messages:
            if withdrawn(message.note):
                continue
            noted = await self._note(message, MessageState.REFUSED, TAKEN_BACK, expected=_NOT_SENT)
            if not noted.changed:
                return False
        for message in await self._outbox.messages_of(undo_key) if messages else ():
            await self._note(message, MessageState.REFUSED, TAKEN_BACK, expected=_NOT_SENT)
        return bool(messages)

    async def say(self, key: str, number: int, state: MessageState, note: str) -> Message:
        """What a person knows of a message. Raises DeliveryTaken for one of which that is known already.

        What nobody needs any more stays so, however certain it is that it has not gone.
        """
        message = await self.look(key, number)
        if withdrawn(message.note) and state is not MessageState.SENT:
            raise DeliveryTaken(f"message {message.id} is {in_words(message.state, message.note)}")
        seen = None if state is MessageState.SENT else message
        if not (await self._note(message, state, note, expected=_OPEN - {state}, seen=seen)).changed:
            raise DeliveryTaken(f"message {message.id} is {(await self.look(key, number)).state} already")
        return await self.look(key, number)

    async def _note(
        self,
        message: Message,
        state: MessageState,
        note: str,
        *,
        expected: AbstractSet[MessageState],
        tried: bool = False,
        seen: Message | None = None,
    ) -> Noted:
        told = MessageNote(
            key=message.key,
            number=message.number,
            expected=frozenset(expected),
            state=state,
            note=visible(note, longest=_LONGEST_NOTE),
            at=self._now(),
            tried=tried,
            seen=seen,
        )
        return await self._outbox.note_message(told)
