"""What is set of the domain of Temporal: read as it is meant, or refused by the name of its variable."""

from datetime import timedelta
from pathlib import Path

import pytest

from daper.core.errors import SettingError
from daper.domains.temporal.entry import open_domain
from daper.domains.temporal.options import TemporalOptions, options_of


def options(**values: str) -> TemporalOptions:
    """As they are with nothing but these set."""
    defaults = {option.name: option.default for option in open_domain.options}
    return options_of({**defaults, "query": "*", **values})


def test_without_anything_set_the_defaults_count_and_every_workflow_is_looked_at() -> None:
    found = options()
    assert found.query == ""
    assert found.place == {}
    assert (found.calls_per_second, found.retrying_attempts) == (250, 10)
    assert (found.retrying_after, found.paused_after, found.failed_within) == (
        timedelta(hours=1),
        timedelta(days=1),
        timedelta(days=7),
    )
    assert found.longest("Order") is None
    assert found.fix("too-long", "Order") is None


def test_a_type_of_its_own_comes_before_any() -> None:
    found = options(too_long="Order=2h, *=30d", fixes="too-long=cancel_workflow, too-long@Order=terminate_workflow")
    assert (found.longest("Order"), found.longest("Letter")) == (timedelta(hours=2), timedelta(days=30))
    assert (found.fix("too-long", "Order"), found.fix("too-long", "Letter")) == (
        "terminate_workflow",
        "cancel_workflow",
    )
    assert options(too_long="a=b=1h").longest("a=b") == timedelta(hours=1)


@pytest.mark.parametrize(
    "query",
    [
        'Note = "order by phone"',
        "Note = 'a) OR (b'",
        'Note = "\\") limit"',
        "(a = 1 OR b = 2)",
        "Limited = 1",
        "a = '--'",
        "`b)` = 1",
    ],
)
def test_a_filter_that_can_be_joined_is_taken_as_it_is(query: str) -> None:
    assert options(query=f" {query} ").query == query


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("a = 1 ORDER  BY StartTime", "has ORDER  BY, "),
        ("a = 1 group by b", "has GROUP BY, "),
        ("a = 1 LIMIT 3", "has LIMIT, "),
        ("a = 1) OR (b = 2", "its parentheses do not match$"),
        ("(a = 1", "its parentheses do not match$"),
        ("a = 1 /* ( */ ) OR (b = 2 /* ) */", "it has a comment"),
        ("a = 1 -- b", "it has a comment"),
        ('`"` = 1) OR (b = `"`', "its parentheses do not match$"),
        ("a = 1) OR (b = '", "a quote that nothing closes"),
        ('a = "', "a quote that nothing closes"),
        ("a = 1\x1b ORDER BY b", "<U\\+001B>"),
    ],
)
def test_a_filter_that_cannot_be_joined_with_others_is_refused(query: str, told: str) -> None:
    with pytest.raises(SettingError, match=f"^DAPER_TEMPORAL_QUERY .*{told}"):
        options(query=query)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("calls_per_second", "0", "is '0'; it must be a whole number from 1 to 10,000$"),
        ("calls_per_second", "many", "is 'many'; it must be a whole number"),
        ("retrying_attempts", "-1", "is '-1'; it must be a whole number"),
        ("retrying_after", "1 hour", "has '1 hour'; it must be a length of time, as 30m, 12h or 2d$"),
        ("paused_after", "", "has ''; it must be a length of time"),
        ("failed_within", "400d", "has '400d'; it must be a length of time"),
        ("too_long", "Order", "has 'Order'; it must be as 'OrderWorkflow=2h'$"),
        ("too_long", "Order=soon", "has 'soon'; it must be a length of time"),
        ("too_long", "Order=1h, Order=2h", "names 'Order' twice; leave one of them out$"),
        ("fixes", "too-long", "has 'too-long'; it must be as 'too-long=cancel_workflow'$"),
        ("fixes", "Too Long=x", "has 'Too Long=x'; it must be as 'too-long=cancel_workflow'$"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_variable(name: str, value: str, told: str) -> None:
    with pytest.raises(SettingError, match=f"^DAPER_TEMPORAL_{name.upper()} {told}"):
        options(**{name: value})


@pytest.mark.parametrize(
    ("fixes", "told"),
    [
        ("too-lng=cancel_workflow", "has 'too-lng', and there is no such problem; there are: task-failing, "),
        ("too-long=end_it", "has 'end_it', and there is no such tool; there are: "),
        ("nobody-polls=cancel_workflow", "has nobody-polls=cancel_workflow, which is not for that problem; none is$"),
        ("failed=unpause_activity", "which is not for that problem; these are: reset_workflow, start_again$"),
    ],
)
def test_a_fix_that_cannot_be_is_refused(fixes: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=f"^DAPER_TEMPORAL_FIXES .*{told}"):
        open_domain(tmp_path, {"query": "*", "fixes": fixes})


def test_what_is_set_of_a_connection_shows_no_key() -> None:
    found = options(api_key="hush", database_url="postgresql://u:hush@h/d")
    assert found.place == {"api_key": "hush"}
    assert "hush" not in repr(found)
