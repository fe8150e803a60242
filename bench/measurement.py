"""A bench as a program: its sizes as options, `--quick`, a home that goes away, a bound, and what it prints."""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, cast

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

from bench import machine
from bench.figures import Table
from daper.entrypoints.cli.exits import leave

# A frozen dataclass with one field for each option: int, float, bool, or a tuple of int or of str.
Size = TypeVar("Size", bound="DataclassInstance")

# Beyond, something hangs: no machine that has other work is that slow.
WITHIN_S = 3600


@dataclass(frozen=True, kw_only=True)
class Measurement(Generic[Size]):
    """What is measured, and how much of it.

    `measure` works in a folder that goes away, and yields each table as soon as it is known.
    """

    about: str
    measure: Callable[[Path, Size], AsyncGenerator[Table]]
    whole: Size
    quick: Size

    def main(self) -> NoReturn:
        """Measure what the command line says, print it as Markdown, and end the process."""
        size = self._asked()
        began, load = time.perf_counter(), machine.load()
        print(machine.told(), flush=True)
        with tempfile.TemporaryDirectory(prefix="daper-bench-") as folder:
            asyncio.run(self._print(Path(folder), size))
        took = time.perf_counter() - began
        print(f"\nIt took {took:.0f} s. The load average was {load:.1f} before, and {machine.load():.1f} after.")
        leave(0)

    async def _print(self, root: Path, size: Size) -> None:
        async with asyncio.timeout(WITHIN_S):
            async for table in self.measure(root, size):
                print(f"\n{table}", flush=True)

    def _asked(self) -> Size:
        parser = argparse.ArgumentParser(description=self.about)
        parser.add_argument("--quick", action="store_true", help="a few of each: shows that it runs, and no more")
        for name, value in _values(self.whole).items():
            parser.add_argument(f"--{name.replace('_', '-')}", default=None, **_kind(value))
        given = vars(parser.parse_args())
        size = self.quick if given.pop("quick") else self.whole
        return replace(size, **{name: value for name, value in given.items() if value is not None})


# Any: a size's values, and what argparse wants to know of one.
def _values(size: "DataclassInstance") -> Mapping[str, Any]:
    return {field.name: getattr(size, field.name) for field in fields(size)}


def _kind(value: object) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"action": argparse.BooleanOptionalAction}
    if isinstance(value, tuple):
        several = cast("tuple[int, ...] | tuple[str, ...]", value)
        kind, shown = type(several[0]), " ".join(map(str, several))
        return {"type": kind, "nargs": "+", "action": _Tuple, "help": f"{shown} by default"}
    return {"type": type(value), "help": f"{value} by default"}


class _Tuple(argparse.Action):
    """Several values, as a size has them."""

    # Any: argparse's own signature.
    def __call__(self, parser: object, namespace: argparse.Namespace, values: Any, option: str | None = None) -> None:
        setattr(namespace, self.dest, tuple(values))
