"""Who tells people."""

from typing import Protocol

from daper.core.notices import Delivery, TellInput


class Notifier(Protocol):
    """Tells named targets, of which it knows where they lead to."""

    async def tell(self, given: TellInput) -> Delivery:
        """Send one message to one target; sent again, it carries the same id.

        Raises TargetRefused where another try would be no better, TargetUnreachable where it might.
        """
        ...
