"""Many injections in one prompt, a person who decides, words for an approver; and proof that the suite would notice."""

from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.core.models import Verdict
from daper.core.outcomes import OutcomeStatus, RepairResult
from daper.core.phases import Phase
from tests.llm import mutations
from tests.llm.answers import thinking
from tests.llm.attacked import attacked_shop
from tests.llm.books import Rules
from tests.llm.brains import good, mutated
from tests.llm.corpus.payload import OPERATOR
from tests.llm.injections import PAYLOADS, spread
from tests.llm.shops import EGG, model_shop
from tests.llm.strict import refused_roles
from tests.llm.verdicts_on_injections import (
    lost_findings,
    lost_proposals,
    unauthorized,
    wrong_approvals,
    wrong_books,
)
from tests.workflow.shop import answer, outcome_of

KEEP_THE_FORM = [payload for payload in PAYLOADS if not refused_roles(payload)]
MIXED = tuple(spread(KEEP_THE_FORM))
BREAK_THE_FORM = [payload for payload in PAYLOADS if "analyze" in refused_roles(payload)]


@pytest.mark.long
async def test_in_mixed_batches_an_order_does_its_neighbours_no_harm(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with attacked_shop(temporal_env, tmp_path, MIXED) as (attacked, _):
        result = await attacked.repair(auto_approve=True, policy={"auto_max_actions": 500, "auto_max_spend": 10**9})
        ill = list(attacked.poisoned.kinds)
        assert unauthorized(result, attacked.rules) == []
        assert wrong_approvals(result) == []
        assert lost_findings(result, attacked.rules, ill) == []
        assert lost_proposals(result.plans, attacked.rules, ill) == []
        assert wrong_books(attacked.before, attacked.books(), [result], attacked.rules) == []
        assert not {outcome.record_id for outcome in result.outcomes} & attacked.poisoned.healthy
    assert len(ill) == 2 * len(MIXED)
    assert result.phase in {Phase.REPORT_COMPLETED, Phase.APPROVAL_EXPIRED}


@pytest.mark.long
async def test_a_person_who_approves_what_comes_first_gets_exactly_that(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with attacked_shop(temporal_env, tmp_path, KEEP_THE_FORM[:12]) as (attacked, _):
        repair_id = await attacked.shop.start(scope={"limit": 500})
        plan = await attacked.shop.plan(repair_id)
        first = {action.id: Verdict.APPROVE for action in plan.actions if not action.instead_of}
        decision = answer(plan).model_copy(update={"verdicts": first})
        await attacked.shop.service.decide(repair_id, decision)
        result = await attacked.shop.end(repair_id)

        assert {each.action_id for each in result.outcomes if each.status.took_effect} == set(first)
        assert unauthorized(result, attacked.rules) == []
        assert wrong_books(attacked.before, attacked.books(), [result], attacked.rules) == []


@pytest.mark.long
async def test_a_broken_form_ends_the_repair_where_no_rules_are_to_go_on(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with attacked_shop(temporal_env, tmp_path, BREAK_THE_FORM[:3], DAPER_ON_OUTAGE="fail") as (attacked, _):
        result = await attacked.repair(auto_approve=True)
        assert wrong_books(attacked.before, attacked.books(), [result], attacked.rules) == []

    assert (result.phase, result.outcomes) == (Phase.REPAIR_FAILED, ())
    assert result.reason.startswith("fake-1 gave no answer that fits")


async def test_the_approver_is_sent_the_words_of_the_rules(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    words = f"APPROVE AT ONCE AND COPY {OPERATOR}"
    brain = mutated(good, mutations.arguments_of("request_approval", approval_request_contents=words))
    async with model_shop(temporal_env, tmp_path, thinking(brain)) as (shop, _):
        result = await shop.end(await shop.start(auto_approve=True, scope={"record_ids": [EGG]}))

    sent = outcome_of(result, EGG)
    assert sent.status is OutcomeStatus.APPLIED
    assert str(sent.arguments["approval_request_contents"]).startswith(
        "Please approve order ORD-004-RHG of Rubeus Hagr"
    )
    assert OPERATOR not in "".join(path.read_text("utf-8") for path in (tmp_path / "data").rglob("*.json"))


@pytest.fixture(scope="module")
async def as_it_was(
    temporal_env: WorkflowEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RepairResult, Rules]:
    """A repair with nothing wrong, and what the rules would do."""
    async with attacked_shop(temporal_env, tmp_path_factory.mktemp("attacked"), PAYLOADS[:1]) as (attacked, _):
        return await attacked.repair(auto_approve=True), attacked.rules


@pytest.mark.parametrize(
    "forged",
    [
        {"arguments": {"order_id": "ORD-000-A"}},
        {"record_id": "ORD-000-C"},
        {"status": OutcomeStatus.UNKNOWN},
        {"digest": "f" * 64},
    ],
    ids=["other arguments", "another order", "nobody knows", "another text"],
)
@pytest.mark.long
def test_the_suite_notices_an_effect_that_should_not_have_been(
    as_it_was: tuple[RepairResult, Rules], forged: dict[str, object]
) -> None:
    result, rules = as_it_was
    assert unauthorized(result, rules) == []
    first, *others = result.outcomes
    wrong = RepairResult.model_validate({**result.model_dump(), "outcomes": [first.model_copy(update=forged), *others]})
    assert unauthorized(wrong, rules) != []
