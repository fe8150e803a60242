"""The texts of messages: templates that ship, or a person's own in a folder. Record text in them is never looked into.

A template is a line `Subject: …`, a blank line, and the text. `$name` stands for what the record has. What stands in
brackets is left out where a name in it is missing; of `[one|other]` the first of which everything is known counts.
"""

import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from string import Template as Placeholders
from typing import Final

from daper.core.errors import SettingError, UserError
from daper.core.guard import LONGEST_ARGUMENT
from daper.core.text import counted, visible
from daper.domains.orders.wording import field as one_line

LONGEST_SUBJECT: Final = 200
_LONGEST_FILE: Final = 8_000  # bytes
_SUFFIX: Final = ".txt"
_ANY_ORDER: Final = (
    "order_id",
    "customer_name",
    "amount",
    "payment_method",
    "items",
    "shop_name",
)
_OF_A_RESTOCK: Final = (*_ANY_ORDER, "item_id", "item_name", "quantity", "supplier")
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "request_payment_update": _ANY_ORDER,
    "request_approval": (*_ANY_ORDER, "restricted_items"),
    "order_inventory": _OF_A_RESTOCK,
    "order_inventory_undo": _OF_A_RESTOCK,
}
"""What each template may name, by the tool whose message it is, or whose undo's."""
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "request_payment_update": ("order_id",),
    "request_approval": ("order_id",),
    "order_inventory": ("item_id", "quantity"),
    "order_inventory_undo": ("item_id", "quantity"),
}
_SUBJECT: Final = "Subject:"
_PARTS: Final = re.compile(r"\[\[|\]\]|[\[\]]")
_BLANK_LINES: Final = re.compile(r"\n{3,}")


@dataclass(frozen=True, kw_only=True)
class Text:
    """A subject and a text, filled in."""

    subject: str
    body: str

    def completed(self, values: Mapping[str, str]) -> "Text":
        """With these values for the names that `filled` kept; they are not looked into."""
        lines = {name: one_line(value.strip()) for name, value in values.items()}
        return Text(
            subject=Placeholders(self.subject).safe_substitute(lines),
            body=Placeholders(self.body).safe_substitute(lines),
        )


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A part of a template, in each way that it may read; `optional`: it may also be left out."""

    ways: tuple[str, ...]
    optional: bool

    def names(self) -> Iterator[str]:
        for way in self.ways:
            yield from Placeholders(way).get_identifiers()

    def filled(self, values: Mapping[str, str], kept: Collection[str]) -> str:
        for way in self.ways:
            if all(values.get(name) for name in Placeholders(way).get_identifiers()):
                return _fill(way, values, kept)
        if self.optional:
            return ""
        missing = next(name for name in self.names() if not values.get(name))
        raise UserError(f"names ${missing} outside brackets, and the order has none")


@dataclass(frozen=True, kw_only=True)
class Template:
    """The text of one tool's messages. `source`: the file, or that it ships."""

    tool: str
    source: str
    subject: tuple[_Part, ...]
    body: tuple[_Part, ...]

    def filled(self, values: Mapping[str, str], *, kept: Collection[str] = ()) -> Text:
        """The text with these values; an empty one is missing.

        `kept`: of these names those that are known stay as `$name`, to be filled in by `completed`; any other `$` is
        doubled then. Raises UserError where a value is missing that the text does not do without, or it gets too long.
        """
        known = dict(values)
        try:
            subject = " ".join(_joined(self.subject, known, kept).split())
            body = _joined(self.body, known, kept)
        except UserError as error:
            raise UserError(f"the text {self.source} {error}") from None
        body = _BLANK_LINES.sub("\n\n", "\n".join(line.strip() for line in body.split("\n"))).strip()
        for what, text, longest in (("subject", subject, LONGEST_SUBJECT), ("text", body, LONGEST_ARGUMENT)):
            if not 0 < len(text) <= longest:
                raise UserError(
                    f"the text {self.source} makes a {what} of {counted(len(text), 'character')}; "
                    f"it must be of 1 to {longest:,}"
                )
        return Text(subject=subject, body=body)


class Templates:
    """The templates: a person's own in a folder count before those that ship. Read anew each time."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def of(self, tool: str) -> Template:
        """The template of a tool. Raises SettingError for one that cannot be used: the file, and what is wrong."""
        own = self._own(tool)
        if own is not None:
            return own
        return shipped(tool)

    def faults(self) -> tuple[str, ...]:
        """What is wrong with each file of the folder, in a sentence; a file that no tool has is wrong too."""
        found: list[str] = []
        for tool in NAMES:
            try:
                self.of(tool)
            except SettingError as error:
                found.append(str(error))
        return (*found, *self._strangers())

    def own(self) -> tuple[str, ...]:
        """The texts that are a person's own."""
        return tuple(tool for tool in NAMES if (path := self._path(tool)) is not None and os.path.lexists(path))

    @property
    def folder(self) -> Path | None:
        """Where a person's own are."""
        return self._folder

    def _path(self, tool: str) -> Path | None:
        return None if self._folder is None else self._folder / f"{tool}{_SUFFIX}"

    def _own(self, tool: str) -> Template | None:
        path = self._path(tool)
        if path is None or not os.path.lexists(path):
            return None
        named = repr(str(path))
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise SettingError(f"the text {named} is no file; mend it, or take it away to have the one that ships")
            with path.open("rb") as file:
                data = file.read(_LONGEST_FILE + 1)
        except OSError as error:
            why = error.strerror or str(error)
            raise SettingError(f"the text {named} cannot be read: {why}; mend it, or take it away") from None
        if len(data) > _LONGEST_FILE:
            raise SettingError(f"the text {named} is longer than {_LONGEST_FILE:,} bytes; shorten it")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise SettingError(f"the text {named} is not UTF-8 text; save it as such") from None
        return _parsed(tool, text, named)

    def _strangers(self) -> Iterator[str]:
        if self._folder is None or not os.path.lexists(self._folder):
            return
        try:
            names = sorted(path.name for path in self._folder.iterdir())
        except OSError as error:
            yield f"the folder {str(self._folder)!r} cannot be read: {error.strerror or error}"
            return
        known = {f"{tool}{_SUFFIX}" for tool in NAMES}
        for name in names:
            if name not in known and name.endswith(_SUFFIX):
                path = str(self._folder / name)
                yield f"the text {path!r} is read by nobody: there are {', '.join(sorted(known))}"


def shipped(name: str) -> Template:
    """The template that ships."""
    return _parsed(name, _shipped(name), "that ships")


@lru_cache(maxsize=64)
def _parsed(tool: str, text: str, source: str) -> Template:
    lines = text.replace("\r\n", "\n").replace("\t", " ").strip("\n").split("\n")
    head, body = lines[0], "\n".join(lines[1:]).strip("\n")
    if not head.startswith(_SUBJECT) or not head.removeprefix(_SUBJECT).strip():
        raise _refused(source, f"line 1 must be {_SUBJECT!r} and what the message is about; it is", head)
    if not body.strip():
        raise _refused(source, "has no text below its subject")
    for number, line in enumerate(lines, start=1):
        if visible(line, longest=len(line)) != line:
            raise _refused(source, f"line {number} has characters that cannot be seen:", line)
    made = Template(
        tool=tool,
        source=source,
        subject=_parts(head.removeprefix(_SUBJECT).strip(), source),
        body=_parts(body, source),
    )
    used = {name for part in (*made.subject, *made.body) for name in part.names()}
    there = ", ".join(f"${name}" for name in sorted(NAMES[tool]))
    if unknown := sorted(used - set(NAMES[tool])):
        raise _refused(source, f"names ${unknown[0]}, which there is not; there are: {there}")
    if lacking := [name for name in _NEEDED[tool] if name not in used]:
        raise _refused(source, f"must name ${lacking[0]}; it names {', '.join(f'${name}' for name in sorted(used))}")
    return made


def _parts(text: str, source: str) -> tuple[_Part, ...]:
    """The text in brackets, and what stands between it; `[[` and `]]` are brackets themselves."""
    parts: list[_Part] = []
    plain, within, at = "", False, 0
    for mark in _PARTS.finditer(text):
        plain += text[at : mark.start()]
        at = mark.end()
        if mark[0] in {"[[", "]]"}:
            plain += mark[0][0]
        elif (mark[0] == "[") is within:
            raise _refused(source, f"has a {mark[0]!r} too many; write {2 * mark[0]!r} for one that is to be seen")
        else:
            parts.append(_part(plain, source, optional=within))
            plain, within = "", not within
    if within:
        raise _refused(source, "has a '[' that nothing closes; write '[[' for one that is to be seen")
    return (*parts, _part(plain + text[at:], source, optional=False))


def _part(text: str, source: str, *, optional: bool) -> _Part:
    ways = tuple(text.split("|")) if optional else (text,)
    for way in ways:
        if not Placeholders(way).is_valid():
            raise _refused(
                source, "has a '$' that no name follows; write '$$' for one that is to be seen:", way.strip()
            )
    return _Part(ways=ways, optional=optional)


def _joined(parts: tuple[_Part, ...], values: Mapping[str, str], kept: Collection[str]) -> str:
    return "".join(part.filled(values, kept) for part in parts)


def _fill(text: str, values: Mapping[str, str], kept: Collection[str]) -> str:
    """The text with the values in it, which are not looked into: a `$` in one is a `$`."""

    def put(found: re.Match[str]) -> str:
        name = found["named"] or found["braced"]
        if name in kept:
            return found[0]
        value = "$" if name is None else values[name]
        return value.replace("$", "$$") if kept else value

    return Placeholders.pattern.sub(put, text)


def _shipped(tool: str) -> str:
    return files("daper.domains.orders").joinpath("templates", f"{tool}{_SUFFIX}").read_text(encoding="utf-8")


def _refused(source: str, why: str, quoted: str = "") -> SettingError:
    said = f" {visible(quoted, longest=80)!r}" if quoted else ""
    return SettingError(f"the text {source} {why}{said}")
