"""What a model says it took is believed as far as it can be, and the cap holds whatever it says."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic_ai.usage import RequestUsage

from daper.adapters.state import StatePlace
from daper.agents.llm.charges import CHARACTERS_PER_TOKEN, Call
from daper.core.errors import SpendingCapReached
from daper.core.usage import Spent
from daper.ports import Caps
from tests.llm.asking import asking, fine
from tests.llm.hostile import with_usage, with_value

MOST = Spent(calls=1, input_tokens=11_000, output_tokens=4096)
CALL = Call(most=MOST, asked=10_000, answered=800)
AS_THE_MOST = MOST.model_copy(update={"uncertain": 1})

FIGURES = {
    "what can be": ((2500, 200), Spent(calls=1, input_tokens=2500, output_tokens=200)),
    "the least that can be": ((1250, 100), Spent(calls=1, input_tokens=1250, output_tokens=100)),
    "more than was set aside": ((12_000, 9000), Spent(calls=1, input_tokens=12_000, output_tokens=9000)),
    "too little of both": ((0, 1), Spent(calls=1, input_tokens=1250, output_tokens=100, uncertain=1)),
    "too little of what was asked": ((9, 200), Spent(calls=1, input_tokens=1250, output_tokens=200, uncertain=1)),
    "too little of the answer": ((2500, 0), Spent(calls=1, input_tokens=2500, output_tokens=100, uncertain=1)),
    "nothing": ((0, 0), AS_THE_MOST),
    "less than nothing": ((-5, 200), AS_THE_MOST),
    "27 digits": ((10**27, 200), AS_THE_MOST),
    "a billion made": ((2500, 10**9), AS_THE_MOST),
}


@pytest.mark.parametrize(("told", "counted"), FIGURES.values(), ids=FIGURES)
def test_a7_a_figure_counts_as_far_as_it_can_be(told: tuple[int, int], counted: Spent) -> None:
    assert CALL.taken(RequestUsage(input_tokens=told[0], output_tokens=told[1])) == counted


LIES: Mapping[str, Mapping[str, object]] = {
    "27 digits": {"prompt_tokens": 10**27},
    "5 digits and a point": {"prompt_tokens": 12345.5},
    "less than nothing": {"completion_tokens": -1},
    "null": {"prompt_tokens": None},
    "a text": {"prompt_tokens": "many"},
    "a list": {"total_tokens": [1]},
    "yes": {"prompt_tokens": True},
    "details of 27 digits": {"prompt_tokens_details": {"cached_tokens": 10**27}},
    "details below nothing": {"completion_tokens_details": {"reasoning_tokens": -(10**27)}},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_a7_an_answer_with_a_figure_that_cannot_be_is_an_answer_that_did_not_say(
    tmp_path: Path, lie: Mapping[str, object]
) -> None:
    async with asking(tmp_path, with_usage(fine, **lie)) as model:
        spent = await model.ping()

        assert (spent.calls, spent.uncertain, spent.output_tokens) == (1, 1, 1000)
        assert 1000 < spent.input_tokens < 5000
        assert (await model.usage()).total == spent


@pytest.mark.parametrize("usage", [None, "free", [], {}, {"prompt_tokens": 7}], ids=json.dumps)
async def test_a7_a_usage_of_any_form_costs_no_answer(tmp_path: Path, usage: object) -> None:
    async with asking(tmp_path, with_value(fine, "usage", usage)) as model:
        assert (await model.ping()).uncertain == 1


async def test_a7_a_figure_below_what_was_asked_counts_as_that(tmp_path: Path) -> None:
    async with asking(tmp_path, with_usage(fine, prompt_tokens=0, completion_tokens=1, total_tokens=1)) as model:
        spent = await model.ping()
        [asked] = model.fake.asked

    said = sum(len(str(message["content"])) for message in asked.messages)
    assert (spent.input_tokens, spent.uncertain) == (said // CHARACTERS_PER_TOKEN, 1)


@pytest.mark.long
async def test_a7_a_cap_holds_for_calls_beside_each_other_of_a_model_that_says_they_took_nothing(
    tmp_path: Path,
) -> None:
    """All calls count for one cycle here, and none of them may pass what is left."""
    cap = 30_000
    lying = with_usage(fine, prompt_tokens=1, completion_tokens=1, total_tokens=2)
    async with asking(tmp_path, lying, caps=Caps(tokens=cap)) as model:
        ended = await asyncio.gather(*(model.ping() for _ in range(60)), return_exceptions=True)
        made = [each for each in ended if isinstance(each, Spent)]
        refused = [each for each in ended if isinstance(each, SpendingCapReached)]
        usage = (await StatePlace(home=tmp_path).spending().of_cycle("a-cycle")).total

    least = sum(
        sum(len(str(message["content"])) for message in asked.messages) // CHARACTERS_PER_TOKEN
        for asked in model.fake.asked
    )
    assert (len(made) + len(refused), len(made)) == (60, model.fake.count)
    assert refused
    assert least <= usage.tokens <= cap
