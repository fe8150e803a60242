"""Which signals may be sent to stuck workflows: how the setting is written, and what of it is refused."""

from pathlib import Path

import pytest
from pydantic import JsonValue

from daper.core.errors import SettingError
from daper.core.limits import Between, Exactly, Limit, OneOf
from daper.domains.temporal.entry import open_domain
from daper.domains.temporal.tools.allowed_signals import AllowedSignal, allowed_signals

KINDS = ("too-long", "activity-retrying")


def signals(text: str) -> tuple[AllowedSignal, ...]:
    return allowed_signals(text, kinds=KINDS)


@pytest.mark.parametrize(
    ("text", "name", "limits"),
    [
        ("retry", "retry", {}),
        (" retry ( ) ;", "retry", {}),
        (
            "approve(by=ops|sales, days=1..9)",
            "approve",
            {"by": OneOf(values=("ops", "sales")), "days": Between(minimum=1, maximum=9)},
        ),
        ("approve(by=the Ministry)", "approve", {"by": Exactly(value="the Ministry")}),
        (
            "set(-3..3, x|y)",
            "set",
            {"argument_1": Between(minimum=-3, maximum=3), "argument_2": OneOf(values=("x", "y"))},
        ),
        ("set(true|5|null)", "set", {"argument_1": OneOf(values=(True, 5, None))}),
        ('"odd; name"("a, \\"b\\"")', "odd; name", {"argument_1": Exactly(value='a, "b"')}),
        ('set("5")', "set", {"argument_1": Exactly(value="5")}),
        ("set(v1.2)", "set", {"argument_1": Exactly(value="v1.2")}),
        ("höher.v2", "höher.v2", {}),
        ("note{level=1..3}", "note", {"level": Between(minimum=1, maximum=3)}),
    ],
)
def test_a_signal_is_read_with_the_limits_of_its_arguments(text: str, name: str, limits: dict[str, Limit]) -> None:
    [signal] = signals(text)
    assert (signal.name, signal.limits) == (name, limits)


SENT: list[tuple[str, dict[str, JsonValue], list[JsonValue]]] = [
    ("go", {}, []),
    ("go(a|b, n=1..9)", {"argument_1": "b", "n": 2}, ["b", 2]),
    ("go{by=a|b, n=1..9}", {"n": 2, "by": "a"}, [{"by": "a", "n": 2}]),
    ("go{}", {}, [{}]),
]


@pytest.mark.parametrize(("text", "arguments", "sent"), SENT)
def test_arguments_are_sent_one_after_another_or_as_one_object(
    text: str, arguments: dict[str, JsonValue], sent: list[JsonValue]
) -> None:
    [signal] = signals(text)
    assert signal.payload(arguments) == sent


def test_a_signal_is_for_what_stands_behind_it_and_nothing_else() -> None:
    first, second, third = signals("go for too-long@Order, activity-retrying; stop for too-long; any")
    assert first.fits("too-long", "Order")
    assert not first.fits("too-long", "Other")
    assert first.fits("activity-retrying", "Other")
    assert second.suits("Other")
    assert not second.repairs("activity-retrying", "Other")
    assert third.suits("Order")
    assert not third.fits("too-long", "Order")
    assert third.repairs("too-long", "Order")
    [only] = signals('go for too-long@"Order; v2"')
    assert only.suits("Order; v2")
    assert not only.suits("Order")


WRONG = {
    "(by=a)": "the name of a signal is wanted",
    "go(": "is wanted",
    "go(a": "a , or ) is wanted",
    "go(a b=c)": "is no name of an argument",
    "go(9..1)": "no range",
    "go(a..b)": "no range",
    "go(1..)": "the end of a range",
    "go(true..9)": "no range",
    "go{1..3}": "needs a name",
    "go(a=1, a=2)": "not twice",
    "go(signal=1)": "may not be named",
    "go(run_id=1)": "may not be named",
    "go(event_seen=1)": "may not be named",
    "go(a|)": "a value is wanted",
    "go go": "a ; is wanted",
    "go; go": "there twice",
    "go for": "a kind of problem is wanted",
    "go for nonsense": "no problem for which a signal is sent: activity-retrying, too-long",
    "go for task-failing": "no problem",
    "go for too-long@": "a type of workflow is wanted",
    '"go': "cannot be read",
    '"\\x"': "is no JSON",
    '"a\\u001b"': "no name of a signal",
    '"a\\u202eb"': "no name of a signal",
    "__temporal_internal": "no name of a signal",
    "x" * 300: "no name of a signal",
    "go}": "a ; is wanted",
    "go\x1b[31m(": "is no name of a signal",
}


@pytest.mark.parametrize(("text", "told"), list(WRONG.items()), ids=range(len(WRONG)))
def test_what_is_written_wrongly_is_refused_with_what_would_be_right(text: str, told: str) -> None:
    with pytest.raises(SettingError) as error:
        signals(text)
    assert told in str(error.value)
    assert "DAPER_TEMPORAL_SIGNALS" in str(error.value)
    assert "retry; approve(by=ops|sales" in str(error.value)
    assert str(error.value).isprintable()


def test_the_domain_is_not_opened_with_signals_that_are_written_wrongly(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="DAPER_TEMPORAL_SIGNALS"):
        open_domain(tmp_path, {"query": "*", "signals": "go("})
