"""The kept histories: read, written, and scrubbed of what belongs to the machine that recorded them."""

import functools
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict
from pydantic import JsonValue, TypeAdapter
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowHistory

from daper.adapters.temporal.codec import ZlibCodec

FOLDER = Path(__file__).parent / "histories"
# Who ran it, with what build, and where it failed: nothing of that is needed to replay.
_LEFT_OUT = {"identity", "binaryChecksum", "stackTrace", "workerVersion", "workerInstanceKey"}
_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)

Rewrite = Callable[[Payload], Awaitable[Payload]]


def names() -> tuple[str, ...]:
    """The names of all kept histories."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


def load(name: str) -> WorkflowHistory:
    """A kept history as Temporal's replayer takes it."""
    text = _text(name)
    return WorkflowHistory.from_json(_started(name)["workflowId"], text)


@functools.cache
def workflow_of(name: str) -> str:
    """The name of the workflow that a kept history is of."""
    return _started(name)["workflowType"]["name"]


def _text(name: str) -> str:
    return (FOLDER / f"{name}.json").read_text(encoding="utf-8")


# Any: as Temporal writes it.
def _started(name: str) -> dict[str, Any]:
    return json.loads(_text(name))["events"][0]["workflowExecutionStartedEventAttributes"]


async def scrubbed(history: WorkflowHistory, *, replace: dict[str, str]) -> str:
    """A history as the text of a file: without who and where, and with `replace` done everywhere, also in payloads."""

    def clean(text: str) -> str:
        for pattern, instead in replace.items():
            text = re.sub(pattern, instead, text)
        return text

    async def repack(payload: Payload) -> Payload:
        text = payload.data.decode("utf-8")
        return Payload(metadata=payload.metadata, data=clean(text).encode("utf-8"))

    document = await _rewritten(_JSON.validate_json(history.to_json()), clean, repack)
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


async def readable(history: str | WorkflowHistory) -> str:
    """All text of a history, or of a kept one by its name, payloads unpacked: for looking what is in it."""
    text = history.to_json() if isinstance(history, WorkflowHistory) else (FOLDER / f"{history}.json").read_bytes()
    found: list[str] = []

    def keep(text: str) -> str:
        found.append(text)
        return text

    async def unpack(payload: Payload) -> Payload:
        found.append(payload.data.decode("utf-8"))
        return payload

    await _rewritten(_JSON.validate_json(text), keep, unpack)
    return "\n".join(found)


async def _rewritten(value: JsonValue, clean: Callable[[str], str], repack: Rewrite) -> JsonValue:
    match value:
        case {"metadata": {"encoding": str()}}:
            return await _repacked(value, repack)
        case dict():
            kept = {name: part for name, part in value.items() if name not in _LEFT_OUT}
            return {clean(name): await _rewritten(part, clean, repack) for name, part in kept.items()}
        case list():
            return [await _rewritten(part, clean, repack) for part in value]
        case str():
            return clean(value)
        case _:
            return value


async def _repacked(value: JsonValue, repack: Rewrite) -> JsonValue:
    assert isinstance(value, dict)
    codec = ZlibCodec()
    [plain] = await codec.decode([ParseDict(value, Payload())])
    [packed] = await codec.encode([await repack(plain)])
    return _JSON.validate_python(MessageToDict(packed))
