"""An outbox that is delivered: the domain that keeps it, and who takes its messages away."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, runtime_checkable

from daper.ports.store import Message, MessageNote, Noted


@runtime_checkable
class Corresponding(Protocol):
    """A domain whose tools write messages into an outbox, in the transaction of their effect."""

    async def outbox(self) -> Sequence[Message]:
        """Every message, in the order of sending."""
        ...

    async def messages_of(self, key: str) -> Sequence[Message]:
        """Those that one effect, or its undo, wrote; in the order of sending."""
        ...

    async def note_message(self, note: MessageNote) -> Noted:
        """Note what became of one, if it is still in an expected state; of two at once, one alone. Raises NotFound."""
        ...


@runtime_checkable
class Overtaken(Protocol):
    """A domain that knows of its messages whether what they ask for has happened meanwhile."""

    async def overtaken(self, message: Message) -> str:
        """Why nobody needs a message any more; empty where somebody may."""
        ...


class Courier(Protocol):
    """Hands messages of records to whatever takes them to the other side."""

    def carries(self, domain: str) -> bool:
        """Whether anything is set up that takes the messages of a domain."""
        ...

    async def carry(self, domain: str, message: Message, *, begin: Callable[[], Awaitable[None]]) -> None:
        """Hand one message over. `begin` is called right before it may leave, and what it raises ends the attempt.

        Raises TargetRefused where it was certainly not taken and another try would be no better, TargetUnreachable
        where it was certainly not taken this time, and DeliveryUnknown where nobody can tell.
        """
        ...
