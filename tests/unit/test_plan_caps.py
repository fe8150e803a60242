"""The caps that a tool has of its own, while a plan is put together."""

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

from pydantic import BaseModel

from daper.activities.plan_caps import PlanRoom, beyond_caps
from daper.core.guard import Bindable
from daper.core.models import Proposal, Risk
from daper.core.second_opinion import Option, add_advice
from daper.ports import PlanCaps, RepairTool


def tool(name: str, **caps: Any) -> RepairTool:  # Any: as PlanCaps has it
    more = {"caps": PlanCaps(**caps)} if caps else {}
    return cast("RepairTool", SimpleNamespace(name=name, **more))


def option(record: str, name: str = "pay", *, spends: str | None = "1", answers: tuple[str, ...] = ()) -> Option:
    bindable = Bindable(
        args=BaseModel,
        risk=Risk.LOW,
        limits={},
        reads={},
        kinds=frozenset(),
        spends=None if spends is None else Decimal(spends),
    )
    proposal = Proposal(record_id=record, tool=name, arguments={}, answers=answers or (record,), rationale="because")
    return Option(proposal=proposal, bindable=bindable)


def taken(room: PlanRoom, *options: Option) -> tuple[list[str], set[str]]:
    fitting, over = room.take(options)
    return [each.proposal.record_id for each in fitting], set(over)


def test_without_caps_all_fit() -> None:
    assert taken(PlanRoom({"pay": tool("pay")}), *map(option, "abc")) == (["a", "b", "c"], set())


def test_each_tool_has_its_own_room_and_what_is_over_is_told() -> None:
    room = PlanRoom({"pay": tool("pay", actions=2), "close": tool("close")})
    assert taken(room, option("a"), option("b"), option("c", "close"), option("d")) == (["a", "b", "c"], {"d"})
    assert taken(room, option("e")) == ([], {"e"}), "what was taken before counts"


def test_money_counts_together_and_less_of_it_may_still_fit() -> None:
    room = PlanRoom({"pay": tool("pay", money=Decimal(10))})
    assert taken(room, option("a", spends="6"), option("b", spends="5"), option("c", spends="4")) == (["a", "c"], {"b"})


def test_a_problem_that_another_action_answers_is_not_over() -> None:
    room = PlanRoom({"pay": tool("pay", actions=1), "close": tool("close")})
    options = option("a"), option("b", answers=("x",)), option("b", "close", answers=("x",))
    assert taken(room, *options) == (["a", "b"], set())


def test_what_no_plan_has_room_for_is_said() -> None:
    assert beyond_caps(tool("pay"), None) is None
    assert beyond_caps(tool("pay", actions=1), None) is None
    capped = tool("pay", money=Decimal(10))
    assert beyond_caps(capped, Decimal(10)) is None
    assert beyond_caps(capped, Decimal("10.01")) == "it spends 10.01, and pay may spend at most 10 in one plan"
    assert beyond_caps(capped, None) == "nobody can say what it spends, and pay may spend at most 10 in one plan"


def advice(record: str, *, spends: str = "1", score: float = 1.0, tool: str = "pay") -> Option:
    made = option(record, tool, spends=spends)
    proposal = made.proposal.model_copy(update={"proposed_by": "m", "confidence_score": score})
    return replace(made, proposal=proposal)


def test_a_model_that_proposes_the_same_takes_no_room_and_its_doubt_is_not_lost() -> None:
    room = PlanRoom({"pay": tool("pay", actions=3)})
    first, _ = room.take([option("a"), option("b")])
    advised = [advice("a"), advice("b", score=0.2), advice("c"), advice("d")]
    merged = add_advice(first, advised, room=9, fits=room.fits)
    assert [each.proposal.record_id for each in merged] == ["a", "b", "c"]
    assert [each.proposal.seconded_by for each in merged] == [("m",), ("m",), ()]
    assert merged[1].proposal.confidence_score == 0.2


def test_a_models_alternative_takes_room_as_any_action() -> None:
    room = PlanRoom({"pay": tool("pay", actions=1), "close": tool("close")})
    first, _ = room.take([option("a"), option("b", "close")])
    merged = add_advice(first, [advice("b")], room=9, fits=room.fits)
    assert [each.proposal.tool for each in merged] == ["pay", "close"]
