"""Providers with a client of their own are bounded as OpenAI is: the real clients, a server that speaks as theirs."""

import json
from pathlib import Path

import pytest

from daper.agents.llm.config import OutputMode
from daper.core.errors import DaperError
from tests.cases import cases
from tests.llm.asking import Asking, asking
from tests.llm.hostile import PAGE, answered, bomb, flood, sent_on
from tests.llm.wire import Behaviour, Json

NAMES = ["anthropic/claude-x", "gemini/flash-x"]


def of_anthropic(**instead: object) -> Json:
    """A right answer as Anthropic has it."""
    call = {"type": "tool_use", "id": "t", "name": "final_result", "input": {"ok": True}}
    return {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [call],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 400, "output_tokens": 20},
        **instead,
    }


def of_google(**instead: object) -> Json:
    """A right answer as Google has it."""
    return {
        "candidates": [{"content": {"role": "model", "parts": [{"text": '{"ok": true}'}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 400, "candidatesTokenCount": 20, "totalTokenCount": 420},
        "modelVersion": "flash-x",
        **instead,
    }


async def came_of(model: Asking) -> str:
    """What asking comes to: what it took, or the kind of our error."""
    try:
        return str(await model.ping())
    except DaperError as error:
        return f"{type(error).__name__} of {str(error).partition(' ')[0]}"


def _json(body: Json) -> Behaviour:
    return answered(json.dumps(body))


# By the name of the model: whose answer, and what it comes to.
Row = tuple[str, Behaviour, str]
ANSWERS: dict[str, Row] = {
    "right, of anthropic": (NAMES[0], _json(of_anthropic()), "420 tokens in 1 call, no known price"),
    "right, of google": (NAMES[1], _json(of_google()), "420 tokens in 1 call, no known price"),
    "null, of anthropic": (NAMES[0], _json(of_anthropic(content=None)), "ModelOutputError"),
    "null, of google": (NAMES[1], _json(of_google(candidates=None)), "ModelOutputError"),
    "no usage, of anthropic": (NAMES[0], _json(of_anthropic(usage=None)), "ModelOutputError"),
    **{
        f"{what}, of {name}": (name, behaviour, kind)
        for name in NAMES
        for what, behaviour, kind in (
            ("a page", answered(PAGE), "ModelUnavailable"),
            ("nothing", answered(""), "ModelUnavailable"),
            ("a flood", flood(64), "ModelUnavailable"),
            ("a bomb", bomb(64), "ModelUnavailable"),
            ("an error", answered('{"error": {"message": "x", "code": 429}}'), "ModelUnavailable"),
            ("sent on", sent_on("http://elsewhere.example"), "ModelError"),
        )
    },
}


@pytest.mark.parametrize(
    ("name", "behaviour", "told"),
    cases(ANSWERS, quick=["right, of google"]),
)
async def test_a7_every_provider_is_bounded_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, behaviour: Behaviour, told: str
) -> None:
    async with asking(tmp_path, behaviour, name=name, output=OutputMode.AUTO, monkeypatch=monkeypatch) as model:
        assert await came_of(model) == (told if told.startswith("420") else f"{told} of {name}")
        assert "reserved" not in model.states()
