"""Parameter types that several commands share, and what is said when what was typed does not fit."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Annotated

from cyclopts import Parameter
from pydantic import ValidationError

from daper.core.errors import UserError
from daper.core.models import DEFAULT_PROBLEMS, MOST_PROBLEMS, Scope
from daper.core.names import distinct, names_in
from daper.core.partition import parse_partition
from daper.core.selections import selections_in
from daper.entrypoints.cli.exits import UsageError

Flag = Annotated[bool, Parameter(negative=(), show_default=False)]
Json = Annotated[bool, Parameter(name="--json", negative=(), show_default=False)]
Names = Annotated[Sequence[str], Parameter(negative=(), show_default=False)]
Comment = Annotated[str, Parameter(show_default=False)]

NONE: Sequence[str] = ()


def named(option: str, given: Sequence[str]) -> tuple[str, ...]:
    """The names given with an option, each once; several may stand in one text, with commas or as a JSON list.

    Raises UsageError for a text that names nothing: left out it would mean all.
    """
    for text in given:
        if not names_in(text):
            raise _names_nothing(option, text)
    return distinct(name for text in given for name in names_in(text))


def selections(option: str, given: Sequence[str]) -> tuple[str, ...]:
    """The selections given with an option; several may stand in one text, with commas or as a JSON list.

    Raises UsageError for a text that names nothing, as `named` does.
    """
    for text in given:
        if not selections_in(text):
            raise _names_nothing(option, text)
    return tuple(each for text in given for each in selections_in(text))


def _names_nothing(option: str, text: str) -> UsageError:
    return UsageError(f"{option} {text!r} names nothing; name something, or leave the option out")


def scope_of(
    *,
    record: Sequence[str] = NONE,
    status: str | None = None,
    partition: str | None = None,
    limit: int = DEFAULT_PROBLEMS,
) -> Scope:
    """Which records a repair looks at, from what was typed. Raises UsageError with what would be right."""
    if not 1 <= limit <= MOST_PROBLEMS:
        raise UsageError(f"--limit {limit} must be from 1 to {MOST_PROBLEMS}")
    named_records = named("--record", record)
    try:
        part = parse_partition(partition, beside=named_records)
    except UserError as error:
        raise UsageError(f"--partition: {error}") from error
    return Scope(record_ids=named_records, status=status, partition=part, limit=limit)


@contextmanager
def said_right() -> Generator[None]:
    """Raises UsageError instead of ValidationError, where what was typed becomes a model."""
    try:
        yield
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{name} is {first['input']!r:.60}: {first['msg']}") from error
