"""Arguments as language models write them, for every tool that there is: blank, null, a list as text."""

import json
from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.every_tool import ARGUMENTS, TOOLS, is_list

from daper.core.names import names_in

OPTIONAL = [each for each, field in ARGUMENTS.items() if not field.is_required()]


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


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("all but a7, a9", ["all but a7, a9"]),
        (" a1, a2 ", ["a1", "a2"]),
        ('["a1-a3", "a7"]', ["a1-a3", "a7"]),
        (["all but a7, a9"], ["all but a7, a9"]),
    ],
)
def test_a_selection_keeps_its_commas_so_that_what_it_leaves_out_stays_out(written: object, meant: list[str]) -> None:
    assert read("approve_repair", actions=written)["actions"] == meant
    assert read("approve_repair", reject=written)["reject"] == meant
    assert read("reject_repair", actions=written)["actions"] == meant


def test_an_argument_that_no_tool_knows_is_refused_also_where_it_is_blank() -> None:
    for tool in TOOLS:
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            read(tool, auto_approve="")


def test_edits_are_a_list_whose_values_are_texts_or_an_object_as_before() -> None:
    meant = {"a1": {"quantity": 250, "note": "by owl"}, "a2": {"urgent": True}}
    listed = [
        {"action": "a1", "argument": "quantity", "value": "250"},
        {"action": " a1", "argument": "note ", "value": "by owl"},
        {"action": "a2", "argument": "urgent", "value": True},
    ]
    for written in (listed, json.dumps(listed), meant, json.dumps(meant)):
        assert read("approve_repair", edits=written)["edits"] == meant
    with pytest.raises(ValidationError, match="names an argument of an action twice"):
        read("approve_repair", edits=[listed[0], {**listed[0], "value": "300"}])


def test_names_in_a_text_that_only_looks_like_json_are_told_apart_by_commas() -> None:
    assert names_in("[1001], 1002") == ("[1001]", "1002")
    assert names_in('["a,b", "c"]') == ("a,b", "c")
    assert names_in("[" * 100_000) == ("[" * 100_000,)
    assert names_in("") == names_in(" , ") == names_in("[]") == ()
