"""What is wrong with the shape of a file: it is no TOML, or a key is unknown, missing or not right."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from pydantic import ValidationError

from daper.core.text import shown
from daper.domains.declared.document import (
    TOOL_KINDS,
    ArgumentSection,
    DomainDocument,
)
from daper.domains.declared.file import Fault
from daper.domains.declared.positions import Position, Positions

_WHERE: Final = re.compile(r"\(at line (\d+), column (\d+)\)")


def not_toml(error: tomllib.TOMLDecodeError, text: str) -> Fault:
    """Where a text stops being TOML, and why."""
    found = _WHERE.search(str(error))
    said = _WHERE.sub("", str(error)).strip()
    if said == "Cannot overwrite a value":
        said = "this key is there already; take one of them out"
    if found is None:
        return Fault(Position(text.count("\n") + 1), f"it is not TOML: {said}")
    return Fault(Position(int(found[1]), int(found[2])), f"it is not TOML: {said}")


def misfits(error: ValidationError, at: Positions, parsed: Mapping[str, Any]) -> Iterator[Fault]:
    """Each key that is unknown, missing or not right, with its value and what would be."""
    for each in error.errors(include_url=False):
        path = list(each["loc"])
        name = str(path[-1]) if path else ""
        known = _keys_at(path[:-1])
        path = [part for part in path if part not in TOOL_KINDS]
        match each["type"]:
            case "extra_forbidden":
                yield Fault(at.key(path), f"{dotted(path)} is no key here{meant(str(path[-1]), known)}")
            case "missing":
                yield Fault(at.key(path[:-1]), f"{dotted(path)} is missing: {_WHAT.get(name, 'it is needed')}")
            case _:
                told = "not right (not shown)" if _NEVER_SHOWN & set(path) else _value(parsed, path)
                yield Fault(at.key(path), f"{dotted(path)} is {told}: {_right(each)}")


def meant(name: str, names: list[str]) -> str:
    """Which of the names somebody meant, or else all of them, to be put behind a sentence."""
    near = get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(names)}" if names else ""


def _keys_at(path: list[str | int]) -> list[str]:
    kind: Any = DomainDocument
    for part in path:
        if isinstance(part, int):
            continue
        if part in TOOL_KINDS:
            kind = TOOL_KINDS[part]
            continue
        known = getattr(kind, "model_fields", {}).get(part)
        if known is None:
            return list(ArgumentSection.model_fields) if "args" in path else []
        kind = known.annotation
        inner = getattr(kind, "__args__", ())
        if part == "tool":  # which of them, the next part says
            continue
        kind = next((each for each in inner if hasattr(each, "model_fields")), kind)
    return list(getattr(kind, "model_fields", {}))


def dotted(path: list[str | int]) -> str:
    """A key as people write it, counted from 1, in quotes."""
    said = ""
    for part in path:
        said += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if said else part
    return repr(said)


def _value(parsed: Mapping[str, Any], path: list[str | int]) -> str:
    found: Any = parsed
    for part in path:
        try:
            found = found[part]
        except (KeyError, IndexError, TypeError):
            return "not right"
    return shown(repr(found), longest=60)


# Any: what pydantic says of an error.
def _right(error: Any) -> str:
    told = str(error["msg"]).removeprefix("Value error, ")
    match error["type"]:
        case "string_pattern_mismatch":
            return _PATTERNS.get(str(error["loc"][-1]), f"it must be like {error['ctx']['pattern']}")
        case "enum":
            return f"it must be {error['ctx']['expected']}"
        case "greater_than_equal" | "less_than_equal":
            least = error["type"] == "greater_than_equal"
            return f"it must be {'at least' if least else 'at most'} {error['ctx']['ge' if least else 'le']}"
        case "string_too_long" | "string_too_short":
            some = "max_length" in error["ctx"]
            return f"it may have {error['ctx']['max_length']} characters" if some else "it must say something"
        case "too_long" | "too_short":
            of = error["loc"][-1]
            if of == "between":
                return "it must be two whole numbers, as in [1, 10]"
            return (
                f"it may have {error['ctx']['max_length']} of them"
                if "max_length" in error["ctx"]
                else "name at least one"
            )
        case found if found in _KINDS:
            return f"it must be {_KINDS[found]}"
        case _:
            return f"it {told}" if told.startswith("must") else told[:1].lower() + told[1:]


_KINDS: Final = {
    "string_type": 'a text in quotes, as in "text"',
    "int_type": "a whole number, without quotes",
    "bool_type": "true or false, without quotes",
    "tuple_type": 'a list, as in ["one", "two"]',
    "dict_type": 'names with values, as in { name = "value" }',
    "model_type": "a table: names with values",
    "invalid-json-value": "a text, a number, true, false, or a list of those",
}
_NEVER_SHOWN: Final = frozenset({"database", "writer", "value", "headers"})  # it may be or have a password
_PATTERNS: Final = {
    "name": "it must be small letters, digits, - and _, and begin with a letter",
    "kind": "it must be small letters, digits, - and _, and begin with a letter",
    "database": 'it must name a variable, as in "env:PAYMENTS_URL"; an address itself has a password in it',
    "writer": 'it must name a variable, as in "env:PAYMENTS_WRITER_URL"; an address itself has a password in it',
    "table": "it must be the name of one table, as in payments or billing.payments",
    "value": 'it must name a variable, as in "env:PAYMENTS_TOKEN"; a secret itself never stands in a file',
    "header": "it must be the name of a header, as in Authorization",
    "key_header": "it must be the name of a header, as in Idempotency-Key",
    "prefix": "it must be plain characters in one line",
}
_WHAT: Final = {
    "domain": "a table [domain] with name, about and database",
    "records": "a table [records] with sql and key",
    "rule": "at least one [[rule]] with kind, when and issue",
    "name": "what it is called",
    "about": "a sentence that says what its records are",
    "database": 'the variable that has its URL, as in "env:PAYMENTS_URL"',
    "sql": "one SELECT that gives the records",
    "key": "the column with their id",
    "kind": "what the problem is called",
    "issue": "a sentence that says what is wrong",
    "does": "a sentence that says what the tool does",
    "risk": "low, medium or high",
    "table": "the table that it writes",
    "set": "the columns that it sets, each to an expression; or a table [tool.http], or [tool.sql]",
    "url": "the address that is asked, as in https://host/payments/{id}/retry",
    "happened": "CEL over status and a, the JSON of the answer, that says that it was done",
    "value": 'the variable that has the secret, as in "env:PAYMENTS_TOKEN"',
    "run": "one UPDATE or INSERT with :id, the key of the record",
    "preview": "a SELECT that shows what would change, by the key of the record",
    "row": 'columns and their values, as in { status = "failed" }',
}
