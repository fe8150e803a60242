"""The schema of a tool's arguments as clients hand it to models: the few keywords that every API takes.

What a schema does not say is checked all the same when a tool is called, and refused in a sentence.
"""

from collections.abc import Mapping
from typing import Any, Final, cast

# Any, here and below: schemas are documents.
_KEPT: Final = ("type", "description", "enum", "minimum", "maximum", "minItems", "required")


def published(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema of pydantic's in plain words: without titles, lengths and null; a default is told in the description.

    Null and blank count as not given, so nobody has to send them, and no blank default has to be told.
    """
    one = _without_null(schema)
    kept = {key: one[key] for key in _KEPT if key in one}
    if one.get("default"):  # some APIs drop the keyword, and some refuse it
        kept["description"] = f"{kept['description']} Not given: {one['default']}."
    if "items" in one:
        kept["items"] = published(one["items"])
    if "properties" in one:
        properties = cast("Mapping[str, Mapping[str, Any]]", one["properties"])
        kept["properties"] = {name: published(each) for name, each in properties.items()}
        kept["additionalProperties"] = False
    return kept


def untitled(schema: Any) -> Any:
    """A schema without the titles that pydantic makes of names; else as it is."""
    if isinstance(schema, list):
        return [untitled(each) for each in cast("list[Any]", schema)]
    if not isinstance(schema, Mapping):
        return schema
    parts = cast("Mapping[str, Any]", schema)
    return {
        key: {name: untitled(each) for name, each in value.items()}
        if key in {"properties", "$defs"}
        else untitled(value)
        for key, value in parts.items()
        if not (key == "title" and isinstance(value, str))
    }


def _without_null(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    some = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    return {**some[0], **schema} if len(some) == 1 else schema
