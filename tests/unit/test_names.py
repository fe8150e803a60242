"""Names of any characters come out of a command line as they went in."""

import shlex

import pytest

from daper.core.names import asked_for, names_in


@pytest.mark.parametrize(
    "name", ["ORD-1", "#1001", "-x", "a,b", '["a"]', "it's", "$(reboot)", "two words", "`x`; y", "Ä\n"]
)
def test_a_name_that_is_asked_for_is_that_name_again(name: str) -> None:
    words = [word for each in shlex.split(asked_for("--record", name)) for word in each.split("=", 1)]
    assert words[0] == "--record"
    assert names_in(words[1]) == (name.strip(),)


def test_a_plain_name_is_asked_for_plainly() -> None:
    assert asked_for("--record", "ORD-1") == "--record ORD-1"
    assert asked_for("--record", "#1001") == "--record '#1001'"
