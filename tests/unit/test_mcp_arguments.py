"""Arguments as language models write them, for every tool that there is: blank, null, a list as text."""

from typing import Any, get_args, get_origin

import pytest
from mcp.server.mcpserver.tools import Tool
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from daper.core.access import Access
from daper.core.models import IdentityProof, Person
from daper.core.names import names_in
from daper.entrypoints.mcp.door import Caller, Door
from daper.entrypoints.mcp.server import tools_of
from daper.settings import ChatApproval, load_settings

LUNA = Caller(person=Person(name="Luna", how=IdentityProof.CLAIMED), access=frozenset(Access))


def _tools() -> dict[str, Tool]:
    settings = load_settings(environ={"HOME": "/nowhere"})
    door = Door(settings=settings, load=lambda: settings, who=lambda _: LUNA)
    return {tool.name: tool for tool in tools_of(door, approval=ChatApproval.ELICIT)}


TOOLS = _tools()
# Any: what stands in an annotation.
ARGUMENTS: dict[tuple[str, str], FieldInfo] = {
    (name, argument): field
    for name, tool in TOOLS.items()
    for argument, field in tool.fn_metadata.arg_model.model_fields.items()
}
OPTIONAL = [each for each, field in ARGUMENTS.items() if not field.is_required()]


def is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(map(is_list, get_args(annotation)))


LISTS = [each for each, field in ARGUMENTS.items() if is_list(field.annotation)]


# Any: arguments of many shapes.
def read(tool: str, **given: Any) -> dict[str, Any]:
    """The arguments as the tool gets them, with the fewest that it needs beside."""
    needed = {
        argument: (["a"] if is_list(field.annotation) else "a")
        for (name, argument), field in ARGUMENTS.items()
        if name == tool and field.is_required()
    }
    return TOOLS[tool].fn_metadata.validate_arguments({**needed, **given})


@pytest.mark.parametrize(("tool", "argument"), OPTIONAL)
@pytest.mark.parametrize("nothing", ["", "  \t", None], ids=["blank", "blanks", "null"])
def test_b1_b3_what_is_blank_or_null_counts_as_not_given(tool: str, argument: str, nothing: str | None) -> None:
    assert read(tool, **{argument: nothing}) == read(tool)


def test_b1_b3_all_of_them_at_once() -> None:
    for tool in TOOLS:
        names = [argument for name, argument in OPTIONAL if name == tool]
        for nothing in ("", None):
            assert read(tool, **dict.fromkeys(names, nothing)) == read(tool)


@pytest.mark.parametrize(("tool", "argument"), LISTS)
@pytest.mark.parametrize(
    "written",
    [
        ["1001", "1002"],
        "1001,1002",
        " 1001 , 1002, ",
        '["1001", "1002"]',
        "[1001, 1002]",
        [1001, 1002],
        ["1001", "", None, " 1002"],
        ["1001", "1002", "1001"],
    ],
    ids=range(8),
)
def test_b3_a_list_may_be_text(tool: str, argument: str, written: object) -> None:
    assert read(tool, **{argument: written})[argument] == ["1001", "1002"]


@pytest.mark.parametrize(("tool", "argument"), LISTS)
@pytest.mark.parametrize("written", [{"a": 1}, [["a"]], [True], 7, [1.5]], ids=range(5))
def test_b3_what_is_no_list_of_names_is_refused(tool: str, argument: str, written: object) -> None:
    with pytest.raises(ValidationError):
        read(tool, **{argument: written})


@pytest.mark.parametrize("written", [[], [""], [None, " "], "[]", '[""]', ","])
def test_b1_an_empty_list_of_actions_is_not_all_of_them(written: object) -> None:
    for tool in ("approve_repair", "reject_repair"):
        with pytest.raises(ValidationError, match="at least 1 item"):
            read(tool, actions=written)
    with pytest.raises(ValidationError, match="at least 1 item"):
        read("report_problem", record_ids=written)


def test_an_argument_that_no_tool_knows_is_refused_also_where_it_is_blank() -> None:
    for tool in TOOLS:
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            read(tool, auto_approve="")


def test_names_in_a_text_that_only_looks_like_json_are_told_apart_by_commas() -> None:
    assert names_in("[1001], 1002") == ("[1001]", "1002")
    assert names_in('["a,b", "c"]') == ("a,b", "c")
    assert names_in("[" * 100_000) == ("[" * 100_000,)
    assert names_in("") == names_in(" , ") == names_in("[]") == ()
