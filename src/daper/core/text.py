"""Record text is data: what it may look like on a screen or in a report."""

import re
import unicodedata

_JOINERS = frozenset("\u200c\u200d")  # several scripts and emoji cannot be written without these two
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MARKUP = re.compile(r"([\\`*_{}\[\]#|~!]|:(?=//)|(?<=www)\.)", re.IGNORECASE)
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def _is_hidden(char: str) -> bool:
    return char not in _JOINERS and unicodedata.category(char) in _HIDDEN_CATEGORIES


def visible(text: object, *, longest: int = 300) -> str:
    """One line of text in which nothing is hidden.

    Control, escape, bidi and other invisible characters appear as `<U+XXXX>`; a text over `longest` characters is cut
    and says how much is missing.
    """
    whole = str(text)
    shown = "".join(f"<U+{ord(char):04X}>" if _is_hidden(char) else char for char in whole[:longest])
    return shown if len(whole) <= longest else f"{shown}… ({len(whole) - longest} more characters)"


def markdown(text: object, *, longest: int = 300) -> str:
    """Like `visible`, and what Markdown or HTML could take for markup is escaped."""
    shown = _MARKUP.sub(r"\\\1", visible(text, longest=longest))
    return "".join(_ENTITIES.get(char, char) for char in shown)


def markdown_code(text: object, *, longest: int = 120) -> str:
    """A Markdown code span for ids, statuses and amounts; safe inside a table."""
    shown = visible(text, longest=longest).replace("`", "'").replace("|", "\\|")
    return f"`{shown or ' '}`"
