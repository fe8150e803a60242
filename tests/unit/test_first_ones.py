"""What is told of actions that are tried before those like them: which they are, and how many wait for them."""

from planned import proposed

from daper.core.models import ProposedAction
from daper.workflows.canaries import first_ones_told


def sort(letter: str, *numbers: int) -> list[ProposedAction]:
    return [proposed(number, alike=letter) for number in numbers]


def test_one_is_told_with_what_it_speaks_for() -> None:
    owls = sort("owls", 1, 2, 3)
    told = first_ones_told(owls[:1], owls)
    assert told == f"a1 is tried first; 2 more actions of {owls[0].bound.tool} (owls) wait until it has helped"


def test_several_are_told_together_and_others_are_not_counted() -> None:
    owls, toads, rats = sort("owls", 1, 2, 3), sort("toads", 4, 5), sort("rats", 6)
    told = first_ones_told([owls[0], toads[0]], [*owls, *toads, *rats])
    assert told == "a1, a4 are tried first; 3 actions wait, each until the one like it has helped"


def test_of_many_the_first_are_named() -> None:
    pairs = [sort(f"sort {number}", number, 100 + number) for number in range(1, 13)]
    told = first_ones_told([first for first, _ in pairs], [each for pair in pairs for each in pair])
    assert "a9, a10 and 2 more are tried first; 12 actions wait, each until" in told
