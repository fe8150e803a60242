"""The one description of a document: a small tree of blocks, from which every format is made. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

LONGEST_TEXT = 300
LONGEST_CODE = 120
LONGEST_PROSE = 2000
LONGEST_ID = 200
LONGEST_COMMAND = 1000


class Style(StrEnum):
    """How a piece of text is set."""

    TEXT = "text"
    CODE = "code"
    ADDRESS = "address"  # ours, which a reader may follow


@dataclass(frozen=True)
class Span:
    """A piece of text, ours or somebody else's, as it is: each format escapes it, and cuts what is over `longest`."""

    text: str
    style: Style = Style.TEXT
    longest: int = LONGEST_TEXT


Line = tuple[Span, ...]


@dataclass(frozen=True)
class Cell:
    """Some lines in one place. `before` and `after` are words of our own around them."""

    lines: tuple[Line, ...] = ()
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class Part:
    """A column of a narrow page, which takes in one or more columns of a table; widths are shares."""

    title: str
    width: int


@dataclass(frozen=True)
class Column:
    """A column of a table. On a narrow page it goes into the part with that place, after its label if it has one."""

    title: str
    part: int
    label: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells. A wide page shows every column, a narrow one the parts."""

    columns: tuple[Column, ...]
    parts: tuple[Part, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def narrow(self, row: tuple[Cell, ...]) -> list[list[tuple[str, Cell]]]:
        """A row as parts: in each the cells that hold something, with their labels."""
        parts: list[list[tuple[str, Cell]]] = [[] for _ in self.parts]
        for column, cell in zip(self.columns, row, strict=True):
            if cell.lines:
                parts[column.part].append((column.label, cell))
        return parts


@dataclass(frozen=True)
class Paragraph:
    """One line of running text."""

    line: Line


@dataclass(frozen=True)
class Facts:
    """Names and what they stand for."""

    rows: tuple[tuple[Line, Cell], ...]


@dataclass(frozen=True)
class Numbers:
    """Some numbers with their names, seen at one glance."""

    numbers: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Bars:
    """How a whole divides: a bar for each of its portions."""

    title: str
    bars: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class CheckList:
    """Things to do, each with a box to tick."""

    items: tuple[Line, ...]


@dataclass(frozen=True)
class Commands:
    """Command lines to copy; each is some words that stay together, and may be broken between them."""

    commands: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Copied:
    """A text to copy, line by line as it is."""

    lines: tuple[str, ...]


Block = Paragraph | Facts | Numbers | Bars | CheckList | Commands | Copied | Table


@dataclass(frozen=True)
class Section:
    """A heading and what is below it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A whole report, plan or message. `made_at` is when what it tells became so: one repair gives one document."""

    title: str
    repair_id: str
    made_at: datetime
    summary: Line
    state: Line
    about: Facts
    sections: tuple[Section, ...]
