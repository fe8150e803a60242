"""Tables of cases, of which some are enough to see that the way through works; the others run with the long tests."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final, cast

import pytest
from hypothesis import is_hypothesis_test, settings


def cases(table: Mapping[str, object], *, quick: Collection[str]) -> list[pytest.ParameterSet]:
    """Each case under its name; those that are not `quick` are `long`. A tuple holds a value for each argument."""
    assert set(quick) <= set(table), f"no such cases: {set(quick) - set(table)}"
    return [
        pytest.param(*_values(case), id=name, marks=() if name in quick else (pytest.mark.long,))
        for name, case in table.items()
    ]


SERVERS: Final = ("postgresql", "mariadb")


def keep_one_soon(items: Iterable[pytest.Item]) -> None:
    """Of a table that is tried on a server of databases, the first case on each stays; the others become `long`."""
    seen = set[tuple[str, str]]()
    for item in items:
        name, _, case = item.nodeid.partition("[")
        server = next((each for each in SERVERS if each in re.split(r"[\W_]+", case)), None)
        if server is None or item.get_closest_marker("long"):
            continue
        if (name, server) in seen:
            item.add_marker(pytest.mark.long)
        seen.add((name, server))


FEW: Final = 25  # examples
_SETTINGS: Final = "_hypothesis_internal_use_settings"  # where the decorator keeps them


def try_few_soon(items: Iterable[pytest.Item], tier: str) -> None:
    """`make test` tries few examples of what holds for any, `make test-long` all of them; a run of neither, all."""
    for item in items:
        test = getattr(item, "obj", None)
        if not is_hypothesis_test(test) or item.get_closest_marker("long"):
            continue
        test = getattr(test, "__func__", test)
        own: settings = getattr(test, _SETTINGS)
        if own.max_examples <= FEW:
            continue
        if tier == "not long":
            setattr(test, _SETTINGS, settings(own, max_examples=FEW))
        elif tier == "long":
            item.add_marker(pytest.mark.long)


def _values(case: object) -> tuple[object, ...]:
    return cast(tuple[object, ...], case) if isinstance(case, tuple) else (case,)
