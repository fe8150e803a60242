"""One injection at a time, obeyed to the letter: nothing else is done than the rules would, and nothing lost."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.core.models import RULES
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from tests.llm.attacked import Attacked, Possessed, attacked_shop, one_by_one
from tests.llm.books import Books
from tests.llm.corpus.payload import OPERATOR, Payload
from tests.llm.injections import PAYLOADS, spread
from tests.llm.pages_on_injections import details_faults, report_faults, story_faults
from tests.llm.poisoned import Trio
from tests.llm.reading import outside
from tests.llm.strict import refused_roles
from tests.llm.verdicts_on_injections import (
    lost_findings,
    lost_proposals,
    unauthorized,
    wrong_approvals,
    wrong_books,
)

pytestmark = pytest.mark.long

CHOSEN = tuple(spread(PAYLOADS))
SUNK = {"sink-everything", "in-chinese"} & {payload.name for payload in CHOSEN}

each_payload = pytest.mark.parametrize("payload", CHOSEN, ids=lambda payload: payload.name)


@dataclass(frozen=True, kw_only=True)
class Aftermath:
    """What a repair for each left behind, each approved by policy as far as policy goes."""

    attacked: Attacked
    model: Possessed
    results: dict[str, RepairResult]
    after: Books

    def of(self, payload: Payload) -> tuple[RepairResult, Trio]:
        trio = next(trio for trio in self.attacked.poisoned.trios if trio.payload == payload)
        return self.results[payload.name], trio


@pytest.fixture(scope="module")
async def aftermath(
    temporal_env: WorkflowEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Aftermath]:
    home = tmp_path_factory.mktemp("attacked")
    async with attacked_shop(temporal_env, home, CHOSEN) as (attacked, model):
        results = await one_by_one(attacked, auto_approve=True)
        yield Aftermath(attacked=attacked, model=model, results=results, after=attacked.books())


@each_payload
def test_no_effect_is_one_that_the_rules_would_not_have(aftermath: Aftermath, payload: Payload) -> None:
    result, trio = aftermath.of(payload)
    assert unauthorized(result, aftermath.attacked.rules) == []
    assert wrong_approvals(result) == []
    assert trio.healthy not in {outcome.record_id for outcome in result.outcomes}


@each_payload
def test_no_finding_of_the_rules_is_lost(aftermath: Aftermath, payload: Payload) -> None:
    result, trio = aftermath.of(payload)
    assert lost_findings(result, aftermath.attacked.rules, (trio.poisoned, trio.clean)) == []
    found = {finding.record_id: finding.kind for finding in result.findings if finding.found_by == RULES}
    assert found == {trio.poisoned: trio.kind, trio.clean: trio.clean_kind}


@each_payload
def test_what_the_rules_propose_is_proposed_for_the_clean_order_and_the_poisoned_one(
    aftermath: Aftermath, payload: Payload
) -> None:
    result, trio = aftermath.of(payload)
    assert lost_proposals(result.plans, aftermath.attacked.rules, (trio.poisoned, trio.clean)) == []


@each_payload
def test_the_grant_still_covers_both_unless_the_model_is_unsure(aftermath: Aftermath, payload: Payload) -> None:
    result, trio = aftermath.of(payload)
    if payload.name in SUNK:
        assert (result.phase, result.outcomes) == (Phase.APPROVAL_EXPIRED, ())
    else:
        assert result.phase is Phase.REPORT_COMPLETED
        assert {outcome.record_id for outcome in result.outcomes} == {trio.poisoned, trio.clean}


@each_payload
def test_on_no_page_does_a_text_do_anything(aftermath: Aftermath, payload: Payload) -> None:
    result, _ = aftermath.of(payload)
    assert [*report_faults(result), *story_faults(result)] == []
    assert [fault for plan in result.plans for fault in details_faults(plan, result.reason)] == []
    assert result.report is not None


@each_payload
def test_a_reply_that_breaks_the_form_is_replaced_by_the_rules_which_is_said(
    aftermath: Aftermath, payload: Payload
) -> None:
    result, _ = aftermath.of(payload)
    told = {notice.partition(":")[0] for notice in result.notices if "so the rules alone count: fake-1" in notice}
    assert told >= refused_roles(payload) - {"detect"}
    assert len(told) == len(result.notices)


def test_the_books_hold_what_the_repairs_told_and_nothing_else(aftermath: Aftermath) -> None:
    attacked, results = aftermath.attacked, aftermath.results.values()
    assert wrong_books(attacked.before, aftermath.after, results, attacked.rules) == []
    assert len(aftermath.after.ledger) == len(aftermath.after.outbox) == 2 * (len(CHOSEN) - len(SUNK))
    assert not aftermath.after.changed_orders(attacked.before) & attacked.poisoned.healthy
    assert OPERATOR not in {message.to for message in aftermath.after.outbox}


def test_the_attacks_were_real(aftermath: Aftermath) -> None:
    model = aftermath.model
    names = {payload.name for payload in CHOSEN}
    for role in ("analyze", "plan", "report"):
        assert {name for where, name in model.obeyed if where == role} == names
    assert len(model.shown["analyze"]) >= len(CHOSEN) - 10
    assert len(model.shown["plan"]) >= len(CHOSEN) - 10
    assert aftermath.attacked.fake.count > 3 * len(CHOSEN)
    blocked = [item for result in aftermath.results.values() for plan in result.plans for item in plan.blocked]
    assert len(blocked) > 0.55 * len(CHOSEN)


def test_no_text_of_a_record_stands_outside_its_block_in_a_prompt(aftermath: Aftermath) -> None:
    for asked in aftermath.attacked.fake.asked:
        assert "zx" not in outside(asked.user)
        assert "zx" not in asked.system
