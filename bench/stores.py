"""What one effect costs where there are few orders, and where there are many; beside one transaction of a plain driver.

The tool itself, without Temporal: a customer is asked to see to a payment. Beside it the same statements, or, on the
JSON files, all records written anew.
"""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from bench.bare import written
from bench.bare_transaction import open_bare_transaction
from bench.big_shop import AS_OF, BigShop
from bench.figures import Table, Times, ms, ratio
from bench.measurement import Measurement
from bench.places import JSON, NAMES, STORES, Place, Places, open_places
from daper.core.outcomes import OutcomeStatus
from daper.domains.orders.domain import OrdersDomain
from daper.ports import ToolCall

_WARM = 3


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many orders there are, how many at most in JSON files, and how many effects are timed."""

    orders: tuple[int, ...]
    most_in_json: int
    effects: int


@dataclass(kw_only=True)
class Row:
    """One store with so many orders, and what was timed on it."""

    place: Place
    orders: int
    domain: OrdersDomain
    ids: list[str]
    bare: Callable[[], float]
    effects: list[float] = field(default_factory=list[float])
    bares: list[float] = field(default_factory=list[float])

    async def once(self, number: int) -> None:
        """Time one effect and one bare transaction."""
        self.effects.append(await effect(self.domain, self.ids[_WARM + number]))
        self.bares.append(self.bare())


async def effect(domain: OrdersDomain, order_id: str) -> float:
    """Seconds that one effect takes, as the rules propose it for an order, until it is on the disk."""
    records = await domain.context([order_id])
    [proposal] = domain.propose(domain.detect(records, AS_OF), records).proposals
    call = ToolCall(
        key=f"bench-{order_id}",
        record_id=order_id,
        arguments=proposal.arguments,
        expected=domain.terms(proposal, records).reads,
        today=AS_OF,
    )
    tool, began = domain.tools[proposal.tool], perf_counter()
    done = await tool.apply(call)
    took = perf_counter() - began
    assert done.status is OutcomeStatus.APPLIED, done
    return took


async def made(places: Places, stack: ExitStack, store: str, *, orders: int, effects: int) -> Row:
    """A store with so many orders, which has seen an effect or two."""
    place, shop = places.new(store), BigShop(orders=orders, problems=effects + _WARM, only_payments=True)
    place.install(shop)
    domain, ids = place.domain(), shop.ids()
    for order_id in ids[:_WARM]:
        await effect(domain, order_id)
    bare = _rewritten(place) if store == JSON else _transaction(place, stack, orders - 1)
    return Row(place=place, orders=orders, domain=domain, ids=ids, bare=bare)


def _rewritten(place: Place) -> Callable[[], float]:
    size = sum(path.stat().st_size for path in place.folder.glob("*.json"))
    return lambda: written(place.home, size)


def _transaction(place: Place, stack: ExitStack, last: int) -> Callable[[], float]:
    bare = stack.enter_context(open_bare_transaction(place))
    return lambda: bare.run(f"ORD-{last:07}")


async def measure(root: Path, size: Size) -> AsyncGenerator[Table]:
    """One effect and one bare transaction on each of a store's sizes in turn, again and again."""
    with open_places(root, STORES) as places:
        for store in STORES:
            wanted = [each for each in size.orders if store != JSON or each <= size.most_in_json]
            with ExitStack() as stack:
                rows = [await made(places, stack, store, orders=each, effects=size.effects) for each in wanted]
                for number in range(size.effects):
                    for row in rows:
                        await row.once(number)
            yield _table(store, rows, size.effects)


def _table(store: str, rows: Iterable[Row], effects: int) -> Table:
    shown: list[tuple[str, ...]] = []
    smallest = 0.0
    for row in rows:
        ours, bare = Times.of(row.effects), Times.of(row.bares)
        smallest = smallest or ours.p50
        shown.append(
            (
                f"{row.orders:,}",
                ms(ours.p50),
                ms(ours.p99),
                ms(bare.p50),
                ratio(ours.p50, bare.p50),
                ratio(ours.p50, smallest),
            )
        )
    return Table(
        about=f"{NAMES[store]}: {effects} effects in each, one at a time, in turn.",
        columns=("orders", "an effect, p50", "p99", "bare, p50", "of bare", "of the fewest orders"),
        rows=tuple(shown),
    )


if __name__ == "__main__":
    Measurement(
        about=__doc__ or "",
        measure=measure,
        whole=Size(orders=(1_000, 10_000, 100_000, 1_000_000), most_in_json=10_000, effects=100),
        quick=Size(orders=(50, 100), most_in_json=100, effects=3),
    ).main()
