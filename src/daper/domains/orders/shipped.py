"""The data sets that ship with the domain: their texts, and what they say of themselves."""

from datetime import UTC, datetime
from importlib.resources import files

from daper.core.errors import SettingError
from daper.domains.orders.counterparty import SIMULATED
from daper.domains.orders.world import ORDERS_FILE, STOCK_FILE
from daper.ports.store import StoreAbout

DOCUMENTS = (ORDERS_FILE, STOCK_FILE)
_SHIPPED = {
    "hogwarts": StoreAbout(dataset="hogwarts", as_of=datetime(2025, 6, 28, tzinfo=UTC), counterparty=SIMULATED),
    "trouble": StoreAbout(dataset="trouble", as_of=datetime(2025, 11, 1, tzinfo=UTC), counterparty=SIMULATED),
}


def names() -> tuple[str, ...]:
    """The shipped data sets by name."""
    return tuple(sorted(_SHIPPED))


def about(dataset: str) -> StoreAbout:
    """What a shipped data set says of itself. Raises SettingError for a name that none has."""
    if dataset not in _SHIPPED:
        raise SettingError(f"there is no data set {dataset!r}; shipped are: {', '.join(names())}")
    return _SHIPPED[dataset]


def texts(dataset: str) -> dict[str, str]:
    """The files of a shipped data set by name. Raises SettingError for a name that none has."""
    folder = files("daper.domains.orders") / "data" / about(dataset).dataset
    return {name: (folder / name).read_text(encoding="utf-8") for name in DOCUMENTS}
