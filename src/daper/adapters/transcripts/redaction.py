"""What must not be written down: known secrets, however they are escaped, and whatever looks like a key."""

import json
import math
import re
from collections import Counter
from collections.abc import Sequence

from pydantic import JsonValue

REDACTED = "***"
SHORTEST_SECRET = 4
DEEPEST = 64

_LONGEST_NUMBER = 4_096  # bits; Python refuses to write a much longer one
_LETTERS = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}

# A backslash may itself be escaped for a URL. Repeats are bounded, so that no text makes the search slow.
_BACKSLASH = r"(?:\\|%(?:25){0,3}5[Cc])"
# What may stand before a key: no letter or digit, unless it belongs to an escape.
_START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=%5[Cc][nrtbf])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2}))"
_SPACE = rf"(?:\s|\+|%20|%0[AD9]|{_BACKSLASH}{{1,8}}[nrt])"
_SHAPES = (
    rf"{_START}sk-[A-Za-z0-9_-]{{8,}}",
    r"AIza[A-Za-z0-9_-]{10,}",
    r"gh[pousr]_[A-Za-z0-9]{10,}",
    r"github_pat_[A-Za-z0-9_]{10,}",
    rf"{_START}(?:daper|whsec|hf|gsk|sk_live|sk_test|rk_live)_[A-Za-z0-9_+/=-]{{20,}}",
    rf"{_START}(?:glpat|xai|pplx)-[A-Za-z0-9_-]{{16,}}",
    rf"{_START}AKIA[A-Z0-9]{{12,}}",
    rf"{_START}xox[a-z]-[A-Za-z0-9-]{{8,}}",
    rf"{_START}eyJ[A-Za-z0-9_-]{{8,}}\.[A-Za-z0-9_-]{{8,}}(?:\.[A-Za-z0-9_-]*)?",
    # To its end, or else to the end of the text.
    r"-----BEGIN[A-Z0-9 +%]{1,60}PRIVATE(?: |\+|%20)KEY(?s:.*?)"
    r"(?:-----END[A-Z0-9 +%]{1,60}KEY[A-Z0-9 +%]{0,30}-----|\Z)",
)
_KEYS = re.compile("|".join(_SHAPES))
_BEARER = re.compile(rf"(bearer{_SPACE}{{1,4}})[A-Za-z0-9._~+/=%-]{{8,}}", re.IGNORECASE)

_NAME = (
    r"(?:(?:api|access|secret|private|auth)[_. -]?key|secret|pass(?:word|wd|phrase)|token|authorization|credentials?)"
)
_NAMED = re.compile(rf".*{_NAME}\s*", re.IGNORECASE | re.DOTALL)
_QUOTE = rf"""(?:{_BACKSLASH}{{0,8}}(?:["']|%2[27])|{_BACKSLASH}{{1,8}}u002[27])"""
# The closing quote stays, as the opening one does: a JSON text within a text stays one.
_ASSIGNED = re.compile(
    rf"({_NAME}{_QUOTE}?{_SPACE}{{0,4}}(?:[:=]|%3[AD]){_SPACE}{{0,4}})"
    r"""(?:(")(?:\\.|[^"\\\n])+|(')(?:\\.|[^'\\\n])+"""
    rf"|({_QUOTE})(?:(?!{_QUOTE})[^\n])+"
    rf"|(?:(?:basic|bearer|token){_SPACE}{{1,4}})?[^\s\"'\\,;&<>()\[\]{{}}]{{4,}})",
    re.IGNORECASE,
)


class Redactor:
    """Takes given secrets, and what looks like one, out of texts and of JSON values."""

    def __init__(self, secrets: Sequence[str]) -> None:
        known = {secret.strip() for secret in secrets}
        # The longest first: of two secrets of which one begins with the other, nothing may stay.
        ordered = sorted((secret for secret in known if len(secret) >= SHORTEST_SECRET), key=len, reverse=True)
        self._known = [re.compile("".join(map(_any_form, secret))) for secret in ordered]

    def text(self, text: str) -> str:
        """The text without what must not be seen."""
        text = self.keys(text)
        text = _BEARER.sub(rf"\g<1>{REDACTED}", text)
        return _ASSIGNED.sub(rf"\g<1>\g<2>\g<3>\g<4>{REDACTED}", text)

    def keys(self, text: str) -> str:
        """The text without the given secrets, and without what has the shape of a key wherever it stands."""
        return _KEYS.sub(REDACTED, self._without_known(text))

    def value(self, value: JsonValue, *, depth: int = 0) -> JsonValue:
        """The value without it, in keys too, as JSON can have it: no endless numbers, nothing nested without end."""
        if depth > DEEPEST:
            return "… (nested too deeply to be kept)"
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return self.entries(value, depth=depth)
        if isinstance(value, list):
            return [self.value(item, depth=depth + 1) for item in value]
        return self._scalar(value)

    def entries(self, entries: dict[str, JsonValue], *, depth: int = 0) -> dict[str, JsonValue]:
        """`value` for an object; keys that become the same are numbered."""
        kept: dict[str, JsonValue] = {}
        same: Counter[str] = Counter()
        for key, value in entries.items():
            shown = name = self.text(key)
            while shown in kept:
                same[name] += 1
                shown = f"{name} ({same[name] + 1})"
            hidden = _hidden(value) if _NAMED.fullmatch(key) else None
            kept[shown] = self.value(value, depth=depth + 1) if hidden is None else hidden
        return kept

    def _without_known(self, text: str) -> str:
        for pattern in self._known:
            text = pattern.sub(REDACTED, text)
        return text

    def _scalar(self, value: float | bool | None) -> JsonValue:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int) and value.bit_length() > _LONGEST_NUMBER:
            return f"… (a number of {value.bit_length():,} bits)"
        written = json.dumps(value)
        redacted = self._without_known(written)
        return value if redacted == written and math.isfinite(value) else redacted


def _hidden(value: JsonValue) -> JsonValue:
    """What stands in place of the value of a name like "password"; None where the value is no secret itself."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return [REDACTED for _ in value]
    return None if value is None or isinstance(value, bool | dict | list) else REDACTED


def _any_form(char: str) -> str:
    """A pattern for one character: plain, or escaped for JSON, Python or a URL, also several times over."""
    octets = char.encode("utf-8", "surrogatepass")
    in_url = "".join(rf"%(?:25){{0,3}}(?i:{octet:02x})" for octet in octets)
    forms = [re.escape(char), in_url]
    if char in "\"'/\\":
        forms.append(rf"{_BACKSLASH}{{1,15}}(?:{re.escape(char)}|{in_url})")
    if char in _LETTERS:
        forms.append(rf"{_BACKSLASH}{{1,8}}{_LETTERS[char]}")
    if char == " ":
        forms.append(r"\+")
    units = char.encode("utf-16-be", "surrogatepass").hex()
    forms.append("".join(rf"{_BACKSLASH}{{1,8}}u(?i:{units[at : at + 4]})" for at in range(0, len(units), 4)))
    return f"(?:{'|'.join(forms)})"
