"""An id in short means one repair or says which it could mean; a list shows none that means two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daper.core.errors import UserError
from daper.core.short_ids import is_whole, meant, misspelt, shortened, the_one

A = "repair-Minerva-ff0584fe-9779-4008-859a-08135468bf09"
B = "repair-Minerva-ff0584fe-1111-4008-859a-08135468bf09"
C = "repair-Harry-Ron-0a84fe99-9779-4008-859a-08135468bf09"
KEYED = "repair-Luna-k0123456789abcdef01234567"
SCHEDULED = "repair-schedule-Minerva-2025-06-28T09:00:00Z"
IDS = (A, B, C, KEYED, SCHEDULED)


@pytest.mark.parametrize(
    ("said", "ids"),
    [
        (A, (A,)),
        ("repair-H", (C,)),
        ("0a84", (C,)),
        ("0a8", ()),
        ("ff0584fe", (A, B)),
        ("repair-Minerva-ff0584fe-9", (A,)),
        ("ff0584fe-1", (B,)),
        ("k0123", (KEYED,)),
        ("repair-schedule-Min", (SCHEDULED,)),
        ("Minerva", ()),
        ("repair-", IDS),
        ("", ()),
        (SCHEDULED, (SCHEDULED,)),
    ],
)
def test_b7_a_short_id_means_what_it_begins(said: str, ids: tuple[str, ...]) -> None:
    assert meant(said, IDS) == ids


def test_what_could_be_several_is_refused_with_all_of_them_and_what_is_none_stands_as_it_was_said() -> None:
    with pytest.raises(UserError, match=f"'ff0584fe' could mean 2 repairs: {A}, {B}; say more of the id"):
        the_one("ff0584fe", meant("ff0584fe", IDS))
    assert the_one("0a84", meant("0a84", IDS)) == C
    assert the_one("nix", ()) == "nix"


def test_an_id_that_is_whole_is_not_looked_for() -> None:
    assert [is_whole(each) for each in IDS] == [True, True, True, True, False]
    assert not is_whole(A[:-1])
    assert is_whole("repair-a-b-" + A[-36:])


def test_a_list_shows_ids_as_short_as_they_mean_one() -> None:
    assert shortened(IDS) == {
        A: "repair-Minerva-ff0584fe-9",
        B: "repair-Minerva-ff0584fe-1",
        C: "repair-Harry-Ron-0a84fe99",
        KEYED: "repair-Luna-k0123456",
        SCHEDULED: SCHEDULED,
    }


@given(st.lists(st.tuples(st.sampled_from(["A", "B-C"]), st.uuids(version=4)), min_size=1, max_size=20, unique=True))
def test_what_a_list_shows_means_exactly_its_repair(made: list[tuple[str, object]]) -> None:
    ids = [f"repair-{user}-{unique}" for user, unique in made]
    for whole, short in shortened(ids).items():
        assert meant(short, ids) == (whole,)


@pytest.mark.parametrize(
    ("said", "ids"),
    [
        (A[:-1] + "8", (A, B)),
        ("0a48fe99", (C,)),
        ("repair-Harry-Ron-0a84fe98-9779", (C,)),
        ("repair-Mineva-ff0584fe-1111-4008-859a-08135468bf09", (B, A)),
        ("repair-Minerva-k0123456789abcdef01234567", (KEYED,)),
        ("repair-Minerva-01234567-89ab-cdef-0123-456789abcdef", ()),
        ("repair-schedule-Minerva-2025-06-28T09:00:01Z", (SCHEDULED,)),
        ("repair-Minerva", ()),
        ("ORD-001-HJP", ()),
        ("", ()),
    ],
)
def test_only_a_slip_of_the_hand_means_another_repair(said: str, ids: tuple[str, ...]) -> None:
    assert misspelt(said, IDS) == ids
