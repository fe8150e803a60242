"""A model adds, seconds and doubts; it takes nothing away, and raises nothing."""

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from daper.core.guard import Bindable
from daper.core.limits import Between, Exactly, Sentence
from daper.core.messages import DetectResult
from daper.core.models import MOST_PROBLEMS, Detection, Doubt, Finding, Proposal, Risk
from daper.core.second_opinion import Option, add_advice, doubt, merge_findings, suspects_of


class Restock(BaseModel):
    item_id: str
    quantity: int
    note: str = ""


RECORDS, KINDS = ["r1", "r2", "r3"], ["short", "unpaid", "other"]


def finding(record_id: str, kind: str, by: str = "rules", score: float = 1.0, *, item: str = "") -> Finding:
    fingerprint = f"{by}-{record_id}-{kind}-{item}"
    return Finding(
        record_id=record_id, kind=kind, issue="x", confidence_score=score, found_by=by, fingerprint=fingerprint
    )


findings = st.lists(
    st.builds(finding, st.sampled_from(RECORDS), st.sampled_from(KINDS), st.just("m"), st.floats(0, 1)), max_size=12
)
doubts = st.lists(
    st.builds(
        Doubt, record_id=st.sampled_from(RECORDS), kind=st.sampled_from(KINDS), why=st.just("no"), by=st.just("m")
    ),
    max_size=8,
)


@given(findings, doubts)
def test_whatever_a_model_says_every_finding_of_the_rules_stays_as_sure_as_it_was(
    found: list[Finding], doubted: list[Doubt]
) -> None:
    known = [finding("r1", "short", item="a"), finding("r1", "short", item="b"), finding("r2", "unpaid")]
    merged, over = merge_findings(known, found, doubted)

    opinions = {"seconded_by": (), "seconded_confidence": 1.0, "doubts": ()}
    assert [each.model_copy(update=opinions) for each in merged[:3]] == known
    assert over == 0
    about = {(each.record_id, each.kind) for each in merged}
    assert {(each.record_id, each.kind) for each in found} <= about
    for each in merged[:3]:
        same = [
            other.confidence_score for other in found if (each.record_id, each.kind) == (other.record_id, other.kind)
        ]
        assert bool(each.seconded_by) == any(score >= 0.5 for score in same)
        assert sum(" sure of it" in doubt for doubt in each.doubts) == sum(score < 0.5 for score in same)
        assert each.seconded_confidence == min([1.0, *same])


def test_the_cap_of_a_cycle_never_pushes_out_what_the_rules_found() -> None:
    known = [finding(f"r{number}", "short") for number in range(MOST_PROBLEMS)]
    merged, over = merge_findings(known, [finding("z", "other", "m")], [])
    assert (list(merged), over) == (known, 1)


def option(by: str = "rules", *, quantity: int = 200, score: float = 0.9, words: str = "please") -> Option:
    bindable = Bindable(
        args=Restock,
        risk=Risk.LOW,
        limits={"item_id": Exactly(value="i"), "quantity": Between(minimum=1, maximum=500), "note": Sentence()},
        reads={},
        kinds=frozenset({"short"}),
    )
    proposal = Proposal(
        record_id="r1",
        tool="order_inventory",
        arguments={"item_id": "i", "quantity": quantity, "note": words},
        answers=("f1",),
        confidence_score=score,
        rationale="because",
        proposed_by=by,
    )
    return Option(proposal=proposal, bindable=bindable)


def test_the_same_in_other_words_is_seconded_with_the_words_of_the_first_and_the_lower_confidence() -> None:
    [merged] = add_advice([option()], [option("m", words="AT ONCE", score=0.4)], room=0)
    assert merged.proposal.arguments["note"] == "please"
    assert merged.proposal.confidence_score == 0.4
    assert (merged.proposal.proposed_by, merged.proposal.seconded_by) == ("rules", ("m",))
    assert add_advice([option()], [option("m", score=1.0)], room=0)[0].proposal.confidence_score == 0.9


def test_two_models_that_answer_otherwise_are_alternatives_to_the_same_action() -> None:
    others = [option("m", quantity=300), option("n", quantity=400), option("o", quantity=300)]
    merged = add_advice([option()], others, room=0)
    assert [(each.proposal.proposed_by, each.instead_of) for each in merged] == [("rules", None), ("m", 0), ("n", 0)]
    assert merged[1].proposal.seconded_by == ("o",)


def test_a_doubt_counts_unless_whoever_doubts_proposes_the_same() -> None:
    said = [Doubt(record_id="r1", why="no", by="m"), Doubt(record_id="r2", why="no", by="n")]
    assert doubt(option(), said, {}).proposal.doubts == ("m: no",)
    [seconded] = add_advice([option()], [option("m")], room=0)
    assert doubt(seconded, said, {}).proposal.doubts == ()
    known = {"f1": finding("r1", "short").model_copy(update={"doubts": ("n: not so",)})}
    assert doubt(option(), [], known).proposal.doubts == ("n: not so",)


def detected(**scores: float) -> DetectResult:
    return DetectResult(detection=Detection(confidence_score=0, suspects=0, scanned=9), scores=scores)


def test_suspects_are_those_of_the_rules_first_and_then_those_of_which_a_model_is_half_sure() -> None:
    rules = DetectResult(detection=Detection(confidence_score=1, suspects=1, scanned=9), suspects=("r1",))
    merged = suspects_of(rules, [detected(r1=0.1, r2=0.5), detected(r3=0.49)], by="m")
    assert merged.suspects == ("r1", "r2")
    assert (merged.detection.suspects, merged.detection.confidence_score) == (2, 1)
    assert "m suspects besides 1 record: r2 (0.5: )" in merged.detection.notes
    assert "nobody looked closer at 1 record: r3 (0.49: )" in merged.detection.notes
