"""Words of which whoever shows a text may make more: links, mentions, references, little pictures. Pure.

Escaping does not help against it: readers look for such words in the text that an escape has become.
"""

import re
import unicodedata
from collections.abc import Iterator

# What stands around a word and not in it.
_AROUND = re.compile(r"""([("'\[{<«„“]*)(.*?)([)\]}>"'»”,;:.!?…]*)""", re.DOTALL)
# Initials: no address ends in a single letter.
_INITIALS = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_NUMBER = re.compile(r"[-+~±]?[$€£]?\d+(?:[.,:]\d+){0,2}%?")
_LIVE = re.compile(
    r"""
      \w[.\u3002]\w             # a domain, a file, an address in numbers
    | [@#]\w | \w@ | \w\#       # a mention, an issue, a mail address
    | :\S                       # a scheme, a port, a picture between colons
    | // | \\\\ | == | \^ | \$[^\d\s]
    | ^gh-\d+$ | ^(?=[0-9a-f]*[a-f])(?=[a-f]*\d)[0-9a-f]{7,40}$    # an issue, a commit
    """,
    re.VERBOSE | re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"""
      :// | ^// | \\\\ | \w@\w | \bwww\.\w
    | (?<![\w-])[a-z][\w+-]*:[^\s\d] | [\w-]:\d+\b(?<!\d:\d)
    | \w[.\u3002][a-z]{2,}
    | \d+(?:\.\d+){3}
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SIGNS = re.compile(r"[.:@/\\#\u3002\uff0e\uff61\uff20]")
_OPENERS = re.compile(r"(?<=\w)([.@\u3002\uff0e\uff61\uff20])(?=\w)|(:)(?=\S)", re.IGNORECASE)


def runs(text: str) -> Iterator[tuple[str, bool]]:
    """The text in pieces, and of each whether somebody may make more of it; joined they are the text."""
    plain = ""
    for word in re.split(r"(\s+)", text):
        before, core, after = _parts(word)
        if core and is_live(core):
            if plain + before:
                yield plain + before, False
            yield core, True
            plain = after
        else:
            plain += word
    if plain:
        yield plain, False


def is_live(word: str) -> bool:
    """Whether a reader may make more of a word than what it says."""
    folded = unicodedata.normalize("NFKC", word)
    if _NUMBER.fullmatch(folded) or _INITIALS.fullmatch(folded):
        return False
    return _LIVE.search(folded) is not None


def parted(word: str) -> list[str]:
    """A live word in pieces of which none is live any more; joined they are the word."""
    ends = [found.end() for found in _SIGNS.finditer(word)]
    return [word[start:end] for start, end in zip([0, *ends], [*ends, len(word)], strict=True) if start < end]


def disarmed(text: str) -> str:
    """A text for where there is no markup at all: an address is written as `http[:]//name[.]example`, and is none."""
    return "".join(_disarmed(run) if live else run for run, live in runs(text))


def _disarmed(word: str) -> str:
    if _ADDRESS.search(unicodedata.normalize("NFKC", word)) is None:
        return word
    return _OPENERS.sub(lambda found: f"[{found[0]}]", word)


def _parts(word: str) -> tuple[str, str, str]:
    found = _AROUND.fullmatch(word)
    return (found[1], found[2], found[3]) if found else ("", word, "")
