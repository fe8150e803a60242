"""A file that declares a domain, and what can be wrong with one, each with its place."""

from dataclasses import dataclass
from pathlib import Path

from daper.domains.declared.document import (
    DomainDocument,
)
from daper.domains.declared.positions import Position, Positions


@dataclass(frozen=True, order=True)
class Fault:
    """What is wrong with a file, where, and what would be right."""

    at: Position
    said: str

    def line(self, path: Path) -> str:
        """As one line, as compilers say it."""
        return f"{path}:{self.at.line}:{self.at.column}: {self.said}"


@dataclass(frozen=True, kw_only=True)
class DeclaredFile:
    """A file whose shape is right. `text`: names its very content."""

    path: Path
    document: DomainDocument
    at: Positions
    text: str

    @property
    def name(self) -> str:
        """Of its domain."""
        return self.document.domain.name


class Faulty(Exception):
    """A file cannot be used; all that is wrong with it."""

    def __init__(self, path: Path, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(fault.line(path) for fault in faults))
        self.path = path
        self.faults = tuple(sorted(faults))
