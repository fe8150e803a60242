"""A document as the data that the template of the printed page takes. Pure."""

from collections.abc import Sequence
from datetime import UTC
from typing import assert_never

from daper.documents.blocks import (
    LONGEST_COMMAND,
    LONGEST_ID,
    LONGEST_PROSE,
    Bars,
    Block,
    Cell,
    CheckList,
    Commands,
    Copied,
    Document,
    Facts,
    Line,
    Numbers,
    Paragraph,
    Span,
    Table,
)
from daper.documents.cells import moment
from daper.documents.fonts import Coverage
from daper.documents.legibility import legible, right_to_left
from daper.documents.line_breaks import pieces

# A row of so much text stays on one page; a longer one may be parted, or it might not fit on any.
_ONE_PIECE = 1500
_APART = "\u2068{}\u2069"  # beside other text, a text from right to left keeps its place


class Typesetting:
    """Turns blocks into data: every text legible, in characters that there is a font for, in pieces that fit."""

    def __init__(self, coverage: Coverage) -> None:
        self._coverage = coverage

    def document(self, document: Document) -> dict[str, object]:
        """All of it."""
        made = document.made_at.astimezone(UTC)
        return {
            "title": document.title,
            "id": self._pieces(Span(document.repair_id, longest=LONGEST_ID)),
            "date": {name: getattr(made, name) for name in ("year", "month", "day", "hour", "minute", "second")},
            "made": moment(made),
            "summary": self._line(document.summary),
            "state": self._line(document.state),
            "about": self._block(document.about),
            "sections": [
                {"title": section.title, "blocks": [self._block(block) for block in section.blocks]}
                for section in document.sections
            ],
        }

    def _block(self, block: Block) -> dict[str, object]:
        match block:
            case Paragraph(line):
                return {"kind": "paragraph", "line": self._line(line)}
            case Facts(rows):
                named = [{"name": self._line(name), "cell": self._cell(known)} for name, known in rows]
                return {"kind": "facts", "rows": named}
            case Numbers(numbers):
                return {"kind": "numbers", "numbers": [{"name": name, "number": number} for name, number in numbers]}
            case Bars(title, bars):
                drawn = [{"name": name, "number": number} for name, number in bars]
                return {"kind": "bars", "title": title, "bars": drawn}
            case CheckList(items):
                return {"kind": "checklist", "items": [self._line(item) for item in items]}
            case Commands() | Copied():
                return self._to_copy(block)
            case Table():
                return self._table(block)
            case _:
                assert_never(block)

    def _to_copy(self, block: Commands | Copied) -> dict[str, object]:
        if isinstance(block, Commands):
            spans = [[Span(words, longest=LONGEST_COMMAND) for words in command] for command in block.commands]
            return {"kind": "commands", "commands": [[self._pieces(span) for span in line] for line in spans]}
        lines = [Span(line or " ", longest=LONGEST_PROSE) for line in block.lines]
        return {"kind": "copied", "lines": [self._pieces(span) for span in lines]}

    def _table(self, table: Table) -> dict[str, object]:
        return {
            "kind": "table",
            "parts": [{"title": part.title, "width": part.width} for part in table.parts],
            "rows": [self._row(table.narrow(row)) for row in table.rows],
        }

    def _row(self, parts: Sequence[Sequence[tuple[str, Cell]]]) -> dict[str, object]:
        spans = [span for cells in parts for _, cell in cells for line in cell.lines for span in line]
        return {
            "breakable": sum(min(len(span.text), span.longest) for span in spans) > _ONE_PIECE,
            "parts": [[self._cell(cell, label) for label, cell in cells] for cells in parts],
        }

    def _cell(self, cell: Cell, label: str = "") -> dict[str, object]:
        lines = [self._line(line) for line in cell.lines]
        return {"label": label, "before": cell.before, "after": cell.after, "lines": lines}

    def _line(self, line: Line) -> list[object]:
        return [{"style": str(span.style), "pieces": self._pieces(span)} for span in line]

    def _pieces(self, span: Span) -> list[str]:
        shown = self._coverage.shown(legible(span))
        return pieces(_APART.format(shown) if right_to_left(shown) else shown)
