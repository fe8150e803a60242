"""The activity that tells one target of one event; where it leads to is resolved here, and not before."""

from temporalio import activity

from daper.activities.edge import at_edge
from daper.core.notices import Delivery, TellInput
from daper.ports import Notifier


class TellingActivities:
    """Tells people."""

    def __init__(self, *, notifier: Notifier) -> None:
        self._notifier = notifier

    @activity.defn(name="tell_person")
    @at_edge
    async def tell_person(self, input: TellInput) -> Delivery:
        """Send one message; again with the same id where an attempt before it may have arrived."""
        return await self._notifier.tell(input)
