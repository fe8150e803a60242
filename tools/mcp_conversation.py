"""Writes `docs/mcp-conversation.md`, each word of a real run: `make conversation`.

A Temporal server, a worker and `daper mcp` start on a throw-away copy of the shipped orders. The official client of
the protocol calls the tools as a language model would, and answers the form as the person would.
"""

import asyncio
import json
import re
import sysconfig
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, cast

import mcp.types as protocol
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.client.stdio import StdioServerParameters, stdio_client

from daper.adapters.temporal.connection import connect
from daper.adapters.temporal.embedded import embedded_server
from daper.settings import load_settings
from daper.workers import working

PAGE: Final = Path(__file__).parents[1] / "docs" / "mcp-conversation.md"
_DAPER: Final = Path(sysconfig.get_path("scripts"), "daper")
_WIDEST: Final = 120
_MOST_IN_A_LIST: Final = 2
_TEXT: Final = "text"
_LONGEST_TEXT: Final = 1200
_HEAD: Final = """\
# A conversation

What a chat client and `daper mcp` said to each other in one repair of the shipped orders. It was recorded from a real
run by `make conversation`: the official client of the protocol made the calls that a language model would make, and
answered the form as the person would. Ids are shortened; left out are empty fields, all but the first two of a list of
things, the ends of long texts, and in the second look what was said in the first. [More about it](mcp.md).
"""


class Recorder:
    """A client whose calls are written down."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._lines: list[str] = [_HEAD]

    async def answer_form(
        self, context: ClientRequestContext, params: protocol.ElicitRequestParams
    ) -> protocol.ElicitResult:
        """What the person says in a form."""
        said = {"confirm": True, "comment": "250 badges are enough"}
        self._lines.append(f"The client shows the person a form:\n\n```text\n{self._plain(params.message)}\n```\n")
        self._lines.append(f"The person answers:\n\n{_block(said)}")
        return protocol.ElicitResult(action="accept", content=cast(Any, said))  # a union that pyright cannot narrow

    def say(self, words: str) -> None:
        """What the person says."""
        self._lines.append(f"> {words}\n")

    # Any: arguments and answers of many shapes.
    async def call(
        self, client: Client, tool: str, arguments: Mapping[str, Any], *, but: Collection[str] = ()
    ) -> dict[str, Any]:
        """Call a tool, and write down both sides; of the answer all `but` these fields."""
        self._lines.append(f"## `{tool}`\n\n{_block(self._short(arguments))}")
        result = await client.call_tool(tool, {**arguments})
        if result.is_error or result.structured_content is None:
            raise SystemExit(f"{tool} answered {result.content}")
        answer = result.structured_content
        told = {name: part for name, part in answer.items() if name not in {*but, _TEXT}}
        self._lines.append(f"Answer:\n\n{_block(self._short(told))}")
        if text := answer.get(_TEXT):
            shown = self._plain(text)[:_LONGEST_TEXT].rpartition("\n")[0]
            self._lines.append(f"And its `{_TEXT}`, which begins so:\n\n```text\n{shown}\n```\n")
        return answer

    def text(self) -> str:
        """The page."""
        return "\n".join(self._lines).rstrip() + "\n"

    # Any: JSON of any shape.
    def _short(self, value: Any) -> Any:
        match value:
            case str():
                plain = self._plain(value)
                return plain if len(plain) <= _WIDEST else plain[:_WIDEST].rstrip() + "…"
            case dict():
                parts = cast(dict[str, Any], value).items()
                kept = {key: self._short(part) for key, part in parts}
                return {key: part for key, part in kept.items() if part not in ("", [], {}, None, "0")}
            case list():
                items = [self._short(item) for item in cast(list[Any], value)]
                left = len(items) - _MOST_IN_A_LIST
                if left <= 0 or isinstance(items[0], str):
                    return items
                return [*items[:_MOST_IN_A_LIST], f"… {left} more"]
            case _:
                return value

    def _plain(self, text: str) -> str:
        """Without paths of this machine, and with short ids."""
        text = text.replace(self._folder, "/home/harry")
        text = re.sub(r"(repair-Harry-[0-9a-f]{8})[0-9a-f-]{28}", r"\1", text)
        return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1", text)


def _block(document: object) -> str:
    return f"```json\n{json.dumps(document, indent=2, ensure_ascii=False)}\n```\n"


async def _talk(recorder: Recorder, client: Client) -> None:
    recorder.say("What is wrong with my orders? Repair what I approve.")
    repair = {"repair_id": (await recorder.call(client, "start_repair", {}))["repair_id"]}
    await recorder.call(client, "wait_for_repair", repair)
    looked = await recorder.call(client, "get_repair", repair)
    plan = looked["plan_digest"]
    recorder.say("The model shows the plan. Do all four, but 250 badges are enough.")
    [restock] = [action["id"] for action in looked["plan"]["actions"] if action["tool"] == "order_inventory"]
    decision = repair | {
        "plan_digest": plan,
        "actions": [action["id"] for action in looked["plan"]["actions"]],
        "edits": [{"action": restock, "argument": "quantity", "value": "250"}],
    }
    await recorder.call(client, "approve_repair", decision)
    await recorder.call(client, "wait_for_repair", repair | {"seen_plan": plan})
    await recorder.call(client, "get_repair", repair, but={"plan", "problems"})
    recorder.say("And in writing?")
    await recorder.call(client, "get_repair_report", repair)


async def record() -> str:
    """The page, of a run that happens now."""
    with tempfile.TemporaryDirectory() as folder:
        async with embedded_server(log_file=Path(folder, "temporal.log")) as server:
            environment = {
                "HOME": folder,
                "DAPER_HOME": f"{folder}/.daper",
                "USER_NAME": "Harry",
                "TEMPORAL_ADDRESS": server.address,
                "TEMPORAL_TASK_QUEUE": "conversation",
            }
            settings = load_settings(environ=environment, folder=Path(folder))
            recorder = Recorder(folder)
            program = StdioServerParameters(command=str(_DAPER), args=["mcp"], env=environment, cwd=folder)
            async with (
                working(await connect(settings), settings),
                Client(stdio_client(program), elicitation_callback=recorder.answer_form) as client,
            ):
                await _talk(recorder, client)
            return recorder.text()


def main() -> None:
    """Write the page anew."""
    PAGE.write_text(asyncio.run(record()), encoding="utf-8")


if __name__ == "__main__":
    main()
