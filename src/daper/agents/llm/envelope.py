"""What a server sends back, looked over before a library reads it: what is no answer goes no further. Pure."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, cast

from daper.core.errors import DaperError, ModelOutputError, ModelUnavailable
from daper.core.text import counted

# Far more than any answer has: its own form, with room for what a model thinks aloud.
_ROOM: Final = 256 * 1024
_BYTES_PER_TOKEN: Final = 64
_MOST_BYTES: Final = 16 * 1024 * 1024
_FEWEST_VALUES: Final = 5_000
_VALUES_PER_TOKEN: Final = 4
MOST_DEPTH: Final = 64
# A library takes a millisecond for each part of an answer, and holds up all others meanwhile. A text is one value.
MOST_BESIDE: Final = 200  # in one list or object
MOST_PARTS: Final = 2_000  # lists and objects in all
MOST_COUNTED: Final = 10**12  # tokens of one call: what is beyond is no number of tokens

_SURROGATE: Final = re.compile(rb"\\u[dD][89abAB]")
# Where the services that a model can be had from put an answer, and what it took.
_ANSWERS: Final = frozenset({"choices", "content", "candidates", "output"})
_USAGES: Final = ("usage", "usageMetadata")
_OF_CHAT: Final = frozenset({"prompt_tokens", "completion_tokens", "total_tokens"})
_COUNTS: Final = _OF_CHAT | {
    "input_tokens",
    "output_tokens",
    "promptTokenCount",
    "candidatesTokenCount",
    "totalTokenCount",
}

# A JSON object of any shape.
Body = dict[str, Any]


class NotAnAnswer(Exception):
    """A server answered, and no model did. `told` goes on after the name of the model.

    `meaning`: which error of ours it is. `charged`: whether it may have been paid for.
    """

    def __init__(self, told: str, *, meaning: type[DaperError] = ModelUnavailable, charged: bool = True) -> None:
        super().__init__(told)
        self.told = told
        self.meaning = meaning
        self.charged = charged


def behind(error: BaseException) -> NotAnAnswer | None:
    """What a library wrapped into an error of its own."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, NotAnAnswer):
            return cause
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the body of one answer may have at most: bytes, once it is unpacked, and values in its JSON."""

    content: int
    values: int

    @staticmethod
    def of(most_output: int) -> "Limits":
        """The limits for answers of so many tokens."""
        return Limits(
            content=min(_ROOM + _BYTES_PER_TOKEN * most_output, _MOST_BYTES),
            values=_FEWEST_VALUES + _VALUES_PER_TOKEN * most_output,
        )


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """An answer that can be handed on. `refused`: the HTTP status that a refusal sent as a success should have had."""

    content: bytes = field(repr=False)
    refused: int | None = None


def opened(content: bytes, limits: Limits) -> Envelope:
    """The body of a successful answer, without figures that cannot be. Raises NotAnAnswer.

    It takes a while for a large body: not for an event loop.
    """
    body = _object(content, limits)
    error = body.get("error")
    if error and not any(body.get(name) for name in _ANSWERS):
        return Envelope(content=content, refused=_status_of(error))
    if "choices" in body and not _has_choices(body["choices"]):
        _unfit("has no choice in it")
    return Envelope(content=content if _has_true_figures(body) else json.dumps(body).encode())


def readable(content: bytes, limits: Limits) -> bytes:
    """The body of a refusal: JSON that is safe to read, or words."""
    try:
        _object(content, limits)
    except NotAnAnswer:
        return json.dumps({"error": {"message": content[:1000].decode(errors="replace")}}).encode()
    return content


def _object(content: bytes, limits: Limits) -> Body:
    """The one JSON object that the content is, within the limits."""
    start = content.lstrip()[:7]
    if not start:
        raise NotAnAnswer("answered with nothing")
    if start.startswith(b"<"):
        raise NotAnAnswer("answered with a page and not as a model does; something else may be there", charged=False)
    if start.startswith((b"data:", b"event:", b":")):
        raise NotAnAnswer("answered with a stream, for which it was not asked")
    values = sum(content.count(sign) for sign in (b",", b"[", b"{"))
    if values > limits.values:
        _unfit(f"has {counted(values, 'value')}, more than any that was asked for")
    body = _json(content)
    _look_over(body)
    if not isinstance(body, dict):
        raise NotAnAnswer(f"answered with a JSON {type(body).__name__} and not as a model does")
    return cast(Body, body)


def _json(content: bytes) -> object:
    try:
        body: object = json.loads(content, parse_constant=_no_number, parse_float=_finite)
        if _SURROGATE.search(content):
            json.dumps(body, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise NotAnAnswer(f"answered with what is no JSON ({error})") from None
    except RecursionError:
        _unfit("is nested too deep")
    except UnicodeEncodeError:
        _unfit("holds half a character")
    except UnicodeDecodeError:
        raise NotAnAnswer("answered with what is no text") from None
    except ValueError as error:
        _unfit(f"holds a number that is none ({error})")
    return body


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError(digits[:20])
    return number


def _look_over(body: object) -> None:
    """Refuse what is deeper or wider than any answer. Level by level: no depth is a reason to recurse."""
    level, parts = [body], 0
    for _ in range(MOST_DEPTH + 1):
        within = [_inner(each) for each in level if _is_part(each)]
        if not within:
            return
        parts += len(within)
        if parts > MOST_PARTS or any(len(each) > MOST_BESIDE for each in within):
            _unfit(f"has more than {MOST_BESIDE} things beside each other, or more than {MOST_PARTS:,} in all")
        level = [inner for each in within for inner in each]
    _unfit(f"is nested more than {MOST_DEPTH} deep")


def _is_part(value: object) -> bool:
    return isinstance(value, dict | list)


def _inner(value: object) -> Collection[object]:
    if isinstance(value, dict):
        return cast("dict[str, object]", value).values()
    return cast("list[object]", value) if isinstance(value, list) else ()


def _has_choices(choices: object) -> bool:
    return isinstance(choices, list) and isinstance(next(iter(_inner(cast("list[object]", choices))), None), dict)


def _status_of(error: object) -> int:
    """The status for a refusal, where it names one as its code; else that of a server that is broken."""
    code = cast(Body, error).get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and 400 <= code <= 599 else 500


def _has_true_figures(body: Body) -> bool:
    """Whether what it says it took can be; what cannot be is taken out: then it did not say."""
    true = True
    for name in _USAGES:
        told: object = body.get(name)
        if told is None:
            continue
        if isinstance(told, dict) and _are_counts(cast(Body, told), of_chat="choices" in body):
            continue
        true = False
        kept = [each for each in cast(Body, told) if each in _COUNTS] if isinstance(told, dict) else []
        if "choices" in body or not kept:
            del body[name]
        else:  # where an answer must have them
            body[name] = dict.fromkeys(kept, 0)
    return true


def _are_counts(told: Mapping[str, Any], *, of_chat: bool) -> bool:
    named = [value for name, value in told.items() if name in _COUNTS]
    inner = [
        value
        for name, details in told.items()
        if isinstance(details, dict) and name not in _COUNTS
        for inner_name, value in cast(Body, details).items()
        if "token" in inner_name.lower() and value is not None
    ]
    return all(map(_is_count, [*named, *inner])) and not (of_chat and _OF_CHAT - told.keys())


def _is_count(value: object) -> bool:
    if isinstance(value, float):
        return value.is_integer() and 0 <= value <= MOST_COUNTED
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_COUNTED


def _unfit(why: str) -> NoReturn:
    raise NotAnAnswer(f"gave no answer that fits: it {why}", meaning=ModelOutputError) from None
