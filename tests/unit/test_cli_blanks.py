"""Options with nothing in them, for every command that there is: not given, and no name becomes all of them."""

import pytest
from cyclopts.argument import Argument
from tests.unit.command_tree import ALL_COMMANDS

from daper.entrypoints.cli.app import app
from daper.entrypoints.cli.blanks import without_blanks
from daper.entrypoints.cli.exits import UsageError
from daper.entrypoints.cli.parameters import named

ARGUMENTS: dict[tuple[str, str], Argument] = {
    (command, name): argument
    for command, under in ALL_COMMANDS.items()
    for argument in under.assemble_argument_collection()
    for name in argument.names
    if name.startswith("--") and argument.token_count()[0] == 1
}
SCALAR = [
    each
    for each, argument in ARGUMENTS.items()
    if not argument.token_count()[1] and not argument.required and argument.index is None
]
NAMING = [each for each in ARGUMENTS if each not in SCALAR]


@pytest.mark.parametrize(("command", "option"), [each for each in SCALAR if each[1] != "--note"])
@pytest.mark.parametrize("written", [("{}", ""), ("{}", " \t"), ("{}=",), ("{}= ",)], ids=range(4))
def test_b1_an_option_that_is_blank_counts_as_not_given(command: str, option: str, written: tuple[str, ...]) -> None:
    words = command.split()
    blank = [each.format(option) for each in written]
    assert without_blanks(app, [*words, *blank, "--json"]) == [*words, "--json"]


@pytest.mark.parametrize(("command", "option"), NAMING)
def test_b1_what_names_something_is_not_dropped(command: str, option: str) -> None:
    words = [*command.split(), option, ""]
    assert without_blanks(app, words) == words


def test_a_note_may_be_taken_away() -> None:
    words = ["schedule", "upsert", "--note", ""]
    assert without_blanks(app, words) == words


def test_a_blank_that_belongs_to_something_else_stays() -> None:
    for words in (["repair", "show", ""], ["repair", "approve", "r1", "--edit", "a1.text="], ["nothing", ""], [""]):
        assert without_blanks(app, words) == words


@pytest.mark.parametrize("text", ["", "  ", ",", "[]", '[""]'])
def test_b1_a_name_that_is_blank_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--record .* names nothing; name something, or leave the option out"):
        named("--record", ["1001", text])


def test_b3_names_may_stand_in_one_text() -> None:
    assert named("--record", ["1001,1002", '["1003", 1004]', "1001"]) == ("1001", "1002", "1003", "1004")
    assert named("--record", []) == ()
