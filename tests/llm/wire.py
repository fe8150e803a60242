"""What goes over the wire of an OpenAI chat completion: a request as it was asked, an answer as it will be sent."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import dropwhile, takewhile
from math import ceil
from typing import Any, Literal, cast

# JSON objects of any shape: what a test looks at in them, it checks.
Json = dict[str, Any]
Mode = Literal["native", "tool", "prompted"]

CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request for a completion.

    `number` counts all requests of a server, `attempt` those with the same model, instructions and first user message.
    """

    body: Json
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    number: int = 1
    attempt: int = 1

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))

    @property
    def messages(self) -> list[Json]:
        return cast("list[Json]", self.body.get("messages") or [])

    @property
    def system(self) -> str:
        """The instructions: what comes before the first message of the user. A library may add some to a correction."""
        leading = takewhile(lambda message: message["role"] in ("system", "developer"), self.messages)
        return "\n\n".join(_text(message) for message in leading)

    @property
    def user(self) -> str:
        """The first message of the user: the prompt."""
        return next((_text(message) for message in self.messages if message["role"] == "user"), "")

    @property
    def corrections(self) -> tuple[str, ...]:
        """What was said after the prompt by anybody but the model: why its answer did not do."""
        _, *after = dropwhile(lambda message: message["role"] != "user", self.messages)
        return tuple(_text(message) for message in after if message["role"] != "assistant")

    @property
    def mode(self) -> Mode:
        """Where the answer is wanted: as content by a schema, as a call of a tool, as content by the prompt alone."""
        if (self.body.get("response_format") or {}).get("type") == "json_schema":
            return "native"
        return "tool" if self.body.get("tools") else "prompted"

    @property
    def tool(self) -> str:
        """The name of the (first) tool that may be called."""
        return str(self.body["tools"][0]["function"]["name"])

    @property
    def schema(self) -> Json:
        """The JSON schema of the answer; in the prompted mode as the instructions have it, or nothing."""
        if self.mode == "native":
            return self.body["response_format"]["json_schema"]["schema"]
        if self.mode == "tool":
            return self.body["tools"][0]["function"]["parameters"]
        return _schema_in(self.system)

    @property
    def tokens(self) -> int:
        """What the request takes in tokens: its messages, and the schemas that come beside them."""
        beside = [json.dumps(self.body[name]) for name in ("tools", "response_format") if self.body.get(name)]
        return tokens("".join([*(_text(message) for message in self.messages), *beside]))

    @property
    def key(self) -> str | None:
        """The API key that it came with."""
        return self.headers.get("authorization", "").removeprefix("Bearer ") or None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is sent back, and how.

    `delay`: after so many seconds. `hang`: not before the server is told to `release`, and never if it closes first.
    `cut_after`: the connection breaks after so many bytes of the body. `raw`: the body, where it is no text. `pieces`:
    what is sent in place of a body, one after the other, each after a `pause`, until whoever asked goes away; as more
    and more headers if `in_head`.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: str = ""
    delay: float = 0.0
    hang: bool = False
    cut_after: int | None = None
    raw: bytes | None = None
    pieces: Callable[[], Iterable[bytes]] | None = None
    pause: float = 0.0
    in_head: bool = False


Behaviour = Callable[[Asked], Answer]


def tokens(text: str) -> int:
    """About how many tokens a text takes."""
    return ceil(len(text) / CHARACTERS_PER_TOKEN)


def replied(
    asked: Asked, reply: Json | str, *, finish_reason: str | None = None, usage: bool = True, in_content: bool = False
) -> Answer:
    """A completion with this reply in the place for the asked mode; `in_content` puts it into the content anyway."""
    text = reply if isinstance(reply, str) else json.dumps(reply, ensure_ascii=False)
    message: Json = {"role": "assistant", "content": text}
    if asked.mode == "tool" and not in_content:
        function = {"name": asked.tool, "arguments": text}
        call = {"id": f"call_{asked.number}", "type": "function", "function": function}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    by_default = "tool_calls" if "tool_calls" in message else "stop"
    body: Json = {
        "id": f"chatcmpl-{asked.number}",
        "object": "chat.completion",
        "created": 1_750_000_000,
        "model": asked.model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason or by_default, "logprobs": None}],
    }
    if usage:
        given, made = asked.tokens, tokens(text)
        body["usage"] = {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}
    return Answer(body=json.dumps(body))


def refused(
    status: int,
    message: str,
    *,
    kind: str = "invalid_request_error",
    code: str | None = None,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """An error as OpenAI words it."""
    error = {"message": message, "type": kind, "param": param, "code": code}
    return Answer(status=status, headers=headers or {}, body=json.dumps({"error": error}))


def _text(message: Json) -> str:
    content = message.get("content")
    if isinstance(content, list):
        parts = cast("list[Json]", content)
        return "".join(str(part.get("text", "")) for part in parts)
    return "" if content is None else str(content)


def _schema_in(text: str) -> Json:
    decoder = json.JSONDecoder()
    start = text.find('{"')
    while start >= 0:
        try:
            found, _ = decoder.raw_decode(text, start)
        except json.JSONDecodeError:
            found = None
        if isinstance(found, dict) and "properties" in found:
            return cast("Json", found)
        start = text.find('{"', start + 1)
    return {}
