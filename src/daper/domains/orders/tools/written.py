"""The arguments that hold what a tool writes, and whom to: code alone fills them in, when the plan is made.

In the texts `$name` stands for another argument, which each order has its own of: so the text of fifty is one, and what
is sent follows from what is approved alone.
"""

from typing import Final

from pydantic.json_schema import SkipJsonSchema

from daper.core.base import Reply

SUBJECT: Final = "subject"
MESSAGE: Final = "message"
TO: Final = "to"
AMOUNT: Final = "amount"
UNDO_SUBJECT: Final = "undo_subject"
UNDO_MESSAGE: Final = "undo_message"

UNSEEN: Final = "its text was not in the plan that was approved; read it, then send it"

# Not told to a language model, which has nothing to choose. Empty in plans of before they were there.
Made = SkipJsonSchema[str]


class Written(Reply):
    """A message as it is sent. `to`: the address, where no other argument is it."""

    to: Made = ""
    subject: Made = ""
    message: Made = ""

    @property
    def held(self) -> str:
        """Why it is not sent by itself: in plans of before texts were in them nobody has seen it."""
        return "" if self.message and self.subject else UNSEEN
