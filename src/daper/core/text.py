"""Record text is data: what it may look like on a screen or in a report."""

import re
import unicodedata
from datetime import timedelta

from daper.core.links import runs

_JOINERS = frozenset("\u200c\u200d")  # several scripts and emoji cannot be written without these two
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Drawn as nothing, whatever their category says: fillers, and selectors of a look that no plain name needs.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\ufe00-\ufe0d\U000e0100-\U000e01ef]")
_MARKUP = re.compile(r"([\\`*_{}\[\]#|~!])")
_BEGINS_A_BLOCK = re.compile(r" *(?:([-+=])(?=[-+= ]*(?: |$))|(\d{1,9})([.)])(?= |$))")
_MATTERS = re.compile(r"[\\`*\[\]&~#]|<(?!U\+[0-9A-F]+>)|(?<!\w)_|_(?!\w)")
_NOTE = 40  # room for "… (n more characters)"
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def _never_seen(char: str) -> bool:
    return unicodedata.category(char) in _HIDDEN_CATEGORIES or _BLANK.match(char) is not None


def _joins(char: str) -> bool:
    """Whether a joiner beside this character may be needed; in ASCII it only hides."""
    return char > "\x7f" and not _never_seen(char)


def _is_hidden(text: str, place: int) -> bool:
    char = text[place]
    if char in _JOINERS:
        return not (_joins(text[place - 1 : place]) and _joins(text[place + 1 : place + 2]))
    return _never_seen(char)


def visible(text: object, *, longest: int = 300) -> str:
    """One line of text in which nothing is hidden.

    Control, escape, bidi and other invisible characters appear as `<U+XXXX>`; a text over `longest` characters is cut
    and says how much is missing.
    """
    whole = str(text)
    part = whole[:longest]
    if not part.isprintable() or _BLANK.search(part):
        part = "".join(f"<U+{ord(char):04X}>" if _is_hidden(part, at) else char for at, char in enumerate(part))
    return part if len(whole) <= longest else f"{part}… ({len(whole) - longest} more characters)"


def visible_lines(text: str, *, longest: int = 4000) -> str:
    """A text of some lines in which nothing else is hidden; capped as a whole."""
    lines = [visible(line, longest=len(line)) for line in text.replace("\r\n", "\n").split("\n")]
    whole = "\n".join(lines)
    return whole if len(whole) <= longest else f"{whole[:longest]}… ({len(whole) - longest} more characters)"


def shown(text: object, *, longest: int = 80) -> str:
    """Text from a record, made safe and short for a sentence of ours: `longest`, and what says how much is missing."""
    once = visible(text, longest=longest)
    # What is hidden takes more room once it shows.
    return once if len(once) <= longest + _NOTE else visible(once, longest=longest)


def said(line: str) -> str:
    """A whole sentence with record text in it, as evidence or a reason: visible, and at most 300 characters."""
    return shown(line, longest=300 - _NOTE)


def markdown(text: object, *, longest: int = 300) -> str:
    """Like `visible`, and what Markdown or HTML could take for markup is escaped.

    What a reader could take for a link, or for any other word with a meaning of its own, is a code span.
    """
    shown = "".join(_span(run) if live else _escaped(run) for run, live in runs(visible(text, longest=longest)))
    return _not_a_block(shown)


def _escaped(run: str) -> str:
    return "".join(_ENTITIES.get(char, char) for char in _MARKUP.sub(r"\\\1", run))


def _not_a_block(shown: str) -> str:
    """Where it stands first in its line, it begins no list, no heading and no block of code."""
    found = _BEGINS_A_BLOCK.match(shown)
    if found and found[1]:
        shown = f"{shown[: found.start(1)]}\\{shown[found.start(1) :]}"
    elif found:
        shown = f"{shown[: found.end(2)]}\\{shown[found.end(2) :]}"
    return shown if not shown.startswith("    ") else f" {shown.lstrip(' ')}"


def markdown_code(text: object, *, longest: int = 120) -> str:
    """A Markdown code span for ids, statuses and amounts; safe inside a table."""
    return _span(visible(text, longest=longest))


def _span(shown: str) -> str:
    shown = shown.replace("`", "'").replace("|", "\\|")
    return f"`{shown or ' '}`"


def quotable(shown: str) -> str:
    """Visible text for a reader of whom nobody knows whether they see Markdown: a code span where that matters."""
    matters = _MATTERS.search(shown) is not None or any(live for _, live in runs(shown))
    return code_span(shown) if matters else shown


def code_span(shown: str) -> str:
    """Text between as many backticks as it takes for it to be a code span of Markdown, in which nothing is changed."""
    fence = "`" * (1 + max(map(len, re.findall(r"`+", shown)), default=0))
    room = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{room}{shown}{room}{fence}"


def ahead_words(by: timedelta) -> str:
    """How far one clock is ahead of another, or behind it: `1:30:00 ahead of`."""
    seconds = timedelta(seconds=round(abs(by.total_seconds())))
    return f"{seconds} {'ahead of' if by >= timedelta() else 'behind'}"


def folded(text: str) -> str:
    """The text as it is compared where case does not count: also full width, and letters that are drawn as one."""
    return text.strip().lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold().strip()


def counted(number: int, what: str) -> str:
    """A number of things: `1 action`, `2 actions`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
