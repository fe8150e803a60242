"""A JSON file element by element: the list in it is gone through, and nothing of it held but the element."""

import re
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple, cast

from daper.core.text import visible
from daper.domains.orders.importing.intake import NotReadable
from daper.stores.jsonreading import Flaw, examine

_CHUNK: Final = 256 * 1024
LARGEST_ENTRY: Final = 32 * 1024 * 1024
_BLANK: Final = b" \t\r\n"
_TEXT: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_STOP: Final = re.compile(rb'["{}\[\]]')
_SCALAR_END: Final = re.compile(rb"[,\]}\s]")
_FIRST_BYTES: Final = 4  # from which it can be told what kind of text it is
_BOM: Final = b"\xef\xbb\xbf"


class Element(NamedTuple):
    """One value: an element of the list (`key` is None), or another field of the document around it."""

    key: str | None
    value: object
    flaws: tuple[Flaw, ...]


class Elements:
    """The elements of the list that a document is, or that one of its fields is. Raises NotReadable for broken JSON."""

    def __init__(
        self, file: BinaryIO, names: frozenset[str], skipped: frozenset[str] = frozenset(), *, pages: bool = False
    ) -> None:
        """`pages`: whether further documents may follow the first, each with a list of its own."""
        self._file = file
        self.names = names
        self._pages = pages
        self._skipped = skipped
        self._buffer = b""
        self._at = 0
        self._ended = False
        self._lines = 1
        self._column = 1
        self.found = False
        """Whether the list was come to."""
        self.list_name = ""
        """How the list is called, once it was come to; "" for a document that is one."""

    def __iter__(self) -> Iterator[Element]:
        while len(self._buffer) < _FIRST_BYTES and self._more():
            pass
        if re.match(rb"\xff\xfe|\xfe\xff|.{0,3}?\x00", self._buffer, re.DOTALL):
            raise NotReadable("is not UTF-8 text but UTF-16 or UTF-32; save it as UTF-8")
        self._at = len(_BOM) if self._buffer.startswith(_BOM) else 0
        yield from self._page()
        while self._pages and self.found and self._peek() in (b"[", b"{"):
            self.found, self.list_name = False, ""
            yield from self._page()
            if not self.found:
                raise self._broken("a page ends here without a list")
        if self._peek():
            raise self._broken("something follows the end of the document")

    def _page(self) -> Iterator[Element]:
        first = self._peek()
        if first == b"[":
            yield from self._list()
        elif first == b"{":
            yield from self._document()
        else:
            raise self._broken("a list, [...], or an object, {...}, is expected")

    def _document(self) -> Iterator[Element]:
        self._take(b"{")
        if self._peek() == b"}":
            self._take(b"}")
            return
        while True:
            value, flaws = self._parsed(self._raw())
            if not isinstance(value, str):
                raise self._broken("the name of a field, in quotes, is expected")
            self._take(b":")
            if value in self.names and self._peek() == b"[":
                if self.list_name:
                    raise self._broken(f"a second list, {value!r}, follows {self.list_name!r}")
                self.list_name = value
                yield from self._list()
            elif value in self._skipped:
                self._raw()
                yield Element(value, None, flaws)
            else:
                inner, more = self._parsed(self._raw())
                yield Element(value, inner, (*flaws, *more))
            if self._peek() == b",":
                self._take(b",")
                continue
            self._take(b"}")
            return

    def _list(self) -> Iterator[Element]:
        self._take(b"[")
        self.found = True
        if self._peek() == b"]":
            self._take(b"]")
            return
        while True:
            yield Element(None, *self._parsed(self._raw()))
            if self._peek() == b",":
                self._take(b",")
                continue
            self._take(b"]")
            return

    def _parsed(self, given: tuple[bytes, int, int]) -> tuple[object, tuple[Flaw, ...]]:
        text, line, column = given
        value, flaws = examine(text)
        placed = (
            Flaw(line + one.line - 1, one.column + (column - 1 if one.line == 1 else 0), one.why) for one in flaws
        )
        return value, tuple(placed)

    def _raw(self) -> tuple[bytes, int, int]:
        """The text of the next value, and where it begins."""
        if self._at >= _CHUNK:  # here alone: elsewhere somebody knows a place in it
            self._buffer, self._at = self._buffer[self._at :], 0
        first, line, column = self._peek(), self._lines, self._column
        if first in (b"{", b"["):
            end = self._balanced()
        elif first == b'"':
            end = self._matched(_TEXT, self._at, whole=True)
        else:
            end = self._matched(_SCALAR_END, self._at, whole=False)
        text = self._buffer[self._at : end]
        if not text:
            raise self._broken("a value is expected")
        self._move(end)
        return text, line, column

    def _balanced(self) -> int:
        depth, place = 0, self._at
        while True:
            place = self._matched(_STOP, place, whole=False)
            char = self._buffer[place : place + 1]
            if char == b'"':
                place = self._matched(_TEXT, place, whole=True)
                continue
            if not char:
                raise self._broken("the file ends within a value")
            depth += 1 if char in b"{[" else -1
            place += 1
            if depth == 0:
                return place

    def _matched(self, pattern: re.Pattern[bytes], place: int, *, whole: bool) -> int:
        """Where the next match begins, or where the one that begins here ends; more is read until there is one."""
        while True:
            found = pattern.match(self._buffer, place) if whole else pattern.search(self._buffer, place)
            if found is not None:
                return found.end() if whole else found.start()
            known = len(self._buffer)
            if not self._more():
                if whole:
                    raise self._broken("the file ends within a text")
                return known
            if len(self._buffer) - self._at > LARGEST_ENTRY:
                raise self._broken(f"one entry has more than {LARGEST_ENTRY:,} bytes")
            if not whole and pattern is _STOP:
                place = known

    def _peek(self) -> bytes:
        """The next character that is no blank; nothing at the end."""
        while True:
            while self._at < len(self._buffer):
                char = self._buffer[self._at : self._at + 1]
                if char not in _BLANK:
                    return char
                self._move(self._at + 1)
            if not self._more():
                return b""

    def _take(self, char: bytes) -> None:
        if self._peek() != char:
            raise self._broken(f"{char.decode()!r} is expected")
        self._move(self._at + 1)

    def _move(self, to: int) -> None:
        passed = self._buffer[self._at : to]
        lines = passed.count(b"\n")
        if lines:
            self._lines += lines
            self._column = len(passed) - passed.rfind(b"\n")
        else:
            self._column += len(passed)
        self._at = to

    def _more(self) -> bool:
        if self._ended:
            return False
        chunk = self._file.read(_CHUNK)
        self._ended = not chunk
        if chunk:
            self._buffer += chunk
        return bool(chunk)

    def _broken(self, why: str) -> NotReadable:
        here = visible(self._buffer[self._at : self._at + 20].decode("utf-8", "replace"), longest=20)
        at = f"line {self._lines}, column {self._column}"
        return NotReadable(f"{at} is wrong: {why}" + (f", not {here!r}" if here else ""))


def as_object(value: object) -> dict[str, object] | None:
    """A JSON object, or None for anything else."""
    # An object of JSON has only string keys.
    return cast("dict[str, object]", value) if isinstance(value, dict) else None
