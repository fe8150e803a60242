"""Letters on a page: which a font has, where a word may be broken, what would scribble over its neighbours."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from fontTools.ttLib import TTCollection, TTFont  # pyright: ignore[reportMissingTypeStubs]  # it has none
from hypothesis import given
from hypothesis import strategies as st
from sized_repairs import LONG_WORD, SCRIPTS

from daper.documents.blocks import Span
from daper.documents.fonts import FOLDER, Coverage, families
from daper.documents.legibility import legible, right_to_left
from daper.documents.line_breaks import pieces

ROCKET = "👩🏽\u200d🚀"


@dataclass
class Face:
    family: str
    path: str | None
    index: int = 0


OURS = [Face(path.stem, str(path)) for path in sorted(FOLDER.glob("*.?tf"))]


def test_the_fonts_that_come_along_have_every_script_and_are_few_enough_to_ship() -> None:
    coverage = Coverage(OURS)

    assert [coverage.shown(name) for name in SCRIPTS.values()] == list(SCRIPTS.values())
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 8_000_000
    assert "SIL OPEN FONT LICENSE Version 1.1" in (FOLDER / "LICENSE.txt").read_text("utf-8")
    for face in OURS:
        assert face.path is not None
        assert Path(face.path).name in (FOLDER / "LICENSE.txt").read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("吉", "吉"),
        ("𠮷", "<U+20BB7>"),
        (ROCKET, ROCKET),
        ("❤\ufe0f", "❤\ufe0f"),
        # Each has a drawing, but in a font of its own, and a letter and its mark are drawn by one.
        ("😀\u0301", "😀<U+0301>"),
        ("❤\ufe0f\u200d🔥", "❤<U+FE0F><U+200D>🔥"),
        ("a𠮷b", "a<U+20BB7>b"),
        ("\u0301", "\u0301"),
        ("", ""),
    ],
)
def test_what_no_font_has_is_named_by_its_number(text: str, shown: str) -> None:
    assert Coverage(OURS).shown(text) == shown


def test_a_font_that_cannot_be_read_has_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "broken.ttf"
    whole = (FOLDER / "NotoSansThai-Regular.ttf").read_bytes()
    for data in (b"", b"ttcf", b"\x00\x01\x00\x00\x00\x05" + b"\0" * 20, b"OTTO" + b"\xff" * 400, whole[:400]):
        broken.write_bytes(data)
        assert Coverage([Face("x", str(broken))]).shown("ก") == "<U+0E01>"
    broken.write_bytes(whole)
    assert Coverage([Face("x", str(broken))]).shown("ก") == "ก"
    assert Coverage([Face("x", str(tmp_path / "none.ttf")), Face("inside", None)]).shown("é") == "<U+00E9>"


def test_a_font_in_a_collection_is_found_by_its_place(tmp_path: Path) -> None:
    both = TTCollection()
    both.fonts = [TTFont(FOLDER / f"NotoSans{script}-Regular.ttf") for script in ("Hebrew", "Thai")]
    both.save(tmp_path / "fonts.ttc")

    shown = [Coverage([Face("x", str(tmp_path / "fonts.ttc"), place)]).shown("שก") for place in (0, 1)]

    assert shown == ["ש<U+0E01>", "<U+05E9>ก"]


def test_our_fonts_come_before_installed_ones_and_the_drawing_of_everything_last() -> None:
    installed = ("Unifont", "Wingdings", "Noto Sans Tamil", "Noto Sans CJK JP", "Noto Sans Mono CJK JP", "Noto Sans")

    chosen = families(Face(name, None) for name in installed)

    assert chosen[:2] == ("Noto Sans", "Noto Sans Arabic")
    assert chosen[-4:] == ("Noto Sans CJK JP", "Noto Sans Tamil", "Unifont", "Unifont Upper")


@given(st.text(max_size=80))
def test_pieces_make_up_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("a short text, of short words", ["a short text, of short words"]),
        ("to payment_update_requested now", ["to payment_", "update_", "requeste", "d now"]),
        ("who@broomsticks.example", ["who@", "broomsti", "cks.", "example"]),
        ("é" * 20, ["éééééééé", "éééééééé", "éééé"]),
        ("e\u0301" * 20, ["e\u0301" * 8, "e\u0301" * 8, "e\u0301" * 4]),
        (f"{'x' * 16}{ROCKET}{ROCKET}", ["xxxxxxxx", "xxxxxxxx", ROCKET + ROCKET]),
        ("赫" * 40, ["赫" * 40]),
        ("ก" * 40, ["ก" * 40]),
    ],
)
def test_a_long_word_may_be_broken_after_its_signs_or_between_letters(text: str, broken: list[str]) -> None:
    assert pieces(text) == broken


def test_no_piece_of_a_long_word_is_wider_than_a_narrow_column() -> None:
    assert max(map(len, pieces(LONG_WORD))) == 8


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Z" + "\u0337" * 4 + "o", "Z" + "\u0337" * 4 + "o"),
        ("Z" + "\u0337" * 30 + "o", "Z" + "\u0337" * 4 + "<26 more marks>o"),
        ("a\x1b[0m\u202eb", "a<U+001B>[0m<U+202E>b"),
        ("é" * 400, "é" * 300 + "… (100 more characters)"),
    ],
)
def test_a_letter_with_a_pile_of_marks_does_not_reach_the_lines_around_it(text: str, shown: str) -> None:
    assert legible(Span(text)) == shown


def test_what_runs_from_right_to_left_is_known() -> None:
    assert [script for script, name in SCRIPTS.items() if right_to_left(name)] == ["Arabic", "Hebrew"]
