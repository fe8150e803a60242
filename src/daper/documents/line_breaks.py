"""Where a word that is too long for its column may be broken. Pure."""

import re
import unicodedata
from collections.abc import Iterator

_LONGEST = 16
_PIECE = 8
# Not in scripts that break between letters by rules of their own: Thai to Khmer, and the East Asian ones.
_OWN_RULES = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef"
_LONG_WORD = re.compile(rf"([^\s{_OWN_RULES}]{{{_LONGEST + 1},}})")
_AFTER_SIGN = re.compile(r"(?<=[_/.@:,;=&?])(?=\w)")
_GLUED = frozenset({"Mn", "Mc", "Me", "Cf", "Sk"})
_JOINER = "\u200d"


def pieces(text: str) -> list[str]:
    """The text in pieces between which a line may end; joined they are the text. Most texts are one piece."""
    found: list[str] = []
    plain = ""
    for place, part in enumerate(_LONG_WORD.split(text)):
        if place % 2:
            first, *more = _broken(part)
            found += [plain + first, *more]
            plain = found.pop()
        else:
            plain += part
    return [*found, plain]


def _broken(word: str) -> Iterator[str]:
    """After signs that part a word; where it has none, every so many letters."""
    for part in _AFTER_SIGN.split(word):
        piece = ""
        length = 0
        for char in part:
            glued = unicodedata.category(char) in _GLUED or piece.endswith(_JOINER)
            if length >= _PIECE and not glued:
                yield piece
                piece, length = "", 0
            piece += char
            length += not glued
        yield piece
