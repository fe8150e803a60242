"""The schema of a plan's reply: whatever models the arguments of tools are made of."""

import json
from enum import StrEnum
from typing import Literal, Optional

import pytest
from pydantic import BaseModel, JsonValue

from daper.agents.llm.replies import plan_reply


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Paint(BaseModel):
    """An enumeration."""

    colour: Colour


class Room(BaseModel):
    """A model within, in a list, and again."""

    walls: list[Paint]
    door: Paint


class Tree(BaseModel):
    """It holds itself."""

    name: str
    left: Optional["Tree"] = None


class Free(BaseModel):
    """Anything, and what is called as references are."""

    value: JsonValue
    kind: Literal["a", 1]


@pytest.mark.parametrize("args", [Paint, Room, Tree, Free])
def test_the_schema_stands_alone_whatever_the_arguments_are(args: type[BaseModel]) -> None:
    schema = plan_reply({"paint": args, "other": Paint}).model_json_schema()
    first, _ = schema["properties"]["actions"]["items"]["anyOf"]
    assert first["properties"]["arguments"]["properties"].keys() == args.model_fields.keys()
    told = json.dumps(first)
    assert "$ref" not in told
    assert "$defs" not in told


def test_what_a_reference_means_is_told() -> None:
    schema = plan_reply({"paint": Room}).model_json_schema()
    [form] = schema["properties"]["actions"]["items"]["anyOf"]
    room = form["properties"]["arguments"]["properties"]
    assert room["door"]["properties"]["colour"]["enum"] == ["red", "blue"]
    assert room["walls"]["items"]["properties"]["colour"]["enum"] == ["red", "blue"]
