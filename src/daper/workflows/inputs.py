"""What somebody sent to a handler of a workflow: anything at all. It is read here, and refused in a sentence.

A handler that takes a model is given what does not fit it by nobody: the SDK answers, or drops it, in words of its own.
So ours take whatever comes. Nothing is written to the history for what a validator refuses.
"""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_json

from daper.core.errors import DecisionRefused, UserError
from daper.core.models import Decision
from daper.core.text import shown

M = TypeVar("M", bound=BaseModel)


def sent(given: Sequence[object], model: type[M]) -> M | None:
    """The one input, read as it crosses Temporal; None where there is none, or it is null. Raises UserError."""
    if len(given) > 1:
        raise UserError(f"this takes one input, a {model.__name__}, and {len(given)} came")
    if not given or given[0] is None:
        return None
    try:
        # As JSON: so a text may be a time or a number, as it would be if the SDK had read it.
        return TypeAdapter(model).validate_json(to_json(given[0], inf_nan_mode="constants"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = shown(".".join(str(part) for part in first["loc"]) or "all of it")
        raise UserError(f"the input is no {model.__name__}: {where}: {shown(first['msg'], longest=200)}") from None
    except ValueError:  # bytes that are no text
        raise UserError(f"the input is no {model.__name__}") from None


def decision_sent(given: Sequence[object]) -> Decision:
    """Raises DecisionRefused for what is none."""
    try:
        decision = sent(given, Decision)
    except UserError as error:
        raise DecisionRefused(str(error)) from None
    if decision is None:
        raise DecisionRefused("the input is no Decision: there is none, or it is null")
    return decision


def text_sent(given: Sequence[object]) -> str:
    """The one input, which must be text; empty where there is none. Raises UserError."""
    if len(given) > 1 or (given and not isinstance(given[0], str | None)):
        raise UserError("this takes one input, a text")
    return str(given[0] or "") if given else ""
