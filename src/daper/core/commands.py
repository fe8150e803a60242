"""Command lines that people are told, as data in our texts: each door words them as they run where its reader is."""

import shlex
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

PROGRAM = "daper"


class CommandLine:
    """`daper` and the words that follow it. As text: for a shell in which `daper` is found, and is set up as here."""

    __slots__ = ("words",)

    def __init__(self, *words: str) -> None:
        self.words = words

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CommandLine) and other.words == self.words

    def __hash__(self) -> int:
        return hash(self.words)

    def __str__(self) -> str:
        return shlex.join((PROGRAM, *self.words))

    def __format__(self, spec: str) -> str:
        raise TypeError("a command line in an f-string is one no more: say it with Said, or as a part of an error")

    def __repr__(self) -> str:
        return f"CommandLine{self.words!r}"


class Said(str):
    """A text of ours that remembers which parts of it are command lines.

    For everybody it is the text with each of them as `daper …`. What is made of it by other means than this class is
    that text alone.
    """

    __slots__ = ("pieces",)
    pieces: tuple[str | CommandLine, ...]

    def __new__(cls, *pieces: str | CommandLine) -> "Said":
        whole = tuple(part for piece in pieces for part in (piece.pieces if isinstance(piece, Said) else (piece,)))
        said = super().__new__(cls, "".join(map(str, whole)))
        said.pieces = whole
        return said

    def __reduce__(self) -> "tuple[type[Said], tuple[str | CommandLine, ...]]":
        return Said, self.pieces

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: "GetCoreSchemaHandler") -> "CoreSchema":
        """Within a process it stays what it is; from JSON it comes back as the text alone."""
        from pydantic_core import core_schema  # an error needs no pydantic

        read = core_schema.no_info_after_validator_function(cls, core_schema.str_schema())
        return core_schema.json_or_python_schema(
            json_schema=read,
            python_schema=core_schema.union_schema([core_schema.is_instance_schema(cls), read], mode="left_to_right"),
            serialization=core_schema.to_string_ser_schema(),
        )


def joined(between: str, texts: Iterable[str]) -> Said:
    """Texts one after another, and what stands between them; their command lines stay what they are."""
    pieces = [piece for text in texts for piece in (between, text)]
    return Said(*pieces[1:])


def worded(text: str, *, line: Callable[[CommandLine], str], plain: Callable[[str], str]) -> str:
    """A text with each command line as `line` words it; what is around them as `plain` does."""
    pieces = text.pieces if isinstance(text, Said) else (text,)
    return "".join(line(piece) if isinstance(piece, CommandLine) else plain(piece) for piece in pieces)


def names_commands(text: str) -> bool:
    """Whether a text holds a command line."""
    return isinstance(text, Said) and any(isinstance(piece, CommandLine) for piece in text.pieces)
