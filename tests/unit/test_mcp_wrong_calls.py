"""What is said of a wrong call: one line of ours for every tool, prompt and resource, whatever is wrong with it."""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

import mcp.types as types
import pytest
from mcp import Client, MCPError
from mcp.types import Request
from pydantic import BaseModel, ConfigDict
from tests.unit.every_tool import ARGUMENTS, DOOR, TOOLS, is_list

from daper.entrypoints.mcp.server import build_server
from daper.settings import ChatApproval

KEY = "sk-ant-api03-" + "Ab1" * 20
HIDDEN = "\x1b[2J\u202e\n"

Era = Literal["auto", "legacy"]
# What no argument can be, with what may stand for it in a sentence.
NEVER: Mapping[str, Any] = {
    "an object": {"deep": {"er": [1]}},
    "an array of arrays": [[1], [2]],
    "a fraction": 1.5,
    "a secret": {"password": KEY},
    "hidden characters": {HIDDEN: HIDDEN},
    "very much": {"x": "y" * 20_000},
    "very many": [{}] * 1_000,
}


both_eras = pytest.mark.parametrize("era", ["auto", pytest.param("legacy", marks=pytest.mark.long)])


@asynccontextmanager
async def calling(era: Era) -> AsyncGenerator[Client]:
    """A client of the whole server, of either era; nothing that is called right can be answered."""
    async with Client(build_server(DOOR, approval=ChatApproval.ELICIT, read_only=False), mode=era) as client:
        yield client


def in_our_words(said: str) -> str:
    """The sentence, after a look at whether it is one, short, and without what must not be in it."""
    assert said.isprintable(), said
    assert len(said) < 1_200, said
    assert KEY not in said
    assert "y" * 200 not in said
    words = said.lower()
    for never in (
        "pydantic",
        "http://",
        "https://",
        "validation error",
        "input_value",
        "input should",
        "type=",
        "<u+000a>",
    ):
        assert never not in words, said
    return said


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """What a tool says of wrong arguments."""
    said = await client.call_tool(tool, arguments)
    assert said.is_error, said.structured_content
    (part,) = said.content
    assert isinstance(part, types.TextContent)
    return in_our_words(part.text.removeprefix(f"Error executing tool {tool}: "))


def needed(tool: str) -> dict[str, Any]:
    """The fewest arguments that a tool takes."""
    return {
        argument: ["a"] if is_list(field.annotation) else "a"
        for (name, argument), field in ARGUMENTS.items()
        if name == tool and field.is_required()
    }


@both_eras
async def test_d5_whatever_stands_for_an_argument_is_refused_in_one_line_that_names_it(era: Era) -> None:
    async with calling(era) as client:
        for tool, argument in ARGUMENTS:
            for what, value in NEVER.items():
                if argument == "edits" and isinstance(value, dict) and what != "very much":
                    continue  # an object of objects is another way to say edits
                said = await refused(client, tool, **{**needed(tool), argument: value})
                assert argument in said, (tool, what, said)
                assert "has to be" in said or "has an entry" in said, (tool, what, said)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("get_repair", {}, "repair_id is not given, and has to be: the repair_id that start_repair answered"),
        (
            "get_repair",
            {"repair_id": None},
            "repair_id is null, and has to be text that is not empty, of at most 200 characters",
        ),
        (
            "get_repair",
            {"repair_id": ""},
            'repair_id is "", and has to be text that is not empty, of at most 200 characters',
        ),
        (
            "wait_for_repair",
            {"repair_id": "a", "seconds": 26},
            "seconds is 26, and has to be a whole number from 1 to 25",
        ),
        (
            "wait_for_repair",
            {"repair_id": "a", "seconds": "x"},
            'seconds is "x", and has to be a whole number from 1 to 25',
        ),
        (
            "get_repair_report",
            {"repair_id": "a", "offset": -1},
            "offset is -1, and has to be a whole number of at least 0",
        ),
        ("start_repair", {"dry_run": "maybe"}, 'dry_run is "maybe", and has to be true or false'),
        (
            "start_repair",
            {"record_ids": ["a", {"b": 1}]},
            'entry 2 of record_ids is {"b": 1}, and has to be text that is not empty, of at most 200 characters',
        ),
        ("report_problem", {"record_ids": "[]"}, "record_ids is [], and has to be a list of texts, 1 to 500 of them"),
        (
            "approve_repair",
            {"repair_id": "a", "plan_digest": "b", "actions": []},
            "actions is [], and has to be a list of texts, 1 to 500 of them",
        ),
        (
            "approve_repair",
            {"repair_id": "a", "plan_digest": "b", "edits": 5},
            "edits is 5, and has to be a list of objects with action, argument and value",
        ),
        (
            "approve_repair",
            {"repair_id": "a", "plan_digest": "b", "edits": [{"action": "a1"}]},
            "edits has an entry that is no object of action, argument, value",
        ),
        (
            "list_repairs",
            {"phase": 5, "limit": 0},
            "phase is 5, and has to be one of ANY, FOR-ME, INITIALIZING, DETECTING-PROBLEMS, "
            "ANALYZING-PROBLEMS, "
            "PLANNING-REPAIR, "
            "PENDING-APPROVAL, APPROVED, PENDING-REPAIR, VERIFYING-REPAIR, PENDING-REPORT, REPORT-COMPLETED, "
            "NO-REPAIR-NEEDED, PLAN-ONLY, REJECTED, APPROVAL-EXPIRED, REPAIR-FAILED, CANCELLED; "
            "limit is 0, and has to be a whole number from 1 to 100",
        ),
    ],
    ids=range(13),
)
@both_eras
async def test_d5_a_wrong_value_is_told_with_what_would_be_right(
    era: Era, tool: str, arguments: dict[str, Any], said: str
) -> None:
    async with calling(era) as client:
        assert await refused(client, tool, **arguments) == said


@both_eras
async def test_d5_what_clients_add_to_every_call_is_dropped_and_nothing_else(era: Era) -> None:
    async with calling(era) as client:
        added = {"wait_for_previous": True, "toolCallId": "call_1", "task_progress": "- [x] look"}
        for tool in TOOLS:
            arguments = TOOLS[tool].fn_metadata.validate_arguments({**needed(tool), **added})
            assert arguments == TOOLS[tool].fn_metadata.validate_arguments(needed(tool))
            said = await refused(client, tool, **{**needed(tool), **added, "auto_approve": True})
            assert said.startswith(f'{tool} has no argument "auto_approve"; it takes ')
            assert not any(name in said for name in added)
        told = await client.get_prompt("explain_plan", {"repair_id": "a", "wait_for_previous": "true"})
        assert told.messages


@both_eras
async def test_d5_an_unknown_argument_is_told_with_what_there_is(era: Era) -> None:
    async with calling(era) as client:
        assert await refused(client, "get_record", record_id="a", pgae=1) == (
            'get_record has no argument "pgae"; it takes record_id, domain'
        )
        assert await refused(client, "get_repair", repair_id="a", pgae=1) == (
            "get_repair has no argument \"pgae\"; did you mean 'page'? it takes repair_id, page"
        )
        said = await refused(
            client, "get_record", record_id="a", **{f"{HIDDEN}{KEY}": 1, "b": 2, "c": 3, "d": 4, "e": 5}
        )
        assert said.endswith(" and 2 more; it takes record_id, domain")


@both_eras
async def test_d5_a_key_is_not_quoted_back(era: Era) -> None:
    async with calling(era) as client:
        for tool, argument in ARGUMENTS:
            for value in ({"a": KEY}, [KEY, {"a": KEY}], f"postgres://harry:{KEY}@db/shop"):
                said = await client.call_tool(tool, {**needed(tool), argument: value, "unknown": KEY, KEY: 1})
                assert KEY not in str(said)


class _Request(Request[Any, Any]):
    method: str
    params: Any = None


class _Result(BaseModel):
    model_config = ConfigDict(extra="allow")


async def sent(client: Client, method: str, params: Any) -> str:
    """What is said of a request that no client of the SDK would send."""
    try:
        result = await client.session.send_request(_Request.model_construct(method=method, params=params), _Result)
    except MCPError as error:
        return in_our_words(error.message)
    document = result.model_dump()
    assert document["isError"]
    return in_our_words(document["content"][0]["text"])


@pytest.mark.parametrize(
    ("method", "params", "said"),
    [
        ("tools/call", {"name": "get_repair", "arguments": "x"}, 'params.arguments is "x", and has to be an object'),
        ("tools/call", {"name": "get_repair", "arguments": [1]}, "params.arguments is [1], and has to be an object"),
        ("tools/call", {"name": 5}, "params.name is 5, and has to be text"),
        ("tools/call", {"arguments": {}}, "params.name is not given, and has to be"),
        ("tools/call", {"name": f"no{HIDDEN}", "arguments": {}}, r'there is no tool ".*"; there are: start_repair, .*'),
        ("tools/call", {"name": KEY, "arguments": {}}, r'there is no tool ".*"; there are: start_repair, .*'),
        ("prompts/get", {"name": "no"}, 'there is no prompt "no"; there are: find_and_repair, .*'),
        ("prompts/get", {"name": "explain_plan"}, "repair_id is not given, and has to be: the repair whose plan .*"),
        (
            "prompts/get",
            {"name": "explain_plan", "arguments": {"repair_id": 5}},
            "params.arguments.repair_id is 5, and has to be text",
        ),
        (
            "prompts/get",
            {"name": "explain_plan", "arguments": {"repair_id": "ab " * 100}},
            r"repair_id is .*, and has to be text, of at most 200 characters",
        ),
        (
            "prompts/get",
            {"name": "explain_plan", "arguments": {"repair_id": "a", "x": "1"}},
            'explain_plan has no argument "x"; it takes repair_id',
        ),
        (
            "prompts/get",
            {"name": "find_and_repair", "arguments": {"x": "1"}},
            'find_and_repair has no argument "x"; it takes none',
        ),
        (
            "prompts/get",
            {"name": "find_and_repair", "arguments": []},
            "params.arguments is .*, and has to be an object",
        ),
        ("resources/read", {"uri": 5}, "params.uri is 5, and has to be text"),
        ("resources/read", {"uri": "no"}, 'there is no resource "no"; there are: daper://repairs/{repair_id}, .*'),
        ("resources/read", {"uri": f"x://{HIDDEN}{KEY}"}, 'there is no resource ".*"; there are: .*'),
    ],
    ids=range(16),
)
@both_eras
async def test_d5_a_request_that_is_none_is_refused_in_one_line(era: Era, method: str, params: Any, said: str) -> None:
    async with calling(era) as client:
        told = await sent(client, method, params)
        assert told == said or re.fullmatch(said.replace("{", r"\{").replace("[1]", r"\[1\]"), told), told
