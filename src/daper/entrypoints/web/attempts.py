"""How often somebody may try to sign in: who is wrong too often from one address waits, also with what is right."""

import ipaddress
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from daper.clock import ticks

MOST: Final = 10
WITHIN_S: Final = 60.0
_ADDRESSES: Final = 10_000
_NETWORK: Final = 64  # of IPv6, the addresses that one person has


class Attempts:
    """The wrong ones of the last minute, by address; of the addresses, those that tried last."""

    def __init__(self, *, now: Callable[[], float] = ticks) -> None:
        self._now = now
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    @property
    def known(self) -> int:
        """How many addresses are remembered."""
        return len(self._wrong)

    def wait(self, address: str) -> float:
        """For how many seconds nothing that comes from there is looked at; 0 where it is."""
        wrong = self._of(_counted(address))
        return WITHIN_S - (self._now() - wrong[0]) if len(wrong) >= MOST else 0.0

    def wrong(self, address: str) -> None:
        """Something wrong came from there; or it counts as wrong until it is known to be right."""
        counted = _counted(address)
        times = self._of(counted)
        times.append(self._now())
        self._wrong[counted] = times
        self._wrong.move_to_end(counted)
        if len(self._wrong) > _ADDRESSES:
            self._wrong.popitem(last=False)

    def right(self, address: str) -> None:
        """What came last from there, and was counted, was right."""
        if times := self._of(_counted(address)):
            times.pop()

    def _of(self, counted: str) -> deque[float]:
        times = self._wrong.get(counted, deque[float](maxlen=MOST))
        while times and times[0] <= self._now() - WITHIN_S:
            times.popleft()
        return times


def _counted(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((found, _NETWORK), strict=False))
    return address
