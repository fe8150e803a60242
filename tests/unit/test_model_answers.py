"""What an answer of a model means, what its errors say, and what it took: piece by piece, without a server."""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import JsonValue, ValidationError
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from daper.adapters.spending.tables import SpendingTables
from daper.adapters.state import StatePlace
from daper.agents.llm.checks import check_narrative
from daper.agents.llm.failures import translate
from daper.agents.llm.meter import Account, MeteredModel
from daper.agents.llm.replies import PlanReply, ReportReply
from daper.clock import utc_now
from daper.core.errors import SpendingCapReached
from daper.core.messages import CycleRef
from daper.core.usage import Role
from daper.ports import Caps, Transcript

FACTS: dict[str, JsonValue] = {
    "counts": {"problems": 4, "applied": 2},
    "records": [{"record": "ORD-001-HJP", "about": "Agent 99 of the year 1997"}],
}


@pytest.mark.parametrize(
    "narrative",
    [
        "4 problems were found, one of them with ORD-001-HJP.",
        "Four problems were found, two actions were done.",
        "Nothing is left to do.",
        "The customer was asked.",
    ],
)
def test_plain_true_words_pass(narrative: str) -> None:
    assert check_narrative(ReportReply(narrative=narrative), FACTS) is None


@pytest.mark.parametrize(
    "narrative",
    [
        "5 problems were found.",
        "All 40 are repaired.",
        "Five hundred orders are repaired.",
        "All fifty orders are repaired.",
        "Three are left.",
        "1 order is left.",
        "99 orders are repaired, and 1997 are left.",
        "① of ② is repaired.",
        "٣ problems.",
        "See https://evil.example.",
        "Pay at evil-bank.com now.",
        "See [here](x).",
        "See [here][x].",
        "<img src=x>",
    ],
)
def test_other_numbers_links_and_markup_do_not(narrative: str) -> None:
    assert check_narrative(ReportReply(narrative=narrative), FACTS) is not None


@pytest.mark.parametrize(
    "key", ["sk-ENVKEY1234567890", "sk-ant-api03-abcdefghij", "AIzaSyA1234567890abcdefghijklmn", "own"]
)
def test_d20_no_error_holds_a_key_also_none_that_was_not_configured_here(key: str) -> None:
    error = ModelHTTPError(401, "gpt-4o", {"error": {"message": f"Invalid token: {key}."}})
    assert key not in str(translate(error, name="openai/gpt-4o", key="own", about="x"))


ACTION = {"record_id": "r", "tool": "t", "confidence_score": 0.5, "why": "x"}


@pytest.mark.parametrize(
    "argument", ["1e999", "NaN", "-Infinity", "[1e999]", "9" * 5000, "[" * 25 + "]" * 25, '"\\ud800"']
)
def test_a7_an_argument_that_nobody_can_write_down_does_not_fit(argument: str) -> None:
    whole = {"actions": [ACTION | {"arguments": {"x": "HERE"}}], "doubts": [], "notes": ""}
    text = json.dumps(whole)

    with pytest.raises(ValidationError):
        PlanReply.model_validate_json(text.replace('"HERE"', argument))
    assert PlanReply.model_validate_json(text.replace('"HERE"', "[[[1.5]]]")).actions[0].arguments == {"x": [[[1.5]]]}


class Silent:
    """Keeps nothing."""

    async def write(self, entry: Transcript) -> None:
        assert entry.call_id


class Stub(Model):
    """Answers without saying what it took, or refuses."""

    def __init__(self, refusal: Exception | None = None) -> None:
        super().__init__()
        self.refusal = refusal
        self.asked = 0

    @property
    def model_name(self) -> str:
        return "gpt-4o"

    @property
    def system(self) -> str:
        return "openai"

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        self.asked += 1
        if self.refusal is not None:
            raise self.refusal
        return ModelResponse(parts=[TextPart("x")], usage=RequestUsage())


async def ask_until_capped(stub: Stub, folder: Path) -> int:
    """How often a model is asked before the next call could cost more than 20 cents."""
    cycle = CycleRef(repair_id="r", cycle_id="c", domain="d", store_id="s", today=utc_now())
    account = Account(
        cycle=cycle,
        role=Role.PLAN,
        record_ids=("r1",),
        name="openai/gpt-4o",
        most_output=4096,
        within=timedelta(seconds=30),
        caps=Caps(cost=Decimal("0.20")),
        spending=SpendingTables(StatePlace(home=folder).database()),
        transcripts=Silent(),
    )
    metered = MeteredModel(stub, account)
    for _ in range(20):
        try:
            await metered.request([ModelRequest(parts=[UserPromptPart("hi")])], None, ModelRequestParameters())
        except ModelHTTPError:
            pass
        except SpendingCapReached:
            return stub.asked
    return stub.asked


async def test_a_cap_in_money_holds_for_answers_that_do_not_say_what_they_took(tmp_path: Path) -> None:
    assert await ask_until_capped(Stub(), tmp_path) == 4  # each could have cost 4.4 cents


async def test_what_a_gateway_lost_may_have_been_charged_and_what_was_refused_was_not(tmp_path: Path) -> None:
    assert await ask_until_capped(Stub(ModelHTTPError(504, "gpt-4o", {})), tmp_path / "lost") == 4
    assert await ask_until_capped(Stub(ModelHTTPError(400, "gpt-4o", {})), tmp_path / "refused") == 20
