"""Reads what a request says, strictly: what is not in the model is refused, and nothing is taken for something else."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn, TypeVar, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from starlette.datastructures import QueryParams
from starlette.requests import Request

from daper.core.base import Reply
from daper.core.text import visible
from daper.entrypoints.web.api.operations import JSON
from daper.entrypoints.web.api.problems import Kind, Misfit, Refusal

MOST_BYTES: Final = 1024 * 1024
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")
_EXACT: Final = 2**53
_LOGIC: Final = {"true": True, "false": False}

M = TypeVar("M", bound=Reply)


def read_query(given: QueryParams, model: type[M]) -> M:
    """The query. A name given twice is refused, unless there may be several. Raises Refusal."""
    said: dict[str, object] = {}
    for name in given:
        values = given.getlist(name)
        field = model.model_fields.get(name)
        if field is not None and _is_many(field):
            said[name] = values
        else:
            said[name] = _value(values[0], field) if len(values) == 1 else values
    return _fitted(json.dumps(said), model, where="query")


async def read_body(request: Request, model: type[M], *, needed: bool) -> M:
    """The body. Raises Refusal: also for a name that stands in it twice, which each reader would take otherwise."""
    return fitted_body(request, await bytes_of(request), model, needed=needed)


def fitted_body(request: Request, text: bytes, model: type[M], *, needed: bool) -> M:
    """The same, of what was read already."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != JSON and (text or media):
        raise Refusal(Kind.OTHER_MEDIA, f"the body is {visible(media, longest=100) or 'of no type'}; send {JSON}")
    if not text and not needed:
        return model()
    try:
        said = json.loads(text, object_pairs_hook=_each_once, parse_constant=_no_number, parse_float=_number)
    except (ValueError, RecursionError) as error:
        raise Refusal(Kind.NOT_JSON, f"the body cannot be read as JSON: {visible(error, longest=200)}") from None
    return _fitted(json.dumps(said), model, where="body")


def _fitted(text: str, model: type[M], *, where: str) -> M:
    try:
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        misfits = tuple(
            Misfit(
                where=visible(".".join((where, *map(str, each["loc"]))), longest=200),
                why=visible(each["msg"], longest=300),
            )
            for each in error.errors(include_url=False, include_input=False, include_context=False)[:20]
        )
        detail = "; ".join(f"{each.where}: {each.why}" for each in misfits[:5])
        raise Refusal(Kind.DOES_NOT_FIT, detail, misfits=misfits) from None


async def bytes_of(request: Request) -> bytes:
    """The body as it came. Raises Refusal where it is too long."""
    text = b""
    async for chunk in request.stream():
        text += chunk
        if len(text) > MOST_BYTES:
            raise Refusal(
                Kind.TOO_LONG, f"the body has more than {MOST_BYTES:,} bytes", headers={"connection": "close"}
            )
    return text


def _is_many(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is tuple


def _value(text: str, field: FieldInfo | None) -> object:
    """A value as JSON has it: only what reads as one is a number or a truth value."""
    kinds = (field.annotation, *get_args(field.annotation)) if field is not None else ()
    if bool in kinds:
        return _LOGIC.get(text, text)
    if int in kinds and _INTEGER.fullmatch(text):
        return int(text)
    return text


# Any: as the JSON reader hands it over.
def _each_once(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, _ in pairs if sum(name == other for other, _ in pairs) > 1)
        raise ValueError(f"{twice!r} stands twice in one object")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _number(text: str) -> float | int:
    """1.0 is an integer, as JSON Schema has it."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return int(number) if number.is_integer() and abs(number) < _EXACT else number
