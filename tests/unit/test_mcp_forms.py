"""What a person reads in the form of a chat client."""

from daper.core.models import Decision, Fallback, IdentityProof, Person, Risk, Verdict
from daper.core.views import ActionView, Change, PlanView
from daper.entrypoints.mcp.forms import question_of


def test_an_edited_action_shows_its_old_cost_as_old_and_no_old_preview() -> None:
    restock = ActionView(
        id="a1",
        record_id="ORD-1",
        tool="order_inventory",
        arguments={"quantity": 200},
        editable={"quantity": "113 to 553"},
        risk=Risk.MEDIUM,
        spends="170.00",
        preview=(Change(record="inventory/X", field="current_stock", before="247", after="447"),),
        confidence_score=0.95,
        rationale="",
        proposed_by="rules",
        if_it_does_not_help=Fallback.UNDO,
        digest="d1",
    )
    plan = PlanView(
        digest="p1",
        round=1,
        overall_confidence_score=0.95,
        additional_notes="",
        actions=(restock,),
        total_actions=1,
        page=1,
        pages=1,
    )
    minerva = Person(name="Minerva", how=IdentityProof.OS_USER)
    as_planned = Decision(plan_digest="p1", verdicts={"a1": Verdict.APPROVE}, by=minerva, door="mcp")
    edited = as_planned.model_copy(update={"edits": {"a1": {"quantity": 250}}})

    assert "spends 170.00\n" in question_of("r1", plan, as_planned)
    assert "247 → 447" in question_of("r1", plan, as_planned)
    assert "spends 170.00 before the change\n" in question_of("r1", plan, edited)
    assert "quantity: 200, changed to 250 (may be 113 to 553)" in question_of("r1", plan, edited)
    assert "247" not in question_of("r1", plan, edited)
