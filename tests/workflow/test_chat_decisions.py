"""Deciding in a chat: the person confirms exactly what the form shows, and nothing else ever runs."""

from pathlib import Path

import mcp.types as types
import pytest
from temporalio.testing import WorkflowEnvironment

from daper.core.access import Access
from daper.core.models import Confirmation, IdentityProof, Person, Verdict
from daper.core.outcomes import OutcomeStatus, RepairResult
from daper.core.phases import Phase
from daper.core.views import RepairView
from daper.settings import ChatApproval
from tests.cases import cases
from tests.workflow.chat import ERAS, Answers, Era, chat_with, closes, declines, no, yes
from tests.workflow.shop import GINNY, HARRY, Shop, open_shop, outcome_of

both_eras = pytest.mark.parametrize("era", ERAS)


async def _undecided(shop: Shop, repair_id: str) -> None:
    look = await shop.service.look(repair_id)
    assert isinstance(look, RepairView)
    assert (look.phase, look.decision) == (Phase.PENDING_APPROVAL, None)


@pytest.mark.parametrize("era", ["auto", pytest.param("legacy", marks=pytest.mark.long)])
async def test_what_the_form_showed_is_what_runs(temporal_env: WorkflowEnvironment, tmp_path: Path, era: Era) -> None:
    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop, era=era, answers=yes) as chat:
        with shop.env.with_time_skipping_disabled():
            repair = await chat.begin()
        told = await chat.call(
            "approve_repair",
            repair_id=repair["repair_id"],
            plan_digest=repair["plan_digest"],
            actions=["a1", "a2"],
            edits={"a2": {"quantity": 250}},
            comment="Dobby said so",
        )
        result = await shop.end(repair["repair_id"])
        ended = await chat.call("get_repair", repair_id=repair["repair_id"])
    assert told["decided"]
    assert len(chat.asked) == 1
    for shown in (
        "Run 2 actions",
        "a1: request_payment_update; risk low; confidence score 0.8\n",
        'record: "ORD-001-HJP", "Harry James Potter"\n',
        "spends: not worked out for the change (170.00 before)",
        'quantity: 200, changed to 250 (may be "113 to 553")\n',
        'problem: "The payment of 56.52 has not come in."\n',
        "spends in all: not worked out for the change (170.00 before)\n",
        "decide until: ",
        "2 other",
        "Harry (os-user)",
        "Dobby said so",
        repair["plan_digest"],
    ):
        assert shown in chat.asked[0]
    assert told["decision"]["edits"] == {"a2": {"quantity": 250}}
    decided = ended["plan"]["actions"][1]
    assert (decided["changes"], decided["spends"]) == ([], "not worked out for the change (170.00 before)")
    recorded = result.decisions[0].decision
    assert (recorded.by, recorded.door, recorded.confirmed) == (HARRY, "mcp", Confirmation.FORM)
    assert recorded.comment == "Dobby said so"
    assert outcome_of(result, "ORD-002-HJG").arguments["quantity"] == 250
    statuses = {outcome.action_id: outcome.status for outcome in result.outcomes}
    assert statuses == {
        "a1": OutcomeStatus.APPLIED,
        "a2": OutcomeStatus.APPLIED,
        "a3": OutcomeStatus.NOT_APPROVED,
        "a4": OutcomeStatus.NOT_APPROVED,
    }


async def test_one_call_approves_some_and_rejects_others_as_the_form_shows(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop, answers=yes) as chat:
        with shop.env.with_time_skipping_disabled():
            repair = await chat.begin()
        about = {"repair_id": repair["repair_id"], "plan_digest": repair["plan_digest"]}
        both = await chat.refused("approve_repair", **about, actions="a1-a3", reject="a3")
        unknown = await chat.refused("approve_repair", **about, actions="all but a9")
        late = await chat.refused("approve_repair", **about, reject="kind:late")
        assert chat.asked == []
        told = await chat.call(
            "approve_repair", **about, actions="all but a3, a4", reject="tool:order_inventory, a3 but a2"
        )
        result = await shop.end(repair["repair_id"])
    assert "a3 would be approved and rejected; say one of the two" in both
    assert "the plan has no action 'a9'; it has: a1-a4" in unknown
    assert "'kind:late' means nothing of the plan; for kind it has: " in late
    assert chat.asked[0].startswith("Run 2 actions and reject 1 action of repair ")
    assert (told["decision"]["approved"], told["decision"]["rejected"]) == (["a1", "a2"], ["a3"])
    statuses = {outcome.action_id: str(outcome.status) for outcome in result.outcomes}
    assert statuses == {"a1": "applied", "a2": "applied", "a3": "rejected", "a4": "not-approved"}


@both_eras
@pytest.mark.parametrize(
    ("answers", "said"),
    [(no, "the form came back with no"), (declines, "answered the form with decline"), (closes, "with cancel")],
    ids=["not confirmed", "declined", "closed"],
)
async def test_without_a_yes_nothing_is_decided(
    temporal_env: WorkflowEnvironment, tmp_path: Path, era: Era, answers: Answers, said: str
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop, era=era, answers=answers) as chat:
        with shop.env.with_time_skipping_disabled():
            repair = await chat.begin()
        for tool in ("approve_repair", "reject_repair"):
            told = await chat.call(tool, repair_id=repair["repair_id"], plan_digest=repair["plan_digest"])
            assert not told["decided"]
            assert said in told["message"]
            assert told["what_was_decided"] == "nothing was decided on this plan"
        await _undecided(shop, repair["repair_id"])
        assert len(chat.asked) == (2 if answers is no else 1)


@both_eras
async def test_a_client_without_forms_is_told_the_command(
    temporal_env: WorkflowEnvironment, tmp_path: Path, era: Era
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop, era=era) as chat:
        with shop.env.with_time_skipping_disabled():
            repair = await chat.begin()
        repair_id, digest = repair["repair_id"], repair["plan_digest"]
        said = await chat.refused(
            "approve_repair",
            repair_id=repair_id,
            plan_digest=digest,
            actions=["a2"],
            edits={"a2": {"quantity": 250}},
        )
        assert said.endswith(f": daper repair approve {repair_id} --action a2 --edit a2.quantity=250")
        said = await chat.refused("reject_repair", repair_id=repair_id, plan_digest=digest, actions=["a1", "a3"])
        assert said.endswith(f": daper repair reject {repair_id} --action a1 --action a3")
        await _undecided(shop, repair_id)


@both_eras
async def test_a_trusted_client_decides_and_that_is_on_record(
    temporal_env: WorkflowEnvironment, tmp_path: Path, era: Era
) -> None:
    async with (
        open_shop(temporal_env, tmp_path) as shop,
        chat_with(shop, era=era, answers=yes, approval=ChatApproval.CLIENT) as chat,
    ):
        with shop.env.with_time_skipping_disabled():
            repair = await chat.begin()
        told = await chat.call("approve_repair", repair_id=repair["repair_id"], plan_digest=repair["plan_digest"])
        result = await shop.end(repair["repair_id"])
    assert chat.asked == []
    assert "without a confirmation" in told["decision"]["by"]
    assert result.decisions[0].decision.confirmed is Confirmation.UNCONFIRMED


@both_eras
async def test_rejecting_needs_the_form_too_and_runs_nothing(
    temporal_env: WorkflowEnvironment, tmp_path: Path, era: Era
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop, era=era, answers=yes) as chat:
        with shop.env.with_time_skipping_disabled():
            repair = await chat.begin()
        told = await chat.call("reject_repair", repair_id=repair["repair_id"], plan_digest=repair["plan_digest"])
        result = await shop.end(repair["repair_id"])
    assert chat.asked[0].startswith("Reject 4 actions")
    assert told["decision"]["rejected"] == ["a1", "a2", "a3", "a4"]
    assert result.phase is Phase.REJECTED
    assert shop.effects() == 0


REFUSED_BEFORE_ASKING: dict[str, tuple[dict[str, object], str]] = {
    "another plan": ({"plan_digest": "0" * 64}, "quotes plan '0000"),
    "an unknown action": ({"actions": ["a1", "a99"]}, "no action 'a99'"),
    "an argument that may not be changed": (
        {"actions": ["a1"], "edits": {"a1": {"customer_id": "CUST-DM-666"}}},
        "a1.customer_id",
    ),
    "no action at all": ({"actions": []}, "actions is [], and has to be a list of texts, 1 to 500 of them"),
    "a change of what is not named": ({"edits": {"a2": {"quantity": 250}}}, "a2 is changed but not named"),
    "a name too long": ({"actions": ["a2"], "edits": {"a2": {"q" * 300: 1}}}, "a name is too long"),
    "text too long to be shown": (
        {"actions": ["a4"], "edits": {"a4": {"approval_request_contents": "x" * 5000}}},
        "in a terminal, with --action, --reject and --edit, which shows the plan and asks: daper repair approve",
    ),
}


@both_eras
@pytest.mark.parametrize(
    "case",
    cases(
        {name: name for name in REFUSED_BEFORE_ASKING},
        quick=["another plan", "no action at all", "text too long to be shown"],
    ),
)
async def test_what_can_be_refused_is_refused_before_anybody_is_asked(
    temporal_env: WorkflowEnvironment, tmp_path: Path, era: Era, case: str
) -> None:
    arguments, said = REFUSED_BEFORE_ASKING[case]
    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop, era=era, answers=yes) as chat:
        with shop.env.with_time_skipping_disabled():
            repair = await chat.begin()
        quoted: dict[str, object] = {"repair_id": repair["repair_id"], "plan_digest": repair["plan_digest"]}
        refused = await chat.refused("approve_repair", **(quoted | arguments))
        assert said in refused
        assert repair["plan_digest"] not in refused or "plan_digest" not in arguments
        assert chat.asked == []
        await _undecided(shop, repair["repair_id"])


@both_eras
async def test_a_value_outside_the_limits_is_refused_by_the_repair_itself(
    temporal_env: WorkflowEnvironment, tmp_path: Path, era: Era
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop, era=era, answers=yes) as chat:
        with shop.env.with_time_skipping_disabled():
            repair = await chat.begin()
        said = await chat.refused(
            "approve_repair",
            repair_id=repair["repair_id"],
            plan_digest=repair["plan_digest"],
            actions=["a2"],
            edits={"a2": {"quantity": 10**9}},
        )
        assert "a2.quantity" in said
        assert 'quantity: 200, changed to 1000000000 (may be "113 to 553")' in chat.asked[0]
        await _undecided(shop, repair["repair_id"])


@pytest.mark.long
@both_eras
async def test_a_plan_that_somebody_else_answers_while_the_form_is_open_is_not_answered_again(
    temporal_env: WorkflowEnvironment, tmp_path: Path, era: Era
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:

        async def ginny_is_quicker(params: types.ElicitRequestFormParams) -> types.ElicitResult:
            await shop.decide(repair["repair_id"], await shop.plan(repair["repair_id"]), by=GINNY, a3=Verdict.REJECT)
            return await yes(params)

        async with chat_with(shop, era=era, answers=ginny_is_quicker) as chat:
            with shop.env.with_time_skipping_disabled():
                repair = await chat.begin()
            said = await chat.refused(
                "approve_repair", repair_id=repair["repair_id"], plan_digest=repair["plan_digest"]
            )
            result = await shop.end(repair["repair_id"])
    assert "Ginny" in said
    assert [recorded.decision.by for recorded in result.decisions] == [GINNY]
    assert shop.effects() == 0


@pytest.mark.long
@both_eras
async def test_the_same_decision_again_is_told_and_asks_nobody(
    temporal_env: WorkflowEnvironment, tmp_path: Path, era: Era
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop, era=era, answers=yes) as chat:
        with shop.env.with_time_skipping_disabled():
            repair = await chat.begin()
        quoted = {"repair_id": repair["repair_id"], "plan_digest": repair["plan_digest"]}
        await chat.call("approve_repair", **quoted)
        await shop.end(repair["repair_id"])
        again = await chat.call("approve_repair", **quoted)
        other = await chat.refused("reject_repair", **quoted)
    assert again["repeated"]
    assert again["message"] == ""
    assert again["decision"]["by"] == "Harry (os-user), confirmed in a form"
    assert len(chat.asked) == 1
    assert "decided by Harry (os-user), confirmed in a form" in other


async def test_a_person_without_leave_to_approve_decides_nothing(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    luna = Person(name="Luna", how=IdentityProof.TOKEN)
    may = frozenset({Access.READ, Access.START})
    async with (
        open_shop(temporal_env, tmp_path) as shop,
        chat_with(shop, answers=yes, person=luna, access=may) as chat,
    ):
        with shop.env.with_time_skipping_disabled():
            repair = await chat.begin()
        quoted = {"repair_id": repair["repair_id"], "plan_digest": repair["plan_digest"]}
        for tool in ("approve_repair", "reject_repair"):
            said = await chat.refused(tool, **quoted)
            assert "the token of Luna allows read, start, and this needs approve" in said
        assert chat.asked == []
        await _undecided(shop, repair["repair_id"])


@pytest.mark.long
async def test_the_name_on_the_decision_is_the_callers_own(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    luna = Person(name="Luna", how=IdentityProof.TOKEN)
    async with open_shop(temporal_env, tmp_path) as shop, chat_with(shop, answers=yes, person=luna) as chat:
        with shop.env.with_time_skipping_disabled():
            repair = await chat.begin()
        quoted = {"repair_id": repair["repair_id"], "plan_digest": repair["plan_digest"]}
        for claim in ({"by": "Dumbledore"}, {"as_name": "Dumbledore"}, {"answer": {"confirm": True}}):
            said = await chat.refused("approve_repair", **quoted, **claim)
            assert f'approve_repair has no argument "{next(iter(claim))}"; it takes ' in said
        await chat.call("approve_repair", **quoted)
        result = await shop.end(repair["repair_id"])
    assert isinstance(result, RepairResult)
    assert result.decisions[0].decision.by == luna
