"""A number of another system's file is the one that its country writes, or none: never another one."""

from decimal import Decimal

import pytest

from daper.domains.orders.importing.numerals import DecimalSign, number_in, swapped

POINT = {
    "12.50": "12.50",
    ".5": "0.5",
    "-.5": "-0.5",
    "5.": "5",
    "1,234": "1234",
    "1,234,567.89": "1234567.89",
    "12,34,567.00": "1234567.00",
    "1 000.50": "1000.50",
    "1\u202f000": "1000",
    "1'234.50": "1234.50",
    "$5.00": "5.00",
    "-$5": "-5",
    "$-5": "-5",
    "$ 5": "5",
    "5 \u20ac": "5",
    "CA$1,205.00": "1205.00",
    "CHF 12.00": "12.00",
    "12.50-": "-12.50",
    "\u221212.50": "-12.50",
    "(12.50)": "-12.50",
    "($12.50)": "-12.50",
    "+5": "5",
    "5.-": "5",
    "\u0663": "3",
}
COMMA = {
    "12,50": "12.50",
    "1,5": "1.5",
    ",5": "0.5",
    "1.234,56": "1234.56",
    "1.234": "1234",
    "1 234,5 \u20ac": "1234.5",
    "5,-": "5",
    "-3,00": "-3.00",
    "3,00-": "-3.00",
    "12,50 kr": "12.50",
}
NO_NUMBERS = {
    ".": ["12,50", "1,5", "0,5", "1.234,56", "1.234.567", "1,,000", "1 00", "1 2", ",5", "1,2345", "1234,567"],
    ",": ["12.50", "1.5", "1,234.56", "1,234,567", "1..000", ".5"],
}
NEVER = [
    "",
    "-",
    "--5",
    "(-5)",
    "-5-",
    "(5",
    "5)",
    "10%",
    "12:30",
    "3/4",
    "1e3",
    "#5",
    "<5",
    "~5",
    "5*",
    "5+",
    "5 kg",
    "5 pcs",
]
MORE = ["x5", "$5$", "5 x 2", "1-2", "\u00bd", "NaN", "Infinity", "0x10", "1_000"]


@pytest.mark.parametrize(
    ("decimal", "text", "right"),
    [(".", text, right) for text, right in POINT.items()] + [(",", text, right) for text, right in COMMA.items()],
)
def test_a_number_is_read_as_its_country_writes_it(decimal: DecimalSign, text: str, right: str) -> None:
    assert number_in(text, decimal) == Decimal(right)


@pytest.mark.parametrize(
    ("decimal", "text"),
    [
        *((decimal, text) for decimal, texts in NO_NUMBERS.items() for text in texts),
        *((decimal, text) for decimal in ".," for text in (*NEVER, *MORE)),
    ],
)
def test_what_could_be_another_number_is_none(decimal: DecimalSign, text: str) -> None:
    assert number_in(text, decimal) is None


@pytest.mark.parametrize("text", ["12 DOZ", "$5", "5 \u20ac"])
def test_a_count_has_no_unit(text: str) -> None:
    assert number_in(text, counts=True) is None
    assert number_in("5", counts=True) == 5


def test_one_that_is_right_elsewhere_is_known_as_that() -> None:
    assert swapped("12,50", ".")
    assert swapped("1.234,56", ".")
    assert not swapped("12 apples", ".")
    assert not swapped("12.50", ".")
