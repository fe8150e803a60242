"""Which ids may have been meant by one that nobody has."""

import pytest

from daper.core.nearness import misspelt, near

IDS = [f"ORD-{number:03}-{name}" for number, name in enumerate(("HJP", "HJG", "RBW", "RHG", "LLV", "DLM"), start=1)]


@pytest.mark.parametrize(
    ("wanted", "first"),
    [
        ("ord-004-rhg", "ORD-004-RHG"),
        ("ORD-004-RGH", "ORD-004-RHG"),
        ("ORD004RHG", "ORD-004-RHG"),
        (" ORD-005-LLV ", "ORD-005-LLV"),
        ("orders/ORD-006-DLM", "ORD-006-DLM"),
        ("dlm", "ORD-006-DLM"),
    ],
)
def test_the_likeliest_id_is_named_first(wanted: str, first: str) -> None:
    assert near(wanted, IDS)[0] == first
    assert len(near(wanted, IDS)) <= 3


@pytest.mark.parametrize("wanted", ["", "x", "zzzzzz", "\u202e"])
def test_what_is_like_nothing_names_nothing(wanted: str) -> None:
    assert near(wanted, IDS) == ()


def test_ids_that_are_equally_alike_are_named_in_the_order_of_the_store() -> None:
    assert near("A-9", ["A-3", "A-1", "A-2", "A-4"]) == ("A-3", "A-1", "A-2")


def test_among_thousands_the_likeliest_is_found() -> None:
    assert near("ORD-5000", [f"ORD-{number:06}" for number in range(10_000)])[0] == "ORD-005000"


@pytest.mark.parametrize(
    ("wanted", "names", "meant"),
    [
        ("nigthly", ["nightly", "weekly"], ("nightly",)),
        ("Nightly", ["nightly"], ("nightly",)),
        ("daper-for-lnua", ["daper-for-luna", "daper-for-ginny"], ("daper-for-luna",)),
        ("daper-for-harry", ["daper-for-luna", "daper-for-ginny"], ()),
        ("potions", [], ()),
        ("", ["nightly"], ()),
    ],
)
def test_only_a_slip_of_the_hand_means_another_name(wanted: str, names: list[str], meant: tuple[str, ...]) -> None:
    assert misspelt(wanted, names, after="daper-for-") == meant
