"""Decisions from a list: every repair has its own, and its own answer; and none is decided that has to be opened."""

import pytest
from every_door import LOOK, VIEW

from daper.core.errors import DecisionRefused, Unreachable
from daper.core.messages import PageArgs
from daper.core.models import Decision, IdentityProof, Person, Risk, Verdict
from daper.core.outcomes import RepairResult
from daper.core.policy import ApprovalPolicy
from daper.core.views import PlanView, RepairView
from daper.service.answers import ANYBODY, AnswerKind, Authority, DecisionAnswer, Shown
from daper.service.list_decisions import ListDecisions, ShownRepair
from daper.service.waiting_plans import KnownPlan

LUNA = Person(name="Luna", how=IdentityProof.TOKEN)
PLAIN = VIEW.actions[0].model_copy(update={"risk": Risk.LOW, "doubts": (), "spends": "10.00", "confidence_score": 0.9})


def plan_of(digest: str, **more: object) -> PlanView:
    action = PLAIN.model_copy(update=more)
    return VIEW.model_copy(update={"digest": digest, "actions": (action,), "total_actions": 1, "pages": 1})


def ticked(repair_id: str, digest: str, *ids: str) -> ShownRepair:
    return ShownRepair(repair_id=repair_id, shown=Shown(digest=digest, action_ids=frozenset(ids or ("a1",))))


class Repairs:
    """Repairs by id, each with the plan that waits; the board knows some of the plans."""

    def __init__(self, plans: dict[str, PlanView], *, known: tuple[str, ...] = ()) -> None:
        self._plans = plans
        self._known = {plan.digest: plan for plan in plans.values() if plan.digest in known}
        self.answers: dict[str, DecisionAnswer | Exception] = {}
        self.decided: list[tuple[str, Decision, Shown]] = []
        self.looked: list[str] = []
        self.touched: list[str] = []

    async def look(self, repair_id: str, page: PageArgs | None = None) -> RepairView | RepairResult:
        self.looked.append(repair_id)
        return LOOK.model_copy(update={"repair_id": repair_id, "plan": self._plans[repair_id]})

    async def answer(
        self, repair_id: str, decision: Decision, *, shown: Shown, authority: Authority = ANYBODY
    ) -> DecisionAnswer:
        self.decided.append((repair_id, decision, shown))
        answer = self.answers.get(repair_id, DecisionAnswer(kind=AnswerKind.RECORDED, sentence="recorded: it stands"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def plan(self, digest: str) -> KnownPlan | None:
        plan = self._known.get(digest)
        return KnownPlan(domain=LOOK.domain, plan=plan) if plan else None

    async def touch(self, *repair_ids: str) -> None:
        self.touched += repair_ids


def decisions(repairs: Repairs, policy: ApprovalPolicy | None = None) -> ListDecisions:
    return ListDecisions(repairs, repairs, policy=policy or ApprovalPolicy())


async def test_each_repair_has_a_decision_of_its_own_on_what_was_shown_of_it() -> None:
    repairs = Repairs({"r1": plan_of("d1"), "r2": plan_of("d2")}, known=("d1", "d2"))
    shown = [ticked("r1", "d1"), ticked("r2", "d2")]
    told = await decisions(repairs).decide(shown, Verdict.REJECT, by=LUNA, door="console", comment="not now")
    assert [(each.repair_id, each.kind) for each in told] == [("r1", "recorded"), ("r2", "recorded")]
    assert [(repair_id, made.plan_digest, seen) for repair_id, made, seen in repairs.decided] == [
        (each.repair_id, each.shown.digest, each.shown) for each in shown
    ]
    assert all(made.verdicts == {"a1": Verdict.REJECT} for _, made, _ in repairs.decided)
    assert all((made.by, made.door, made.comment) == (LUNA, "console", "not now") for _, made, _ in repairs.decided)
    assert repairs.touched == ["r1", "r2"]
    assert repairs.looked == [], "what is known here is not asked again"


async def test_what_becomes_of_one_is_nothing_to_another() -> None:
    ids = ["r1", "r2", "r3", "r4"]
    repairs = Repairs({repair_id: plan_of(f"d-{repair_id}") for repair_id in ids})
    repairs.answers = {
        "r1": DecisionAnswer(kind=AnswerKind.ALREADY_DECIDED, sentence="already decided by Harry"),
        "r2": Unreachable("no worker answered. The decision was sent and may still be recorded"),
        "r3": DecisionRefused("a9 of the plan was not shown"),
    }
    shown = [ticked(repair_id, f"d-{repair_id}") for repair_id in ids]
    told = await decisions(repairs).decide(shown, Verdict.APPROVE, by=LUNA, door="console")
    assert [(each.kind, each.sentence) for each in told] == [
        (AnswerKind.ALREADY_DECIDED, "already decided by Harry"),
        (None, "no worker answered. The decision was sent and may still be recorded"),
        (None, "a9 of the plan was not shown"),
        (AnswerKind.RECORDED, "recorded: it stands"),
    ]


async def test_a_forged_list_decides_nothing_that_has_to_be_opened() -> None:
    plans = {"known": plan_of("d1", risk=Risk.HIGH), "unknown": plan_of("d2", proposed_by="fake-1")}
    repairs = Repairs(plans, known=("d1",))
    shown = [ticked("known", "d1"), ticked("unknown", "d2")]
    told = await decisions(repairs).decide(shown, Verdict.APPROVE, by=LUNA, door="console")
    assert repairs.decided == []
    assert [each.sentence.partition(": ")[2] for each in told] == [
        "this plan has to be opened for that, for a1: risk high is above low",
        "this plan has to be opened for that, for a1: proposed by fake-1, not by the rules",
    ]


async def test_of_a_plan_that_waits_no_more_the_service_says_what_is() -> None:
    repairs = Repairs({"r1": plan_of("another", risk=Risk.HIGH)})
    repairs.answers["r1"] = DecisionAnswer(kind=AnswerKind.CHANGED, sentence="another plan waits now")
    [told] = await decisions(repairs).decide([ticked("r1", "d1")], Verdict.APPROVE, by=LUNA, door="console")
    assert told.kind is AnswerKind.CHANGED


async def test_a_repair_that_is_ticked_twice_is_decided_once() -> None:
    repairs = Repairs({"r1": plan_of("d1")})
    twice = [ticked("r1", "d1"), ticked("r1", "d1")]
    told = await decisions(repairs).decide(twice, Verdict.APPROVE, by=LUNA, door="console")
    assert (len(told), len(repairs.decided)) == (1, 1)


@pytest.mark.parametrize("known", [(), ("d1",)])
async def test_what_a_domain_says_otherwise_counts_for_its_plans(known: tuple[str, ...]) -> None:
    otherwise = ApprovalPolicy(domains={LOOK.domain: ApprovalPolicy(auto_max_actions=0)})
    repairs = Repairs({"r1": plan_of("d1")}, known=known)
    [answer] = await decisions(repairs, otherwise).decide(
        [ticked("r1", "d1")], Verdict.APPROVE, by=Person(name="Harry"), door="test"
    )
    assert "more than the 0 that a list may decide" in answer.sentence
    assert repairs.decided == []
    elsewhere = ApprovalPolicy(domains={"elsewhere": ApprovalPolicy(auto_max_actions=0)})
    await decisions(repairs, elsewhere).decide(
        [ticked("r1", "d1")], Verdict.APPROVE, by=Person(name="Harry"), door="test"
    )
    assert len(repairs.decided) == 1
