"""Where each key of a TOML text stands, so that a fault can be found."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tree_sitter import Node

Path = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Position:
    """A place in a text: line and column from 1 on."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True)
class Positions:
    """Of a text that is TOML: where a key stands, and where its value begins, by the path to it."""

    keys: Mapping[Path, Position] = field(default_factory=dict[Path, Position])
    values: Mapping[Path, Position] = field(default_factory=dict[Path, Position])

    def key(self, path: Sequence[str | int]) -> Position:
        """Of a key; of the nearest that is there around it, where it is missing."""
        return _nearest(self.keys, tuple(path))

    def within(self, path: Sequence[str | int], line: int, column: int) -> Position:
        """Of a place in the text that a key has, by line and column within that text from 1 on; 0 is nowhere."""
        begins = _nearest(self.values, tuple(path))
        if line <= 0:
            return begins
        return Position(begins.line + line - 1, column if line > 1 else begins.column + column - 1)


def positions(text: str) -> Positions:
    """Of a text that is TOML."""
    import tree_sitter_toml  # which few starts need
    from tree_sitter import Language, Parser

    found = Parser(Language(tree_sitter_toml.language())).parse(text.encode())
    keys: dict[Path, Position] = {}
    values: dict[Path, Position] = {}
    counts: dict[Path, int] = {}
    for node in found.root_node.children:
        if node.type == "pair":
            _pair(node, (), keys, values)
        elif node.type in {"table", "table_array_element"}:
            _table(node, keys, values, counts)
    return Positions(keys, values)


def _table(node: "Node", keys: dict[Path, Position], values: dict[Path, Position], counts: dict[Path, int]) -> None:
    head = next((each for each in node.children if each.type in _KEYS), None)
    if head is None:
        return
    path: Path = ()
    for name in _names(head):
        path = (*path, name)
        if path in counts and (node.type == "table" or path != tuple(_names(head))):
            path = (*path, counts[path] - 1)  # a table within the last one of a list
    if node.type == "table_array_element":
        counts[path] = counts.get(path, 0) + 1
        keys.setdefault(path, _at(head))
        path = (*path, counts[path] - 1)
    keys.setdefault(path, _at(head))
    for each in node.children:
        if each.type == "pair":
            _pair(each, path, keys, values)


def _pair(node: "Node", within: Path, keys: dict[Path, Position], values: dict[Path, Position]) -> None:
    key, value = node.children[0], node.children[-1]
    path = within
    for name in _names(key):
        path = (*path, name)
        keys.setdefault(path, _at(key))
    values[path] = _at(value)
    if value.type == "string":
        values[path] = _inside(value)
    _value(value, path, keys, values)


def _value(node: "Node", path: Path, keys: dict[Path, Position], values: dict[Path, Position]) -> None:
    if node.type == "inline_table":
        for each in node.children:
            if each.type == "pair":
                _pair(each, path, keys, values)
    elif node.type == "array":
        items = [each for each in node.children if each.type not in {"[", "]", ",", "comment"}]
        for number, each in enumerate(items):
            keys[*path, number] = values[*path, number] = _at(each)
            _value(each, (*path, number), keys, values)


_KEYS: Final = frozenset({"bare_key", "quoted_key", "dotted_key"})


def _names(node: "Node") -> Iterator[str]:
    if node.type == "dotted_key":
        for each in node.children:
            if each.type in _KEYS:
                yield from _names(each)
        return
    text = (node.text or b"").decode()
    yield text[1:-1] if node.type == "quoted_key" else text


def _at(node: "Node") -> Position:
    return Position(node.start_point.row + 1, node.start_point.column + 1)


def _inside(node: "Node") -> Position:
    """Where a text begins behind its quotes; behind three of them, on the next line, where it begins with one."""
    text = (node.text or b"").decode()
    quotes = 3 if text[:3] in {'"""', "'''"} else 1
    begins = _at(node)
    if quotes == 3 and text[3:4] == "\n":
        return Position(begins.line + 1, 1)
    return Position(begins.line, begins.column + quotes)


def _nearest(known: Mapping[Path, Position], path: Path) -> Position:
    while path and path not in known:
        path = path[:-1]
    return known.get(path, Position())
