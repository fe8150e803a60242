"""TOML files that people write, checked by a model: what is wrong is one line with key, value and what would be right.

A model says of each of its fields, as `description`, what it must be. A field with `repr=False` may hold a secret or an
address, and is never shown.
"""

import difflib
import errno
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from daper.adapters.regular_file import read_if_there
from daper.core.errors import SettingError
from daper.settings.secrecy import masked_closely

FOLDER: Final = "folder"

_TYPE: Final = "type"
_MISSING: Final = "key_missing"
_WRONG: Final = "wrong"
_LONGEST: Final = 60

Document = TypeVar("Document", bound=BaseModel)


def toml_number(value: object) -> object:
    """A TOML number; pydantic alone would take true for 1, and "5" for 5."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("no number")  # noqa: TRY004 - pydantic tells a ValueError in its own words
    return value


def toml_text(value: object) -> object:
    """A TOML text, and nothing that could be turned into one."""
    if not isinstance(value, str):
        raise ValueError("no text")  # noqa: TRY004 - pydantic tells a ValueError in its own words
    return value


Number = Annotated[Decimal, BeforeValidator(toml_number)]
Count = Annotated[int, BeforeValidator(toml_number)]
Text = Annotated[str, BeforeValidator(toml_text)]


def missing(key: str) -> PydanticCustomError:
    """What a validator of a model raises where a key is needed because of another one."""
    return PydanticCustomError(_MISSING, "is missing", {"key": key})


def wrong(sentence: str) -> PydanticCustomError:
    """What a validator of a model raises where a sentence of its own says more than what one key must be."""
    return PydanticCustomError(_WRONG, "{sentence}", {"sentence": sentence})


def read_toml(path: Path, model: type[Document], *, what: str, variable: str) -> Document:
    """The file as a model; validators find its folder in their context, as `FOLDER`.

    Raises SettingError: one line that names `what` it is, the file, the key, the value and what would be right.
    """
    document = _parsed(path, what, variable)
    try:
        return model.model_validate(document, context={FOLDER: path.parent})
    except ValidationError as error:
        found = error.errors(include_url=False)
    # A key that is written wrong is also missing where it belongs: the first says more.
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    raise SettingError(f"{what} {str(path)!r}: {_told(model, first)}")


def _parsed(path: Path, what: str, variable: str) -> dict[str, object]:
    import tomllib  # 20 ms that those without such a file need not pay

    try:
        data = read_if_there(path)
        if data is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return tomllib.loads(data.decode("utf-8-sig"), parse_float=Decimal)
    except OSError as error:
        raise SettingError(
            f"cannot read {what} {str(path)!r}: {error.strerror}; mend it or remove it, or name another in {variable}"
        ) from error
    except UnicodeError as error:
        raise SettingError(f"{what} {str(path)!r} is not UTF-8 text; save it as that") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingError(f"{what} {str(path)!r} is not TOML: {str(error) or 'nested too deep'}") from error


@dataclass
class _Place:
    """Where in a file something is wrong: `table`, whose key it is; what would be right; whether the value is shown."""

    table: type[BaseModel]
    path: list[str] = field(default_factory=list[str])
    right: str = ""
    shown: bool = True
    # What a model may hold has no common type: a class, or what typing makes of several.
    kind: Any = None
    key_kind: Any = None

    def __post_init__(self) -> None:
        self.kind = self.table

    def enter(self, part: str | int) -> None:
        """Go on by one part of pydantic's place."""
        kind = _bare(self.kind)
        if part == "[key]":
            self._described(self.key_kind)
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            self._key(kind, str(part))
        elif get_origin(kind) is dict:
            self.path.append(_as_key(str(part)))
            self.key_kind, self.kind = get_args(kind)
            self._described(self.kind)
        elif get_origin(kind) in (Union, UnionType):  # by the `type` of a table, which stands in no path
            self.kind = self.table = next(each for each in get_args(kind) if part in _tags(each))
        else:
            self.path.append(str(part))
            self.kind = next(iter(get_args(kind)), None)

    def _key(self, table: type[BaseModel], key: str) -> None:
        self.table = table
        self.path.append(_as_key(key))
        known = keys_of(table).get(key)
        if known is not None:
            self.right, self.shown = known.description or self.right, self.shown and known.repr
            self.kind = known.annotation

    def _described(self, kind: Any) -> None:
        for note in getattr(kind, "__metadata__", ()):
            if isinstance(note, FieldInfo) and note.description:
                self.right = note.description

    def says(self, there: str) -> str:
        return f"{'.'.join(self.path)} {there}; it must be {self.right}"


def keys_of(table: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """The keys of a table, as they are written."""
    return {known.alias or name: known for name, known in table.model_fields.items()}


def _told(model: type[BaseModel], error: ErrorDetails) -> str:
    """What is wrong with one key, in one line."""
    place, given, more = _Place(model), error["input"], error.get("ctx", {})
    for part in error["loc"]:
        place.enter(part)
    match error["type"]:
        case "extra_forbidden":
            return _unknown(place, str(error["loc"][-1]))
        case "union_tag_invalid" | "union_tag_not_found":
            place.path.append(_TYPE)
            place.right = " or ".join(tag for each in get_args(_bare(place.kind)) for tag in _tags(each))
            return place.says(f"is {_value(given[_TYPE])}" if _TYPE in given else "is missing")
        case "missing":
            return place.says("is missing")
        case _ if error["type"] == _MISSING:
            place.enter(more["key"])
            return place.says("is missing")
        case _ if error["type"] == _WRONG:
            return error["msg"]
        case _ if error["loc"][-1] == "[key]":
            return place.says("is no name")
        case _:
            return place.says(f"is {_value(given)}" if place.shown else "is wrong (not shown)")


def _unknown(place: _Place, key: str) -> str:
    known, table = list(keys_of(place.table)), ".".join(place.path[:-1])
    if f"{key}_env" in known:
        at = ".".join(place.path)
        return (
            f"{at} would hold a secret, and none belongs there (not shown); "
            f"put it into a variable, and name that in {at}_env"
        )
    what = f"[{table}] has no key {key[:_LONGEST]!r}" if table else f"there is no section or key {key[:_LONGEST]!r}"
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    return f"{what}; " + (f"did you mean {near[0]!r}? " if near else "") + f"there are: {', '.join(known)}"


def _bare(kind: Any) -> Any:
    """A kind without what is noted beside it, and without None as another choice."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        some = [each for each in get_args(kind) if each is not NoneType]
        return _bare(some[0]) if len(some) == 1 else kind
    return kind


def _tags(table: type[BaseModel]) -> tuple[str, ...]:
    return get_args(table.model_fields[_TYPE].annotation)


def _as_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", key) else repr(key[:_LONGEST])


def _value(value: object) -> str:
    shown = str(value).lower() if isinstance(value, bool) else repr(value)
    shown = masked_closely(re.sub(r"Decimal\('([^']*)'\)", r"\1", shown))
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."
