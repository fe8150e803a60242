"""FactService: takes what has happened to a record, from any door, and lets the agents that wait know."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from pydantic import JsonValue

from daper.clock import utc_now
from daper.core.errors import DaperError, UserError
from daper.core.facts import FactAnswer
from daper.ports import Fact, Telling
from daper.service.records import RecordsService
from daper.service.tidings import Tidings

log = logging.getLogger(__name__)


def arguments_in(
    fact: Fact | None, *, item: str | None, quantity: str | int | None, others: Sequence[str], source: str
) -> tuple[dict[str, JsonValue], str]:
    """What belongs to a fact, as people and models say it, and from whom it comes. Raises UserError.

    Where an argument of the fact says that, as the approver of an approval, it is that argument.
    """
    found: dict[str, JsonValue] = {}
    for each in others:
        name, equals, value = each.partition("=")
        if not (name.strip() and equals):
            raise UserError(f"{each!r} does not read as NAME=VALUE")
        found[name.strip()] = value
    found |= {name: value for name, value in (("item", item), ("quantity", quantity)) if value is not None}
    if source and fact is not None and fact.source:
        return {fact.source: source, **found}, ""
    return found, source


class FactService:
    """What every door does with a fact. `tidings` opens what reaches the agents; a fact counts also where it cannot."""

    def __init__(self, records: RecordsService, *, tidings: Callable[[], Awaitable[Tidings]]) -> None:
        self._records = records
        self._tidings = tidings

    def facts(self, domain: str) -> Mapping[str, Fact]:
        """What the records of a domain can be told of. Raises UserError where they take no facts."""
        return self._records.facts(domain)

    async def foresee(self, domain: str, telling: Telling) -> FactAnswer:
        """What telling it would come to; nothing is changed. Raises as `RecordsService.tell`."""
        return await self._records.foresee(domain, telling, now=utc_now())

    async def tell(self, domain: str, telling: Telling) -> FactAnswer:
        """Write it down once, and let the agents know. Raises as `RecordsService.tell`."""
        answer = await self._records.tell(domain, telling, now=utc_now())
        told = answer.told
        log.info(
            "a fact was told",
            extra={
                "domain": domain,
                "record_id": told.record_id,
                "fact": told.fact,
                "by": told.by.name,
                "how": str(told.by.how),
                "door": told.door,
                "known": answer.known,
            },
        )
        # Also of what was known: whoever told it first may not have come this far.
        try:
            store_id = await self._records.store_id(domain)
            agents = await (await self._tidings()).tell(told, domain=domain, store_id=store_id)
        except DaperError as error:
            return answer.model_copy(update={"unheard": str(error)})
        return answer.model_copy(update={"agents": agents})
