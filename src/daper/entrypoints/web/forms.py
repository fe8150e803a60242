"""What an address or a form says, parsed once: whatever is wrong with it is told in a sentence."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from daper.core.errors import UserError
from daper.core.models import Scope
from daper.core.partition import parse_partition
from daper.core.text import visible

_LONGEST: Final = 500
_SPANS: Final = {"minutes": timedelta(minutes=1), "hours": timedelta(hours=1), "days": timedelta(days=1)}

ModelT = TypeVar("ModelT", bound=BaseModel)


def asked_line(given: Mapping[str, object], name: str, *, longest: int = _LONGEST) -> str:
    """One line of text; empty where there is none. Raises UserError for more than that."""
    text = given.get(name, "")
    if not isinstance(text, str) or len(text) > longest:
        raise UserError(f"{name} must be a text of at most {longest} characters")
    return text.strip()


def asked_number(given: Mapping[str, object], name: str, otherwise: int) -> int:
    """A whole number. Raises UserError for anything else."""
    text = asked_line(given, name)
    if not text:
        return otherwise
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise UserError(f"{name} must be a whole number; got {visible(text, longest=40)!r}")
    return int(text)


def asked_span(given: Mapping[str, object], name: str, otherwise: timedelta) -> timedelta:
    """A span of time, as a number and its unit in `NAME_unit`: minutes, hours or days. Raises UserError."""
    if not asked_line(given, name):
        return otherwise
    unit = asked_line(given, f"{name}_unit") or "hours"
    if unit not in _SPANS:
        raise UserError(f"{name} is counted in {', '.join(_SPANS)}; got {visible(unit, longest=40)!r}")
    try:
        return asked_number(given, name, 0) * _SPANS[unit]
    except OverflowError:
        raise UserError(f"{name} is longer than a calendar") from None


def asked_ids(given: Mapping[str, object], name: str) -> tuple[str, ...]:
    """Ids, one a line or with commas between them; each once."""
    text = given.get(name, "")
    if not isinstance(text, str):
        raise UserError(f"{name} must be ids, one in a line")
    parts = (part.strip() for line in text.splitlines() for part in line.split(","))
    return tuple(dict.fromkeys(filter(None, parts)))


def asked_scope(
    *, record_ids: Sequence[str] = (), status: str | None = None, partition: str = "", limit: int | None = None
) -> Scope:
    """Which records. Raises UserError for what none can be."""
    part = parse_partition(partition or None, beside=record_ids)
    said = {"record_ids": tuple(record_ids), "status": status, "partition": part}
    return asked_model(Scope, {**said, **({} if limit is None else {"limit": limit})})


def asked_model(model: type[ModelT], said: Mapping[str, object]) -> ModelT:
    """What was asked for, checked. Raises UserError with the first thing that is wrong."""
    try:
        return model.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = " ".join(str(part).replace("_", " ") for part in first["loc"] if not isinstance(part, int))
        raise UserError(f"{where or 'it'}: {first['msg']}") from None
