"""A shop of generated cases: each kind of case so many times, in an order that tells nothing. Pure."""

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Final

from daper.core.cases import CaseSet, CaseSort
from daper.core.errors import UserError
from daper.domains.orders.cases import clean, delays, notes, payment, permits, several, shelves, unknowable, vocabulary
from daper.domains.orders.cases.desk import AS_OF, Desk, Writer, Written
from daper.domains.orders.changes import refresh_summary
from daper.domains.orders.counterparty import SIMULATED
from daper.domains.orders.world import ORDERS_FILE, STOCK_FILE, Raw
from daper.ports.store import StoreAbout
from daper.stores import jsontext

DATASET: Final = "evaluation"
MOST_PER_KIND: Final = 6  # more would be more problems than one repair takes on
ABOUT: Final = StoreAbout(dataset=DATASET, as_of=AS_OF, counterparty=SIMULATED)
WRITERS: Final[Mapping[CaseSort, tuple[Writer, ...]]] = {
    CaseSort.FAULT: (*payment.KINDS, *shelves.KINDS, *permits.KINDS, *delays.KINDS),
    CaseSort.SEVERAL: several.KINDS,
    CaseSort.INJECTED: notes.INJECTED,
    CaseSort.AMBIGUOUS: notes.AMBIGUOUS,
    CaseSort.CLEAN: clean.KINDS,
    CaseSort.UNKNOWABLE: unknowable.KINDS,
}


@dataclass(frozen=True, kw_only=True)
class CaseShop:
    """The files of a shop, and what is right for each of its orders."""

    texts: Mapping[str, str]
    cases: CaseSet


def kind_of(writer: Writer) -> str:
    """The name of a kind of case."""
    return writer.__name__.replace("_", "-")


KINDS: Final = {kind_of(writer): (sort, writer) for sort, writers in WRITERS.items() for writer in writers}


def case_shop(*, seed: int, per_kind: int = 1, kinds: Collection[str] = ()) -> CaseShop:
    """The shop for a seed; `kinds`: only these. Raises UserError for an unknown kind, or a number out of range."""
    _refuse(per_kind, kinds)
    slots = [(kind, variant) for kind in KINDS for variant in range(per_kind)]
    customers = [" ".join(names) for names in product(vocabulary.FIRST_NAMES, vocabulary.SURNAMES)]
    # The place of an order says nothing of its kind, and a case stays the same whichever others are wanted.
    shuffled = random.Random(f"{seed}/places")  # noqa: S311 - the same for the same seed, and nothing secret
    shuffled.shuffle(slots)
    shuffled.shuffle(customers)
    written: list[tuple[Written, list[Raw]]] = []
    for number, ((kind, variant), customer) in enumerate(zip(slots, customers, strict=False), start=1):
        if not kinds or kind in kinds:
            written.append(_write(kind, variant, seed=seed, number=number, customer=customer))
    orders = [order for cases, _ in written for order, _ in cases]
    rows = [row for _, rows in written for row in rows]
    found = CaseSet(
        name=DATASET, seed=seed, per_kind=per_kind, cases=tuple(case for cases, _ in written for _, case in cases)
    )
    return CaseShop(texts=_texts(orders, rows), cases=found)


def _refuse(per_kind: int, kinds: Collection[str]) -> None:
    if not 1 <= per_kind <= MOST_PER_KIND:
        raise UserError(f"{per_kind} cases of each kind cannot be made; from 1 to {MOST_PER_KIND} can")
    strange = sorted(set(kinds) - set(KINDS))
    if strange:
        raise UserError(f"there is no kind of case {strange[0]!r}; there are: {', '.join(KINDS)}")


def _write(kind: str, variant: int, *, seed: int, number: int, customer: str) -> tuple[Written, list[Raw]]:
    sort, writer = KINDS[kind]
    rng = random.Random(f"{seed}/{kind}/{variant}")  # noqa: S311 - the same for the same seed, and nothing secret
    desk = Desk(rng=rng, number=number, customer=customer, kind=kind, sort=sort)
    return writer(desk), desk.rows


def _texts(orders: list[Raw], rows: list[Raw]) -> dict[str, str]:
    amounts = {"total_revenue": Decimal(0), "average_order_value": Decimal(0)}
    summary: Raw = {"total_orders": 0, "orders_by_status": {}, **amounts}
    documents: dict[str, Raw] = {
        ORDERS_FILE: {"orders": orders, "order_summary": summary},
        STOCK_FILE: {"inventory": rows},
    }
    refresh_summary(documents)
    return {name: jsontext.dump(document).decode() for name, document in documents.items()}
