"""What becomes of the messages that effects write into an outbox: one state each, in words that claim no more. Pure."""

from enum import StrEnum

from daper.core.base import Wire


class MessageState(StrEnum):
    """What became of one message.

    `written`: it lies in the outbox, and certainly was not sent. `sent`: something took it, or a person says so.
    `refused`: certainly not sent, and another try would be no better. `unknown`: it may have gone; it is never sent
    again by itself. `simulated`: the other side only plays along, and nothing ever leaves.
    """

    WRITTEN = "written"
    SENT = "sent"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    SIMULATED = "simulated"

    @property
    def told(self) -> bool:
        """Whether the other side has been told, as far as there is one."""
        return self in {MessageState.SENT, MessageState.SIMULATED}


TAKEN_BACK = "not to be sent: its effect was undone before it was sent"
"""The note of a message that nobody needs any more, and of the one that would cancel it."""

OVERTAKEN = "not to be sent: nobody needs it any more: "
"""How the note begins of a message whose reason was gone before it was sent."""


def withdrawn(note: str) -> bool:
    """Whether a note says that nobody needs the message any more, so that it is never sent."""
    return note == TAKEN_BACK or note.startswith(OVERTAKEN)


_IN_WORDS = {
    MessageState.WRITTEN: "written to the outbox, not sent",
    MessageState.SENT: "sent",
    MessageState.REFUSED: "refused, not sent",
    MessageState.UNKNOWN: "sent or not: nobody can tell",
    MessageState.SIMULATED: "simulated, never sent",
}


def in_words(state: MessageState, note: str = "") -> str:
    """What became of a message, and why."""
    return _IN_WORDS[state] + (f" ({note})" if note else "")


class MessageOutcome(Wire):
    """What became of one message of a repair. `text`: what it says, to be copied, where it was not sent."""

    id: str
    sequence: int
    action_id: str
    record_id: str
    to: str
    subject: str
    state: MessageState
    note: str = ""
    text: str = ""
