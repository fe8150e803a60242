"""What an agent may do with nobody there: the table in the docs, row by row, and that nothing bad makes it more."""

from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from daper.core.decisions import refuse_decision
from daper.core.digests import digest
from daper.core.guard import seal
from daper.core.models import (
    BlockedProposal,
    BoundAction,
    Decision,
    Fallback,
    Finding,
    ForPerson,
    Person,
    Plan,
    PolicyGrant,
    ProposedAction,
    Risk,
    Verdict,
)
from daper.core.phases import Phase
from daper.core.policy import ALONE_CONFIDENCE, Alone, ApprovalPolicy
from daper.core.second_opinion import merge_findings

PAGE = Path(__file__).parents[2] / "docs" / "policy.md"
HEADING = "| confidence | risk | tool and kind |"
TOOL, KIND = "request_approval", "restricted-without-approval"
ALONE = Alone(max_actions=3, max_spend=Decimal(100), max_share=Decimal("0.2"), allow={TOOL: (KIND,)})
POLICY = ApprovalPolicy(alone=ALONE)
HARRY = Person(name="Harry")
MODEL = "openai/gpt-4o"

MAY, ONE, CANNOT = "may approve", "one of the two", "cannot"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A plan in the words of the table: all its actions are alike, each on a record of its own."""

    confidence: float = 1.0
    risk: Risk = Risk.LOW
    tool: str = "allowed"
    by: str = "rules"
    doubts: str = "none"
    spends: Decimal | None = Decimal(0)
    actions: int = 1
    open_records: int = 10

    @property
    def policy(self) -> ApprovalPolicy:
        return ApprovalPolicy() if self.tool == "no `[alone]`" else POLICY

    @property
    def findings(self) -> dict[str, Finding]:
        return {each.fingerprint: each for number in range(self.actions) for each in self._found(number)}

    @property
    def plan(self) -> Plan:
        if self.tool == "blocked by the guard":
            blocked = BlockedProposal(record_id="ORD-0", tool=TOOL, arguments={}, reason="it is outside its limits")
            return seal(Plan(blocked=(blocked,)), cycle_id="c1")
        actions = [self._action(number) for number in range(self.actions)]
        if self.doubts == "an alternative":
            actions.append(actions[0].model_copy(update={"id": "b0", "instead_of": "a0", "proposed_by": MODEL}))
        return seal(Plan(actions=tuple(actions)), cycle_id="c1")

    def runs_alone(self) -> bool:
        return self.policy.refuses_alone(self.plan, self.findings, self.open_records) is None

    def runs_by_grant(self) -> bool:
        return self.policy.refuses_grant(self.plan) is None

    def _found(self, number: int) -> list[Finding]:
        kinds = {"another kind": ["stuck"], "one kind of two": [KIND, "stuck"]}.get(self.tool, [KIND])
        by = MODEL if self.by == "rules, for what a model found" else "rules"
        return [
            Finding(record_id=f"ORD-{number}", kind=kind, issue="", fingerprint=f"{number}{kind}", found_by=by)
            for kind in kinds
        ]

    def _action(self, number: int) -> ProposedAction:
        text = BoundAction(
            cycle_id="c1",
            round=1,
            domain="orders",
            store_id="s1",
            tool="hold_order" if self.tool == "another tool" else TOOL,
            record_id=f"ORD-{number}",
            arguments={},
            reads={},
            editable={},
            risk=self.risk,
            spends=self.spends,
            if_it_does_not_help=Fallback.HAND_OVER,
        ).to_text()
        return ProposedAction(
            id=f"a{number}",
            text=text,
            digest=digest(text),
            confidence_score=self.confidence,
            proposed_by=MODEL if self.by == "a model" else "rules",
            doubts=("a model: it is fine",) if self.doubts == "doubted" else (),
            answers=tuple(finding.fingerprint for finding in self._found(number)),
        )


def table() -> list[list[str]]:
    lines = PAGE.read_text(encoding="utf-8").partition(HEADING)[2].splitlines()[2:]
    rows = [line.strip("|").split("|") for line in lines[: lines.index("")]]
    return [[cell.strip() for cell in row] for row in rows]


def row_of(cells: list[str]) -> Row:
    confidence, risk, tool, by, doubts, spends, actions, open_records = cells
    return Row(
        confidence=float(confidence),
        risk=Risk(risk),
        tool=tool,
        by=by,
        doubts=doubts,
        spends=None if spends == "unknown" else Decimal(spends),
        actions=int(actions),
        open_records=int(open_records),
    )


def words(row: Row, *, runs: bool) -> str:
    return CANNOT if not row.plan.actions else "runs" if runs else "asks"


def of_a_person(plan: Plan) -> str:
    """What becomes of the decision of a person who approves all of it."""
    if not plan.actions:
        return MAY if refused(plan, "a0") is None else CANNOT
    if refused(plan, *(action.id for action in plan.actions)) is None:
        return MAY
    return ONE if all(refused(plan, action.id) is None for action in plan.actions) else CANNOT


def refused(plan: Plan, *approved: str) -> str | None:
    decision = Decision(plan_digest=plan.digest, verdicts=dict.fromkeys(approved, Verdict.APPROVE), by=HARRY)
    return refuse_decision(Phase.PENDING_APPROVAL, plan, None, decision)


@pytest.mark.parametrize("cells", table(), ids=" ".join)
def test_each_row_of_the_table_in_the_docs_is_so(cells: list[str]) -> None:
    row = row_of(cells[:8])

    found = [words(row, runs=row.runs_alone()), words(row, runs=row.runs_by_grant()), of_a_person(row.plan)]

    assert found == cells[8:]


def test_the_table_has_every_word_and_every_end() -> None:
    rows = table()
    for column, wanted in (
        (1, set(Risk)),
        (4, {"none", "doubted", "an alternative"}),
        (8, {"runs", "asks", CANNOT}),
        (9, {"runs", "asks", CANNOT}),
        (10, {MAY, ONE, CANNOT}),
    ):
        assert {row[column] for row in rows} == wanted
    assert len(rows) == len({tuple(row[:8]) for row in rows}) > 25


def test_acting_alone_approves_all_of_the_plan_and_names_who_started_the_agent() -> None:
    plan = Row(actions=2).plan

    decision = POLICY.act_alone(plan, HARRY)

    assert decision.by == PolicyGrant(rule="alone", requested_by=HARRY)
    assert (decision.plan_digest, decision.door, decision.edits) == (plan.digest, "policy", {})
    assert decision.verdicts == {"a0": Verdict.APPROVE, "a1": Verdict.APPROVE}


def test_what_is_blocked_or_left_to_a_person_does_not_stop_the_rest() -> None:
    row = Row()
    blocked = BlockedProposal(record_id="ORD-9", tool=TOOL, arguments={}, reason="it is outside its limits")
    for_person = ForPerson(record_id="ORD-8", kind="stuck", fingerprint="f", reason="no tool repairs this")
    plan = row.plan.model_copy(update={"blocked": (blocked,), "for_person": (for_person,), "left_out": 3})

    assert POLICY.refuses_alone(plan, row.findings, 10) is None


def test_a_doubt_of_the_problem_is_enough() -> None:
    row = Row()
    doubted = {key: each.model_copy(update={"doubts": ("a model: fine",)}) for key, each in row.findings.items()}

    assert POLICY.refuses_alone(row.plan, doubted, 10) == f"a0: {KIND} is doubted by a model: fine"


def test_an_alternative_waits_also_if_the_rules_propose_it() -> None:
    row = Row(actions=2)
    first, second = row.plan.actions
    plan = row.plan.model_copy(update={"actions": (first, second.model_copy(update={"instead_of": "a0"}))})

    assert POLICY.refuses_alone(plan, row.findings, 10) == "a1: an alternative to a0"


def test_an_action_without_a_known_problem_waits() -> None:
    row = Row()
    nothing = row.plan.model_copy(update={"actions": (row.plan.actions[0].model_copy(update={"answers": ()}),)})

    assert POLICY.refuses_alone(nothing, row.findings, 10) == "a0: it answers no finding"
    assert POLICY.refuses_alone(row.plan, {}, 10) == "a0: it answers what the rules did not find"


def test_two_actions_on_one_record_touch_one_record() -> None:
    row = Row()
    [action] = row.plan.actions
    twice = row.plan.model_copy(update={"actions": (action, action.model_copy(update={"id": "a1"}))})

    assert POLICY.refuses_alone(twice, row.findings, 5) is None


def test_a_share_is_counted_without_errors_of_binary_fractions() -> None:
    """0.29 x 100 is less than 29 in floats."""
    policy = ApprovalPolicy(alone=ALONE.model_copy(update={"max_share": Decimal("0.29"), "max_actions": 50}))
    row = Row(actions=29)

    assert policy.refuses_alone(row.plan, row.findings, 100) is None
    assert policy.refuses_alone(row.plan, row.findings, 99) is not None


@pytest.mark.parametrize("least", [0.0, 0.5, 0.9, ALONE_CONFIDENCE])
def test_no_policy_lowers_the_confidence_that_is_needed(least: float) -> None:
    policy = ApprovalPolicy(alone=ALONE.model_copy(update={"min_confidence": least}))
    row = Row(confidence=0.949)

    assert policy.refuses_alone(row.plan, row.findings, 10) == "a0: 0.949 sure, and 0.95 is needed"


def test_a_confidence_that_is_no_number_is_not_enough() -> None:
    row = Row()
    [action] = row.plan.actions
    odd = row.plan.model_copy(update={"actions": (action.model_copy(update={"confidence_score": float("nan")}),)})

    assert POLICY.refuses_alone(odd, row.findings, 10) is not None


ROWS = st.builds(
    Row,
    confidence=st.sampled_from([0.0, 0.49, 0.5, 0.94, ALONE_CONFIDENCE, 1.0, 1.0, 1.0]),
    risk=st.sampled_from([Risk.LOW, Risk.LOW, Risk.LOW, Risk.MEDIUM, Risk.HIGH]),
    tool=st.sampled_from(["allowed"] * 5 + ["another tool", "another kind", "one kind of two", "no `[alone]`"]),
    by=st.sampled_from(["rules", "rules", "rules", "a model", "rules, for what a model found"]),
    doubts=st.sampled_from(["none", "none", "none", "doubted", "an alternative"]),
    spends=st.sampled_from([Decimal(0), Decimal("33.33"), Decimal("33.34"), Decimal(100), Decimal(10_001), None]),
    actions=st.integers(1, 5),
    open_records=st.integers(0, 30),
)


BY = ("rules", "rules, for what a model found", "a model")
DOUBTS = ("none", "an alternative", "doubted")  # a grant takes the first of two, and nothing that is doubted


@st.composite
def worsened(draw: st.DrawFn) -> tuple[Row, Row]:
    """A row, and the same with one column worse."""
    row = draw(ROWS)
    spends = row.spends
    more = None if spends is None else draw(st.none() | st.decimals(min_value=spends, max_value=20_000, places=2))
    worse = draw(
        st.sampled_from(
            [
                replace(row, confidence=draw(st.floats(0, row.confidence))),
                replace(row, risk=draw(st.sampled_from([risk for risk in Risk if risk.rank >= row.risk.rank]))),
                replace(row, tool=draw(st.sampled_from(["another tool", "another kind", "no `[alone]`"]))),
                replace(row, by=draw(st.sampled_from(BY[BY.index(row.by) :]))),
                replace(row, doubts=draw(st.sampled_from(DOUBTS[DOUBTS.index(row.doubts) :]))),
                replace(row, spends=more),
                replace(row, actions=draw(st.integers(row.actions, 9))),
                replace(row, open_records=draw(st.integers(0, row.open_records))),
            ]
        )
    )
    return row, worse


@given(worsened())
def test_a_column_that_gets_worse_never_makes_anything_run_that_asked(rows: tuple[Row, Row]) -> None:
    row, worse = rows

    assert row.runs_alone() or not worse.runs_alone()
    assert row.runs_by_grant() or not worse.runs_by_grant()


@given(ROWS, ROWS)
def test_one_action_that_may_not_run_alone_holds_back_the_whole_plan(good: Row, bad: Row) -> None:
    """Also one that a grant would leave out."""
    assume(not replace(bad, actions=1, open_records=1000).runs_alone())
    others = (
        each.model_copy(update={"id": f"c{each.id}", "answers": tuple(f"c{one}" for one in each.answers)})
        for each in replace(bad, tool="another tool" if bad.tool == "no `[alone]`" else bad.tool).plan.actions
    )
    findings = {f"c{key}": each for key, each in bad.findings.items()}
    plan = good.plan.model_copy(update={"actions": (*good.plan.actions, *others)})

    assert POLICY.refuses_alone(plan, good.findings | findings, 1000) is not None


@given(ROWS)
def test_whatever_runs_alone_is_within_every_bound(row: Row) -> None:
    if not row.runs_alone():
        return
    plan = row.plan
    assert 0 < len(plan.actions) <= ALONE.max_actions
    assert len({each.bound.record_id for each in plan.actions}) * 5 <= row.open_records
    assert sum(each.bound.spends or Decimal(0) for each in plan.actions) <= ALONE.max_spend
    for each in plan.actions:
        assert (each.proposed_by, each.bound.risk, each.bound.tool) == ("rules", Risk.LOW, TOOL)
        assert each.confidence_score >= ALONE_CONFIDENCE
        assert not each.doubts
        assert not each.instead_of
        assert {row.findings[one].kind for one in each.answers} == {KIND}


@given(ROWS, st.floats(0, 1))
def test_how_sure_a_plan_is_of_itself_changes_nothing(row: Row, overall: float) -> None:
    boasting = row.plan.model_copy(update={"overall_confidence_score": overall})

    assert row.policy.refuses_alone(boasting, row.findings, row.open_records) == row.policy.refuses_alone(
        row.plan, row.findings, row.open_records
    )


def test_a_model_that_hardly_believes_in_a_problem_of_the_rules_lowers_trust() -> None:
    """A7: finding it too, and 0.01 sure, it does not second what the rules found."""
    row = Row()
    [known] = row.findings.values()
    for score in (0.01, 0.94):
        second = known.model_copy(update={"confidence_score": score, "found_by": MODEL, "fingerprint": "m"})
        [merged], _ = merge_findings([known], [second], [])
        assert ALONE.refuses(row.plan, {merged.fingerprint: merged}, row.open_records) is not None
        assert merged.confidence_score == known.confidence_score


def test_a_problem_that_the_rules_themselves_are_not_sure_of_waits() -> None:
    row = Row()
    findings = {key: each.model_copy(update={"confidence_score": 0.3}) for key, each in row.findings.items()}
    refusal = ALONE.refuses(row.plan, findings, row.open_records)
    assert refusal == f"a0: {KIND} is 0.3 sure, and 0.95 is needed"


def test_what_is_approved_by_a_passkey_alone_runs_with_nobody_there_never() -> None:
    row = Row()
    policy = POLICY.model_copy(update={"passkey_from": Risk.LOW})
    assert POLICY.refuses_alone(row.plan, row.findings, 10) is None
    assert policy.refuses_alone(row.plan, row.findings, 10) == "a0: risk low is approved by a passkey alone"
