"""What a domain may offer besides: generated cases, on which its agents can be evaluated."""

from collections.abc import Collection
from typing import Protocol, runtime_checkable

from daper.core.cases import CaseSet


@runtime_checkable
class Evaluable(Protocol):
    """A domain that can fill a new store with cases, of each of which it knows what is right."""

    async def install_cases(self, *, seed: int, per_kind: int = 1, kinds: Collection[str] = ()) -> CaseSet:
        """Fill the store, which must be new, with so many cases of each kind, or of the named `kinds` alone.

        The same arguments make the same records. Raises UserError, and does nothing, where there are records already,
        for a kind that there is not, and for more cases than one repair can take on.
        """
        ...
