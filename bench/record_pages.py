"""Pages of records, as the console shows them, where there are ever more orders.

Beside each a bare page: fifty rows by their number, read by a plain driver.
"""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from bench.big_shop import BigShop
from bench.figures import Table, Times, ms, ratio
from bench.measurement import Measurement
from bench.places import NAMES, POSTGRESQL, SQLITE, Place, open_places
from daper.clock import utc_now
from daper.core.models import Scope
from daper.ports import Window
from daper.service.record_pages import RecordPageView
from daper.service.records import RecordsService
from daper.service.selection import ALL, RecordFilter

_STORES: Final = (SQLITE, POSTGRESQL)
_PAGE: Final = 50


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many orders there are, how many have a problem, and how often each page is read."""

    orders: tuple[int, ...]
    problems: int
    rounds: int


def pages_of(service: RecordsService, orders: int) -> dict[str, Callable[[], Awaitable[RecordPageView]]]:
    """The pages by name; of the orders the first hundred and the last are far from each other."""

    def page(window: Window, wanted: RecordFilter = ALL) -> Callable[[], Awaitable[RecordPageView]]:
        return lambda: service.page("orders", Scope(), window, now=utc_now(), wanted=wanted)

    return {
        "the first": page(Window(most=_PAGE)),
        "far down": page(Window(most=_PAGE, after=f"ORD-{orders - _PAGE - 1:07}")),
        "with problems": page(Window(most=_PAGE), RecordFilter(with_problems=True)),
        "by a text that one has": page(Window(most=_PAGE, search=f"Customer {orders - 7}")),
        "by a text that none has": page(Window(most=_PAGE, search="no such text")),
    }


async def bare(place: Place, orders: int, rounds: int) -> Times:
    """Fifty rows from the middle on, each time by a plain statement."""
    engine = sa.create_engine(place.url.replace("postgresql://", "postgresql+psycopg://") or f"sqlite:///{place.file}")
    read = sa.text("SELECT data FROM daper_orders WHERE position > :p ORDER BY position LIMIT :n")
    took: list[float] = []
    with engine.connect() as connection:
        for _ in range(rounds):
            at = time.perf_counter()
            connection.execute(read, {"p": orders // 2, "n": _PAGE}).all()
            took.append(time.perf_counter() - at)
    engine.dispose()
    return Times.of(took)


async def measure(root: Path, size: Size) -> AsyncGenerator[Table]:
    """Both databases, from the fewest orders on."""
    with open_places(root, _STORES) as places:
        for store in _STORES:
            rows: list[tuple[str, ...]] = []
            fewest: dict[str, Times] = {}
            for orders in size.orders:
                place = places.new(store)
                place.install(BigShop(orders=orders, problems=size.problems))
                service = RecordsService(domains={"orders": place.domain()})
                beside = await bare(place, orders, size.rounds)
                for name, read in pages_of(service, orders).items():
                    took: list[float] = []
                    for _ in range(size.rounds):
                        at = time.perf_counter()
                        await read()
                        took.append(time.perf_counter() - at)
                    times = Times.of(took)
                    least = fewest.setdefault(name, times)
                    told = (f"{orders:,}: {name}", ms(times.p50), ms(times.p99), ms(beside.p50))
                    rows.append((*told, ratio(times.p50, least.p50)))
            yield Table(
                about=f"{NAMES[store]}: {size.problems} of the orders have a problem, the others are closed; "
                f"each page of {_PAGE} read {size.rounds} times, one at a time.",
                columns=("orders: page", "p50", "p99", "bare, p50", "of the fewest orders"),
                rows=tuple(rows),
            )


if __name__ == "__main__":
    Measurement(
        about=__doc__ or "",
        measure=measure,
        whole=Size(orders=(10_000, 100_000, 1_000_000), problems=500, rounds=20),
        quick=Size(orders=(100, 700), problems=8, rounds=2),
    ).main()
