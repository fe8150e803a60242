"""The text beside an answer's document: the same document, in one line without blanks."""

import json
from datetime import UTC, datetime

from mcp.server.mcpserver.utilities.func_metadata import FuncMetadata
from mcp.types import CallToolResult, TextContent
from tests.unit.every_tool import TOOLS

from daper.entrypoints.mcp.answers import PlannedAction, ProposedPlan, RepairDetails, RepairState

_ACTION = PlannedAction(
    id="a1",
    record_id="ORD-002-HJG",
    about="Hermione Jean Granger",
    tool="order_inventory",
    risk="medium",
    confidence_score=0.9,
    proposed_by="rules",
    problems=("200 of STP-ORG-001 are ordered, and 87 are there",),
    rationale="what is ordered is not there: 113 are missing",
    arguments={"item_id": "STP-ORG-001", "quantity": 200, "urgent": False, "note": None},
    editable={"quantity": "113 to 553"},
    changes=("orders/ORD-002-HJG status: pending-inventory → restock-ordered",),
    spends="1,000.00 Galleons",
    if_it_does_not_help="undo",
)


def plan_of(actions: int) -> RepairDetails:
    """A repair whose plan has so many actions."""
    return RepairDetails(
        repair_id="repair-1",
        phase="PENDING-APPROVAL",
        ended=False,
        needs_person=True,
        next_step="show the plan",
        requested_by="Harry",
        domain="orders",
        started_at=datetime(2026, 11, 1, tzinfo=UTC),
        plan=ProposedPlan(
            digest="d" * 64,
            round=1,
            total_actions=actions,
            spends="",
            overall_confidence_score=0.9,
            notes="",
            left_out=0,
            actions=tuple(_ACTION.model_copy(update={"id": f"a{number}"}) for number in range(1, actions + 1)),
            suppressed=(),
            blocked=(),
            for_person=(),
        ),
    )


def _answered(tool: str, answer: RepairState) -> tuple[str, object]:
    made = TOOLS[tool].fn_metadata.convert_result(answer)
    assert isinstance(made, CallToolResult)
    (part,) = made.content
    assert isinstance(part, TextContent)
    return part.text, made.structured_content


def test_d9_the_text_of_an_answer_is_its_document_without_a_needless_blank() -> None:
    text, document = _answered("get_repair", plan_of(20))
    assert json.loads(text) == document
    assert text == json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    assert "\n" not in text
    assert "→" in text
    assert len(text) < 0.8 * len(json.dumps(document, ensure_ascii=False, indent=2))


def test_d9_every_tool_answers_so() -> None:
    for name, tool in TOOLS.items():
        assert type(tool.fn_metadata).convert_result is not FuncMetadata.convert_result, name
