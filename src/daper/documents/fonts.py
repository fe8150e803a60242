"""The fonts of a printed document, and what they can show. Needs the extra `pdf`, which reads them."""

import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from fontTools.ttLib import TTFont  # pyright: ignore[reportMissingTypeStubs]  # it has none

FOLDER = Path(__file__).parent / "fonts"
TEXT = ("Noto Sans", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Sans Thai")
LAST = ("Unifont", "Unifont Upper")  # a drawing of nearly every character, so that none is an empty box
# What a machine may have for the scripts that only the last resort knows. One language's shapes come first.
_INSTALLED = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans",
    "Apple SD Gothic Neo",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "Nirmala UI",
)
_ANY_NOTO = "Noto Sans "
_ONE_WIDTH = "Noto Sans Mono"
_IGNORED = frozenset("\u200c\u200d\ufe0e\ufe0f")  # no font needs a drawing for these


class Face(Protocol):
    """One face of one font, as the typesetter lists it; without a path it is inside the typesetter."""

    family: str
    path: str | None
    index: int


def families(faces: Iterable[Face]) -> tuple[str, ...]:
    """The families to set text in, the first that has a character wins: ours, then installed ones, then the last."""
    there = {face.family for face in faces}
    noto = sorted(name for name in there if name.startswith(_ANY_NOTO) and _ONE_WIDTH not in name)
    installed = dict.fromkeys((*(name for name in _INSTALLED if name in there), *noto))
    return (*TEXT, *(name for name in installed if name not in TEXT), *LAST)


class Coverage:
    """What some faces can show between them."""

    def __init__(self, faces: Iterable[Face]) -> None:
        self._faces = [(Path(face.path), face.index) for face in faces if face.path is not None]
        self._read: list[frozenset[int]] = []
        self._known: dict[str, bool] = {}

    def shown(self, text: str) -> str:
        """The text, in which `<U+XXXX>` stands for what would be an empty box."""
        if text.isascii():
            return text
        return "".join(cluster if self._has(cluster) else self._apart(cluster) for cluster in _clusters(text))

    def _apart(self, cluster: str) -> str:
        """A letter without the marks that its font does not have."""
        return "".join(
            char if self._has(char) and not (place and _sticks(char)) else f"<U+{ord(char):04X}>"
            for place, char in enumerate(cluster)
        )

    def _has(self, cluster: str) -> bool:
        """Whether one face has all of it: a letter and its marks are drawn by the same one."""
        if cluster not in self._known:
            wanted = [ord(char) for char in cluster if char not in _IGNORED]
            self._known[cluster] = any(drawn.issuperset(wanted) for drawn in self._drawn())
        return self._known[cluster]

    def _drawn(self) -> Iterator[frozenset[int]]:
        """Face by face; a font is read when those before it were not enough."""
        yield from self._read
        for path, index in self._faces[len(self._read) :]:
            self._read.append(_characters(path, index))
            yield self._read[-1]


def _sticks(char: str) -> bool:
    return char in _IGNORED or unicodedata.category(char) in {"Mn", "Mc", "Me"} or "\U0001f3fb" <= char <= "\U0001f3ff"


def _clusters(text: str) -> Iterator[str]:
    """Letters, each with what sticks to it; what a joiner joins is one."""
    cluster = ""
    for char in text:
        if cluster and not _sticks(char) and not cluster.endswith("\u200d"):
            yield cluster
            cluster = ""
        cluster += char
    yield cluster


def _characters(path: Path, index: int) -> frozenset[int]:
    """What a face has a drawing for. One that cannot be read is one that the text must do without: it has nothing."""
    try:
        with path.open("rb") as file, TTFont(file, fontNumber=index, lazy=True) as font:
            # By their numbers: their names would first be made from all the drawings.
            font.setGlyphOrder([str(number) for number in range(font["maxp"].numGlyphs)])
            return frozenset(font.getBestCmap() or ())
    except Exception:  # noqa: BLE001 - what is wrong with a stranger's file ends in any error of those who read it
        return frozenset()
