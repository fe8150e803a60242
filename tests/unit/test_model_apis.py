"""What a client hands to a language model's API: every tool, by the rules that those who make the APIs state.

A client passes a tool's name (behind a prefix of its own), description and input schema on; one tool that an API
refuses ends every conversation, for all tools go with every request.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from pydantic_ai.profiles.openai import OpenAIJsonSchemaTransformer
from tests.unit.every_tool import TOOLS

LONGEST_PREFIX = "mcp__daper__"  # Claude Code's; others have daper__, mcp_daper_, daper_
_PARAMETER = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,63}")
# Any, here and below: schemas are documents.
Schema = Mapping[str, Any]
Rule = Callable[[str, str, Schema], Iterator[str]]


def nodes(schema: Schema) -> Iterator[Schema]:
    """A schema, and every schema in it."""
    yield schema
    for each in schema.get("properties", {}).values():
        yield from nodes(each)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            yield from nodes(schema[key])
    for key in ("anyOf", "oneOf", "allOf"):
        for each in schema.get(key, ()):
            yield from nodes(each)
    for each in schema.get("$defs", {}).values():
        yield from nodes(each)


def openai(name: str, description: str, schema: Schema) -> Iterator[str]:
    """OpenAI, not strict.

    Names: "a-z, A-Z, 0-9, or contain underscores and dashes, with a maximum length of 64", the API reference of
    `tools[].function.name`. Descriptions: "Expected a string with maximum length 1024" is its answer to longer ones
    (modelcontextprotocol/servers#799, getsentry/sentry-mcp#106). The root is an object, and combines nothing.
    """
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", LONGEST_PREFIX + name) or len(name) > 40:
        yield "name"
    if not 1 <= len(description) <= 1024:
        yield "description"
    if schema.get("type") != "object" or {"anyOf", "oneOf", "allOf", "enum", "not", "$ref"} & set(schema):
        yield "root"
    if any(each.get("type") == "array" and "items" not in each for each in nodes(schema)):
        yield "items"


def openai_strict(name: str, description: str, schema: Schema) -> Iterator[str]:
    """OpenAI, strict: "Supported schemas" of its guide to structured outputs, which function calling goes by.

    Every object closed, and all its properties required; these types; anyOf, but not at the root; no allOf, not, if;
    at most ten levels and 5,000 properties; no default, and for tuned models no lengths.
    """
    known = {"type", "description", "properties", "required", "additionalProperties", "items", "enum", "anyOf"}
    known |= {"minimum", "maximum", "minItems", "maxItems", "const", "$ref", "$defs", "title"}
    for each in nodes(schema):
        if each.get("type") == "object":
            if each.get("additionalProperties") is not False:
                yield "open object"
            if set(each.get("required", ())) != set(each.get("properties", {})):
                yield "not all required"
        if each.get("type") == "array" and not each.get("items"):
            yield "untyped items"
        if more := set(each) - known:
            yield f"keywords {sorted(more)}"
        if not {"type", "anyOf", "$ref", "enum", "const"} & set(each):
            yield "no type"


def anthropic(name: str, description: str, schema: Schema) -> Iterator[str]:
    """Anthropic's Messages API: names `^[a-zA-Z0-9_-]{1,64}$`, an object at the root that combines nothing.

    "input_schema does not support oneOf, allOf, or anyOf at the top level" is its answer (anthropics/claude-code
    #40075, langchain-ai/langchain#39271). Its guide to strict tools takes what OpenAI's does, but for bounds, which
    its own libraries move into the description.
    """
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", LONGEST_PREFIX + name):
        yield "name"
    if schema.get("type") != "object" or {"anyOf", "oneOf", "allOf"} & set(schema):
        yield "root"
    if "$schema" in schema and "2020-12" not in schema["$schema"]:
        yield "draft"


def gemini(name: str, description: str, schema: Schema) -> Iterator[str]:
    """Gemini: `Schema` and `FunctionDeclaration` of its API reference, "a select subset of an OpenAPI 3.0 schema".

    ai.google.dev/api/caching#Schema; cloud.google.com/vertex-ai/docs/reference/rest/v1beta1/FunctionDeclaration.
    Names begin with a letter or an underscore, those of parameters hold no dash. One type each. "enum[0]: cannot be
    empty" (google-gemini/gemini-cli#3401), texts alone have choices (router-for-me/CLIProxyAPI#1075), "properties:
    should be non-empty for OBJECT type" (agno-agi/agno#2112), `required` only of what there is
    (Kilo-Org/kilocode#11955). `additionalProperties: false` is known to be in every tool, and clients take it out.
    """
    known = {"type", "format", "title", "description", "nullable", "enum", "maxItems", "minItems", "properties"}
    known |= {"required", "minProperties", "maxProperties", "minLength", "maxLength", "pattern", "example", "anyOf"}
    known |= {"propertyOrdering", "default", "items", "minimum", "maximum"}
    if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_.-]{0,63}", LONGEST_PREFIX + name):
        yield "name"
    for each in nodes(schema):
        if more := {key for key in each if not (key == "additionalProperties" and each[key] is False)} - known:
            yield f"keywords {sorted(more)}"
        broken = {
            "type": each.get("type") not in ["string", "integer", "number", "boolean", "array", "object"],
            "enum": "enum" in each and (each.get("type") != "string" or not all(each["enum"])),
            "properties": each.get("type") == "object" and not each.get("properties"),
            "required": bool(set(each.get("required", ())) - set(each.get("properties", {}))),
            "items": each.get("type") == "array" and not each.get("items"),
            "parameter name": any(not _PARAMETER.fullmatch(name) for name in each.get("properties", {})),
            "beside anyOf": "anyOf" in each and len(each) > 1,
        }
        yield from (rule for rule, is_broken in broken.items() if is_broken)


def llama_cpp(name: str, description: str, schema: Schema) -> Iterator[str]:
    """llama.cpp: the limitations in ggml-org/llama.cpp, grammars/README.md, "JSON Schemas -> GBNF".

    No patternProperties, not, if, contains, uniqueItems; nested references are broken, as is prefixItems; properties
    do not mix with anyOf; bounds of whole numbers only; patterns whole; few formats. src/llama-grammar.cpp refuses
    2,000 repetitions (MAX_REPETITION_THRESHOLD), which a length or a number of entries becomes. What it does not know
    it skips without a word, so what is not in this list is not used at all.
    """
    known = {"type", "description", "title", "default", "properties", "required", "additionalProperties", "items"}
    known |= {"enum", "const", "anyOf", "oneOf", "minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum"}
    for each in nodes(schema):
        if more := set(each) - known:
            yield f"keywords {sorted(more)}"
        if "properties" in each and {"anyOf", "oneOf"} & set(each):
            yield "properties beside anyOf"
        if each.get("type") == "number" and {"minimum", "maximum"} & set(each):
            yield "bounds of a number"
        if any(each.get(key, 0) >= 2000 for key in ("minItems", "maxItems", "minLength", "maxLength")):
            yield "repetitions"
        if each.get("additionalProperties", False) is not False:
            yield "open object"


def strictly(schema: Schema) -> dict[str, Any]:
    """A schema as a client makes it that calls tools strictly: pydantic-ai's own conversion."""
    return OpenAIJsonSchemaTransformer(json.loads(json.dumps(schema)), strict=True).walk()


def openai_strict_as_converted(name: str, description: str, schema: Schema) -> Iterator[str]:
    """OpenAI, strict. Ours are not strict as they stand, for most arguments need not be given; a client converts."""
    yield from openai_strict(name, description, strictly(schema))


RULES: dict[str, Rule] = {
    "OpenAI": openai,
    "OpenAI, strict, as converted": openai_strict_as_converted,
    "Anthropic": anthropic,
    "Gemini": gemini,
    "llama.cpp": llama_cpp,
}


@pytest.mark.parametrize("api", RULES)
def test_every_model_api_takes_every_tool(api: str) -> None:
    broken = {
        name: sorted(set(found))
        for name, tool in TOOLS.items()
        if (found := [*RULES[api](name, tool.description, tool.parameters)])
    }
    assert broken == {}


def _with(**properties: Any) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


TEXT = {"type": "string"}
# Each a thing that an API was seen to refuse.
REFUSED: list[tuple[str, tuple[str, str, Schema], str]] = [
    ("OpenAI", ("n" * 41, "does", _with(a=TEXT)), "name"),
    ("OpenAI", ("wait", "d" * 1025, _with(a=TEXT)), "description"),
    ("OpenAI", ("wait", "does", {"anyOf": [_with(a=TEXT)]}), "root"),
    ("OpenAI", ("wait", "does", _with(a={"type": "array"})), "items"),
    (
        "OpenAI, strict, as converted",
        ("wait", "does", _with(a={"type": "string", "not": {}})),
        "keywords",
    ),
    ("OpenAI, strict, as converted", ("wait", "does", _with(a={})), "no type"),
    ("Anthropic", ("wa it", "does", _with(a=TEXT)), "name"),
    ("Anthropic", ("wait", "does", {**_with(a=TEXT), "oneOf": []}), "root"),
    ("Gemini", ("wait", "does", _with(a={"type": "string", "enum": ["", "b"]})), "enum"),
    ("Gemini", ("wait", "does", _with(a={"type": "integer", "enum": [1, 2]})), "enum"),
    ("Gemini", ("wait", "does", _with(a={"type": "object"})), "properties"),
    ("Gemini", ("wait", "does", _with(a={"type": ["string", "null"]})), "type"),
    ("Gemini", ("wait", "does", _with(a={"anyOf": [TEXT, {"type": "null"}], "description": "d"})), "beside anyOf"),
    ("Gemini", ("wait", "does", _with(a={"type": "object", "additionalProperties": TEXT})), "keywords"),
    ("Gemini", ("wait", "does", {**_with(a=TEXT), "required": ["b"]}), "required"),
    ("Gemini", ("wait", "does", _with(a={"$ref": "#/$defs/A"})), "keywords"),
    ("Gemini", ("wait", "does", _with(**{"a-b": TEXT})), "parameter name"),
    ("llama.cpp", ("wait", "does", _with(a={"type": "string", "maxLength": 2000})), "repetitions"),
    ("llama.cpp", ("wait", "does", _with(a={"type": "array", "items": TEXT, "uniqueItems": True})), "keywords"),
    ("llama.cpp", ("wait", "does", _with(a={"type": "object", "additionalProperties": {}})), "open object"),
]


@pytest.mark.parametrize(("api", "tool", "why"), REFUSED, ids=range(len(REFUSED)))
def test_a_tool_that_breaks_a_rule_is_found(api: str, tool: tuple[str, str, Schema], why: str) -> None:
    assert any(found.startswith(why) for found in RULES[api](*tool)), [*RULES[api](*tool)]


def _least(schema: Schema) -> Any:
    """The least that a model may say where it has to say something."""
    match schema["type"]:
        case "string":
            return schema["enum"][0] if "enum" in schema else ""
        case "integer":
            told = re.search(r"Not given: (\d+)", schema["description"])
            return int(told[1]) if told else schema["minimum"]
        case "boolean":
            return False
        case _:
            return []


def test_a_model_that_has_to_give_every_argument_can_leave_each_out() -> None:
    for tool in TOOLS.values():
        strict = strictly(tool.parameters)
        required = set(tool.parameters.get("required", ()))
        fewest = {name: ["a"] if strict["properties"][name]["type"] == "array" else "a" for name in required}
        optional = set(strict["required"]) - required - {"actions"}  # an empty list of actions is not all of them
        every = fewest | {name: _least(strict["properties"][name]) for name in optional}
        read, meant = tool.fn_metadata.validate_arguments(every), tool.fn_metadata.validate_arguments(fewest)
        for name in read:
            nothing = not read[name] and not meant[name]
            assert nothing or read[name] == meant[name] or read[name] == "ANY", (tool.name, name)


def test_an_answer_may_have_every_field_that_its_schema_knows() -> None:
    for tool in TOOLS.values():
        assert tool.output_schema is not None
        assert tool.output_schema["type"] == "object"
        assert tool.output_schema["properties"]
        assert "title" not in tool.output_schema
