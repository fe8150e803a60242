"""What an argument of a repair tool may be: the limits that rules, models and people all meet."""

import re
import unicodedata
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from daper.core.base import Wire
from daper.core.digests import canonical
from daper.core.text import visible

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


class Exactly(Wire):
    """The argument comes from the record: one value, nobody may change it."""

    kind: Literal["exactly"] = "exactly"
    value: JsonValue

    def refuses(self, value: JsonValue) -> str | None:
        """Why `value` is outside, or None."""
        if _same(value, self.value):
            return None
        return f"must be {self.value!r}, which the record says; got {_quoted(value)}"


class Between(Wire):
    """A whole number within two bounds, both included."""

    kind: Literal["between"] = "between"
    minimum: int
    maximum: int

    def refuses(self, value: JsonValue) -> str | None:
        """Why `value` is outside, or None."""
        if isinstance(value, bool) or not isinstance(value, int) or not self.minimum <= value <= self.maximum:
            return f"must be a whole number from {self.minimum} to {self.maximum}; got {_quoted(value)}"
        return None


class OneOf(Wire):
    """One of a short list, from settings or from the record."""

    kind: Literal["one-of"] = "one-of"
    values: tuple[JsonValue, ...]

    def refuses(self, value: JsonValue) -> str | None:
        """Why `value` is outside, or None."""
        if any(_same(value, allowed) for allowed in self.values):
            return None
        return f"must be one of {', '.join(map(_written, self.values))}; got {_quoted(value)}"


class Sentence(Wire):
    """Free text for people to read, capped in length."""

    kind: Literal["sentence"] = "sentence"
    max_length: int = 500

    def refuses(self, value: JsonValue) -> str | None:
        """Why `value` is outside, or None."""
        if not isinstance(value, str) or len(value) > self.max_length:
            return f"must be a text of at most {self.max_length} characters"
        if any(unicodedata.category(char) == "Cs" for char in value):
            return "must be a text, and half a surrogate pair is none"
        return None


Limit = Annotated[Exactly | Between | OneOf | Sentence, Field(discriminator="kind")]


def _quoted(value: JsonValue) -> str:
    """A value from outside, short enough for a message."""
    return visible(repr(value), longest=80)


def _same(left: JsonValue, right: JsonValue) -> bool:
    return canonical(left) == canonical(right)


def is_editable(limit: Limit) -> bool:
    """Whether a person may choose within the limit."""
    match limit:
        case Exactly():
            return False
        case OneOf(values=values):
            return len(values) > 1
        case Between(minimum=low, maximum=high):
            return low < high
        case Sentence():
            return True


def limit_words(limit: Limit) -> str:
    """The limit in a few words."""
    match limit:
        case Exactly(value=value):
            return f"always {_written(value)}"
        case OneOf(values=values):
            return "one of " + ", ".join(map(_written, values))
        case Between(minimum=low, maximum=high):
            return f"{low} to {high}"
        case Sentence(max_length=longest):
            return f"text of at most {longest} characters"


def value_of(limit: Limit, typed: str) -> JsonValue:
    """What a person typed or chose, as the limit takes it; what fits nothing stays as it was typed, to be refused."""
    match limit:
        case Exactly(value=value):
            return value if typed.strip() == text_of(value) else typed
        case OneOf(values=values):
            return next((value for value in values if typed.strip() == text_of(value)), typed)
        case Between():
            number = typed.strip()
            return int(number) if _WHOLE.fullmatch(number) else typed
        case Sentence():
            return typed


def text_of(value: JsonValue) -> str:
    """A value as a person types it: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else canonical(value)


def _written(value: JsonValue) -> str:
    """A value of a list, as one may type it."""
    return str(value).lower() if isinstance(value, bool) else repr(value)
