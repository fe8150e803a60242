"""What is wrong with the arguments of a call, in one line: which argument, which value, and what would be right."""

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from daper.core.text import shown
from daper.settings.secrecy import masked_closely

_MOST_TOLD: Final = 3
_LONGEST_VALUE: Final = 80
_LONGEST_LOOKED_AT: Final = 4000  # so much of a value is looked through for keys; less of it is shown
_KINDS: Final = {
    "string_type": "text",
    "dict_type": "an object",
    "list_type": "a list",
    "mapping_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


def why_wrong(error: ValidationError, *, of: str, schema: Mapping[str, Any]) -> str:
    """All that is wrong with a call of `of`, by the schema of its arguments; of much only the first."""
    properties = cast("Mapping[str, Mapping[str, Any]]", schema.get("properties", {}))
    details = error.errors(include_url=False)
    unknown = [str(each["loc"][0]) for each in details if each["type"] == "extra_forbidden"]
    others = [_wrong(each, properties) for each in details if each["type"] != "extra_forbidden"]
    return joined(([unknown_arguments(unknown, of=of, known=list(properties))] if unknown else []) + others)


def joined(sentences: Sequence[str]) -> str:
    """The first of them in one line, and how many more there are."""
    told = "; ".join(sentences[:_MOST_TOLD])
    more = len(sentences) - _MOST_TOLD
    return f"{told}; and {more:,} more" if more > 0 else told


def unknown_arguments(names: Sequence[str], *, of: str, known: Sequence[str]) -> str:
    """That there is no such argument, and which there are."""
    told = ", ".join(quoted(name) for name in names[:_MOST_TOLD])
    more = f" and {len(names) - _MOST_TOLD:,} more" if len(names) > _MOST_TOLD else ""
    near = difflib.get_close_matches(names[0][:_LONGEST_VALUE], known, n=1, cutoff=0.7) if len(names) == 1 else []
    there = f"it takes {', '.join(known)}" if known else "it takes none"
    meant = f"did you mean {near[0]!r}? " if near else ""
    return f"{of} has no argument {told}{more}; {meant}{there}"


def missing_argument(name: str, *, is_what: str = "") -> str:
    """That it has to be given. `is_what`: how its schema explains it."""
    explained = is_what.strip().rstrip(".")
    return f"{name} is not given, and has to be" + (f": {explained[0].lower()}{explained[1:]}" if explained else "")


def quoted(value: object) -> str:
    """Any value, short, with nothing hidden and no key in it."""
    text = json.dumps(value, ensure_ascii=False, default=str)[:_LONGEST_LOOKED_AT]
    return shown(masked_closely(text), longest=_LONGEST_VALUE)


def params_wrong(error: ValidationError) -> str:
    """What is wrong with the parameters of a request itself, before any argument is looked at."""
    return joined([_of_params(each) for each in error.errors(include_url=False)[:1]])


def _of_params(error: ErrorDetails) -> str:
    name = ".".join(str(part) for part in error["loc"] if isinstance(part, str)) or "the request"
    if error["type"] == "missing":
        return missing_argument(shown(name))
    right = _right({}, error)
    return f"{shown(name)} is {quoted(error['input'])}, and has to be {right or 'something else'}"


def _wrong(error: ErrorDetails, properties: Mapping[str, Mapping[str, Any]]) -> str:
    name, *within = [*error["loc"]] or ["the arguments"]
    schema = properties.get(str(name), {})
    if error["type"] == "missing":
        return missing_argument(str(name), is_what=schema.get("description", ""))
    if error["type"] == "value_error":  # one of ours
        return f"{name} {error['ctx']['error']}" if "ctx" in error else f"{name} is wrong"
    place, schema = _entry(str(name), within, schema)
    right = _right(schema, error)
    return f"{place} is {quoted(error['input'])}" + (f", and has to be {right}" if right else ", which it cannot be")


def _entry(name: str, within: Sequence[int | str], schema: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Which part of an argument is meant, and its schema."""
    one = _one(schema)
    if within and isinstance(within[0], int) and "items" in one:
        return f"entry {within[0] + 1} of {name}", one["items"]
    return name, one


def _one(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    some = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    return some[0] if len(some) == 1 else schema


def _right(schema: Mapping[str, Any], error: ErrorDetails) -> str:
    """What would be right, as its schema says; where there is none, as the error does."""
    match schema.get("type"):
        case "string" if "enum" in schema:
            return f"one of {', '.join(each for each in schema['enum'] if each)}"
        case "string":
            return _text(schema.get("minLength", 0), schema.get("maxLength"))
        case "integer":
            return f"a whole number{_bounds(schema.get('minimum'), schema.get('maximum'))}"
        case "boolean":
            return "true or false"
        case "array" if schema["items"].get("type") == "object":
            return f"a list of objects with {_and(schema['items']['properties'])}"
        case "array":
            return f"a list of texts{_entries(schema.get('minItems'), schema.get('maxItems'))}"
        case _:
            ctx = error.get("ctx", {})
            if error["type"] == "string_too_long":
                return _text(0, ctx["max_length"])
            return _KINDS.get(error["type"], "")


def _text(least: int, most: int | None) -> str:
    kind = "text that is not empty" if least else "text"
    return kind if most is None else f"{kind}, of at most {most:,} characters"


def _bounds(least: int | None, most: int | None) -> str:
    if least is not None and most is not None:
        return f" from {least:,} to {most:,}"
    return f" of at least {least:,}" if least is not None else ""


def _entries(least: int | None, most: int | None) -> str:
    if least and most:
        return f", {least:,} to {most:,} of them"
    return f", at most {most:,} of them" if most else ""


def _and(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
