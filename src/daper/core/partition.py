"""One part of all records, so that several repairs share what there is to do: the second of four, `2/4`."""

import hashlib
import re
from collections.abc import Collection, Iterable
from typing import Final

from pydantic import Field, model_validator

from daper.core.base import Wire
from daper.core.errors import UserError
from daper.core.text import shown

MOST_PARTITIONS: Final = 1000
_FORM: Final = re.compile(r"([0-9]{1,9}) */ *([0-9]{1,9})")


class Partition(Wire):
    """Part `number` of `of`. A record is in exactly one of them, by its id alone, on every machine."""

    number: int = Field(ge=1, le=MOST_PARTITIONS)
    of: int = Field(ge=1, le=MOST_PARTITIONS)

    @model_validator(mode="after")
    def _refuse_one_that_is_not_there(self) -> "Partition":
        if self.number > self.of:
            raise ValueError(f"there is no part {self.number} of {self.of}")
        return self

    def holds(self, record_id: str) -> bool:
        """Whether the record is in this part."""
        # Never change this: repairs that are open, and schedules, share their records by it.
        place = int.from_bytes(hashlib.sha256(record_id.encode("utf-8", "surrogatepass")).digest()[:8], "big")
        return place % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def within(partition: Partition | None, record_ids: Iterable[str]) -> tuple[str, ...]:
    """Those of the records that are in the part; all of them where there is none."""
    return tuple(each for each in record_ids if partition is None or partition.holds(each))


def parse_partition(text: str | None, *, beside: Collection[str] = ()) -> Partition | None:
    """The part that a text like `1/4` names; None where none is given. Raises UserError with what would be right.

    `beside`: the records that are named; one that is named is looked at, whoever shares, so that there is no part then.
    """
    if text is None:
        return None
    found = _FORM.fullmatch(text.strip())
    number, of = map(int, found.groups()) if found else (0, 0)
    if 1 <= number <= of <= MOST_PARTITIONS:
        if beside:
            raise UserError(f"partition {number}/{of} shares out what a search finds; records that are named need none")
        return Partition(number=number, of=of)
    if 1 < of <= MOST_PARTITIONS:
        named = f"1/{of} and 2/{of}" if of == 2 else f"1/{of}, 2/{of} and so on up to {of}/{of}"
        raise UserError(f"the partition {shown(text)!r} is not there; of {of} parts there are {named}")
    raise UserError(
        f"the partition {shown(text)!r} must be which part of how many, like 1/4 for the first of four; "
        f"there may be {MOST_PARTITIONS:,} parts"
    )
