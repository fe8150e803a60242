"""Tokens and money: shared out without loss, and told in words."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from daper.core.usage import CallSpent, Role, Spent, Usage

calls = st.builds(
    CallSpent,
    role=st.sampled_from(Role),
    record_ids=st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=5, unique=True).map(tuple),
    spent=st.builds(
        Spent,
        calls=st.just(1),
        input_tokens=st.integers(0, 10**6),
        output_tokens=st.integers(0, 10**5),
        unpriced=st.integers(0, 1),
    ),
)


@given(st.lists(calls, max_size=20))
def test_what_is_shared_out_over_roles_and_records_is_all_there_is(spent: list[CallSpent]) -> None:
    usage = Usage.of(spent)
    assert sum(each.tokens for each in usage.by_record.values()) == usage.total.tokens
    assert sum(each.tokens for each in usage.by_role.values()) == usage.total.tokens
    assert usage.total.calls == len(spent) == sum(each.calls for each in usage.by_role.values())


def test_a_call_about_no_record_counts_for_its_role_alone() -> None:
    usage = Usage.of([CallSpent(role=Role.REPORT, spent=Spent(calls=1, input_tokens=7))])
    assert (usage.total.tokens, usage.by_record) == (7, {})


def test_it_is_told_in_words_with_what_is_not_known() -> None:
    assert str(Spent(calls=1, input_tokens=1000, output_tokens=1)) == "1,001 tokens in 1 call, $0"
    assert str(Spent(calls=2, input_tokens=5, cost=Decimal("0.0123"))) == "5 tokens in 2 calls, $0.0123"
    assert str(Spent(calls=2, input_tokens=5, unpriced=2)) == "5 tokens in 2 calls, no known price"
    told = str(Spent(calls=3, input_tokens=5, cost=Decimal("1.50"), unpriced=1, uncertain=1))
    assert told == (
        "5 tokens in 3 calls, $1.5, the price of 1 call is not known, "
        "1 call did not tell credibly what it took, which is estimated"
    )
