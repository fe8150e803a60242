"""What is sent to an outside system: an address and a body with values of a record, which stay no more than that.

The host is written in the file. A value is one segment of a path, one piece of a query, or a value of JSON: what it
holds is never looked through again, and what could be taken for something else is refused.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Any, Final, cast
from urllib.parse import quote, urlsplit
from uuid import UUID

from daper.core.errors import UserError
from daper.core.text import shown, visible
from daper.core.urls import is_web_address, masked_url
from daper.domains.declared.document import HttpSection
from daper.domains.declared.expressions import MissingColumn
from daper.domains.declared.wording import named_in, replaced
from daper.stores.rows.values import shown_value

KEY: Final = "key"
"""In braces, it is the key of the action and no column."""

LONGEST_ADDRESS: Final = 4000
LARGEST_BODY: Final = 64 * 1024
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_ONE: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_STEPS: Final = frozenset({"", ".", ".."})
_SCHEMES: Final = frozenset({"https", "http"})
_ENCODED: Final = frozenset('\\"<>^`|')
_HIGHEST_PORT: Final = 65535
_BREAKS: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})  # controls, halves of characters, ends of lines


class CannotSend(UserError):
    """A value of a record or an argument is not to be sent; says which, and why."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request as it is sent. `headers` may hold a secret, so that they are not shown."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


def address_flaw(template: str) -> str:
    """What is wrong with an address that has values in braces, and what would be right; nothing where it is right."""
    try:
        named_in(template)
    except ValueError as error:
        return str(error)
    if why := _not_written(template) or _not_asked(template):
        return why
    if not is_web_address(template):
        return "it must be an address as in https://host/path, all else in it percent-encoded"
    if set(urlsplit(template).netloc) & {"{", "}", "%"}:
        return "the host is written, and is never of a record: write it without braces and %"
    if "#" in template:
        return "what is behind a # is not sent; write %23 for one, or take it out"
    return ""


def told_address(template: str) -> str:
    """An address as its file has it, for a message: a name and a password in it stay unsaid."""
    return visible(masked_url(template), longest=200)


def _not_written(template: str) -> str:
    """Which character has to be written in another way."""
    for char in template:
        if unicodedata.category(char) in _BREAKS or not (char.isprintable() or char.isspace()):
            return f"it has a character that cannot be seen (U+{ord(char):04X}); take it out"
        if char.isspace():
            return f"it has a blank; write {quote(char)} for one"
        if char in _ENCODED or not char.isascii():
            return f"it has '{char}'; write {quote(char)} for it"
    return ""


def _not_asked(template: str) -> str:
    """Why its scheme, host or port is none to which something is sent."""
    scheme, mark, rest = template.partition("://")
    if not mark:
        return f"it has no https:// in front of it; write https://{told_address(template).lstrip('/')}"
    if scheme.lower() not in _SCHEMES:
        return f"it begins with {shown(scheme)}://; it must begin with https:// or http://"
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in host:
        return "a name or password in it would be seen in every plan; take it out, and name its variable in 'secret'"
    if not host or host.startswith(":"):
        return "it names no host: https://host/path"
    return _not_a_port(host) or _unreadable(template)


def _not_a_port(host: str) -> str:
    port = "" if host.endswith("]") else host.partition("]")[2].removeprefix(":") or host.partition(":")[2]
    if not port or {"{", "}"} & set(port):
        return ""
    if not (port.isascii() and port.isdecimal()):
        return "its port is no number, as in https://host:8443/path"
    return f"it has a port over {_HIGHEST_PORT}" if int(port[:9]) > _HIGHEST_PORT else ""


def _unreadable(template: str) -> str:
    try:
        urlsplit(template)
    except ValueError as error:
        return str(error)
    return ""


def is_safe_for_secrets(url: str) -> bool:
    """Whether nobody on the way reads what is sent there."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.hostname or "") in _LOOPBACK


def origin(url: str) -> tuple[str, str, int | None]:
    """Who is asked: scheme, host and port."""
    parts = urlsplit(url)
    usual = 443 if parts.scheme == "https" else 80
    return parts.scheme, (parts.hostname or "").lower(), parts.port or usual


def address(template: str, values: Mapping[str, object]) -> str:
    """The address with these values in it. Raises CannotSend."""
    bare, mark, query = template.partition("?")
    scheme, _, rest = bare.partition("://")
    host, *segments = rest.split("/")
    path = [_segment(each, values) for each in segments] or [""]
    found = f"{scheme}://{host}/{'/'.join(path)}{mark}{replaced(query, lambda name: _quoted(name, values))}"
    if len(found) > LONGEST_ADDRESS:
        raise CannotSend(f"its address would have {len(found):,} characters, and may have {LONGEST_ADDRESS:,}")
    return found


# Any: JSON.
def body(template: Any, values: Mapping[str, object]) -> Any:
    """JSON with these values in its texts; a text that is one name in braces becomes its value. Raises CannotSend."""
    match template:
        case dict():
            return {name: body(each, values) for name, each in cast("dict[str, Any]", template).items()}
        case list():
            return [body(each, values) for each in cast("list[Any]", template)]
        case str() if only := _ONE.fullmatch(template):
            return _json(only[1], _of(only[1], values))
        case str():
            return replaced(template, lambda name: _text(name, _of(name, values)))
        case _:
            return template


def written(content: object) -> bytes:
    """JSON as it is sent. Raises CannotSend."""
    try:
        found = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise CannotSend("its body would be no JSON") from None
    if len(found) > LARGEST_BODY:
        raise CannotSend(f"its body would have {len(found):,} bytes, and may have {LARGEST_BODY:,}")
    return found


def names_of(http: HttpSection) -> frozenset[str]:
    """What it takes of a record, an action and its arguments for the change. Raises ValueError for a lone brace."""
    return frozenset({*named_in(http.url), *(name for text in texts(http.body) for name in named_in(text))})


# Any: JSON.
def texts(template: Any) -> Iterator[str]:
    """Every text in a body, but for the names of its fields."""
    match template:
        case dict():
            for each in cast("dict[str, Any]", template).values():
                yield from texts(each)
        case list():
            for each in cast("list[Any]", template):
                yield from texts(each)
        case str():
            yield template
        case _:
            pass


# Any: JSON.
def leaves(content: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """What a body says, field by field, for the eyes of people."""
    if isinstance(content, dict) and content:
        for name, each in cast("dict[str, Any]", content).items():
            yield from leaves(each, f"{path}.{name}" if path else name)
    else:
        yield path, content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def _segment(template: str, values: Mapping[str, object]) -> str:
    """One segment of a path: no value makes two of it, or one that leads elsewhere."""

    def one(name: str) -> str:
        found = _quoted(name, values)
        if _STEPS & set(re.split(r"[/\\]", _text(name, _of(name, values)))):
            raise CannotSend(f"{name} is empty or leads to another path, and cannot stand in an address")
        return found

    found = replaced(template, one)
    if "{" in template and found in _STEPS:
        raise CannotSend(f"{template} leads to another path, and cannot stand in an address")
    return found


def _quoted(name: str, values: Mapping[str, object]) -> str:
    found = _text(name, _of(name, values))
    if any(unicodedata.category(each) in _BREAKS for each in found):
        raise CannotSend(f"{name} has a line break or another control character, and cannot stand in an address")
    return quote(found, safe="")


def _of(name: str, values: Mapping[str, object]) -> object:
    if name not in values:
        raise CannotSend(str(MissingColumn(name, values, what="column or argument")))
    return values[name]


def _text(name: str, value: object) -> str:
    """A value within a text. Raises CannotSend for one that is none, or empty."""
    match value:
        case None:
            raise CannotSend(f"{name} is empty")
        case bool():
            return "true" if value else "false"
        case int() | str() | Decimal() | date() | datetime() | UUID():
            return str(shown_value(value))
        case float() if isfinite(value):
            return str(value)
        case _:
            raise CannotSend(f"{name} is a {type(value).__name__}, which cannot be sent")


# Any: JSON.
def _json(name: str, value: object) -> Any:
    """A value as JSON: what is exact to the digit goes as a text. Raises CannotSend."""
    match value:
        case None | bool() | int() | str():
            return value
        case list() | tuple():
            return [_json(name, each) for each in cast("list[object]", value)]
        case dict():
            return {str(at): _json(name, each) for at, each in cast("dict[object, object]", value).items()}
        case float() if isfinite(value):
            return value
        case _:
            return _text(name, value)
