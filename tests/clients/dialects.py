"""How a chat client and a model speak: the conversation in a request, and an answer, in the words of four makers."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from tests.clients.loopback import Response

# How clients name the tools of a server that is called daper; the longest first.
_PREFIX: Final = re.compile(r"^(?:mcp__daper__|mcp__daper\.|mcp_daper_|daper__|daper_)")
_MODEL: Final = "scripted"


# Any: arguments of many shapes.
@dataclass(frozen=True)
class Call:
    """A call of one of daper's tools, by daper's name for it."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """What a tool answered, as the client told the model."""

    tool: str
    text: str

    # Any: the document of a tool.
    @property
    def document(self) -> dict[str, Any]:
        """The JSON document in it; clients put words around it. Fails if there is none."""
        decoder = json.JSONDecoder()
        for begin in re.finditer(r"\{", self.text):
            try:
                found: Any = decoder.raw_decode(self.text, begin.start())[0]
            except ValueError:
                continue
            if isinstance(found, dict) and found:
                return cast(dict[str, Any], found)
        raise AssertionError(f"{self.tool} answered no document: {self.text}")


@dataclass(frozen=True)
class Words:
    """What a person wrote, with whatever the client adds."""

    text: str


@dataclass(frozen=True)
class Conversation:
    """What was said, in order, and daper's tools: their names here, and in the client."""

    items: tuple[Words | Result, ...]
    tools: Mapping[str, str]
    descriptions: Mapping[str, str]

    @property
    def results(self) -> list[Result]:
        """What daper's tools answered."""
        return [item for item in self.items if isinstance(item, Result)]

    def after(self, words: str) -> list[Result]:
        """What they answered since a person said this."""
        said = max(at for at, item in enumerate(self.items) if isinstance(item, Words) and words in item.text)
        return [item for item in self.items[said:] if isinstance(item, Result)]

    @property
    def last(self) -> Words | Result:
        """What the model has to answer."""
        return self.items[-1]


class Dialect(Protocol):
    """The words of one maker."""

    # Any: a request as the client wrote it.
    def heard(self, body: dict[str, Any]) -> Conversation:
        """What a request says."""
        ...

    def streams(self, path: str, body: dict[str, Any]) -> bool:
        """Whether the answer is wanted in pieces."""
        ...

    def answer(self, said: Call | str, conversation: Conversation, *, streaming: bool) -> Response:
        """The answer, as it is sent."""
        ...


def spoken_at(path: str) -> "Dialect | None":
    """Which one is spoken at a path."""
    if path.endswith("/chat/completions"):
        return _OpenAIChat()
    if path.endswith("/messages"):
        return _Anthropic()
    if path.endswith("/responses"):
        return _OpenAIResponses()
    return _Gemini() if path.endswith((":generateContent", ":streamGenerateContent")) else None


def _short(name: str) -> str:
    """daper's name of a tool; empty where the tool is somebody else's."""
    return _PREFIX.sub("", name) if _PREFIX.match(name) else ""


def _conversation(items: Iterable[Words | Result], tools: Iterable[tuple[str, str]]) -> Conversation:
    kept = [item for item in items if isinstance(item, Words) or item.tool]
    named = [(_short(name), name, about) for name, about in tools if _short(name)]
    return Conversation(
        items=tuple(kept),
        tools={short: name for short, name, _ in named},
        descriptions={short: about for short, _, about in named},
    )


# Any: text, or a list of pieces.
def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    pieces: list[dict[str, Any]] = content or []
    return "\n".join(piece["text"] for piece in pieces if isinstance(piece.get("text"), str))


# Any: what is to be sent.
def _whole(document: dict[str, Any]) -> Response:
    return Response(200, "application/json", json.dumps(document).encode())


# Any: what is to be sent.
def _events(events: Iterable[dict[str, Any]], *, named: bool = False, end: str = "") -> Response:
    lines = [(f"event: {event['type']}\n" if named else "") + f"data: {json.dumps(event)}\n\n" for event in events]
    return Response(200, "text/event-stream", ("".join(lines) + end).encode())


def _id(conversation: Conversation) -> str:
    return f"call_{len(conversation.items)}"


class _OpenAIChat:
    """OpenAI's chat completions: goose, opencode."""

    def heard(self, body: dict[str, Any]) -> Conversation:
        """What a request says."""
        items: list[Words | Result] = []
        called: dict[str, str] = {}
        for message in body["messages"]:
            for call in message.get("tool_calls") or ():
                called[call["id"]] = _short(call["function"]["name"])
            if message["role"] == "tool":
                items.append(Result(called.get(message["tool_call_id"], ""), _text(message["content"])))
            elif message["role"] == "user":
                items.append(Words(_text(message["content"])))
        functions = [tool["function"] for tool in body.get("tools") or ()]
        return _conversation(items, ((each["name"], each.get("description", "")) for each in functions))

    def streams(self, path: str, body: dict[str, Any]) -> bool:
        """Whether the answer is wanted in pieces."""
        return bool(body.get("stream"))

    def answer(self, said: Call | str, conversation: Conversation, *, streaming: bool) -> Response:
        """A message, or a call."""
        message: dict[str, Any] = {"role": "assistant", "content": said if isinstance(said, str) else None}
        if isinstance(said, Call):
            function = {"name": conversation.tools[said.tool], "arguments": json.dumps(dict(said.arguments))}
            message["tool_calls"] = [{"index": 0, "id": _id(conversation), "type": "function", "function": function}]
        ends = "tool_calls" if isinstance(said, Call) else "stop"
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        about = {"id": "chat", "created": 0, "model": _MODEL}
        if not streaming:
            whole: dict[str, Any] = {**about, "object": "chat.completion", "usage": usage}
            whole["choices"] = [{"index": 0, "message": message, "finish_reason": ends}]
            return _whole(whole)
        about["object"] = "chat.completion.chunk"
        pieces: list[dict[str, Any]] = [
            {**about, "choices": [{"index": 0, "delta": message, "finish_reason": None}]},
            {**about, "choices": [{"index": 0, "delta": {}, "finish_reason": ends}]},
            {**about, "choices": [], "usage": usage},
        ]
        return _events(pieces, end="data: [DONE]\n\n")


class _Anthropic:
    """Anthropic's messages: Claude Code."""

    def heard(self, body: dict[str, Any]) -> Conversation:
        """What a request says."""
        items: list[Words | Result] = []
        called: dict[str, str] = {}
        for message in body["messages"]:
            content: Any = message["content"]
            blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
            for block in blocks:
                if block["type"] == "tool_use":
                    called[block["id"]] = _short(block["name"])
                elif block["type"] == "tool_result":
                    items.append(Result(called.get(block["tool_use_id"], ""), _text(block.get("content"))))
                elif block["type"] == "text" and message["role"] == "user":
                    items.append(Words(block["text"]))
        return _conversation(items, ((each["name"], each.get("description", "")) for each in body.get("tools") or ()))

    def streams(self, path: str, body: dict[str, Any]) -> bool:
        """Whether the answer is wanted in pieces."""
        return bool(body.get("stream"))

    def answer(self, said: Call | str, conversation: Conversation, *, streaming: bool) -> Response:
        """A message, or a call."""
        ends = "tool_use" if isinstance(said, Call) else "end_turn"
        block: dict[str, Any] = {"type": "text", "text": said}
        if isinstance(said, Call):
            block = {"type": "tool_use", "id": f"toolu_{_id(conversation)}", "name": conversation.tools[said.tool]}
            block["input"] = dict(said.arguments)
        usage = {"input_tokens": 1, "output_tokens": 1}
        message: dict[str, Any] = {"id": f"msg_{_id(conversation)}", "type": "message", "role": "assistant"}
        message |= {"model": _MODEL, "stop_sequence": None, "usage": usage}
        if not streaming:
            return _whole({**message, "content": [block], "stop_reason": ends})
        empty: dict[str, Any] = {**block, "input": {}} if isinstance(said, Call) else {**block, "text": ""}
        delta = {"type": "text_delta", "text": said}
        if isinstance(said, Call):
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}},
            {"type": "content_block_start", "index": 0, "content_block": empty},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": ends, "stop_sequence": None}, "usage": usage},
            {"type": "message_stop"},
        ]
        return _events(events, named=True)


class _OpenAIResponses:
    """OpenAI's responses: codex."""

    def heard(self, body: dict[str, Any]) -> Conversation:
        """What a request says."""
        items: list[Words | Result] = []
        called: dict[str, str] = {}
        for item in body["input"]:
            match item.get("type", "message"):
                case "message" if item["role"] == "user":
                    items.append(Words(_text(item["content"])))
                case "function_call":
                    called[item["call_id"]] = _short(_joined(item.get("namespace", ""), item["name"]))
                case "function_call_output":
                    output = item["output"]
                    items.append(Result(called.get(item["call_id"], ""), _text(output)))
                case _:
                    pass
        return _conversation(items, self._tools(body.get("tools") or ()))

    def _tools(self, tools: Iterable[dict[str, Any]]) -> Iterable[tuple[str, str]]:
        for tool in tools:
            if tool.get("type") == "namespace":
                for each in tool["tools"]:
                    yield _joined(tool["name"], each["name"]), each.get("description", "")
            elif "name" in tool:
                yield tool["name"], tool.get("description", "")

    def streams(self, path: str, body: dict[str, Any]) -> bool:
        """Whether the answer is wanted in pieces."""
        return bool(body.get("stream"))

    def answer(self, said: Call | str, conversation: Conversation, *, streaming: bool) -> Response:
        """A message, or a call."""
        item: dict[str, Any] = {"type": "message", "id": f"msg_{_id(conversation)}", "role": "assistant"}
        item |= {"status": "completed", "content": [{"type": "output_text", "text": said, "annotations": []}]}
        if isinstance(said, Call):
            namespace, _, name = conversation.tools[said.tool].rpartition(".")
            item = {"type": "function_call", "id": f"fc_{_id(conversation)}", "call_id": _id(conversation)}
            item |= {"name": name, "arguments": json.dumps(dict(said.arguments)), "status": "completed"}
            item |= {"namespace": namespace} if namespace else {}
        usage: dict[str, Any] = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        usage |= {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
        response: dict[str, Any] = {"id": f"resp_{_id(conversation)}", "object": "response", "created_at": 0}
        response |= {"model": _MODEL, "status": "completed", "output": [item], "usage": usage}
        if not streaming:
            return _whole(response)
        events: list[dict[str, Any]] = [
            {"type": "response.created", "response": {**response, "status": "in_progress", "output": []}},
            {"type": "response.output_item.added", "output_index": 0, "item": {**item, "status": "in_progress"}},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": response},
        ]
        return _events(events, named=True)


def _joined(namespace: str, name: str) -> str:
    return f"{namespace}.{name}" if namespace else name


class _Gemini:
    """Gemini's generateContent: gemini-cli."""

    def heard(self, body: dict[str, Any]) -> Conversation:
        """What a request says."""
        items: list[Words | Result] = []
        for content in body["contents"]:
            for part in content["parts"]:
                if answered := part.get("functionResponse"):
                    response = answered["response"]
                    told = response.get("output", response.get("error", json.dumps(response)))
                    items.append(Result(_short(answered["name"]), told if isinstance(told, str) else json.dumps(told)))
                elif content.get("role") == "user" and "text" in part:
                    items.append(Words(part["text"]))
        functions = [each for tool in body.get("tools") or () for each in tool.get("functionDeclarations") or ()]
        return _conversation(items, ((each["name"], each.get("description", "")) for each in functions))

    def streams(self, path: str, body: dict[str, Any]) -> bool:
        """Whether the answer is wanted in pieces."""
        return path.endswith(":streamGenerateContent")

    def answer(self, said: Call | str, conversation: Conversation, *, streaming: bool) -> Response:
        """A message, or a call."""
        part: dict[str, Any] = {"text": said}
        if isinstance(said, Call):
            part = {"functionCall": {"name": conversation.tools[said.tool], "args": dict(said.arguments)}}
        usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
        candidate = {"index": 0, "content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}
        whole = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": _MODEL}
        return _events([whole]) if streaming else _whole(whole)
