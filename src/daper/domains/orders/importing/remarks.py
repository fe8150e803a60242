"""Collects what is to be said of the files of an import, each with its place, and no more of it than anybody reads."""

from collections.abc import Mapping
from decimal import Decimal

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from daper.core.text import visible
from daper.ports import ImportNote

MOST_REMARKS = 10_000  # of faults, and of warnings, for each file
_LONGEST_VALUE = 60
_INSTEAD: Mapping[str, str] = {
    "string_type": "must be text",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must not be empty",
    "model_type": "must be an object, {{...}}",
    "tuple_type": "must be a list, [...]",
    "datetime_parsing": "must be a date such as 2025-06-27 or 2025-06-27T16:20:00Z",
    "datetime_from_date_parsing": "must be a date such as 2025-06-27 or 2025-06-27T16:20:00Z",
}


class Remarks:
    """Faults and warnings about one file."""

    def __init__(self, file: str) -> None:
        self.faults: list[ImportNote] = []
        self.warnings: list[ImportNote] = []
        self._file = file

    @property
    def full(self) -> bool:
        """Whether so much is wrong that nothing more is looked for."""
        return len(self.faults) > MOST_REMARKS

    def fault(self, place: str, message: str, *, record: object = "") -> None:
        """Something that makes an import impossible."""
        self._add(self.faults, place, message, record)

    def warn(self, place: str, message: str, *, record: object = "") -> None:
        """Something that a person should know, and that is imported as it is."""
        self._add(self.warnings, place, message, record)

    def faults_of(self, error: ValidationError, *, place: str, record: object) -> None:
        """Everything that does not fit in one row."""
        for each in error.errors(include_url=False):
            self.fault(place + spot(each["loc"]), message_of(each), record=record)

    def _add(self, notes: list[ImportNote], place: str, message: str, record: object) -> None:
        if len(notes) == MOST_REMARKS:
            place, message, record = "", f"has more than {MOST_REMARKS:,} of these; no more were looked for", ""
        if len(notes) <= MOST_REMARKS:
            name = visible(record, longest=_LONGEST_VALUE) if isinstance(record, str) else ""
            notes.append(ImportNote(file=self._file, place=place, message=message, record=name))


def spot(where: tuple[int | str, ...]) -> str:
    """A place within a row: `.items[1].quantity`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where)


def holds(value: object) -> str:
    """What a place holds, as JSON has it, in short."""
    if isinstance(value, dict | list):
        return "holds an object" if isinstance(value, dict) else "holds a list"
    if value is None or isinstance(value, bool):
        return f"holds {str(value).lower().replace('none', 'null')}"
    if isinstance(value, int | Decimal):
        return f"holds {visible(value, longest=_LONGEST_VALUE)}"
    return f"holds '{visible(value, longest=_LONGEST_VALUE)}'"


def message_of(error: ErrorDetails) -> str:
    """What is wrong with one value, after what it holds."""
    if error["type"] == "missing":
        return "is missing"
    wanted = _INSTEAD.get(error["type"], "").format(**error.get("ctx", {})) or error["msg"].removeprefix(
        "Value error, "
    )
    held = error["input"]
    if error["type"] == "string_type" and isinstance(held, int | Decimal):
        wanted += ": put it in quotes"
    if wanted.startswith("must be a number") and isinstance(held, str):
        wanted += ", without quotes"
    return f"{holds(held)}: {wanted}"
