"""JSON text as people keep it: exact money, kept order, faults with a place."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daper.core.errors import StoreDamaged
from daper.stores.jsontext import dump, parse

FILE = Path("orders.json")

decimals = st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**9), max_value=10**9)


def nested(inner: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    return st.dictionaries(st.text(max_size=8), inner, max_size=4)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | decimals | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | nested(inner),
    max_leaves=8,
)


@given(document=nested(values))
@settings(deadline=None, derandomize=True, max_examples=60)
def test_a_document_comes_back_as_it_was_with_its_keys_in_order(document: dict[str, object]) -> None:
    again = parse(dump(document), path=FILE)
    assert again == document
    assert repr(again) == repr(document)


def test_money_is_written_digit_by_digit_as_it_was() -> None:
    text = b'{\n  "z": 37.90,\n  "a": 1.000,\n  "n": 12,\n  "unknown": [\n    null\n  ]\n}\n'
    assert dump(parse(text, path=FILE)) == text
    assert parse(text, path=FILE)["z"] == Decimal("37.90")
    assert type(parse(text, path=FILE)["n"]) is int


def test_a_byte_order_mark_and_windows_line_ends_are_tolerated() -> None:
    assert parse(b'\xef\xbb\xbf{\r\n"a": 1}\r\n', path=FILE) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        (b"", "line 1, column 1", "Expecting value"),
        (b'{"a": 1,\n "b": }', "line 2, column 7", "Expecting value"),
        (b'{"a": 1\n', "line 2, column 1", "delimiter"),
        (b'{"a": NaN}', "line 1, column 7", "Expecting value"),
        (b'{"a": -Infinity}', "line 1, column 7", "Expecting value"),
        (b'{"a": {"b": 1},\n "c": {"b": 1, "b": 2}}', "line 2, column 16", "key 'b' is there twice"),
        (b'{"a\\u0062": 1, "ab": 2}', "line 1, column 16", "key 'ab' is there twice"),
        (b'{"a": [1.5,\n  1e999999999]}', "line 2, column 3", "too large or too small"),
        (b'{"a": ' + b"9" * 5000 + b"}", "line 1, column 7", "too large or too small"),
        (b"[1]", "line 1, column 1", "one JSON object"),
        (b'{"a": "\xff"}', "line 1, column 8", "not UTF-8"),
        (b'{"a": ' + b"[" * 100_000, "line 1, column 1", "nested too deep"),
    ],
)
def test_a_broken_file_is_refused_with_name_line_and_column(text: bytes, place: str, why: str) -> None:
    with pytest.raises(StoreDamaged) as refused:
        parse(text, path=FILE)
    assert f"'orders.json', {place}" in str(refused.value)
    assert why in str(refused.value)
    assert "daper records reset" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "place", "half"),
    [
        (b'{"a": 1,\n "notes": "x\\ud800y"}', "line 2, column 13", "\\ud800"),
        (b'{"a": {"\\uDFFF": 1}}', "line 1, column 9", "\\uDFFF"),
        (b'{"a": ["\\ud83d\\ud83d\\ude00"]}', "line 1, column 9", "\\ud83d"),
        (b'{"a": "\\ud83d \\ude00"}', "line 1, column 8", "\\ud83d"),
        (b'{"a": "\\\\\\ud800"}', "line 1, column 10", "\\ud800"),
    ],
)
def test_half_a_surrogate_pair_is_refused_with_its_place_and_how_to_mend_it(text: bytes, place: str, half: str) -> None:
    with pytest.raises(StoreDamaged) as refused:
        parse(text, path=FILE)
    said = str(refused.value)
    assert f"'orders.json', {place}: {half} is half a character" in said
    assert "write the character itself, or remove the escape" in said


@pytest.mark.parametrize(
    "text", [b'{"\\ud83d\\ude00": "\\uD83E\\uDD89"}', b'{"path": "C:\\\\ud800", "x": "\\\\\\\\udfff"}']
)
def test_a_whole_pair_and_an_escaped_backslash_are_no_half_pairs(text: bytes) -> None:
    assert parse(text, path=FILE) == json.loads(text)


def test_a_key_that_is_there_twice_is_named_in_short() -> None:
    key = "k" * 5000
    with pytest.raises(StoreDamaged) as refused:
        parse(json.dumps({key: 1})[:-1].encode() + b", " + json.dumps({key: 2})[1:].encode(), path=FILE)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), float("nan"), object()])
def test_what_json_cannot_say_is_not_written(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        dump({"a": value})


def test_the_word_nan_in_a_text_is_only_a_text() -> None:
    assert parse(dump({"a": "NaN and Infinity"}), path=FILE) == {"a": "NaN and Infinity"}


def test_what_an_editor_or_a_terminal_would_not_show_is_written_as_an_escape() -> None:
    """D13."""
    hidden = r"\u009b31m\u200b\u2066\ufeff\udb40\udc41 ad\u200cmin\u200d"
    text = f'{{\n  "n\\u202e": "{hidden} é ❤\ufe0f 👩\u200d🚀"\n}}\n'.encode()
    assert dump(parse(text, path=FILE)) == text


def test_a_text_that_looks_like_an_escape_stays_one() -> None:
    document = {"a": "\\u202e", "b": "\\\u202e"}
    assert parse(dump(document), path=FILE) == document
