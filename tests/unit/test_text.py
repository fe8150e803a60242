"""Record text stays text: on a terminal, in Markdown, in HTML."""

import re
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from daper.core.ids import file_stem, repair_id, safe_name
from daper.core.text import markdown, markdown_code, visible

ANY = st.text(alphabet=st.characters(), max_size=40)  # lone surrogates too
MARKUP = st.lists(
    st.sampled_from([*"ab 1\t\n|`\\*_[]()<>&!#~:/.-+=\"'", "www.", "://", "http", "&lt;", "&#60;"]), max_size=20
).map("".join)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Luna Lovegood", "Luna Lovegood"),
        ("", ""),
        ("two\nlines\r\n", "two<U+000A>lines<U+000D><U+000A>"),
        ("\x1b[31mred\x1b[0m", "<U+001B>[31mred<U+001B>[0m"),
        ("\u202eevil\u2066", "<U+202E>evil<U+2066>"),
        ("a\u200bb\ufeffc\u00add", "a<U+200B>b<U+FEFF>c<U+00AD>d"),
        ("a\u2028b\x85c\x00", "a<U+2028>b<U+0085>c<U+0000>"),
        ("\U000e0041 tag", "<U+E0041> tag"),
        ("\ud800", "<U+D800>"),
        ("café 漢字 👩\u200d🚀", "café 漢字 👩\u200d🚀"),
        ("\u0645\u06cc\u200c\u062e ❤\ufe0f\u200d🔥", "\u0645\u06cc\u200c\u062e ❤\ufe0f\u200d🔥"),
        ("ad\u200cmin", "ad<U+200C>min"),
        ("x\u200d", "x<U+200D>"),
        ("👩\u200d\u200d🚀", "👩<U+200D><U+200D>🚀"),
        ("a\u034fb\u115f\u3164\uffa0\u17b4", "a<U+034F>b<U+115F><U+3164><U+FFA0><U+17B4>"),
        ("a\ufe00b\U000e0150", "a<U+FE00>b<U+E0150>"),
        (7, "7"),
        (None, "None"),
    ],
)
def test_d13_hidden_characters_are_shown(text: object, shown: str) -> None:
    assert visible(text) == shown


def test_a_long_text_is_cut_and_says_how_much_is_missing() -> None:
    assert visible("x" * 12, longest=10) == "xxxxxxxxxx… (2 more characters)"
    assert visible("x" * 10, longest=10) == "xxxxxxxxxx"


@given(ANY)
def test_d13_nothing_hidden_is_left_in_any_text(text: str) -> None:
    for shown in (visible(text), markdown(text), markdown_code(text)):
        hidden = {char for char in shown if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}}
        assert hidden <= {"\u200c", "\u200d"}
        assert len(shown.splitlines()) <= 1


@given(ANY, st.integers(min_value=1, max_value=20))
def test_a_cap_holds_whatever_the_text(text: str, longest: int) -> None:
    shown = visible(text, longest=longest)

    assert len(shown) <= longest * len("<U+10FFFF>") + len("… (99999 more characters)")
    assert len(text) > longest or "more characters)" not in shown.removeprefix(text)


def rendered(text: str) -> str:
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(f"x {text}")


def html_of(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


@given(MARKUP)
def test_d13_markdown_shows_every_character_of_the_text_and_no_markup(text: str) -> None:
    # A word that a reader could take for more is code, where a backtick cannot be, and a bar needs a backslash.
    said = re.sub("</?code>", "", rendered(markdown(text) + ".").replace("\\|", "|").replace("`", "'"))
    told = f"<p>x {html_of(visible(text))}.</p>\n".replace("\\|", "|").replace("`", "'")
    assert said.split() == told.split()


@given(MARKUP)
def test_d13_a_code_span_ends_where_we_end_it(text: str) -> None:
    html = rendered(markdown_code(text) + ".")

    assert html.startswith("<p>x <code>")
    assert html.endswith("</code>.</p>\n")
    assert html.count("<") == 4


@pytest.mark.parametrize("show", [markdown, markdown_code])
@given(text=MARKUP)
def test_d13_a_cell_of_a_table_stays_one_cell(show: Callable[[str], str], text: str) -> None:
    html = rendered(f"\n\n| a | b |\n| --- | --- |\n| {show(text)} | end |\n")

    assert html.count("<td>") == 2
    assert "<td>end</td>" in html


@pytest.mark.parametrize(
    "text",
    ["http://evil.example", "HTTPS://evil.example", "ftp://evil.example", "www.evil.example", "WWW.evil.example"],
)
def test_d13_a_bare_address_is_no_link(text: str) -> None:
    assert markdown(text) == f"`{text}`"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("minerva", "minerva"),
        ("../../etc/passwd", "etc-passwd"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("a b/c\\d\x00e", "a-b-c-d-e"),
        ("Ærøskøbing", "r-sk-bing"),
        ("x" * 99, "x" * 60),
    ],
)
def test_a_name_is_made_safe_for_files(text: str, name: str) -> None:
    assert safe_name(text) == name


@given(ANY)
def test_no_text_makes_a_file_name_that_leaves_its_folder(text: str) -> None:
    stem = file_stem(text)

    assert stem.isascii()
    assert 1 <= len(stem) <= 70
    assert not set(stem) & set("/\\\x00")
    assert not stem.startswith((".", "-"))


@given(ANY, ANY)
def test_two_identifiers_have_two_file_names(one: str, other: str) -> None:
    assert (file_stem(one) == file_stem(other)) == (one == other)


def test_the_id_of_a_repair_says_whose_it_is() -> None:
    assert repair_id("Minerva McGonagall", "7f3a") == "repair-Minerva-McGonagall-7f3a"
