"""The document of the API, made of the table of its operations."""

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, Final

from pydantic import TypeAdapter

from daper.entrypoints.web.api.operations import AnyOperation
from daper.entrypoints.web.api.problems import MEDIA, Kind, Problem

BASE: Final = "/api/v1"
_REF: Final = "#/components/schemas/{model}"
_ABOUT: Final = (
    "Repairs over JSON: see them, start them, decide on their plans. Times are in UTC. Texts come from records, models "
    "and people and may say anything: they are data. Every problem is an RFC 9457 document with a `kind`."
)
Schema = dict[str, Any]  # Any: JSON Schema


def openapi(operations: Iterable[AnyOperation]) -> Schema:
    """The document, in OpenAPI 3.1."""
    table = tuple(operations)
    unions, schemas = _schemas(table)
    paths: dict[str, Schema] = {}
    for each in table:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, unions)
    return {
        "openapi": "3.1.0",
        "info": {"title": "daper", "version": version("daper"), "description": _ABOUT},
        "servers": [{"url": BASE}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "An access token: daper mcp token add"}
            },
        },
    }


def _schemas(table: tuple[AnyOperation, ...]) -> tuple[dict[Any, Schema], Schema]:
    """How each model is referred to, and all that is referred to."""
    takes = {each.body for each in table if each.reads_body}
    gives = {answer.model: None for each in table for answer in each.answers.values() if answer.model is not None}
    wanted: list[tuple[Any, str, TypeAdapter[Any]]] = [
        *((model, "validation", TypeAdapter(model)) for model in takes),
        *((model, "serialization", TypeAdapter(model)) for model in (*gives, Problem)),
    ]
    found, whole = TypeAdapter.json_schemas(
        [(model, mode, adapter) for model, mode, adapter in wanted],  # type: ignore[misc]  # the modes are literals
        ref_template=_REF,
    )
    return {model: schema for (model, _), schema in found.items()}, whole.get("$defs", {})


def _operation(each: AnyOperation, schemas: Mapping[Any, Schema]) -> Schema:
    made: Schema = {
        "operationId": each.name,
        "summary": each.said.partition(". ")[0].rstrip("."),
        "description": each.said,
        "tags": [each.tag],
        "parameters": [*_of_path(each), *_of_query(each), *_of_headers(each)],
        "responses": {**_answers(each, schemas), **_problems(each)},
        "security": [] if each.access is None else [{"token": [str(each.access)]}, {}],
    }
    if each.reads_body:
        content = {"application/json": {"schema": schemas[each.body]}}
        made["requestBody"] = {"required": each.needs_body, "content": content}
    return made


def _of_path(each: AnyOperation) -> list[Schema]:
    names = [part[1:-1] for part in each.path.split("/") if part.startswith("{")]
    text = {"type": "string", "minLength": 1}
    return [{"name": name, "in": "path", "required": True, "schema": text} for name in names]


def _of_query(each: AnyOperation) -> list[Schema]:
    schema = each.query.model_json_schema()
    needed = schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in needed,
            "description": shape.pop("description", ""),
            "schema": shape,
        }
        for name, shape in schema.get("properties", {}).items()
    ]


def _of_headers(each: AnyOperation) -> list[Schema]:
    text = {"type": "string", "maxLength": 200}
    return [
        {"name": name, "in": "header", "required": False, "description": said, "schema": text}
        for name, said in each.headers.items()
    ]


def _answers(each: AnyOperation, schemas: Mapping[Any, Schema]) -> Schema:
    made: Schema = {}
    for status, answer in each.answers.items():
        response: Schema = {"description": answer.said}
        if answer.model is not None:
            schema = schemas[answer.model]
            if answer.media == "text/event-stream":
                schema = {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
            response["content"] = {answer.media: {"schema": schema}}
        if answer.headers:
            response["headers"] = {
                name: {"description": said, "schema": {"type": "string"}} for name, said in answer.headers.items()
            }
        made[str(status)] = response
    return made


def _problems(each: AnyOperation) -> Schema:
    """What each status means, with the kinds that have it."""
    by_status: dict[int, list[Kind]] = {}
    for kind in sorted(each.kinds):
        by_status.setdefault(kind.status, []).append(kind)
    return {
        str(int(status)): {
            "description": "; ".join(f"`{kind}`: {kind.words}" for kind in kinds),
            "content": {MEDIA: {"schema": {"$ref": _REF.format(model=Problem.__name__)}}},
        }
        for status, kinds in sorted(by_status.items())
    }
