"""What is configured of a worker: where it tells of itself, and how much it takes on."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from daper.core.errors import SettingError
from daper.settings.values import raw, whole_value

ADDRESS: Final = "DAPER_WORKER_ADDRESS"
_OFF: Final = "off"


@dataclass(frozen=True)
class PagesAddress:
    """Where pages of a worker are served: a name or an address of this machine, and a port; 0 is any free one."""

    host: str
    port: int


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """`pages`: where the worker tells of itself, None for nowhere. `at_once`: steps of repairs beside each other."""

    pages: PagesAddress | None = None
    at_once: int = 100


@dataclass(frozen=True, kw_only=True)
class ModelLimits:
    """How many calls of models one worker makes `at_once`; and all workers of a store together, None for any number."""

    at_once: int = 100
    per_minute: int | None = None

    @property
    def per_second(self) -> float | None:
        """The same, as Temporal's server is told it."""
        return None if self.per_minute is None else self.per_minute / 60


def worker_of(values: Mapping[str, str]) -> WorkerSettings:
    """What is configured of the worker itself. Raises SettingError."""
    return WorkerSettings(
        pages=_address(raw(values, ADDRESS)), at_once=whole_value(values, "DAPER_WORKER_AT_ONCE", least=1, most=1000)
    )


def model_limits_of(values: Mapping[str, str]) -> ModelLimits:
    """What is configured of how often models are asked. Raises SettingError."""
    name = "DAPER_LLM_PER_MINUTE"
    return ModelLimits(
        at_once=whole_value(values, "DAPER_LLM_AT_ONCE", least=1, most=1000),
        per_minute=whole_value(values, name, least=1, most=100_000) if raw(values, name) else None,
    )


def _address(value: str) -> PagesAddress | None:
    if value.lower() == _OFF:
        return None
    found = re.fullmatch(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", value)
    if found is None or int(found[2]) > 65535:
        raise SettingError(
            f"{ADDRESS} is {value[:60]!r}; it must be host:port, like 127.0.0.1:9464, or 0.0.0.0:9464 for whoever "
            f"reaches this machine; port 0 for any free one; or {_OFF}"
        )
    return PagesAddress(found[1].strip("[]"), int(found[2]))
