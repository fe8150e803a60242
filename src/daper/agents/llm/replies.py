"""What a model has to answer, role by role: strict, and read once, here."""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, Field, JsonValue, StringConstraints, WithJsonSchema, create_model

from daper.core.base import Reply

Sentence = Annotated[str, StringConstraints(max_length=600)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
MOST_DEPTH = 20  # of what lies in what, in an argument


def _told_plainly(arguments: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Arguments as JSON can say them, and as a person can read them."""
    level: list[JsonValue] = [arguments]
    for _ in range(MOST_DEPTH):
        if any(isinstance(value, float) and not isfinite(value) for value in level):
            raise ValueError("a number must be one that there is")
        level = [inner for value in level for inner in _within(value)]
    if level:
        raise ValueError(f"arguments may be nested {MOST_DEPTH} deep at most")
    return arguments


def _within(value: JsonValue) -> Iterable[JsonValue]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


Arguments = Annotated[dict[str, JsonValue], Field(max_length=50), AfterValidator(_told_plainly)]
Score = Annotated[float, Field(ge=0, le=1, strict=True, allow_inf_nan=False)]
MOST = 60  # entries in one list: more than twice what a batch has records

OTHER = "other"


class Suspect(Reply):
    """A record with which something seems to be wrong."""

    record_id: Name
    confidence_score: Score
    why: Sentence


class DetectReply(Reply):
    """The suspects, and nothing of the others."""

    suspects: list[Suspect] = Field(max_length=MOST)


class SeenProblem(Reply):
    """One problem with one record."""

    record_id: Name
    kind: Name
    issue: Sentence
    confidence_score: Score


class DoubtReply(Reply):
    """A finding that is not so, or a record with which nothing should be done."""

    record_id: Name
    kind: Name
    why: Sentence


class AnalyzeReply(Reply):
    """The problems, and the findings that are doubted."""

    problems: list[SeenProblem] = Field(max_length=MOST)
    doubts: list[DoubtReply] = Field(max_length=MOST)


class ActionReply(Reply):
    """One call of one tool. Whether the tool exists and the arguments fit is for the guard to say."""

    record_id: Name
    tool: Name
    arguments: Arguments
    confidence_score: Score
    why: Sentence


class LeaveAlone(Reply):
    """A record with which nothing should be done."""

    record_id: Name
    why: Sentence


class PlanReply(Reply):
    """The actions, the records to be left alone, and what else a person should know."""

    actions: list[ActionReply] = Field(max_length=MOST)
    doubts: list[LeaveAlone] = Field(max_length=MOST)
    notes: Sentence


class ReportReply(Reply):
    """What happened, in a few sentences."""

    narrative: Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class PingReply(Reply):
    """The cheapest answer that shows that a model answers in the form that is asked for."""

    ok: Literal[True]


def analyze_reply(kinds: Mapping[str, str]) -> type[AnalyzeReply]:
    """The reply to analysis whose schema names the kinds of problem there are; what is read is as strict as before."""
    # Annotations made at run time: pydantic reads them, the type checker cannot.
    named: Any = Annotated[Name, WithJsonSchema({"type": "string", "enum": [*kinds, OTHER]})]
    kind: dict[str, Any] = {"kind": (named, ...)}
    problem: Any = create_model("Problem", __base__=SeenProblem, **kind)
    problems: dict[str, Any] = {"problems": (Annotated[list[problem], Field(max_length=MOST)], ...)}
    return create_model("AnalyzeReply", __base__=AnalyzeReply, **problems)


def plan_reply(tools: Mapping[str, type[BaseModel]]) -> type[PlanReply]:
    """The reply to planning whose schema has one form for each tool; what does not fit it is for the guard.

    In the schema no argument is required: what the record alone determines, code fills in.
    """
    forms = {"anyOf": [_form(name, args) for name, args in tools.items()]} if tools else {"type": "object"}
    action: Any = Annotated[ActionReply, WithJsonSchema(forms)]
    actions: dict[str, Any] = {"actions": (Annotated[list[action], Field(max_length=MOST)], ...)}
    return create_model("PlanReply", __base__=PlanReply, **actions)


def _form(name: str, args: type[BaseModel]) -> dict[str, Any]:
    whole = args.model_json_schema()
    arguments = _inlined(whole, whole.pop("$defs", {}))
    for key in ("required", "title", "description"):
        arguments.pop(key, None)
    for field in arguments.get("properties", {}).values():
        field.pop("title", None)
    arguments["additionalProperties"] = False
    properties: dict[str, Any] = {
        "record_id": {"type": "string"},
        "tool": {"type": "string", "const": name},
        "arguments": arguments,
        "confidence_score": {"type": "number", "minimum": 0, "maximum": 1},
        "why": {"type": "string"},
    }
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


# Any: JSON.
def _inlined(schema: Any, known: Mapping[str, Any], within: frozenset[str] = frozenset()) -> Any:
    """A schema without references, which would mean others in the schema around it; what holds itself is anything."""
    if isinstance(schema, list):
        return [_inlined(each, known, within) for each in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    meant = cast("dict[str, Any]", schema)
    if isinstance(name := meant.get("$ref"), str):
        name = name.removeprefix("#/$defs/")
        if name in within:
            return {}
        beside = {key: value for key, value in meant.items() if key != "$ref"}
        meant, within = {**known.get(name, {}), **beside}, within | {name}
    return {key: _inlined(value, known, within) for key, value in meant.items()}
