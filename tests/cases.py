"""Tables of cases, of which some are enough to see that the way through works; the others run with the long tests."""

from collections.abc import Collection, Mapping
from typing import cast

import pytest


def cases(table: Mapping[str, object], *, quick: Collection[str]) -> list[pytest.ParameterSet]:
    """Each case under its name; those that are not `quick` are `long`. A tuple holds a value for each argument."""
    assert set(quick) <= set(table), f"no such cases: {set(quick) - set(table)}"
    return [
        pytest.param(*_values(case), id=name, marks=() if name in quick else (pytest.mark.long,))
        for name, case in table.items()
    ]


def _values(case: object) -> tuple[object, ...]:
    return cast(tuple[object, ...], case) if isinstance(case, tuple) else (case,)
