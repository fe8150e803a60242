"""The whole cycle with a real language model on the six orders: `make test-llm`. Not part of the tests of every day.

It asks the model that is configured, by default one on this machine at port 7700. What a model answers is its own
affair; that the cycle ends, that the guard holds and that the report tells what was refused has to hold for any model.
"""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.adapters.reports.repair_report import repair_report
from daper.core.models import RULES, Verdict
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.text import markdown
from daper.core.usage import Role
from daper.documents.markdown import to_markdown
from tests.workflow import shop as shops

RULES_ACTIONS = {
    "ORD-001-HJP": "request_payment_update",
    "ORD-002-HJG": "order_inventory",
    "ORD-003-RBW": "request_payment_update",
    "ORD-004-RHG": "request_approval",
}
DEFAULTS = {"LLM_MODEL": "local", "LLM_BASE_URL": "http://127.0.0.1:7700/v1", "DAPER_LLM_TIMEOUT": "20m"}
WITHIN = 3600


@pytest.fixture(scope="module")
async def result(
    temporal_env: WorkflowEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RepairResult]:
    """One cycle in which a model plays every role, approved by policy as far as policy goes."""
    named = {name: value for name, value in os.environ.items() if name.startswith(("LLM_", "DAPER_"))}
    environ = {"DAPER_DETECT_MODEL": named.get("LLM_MODEL", DEFAULTS["LLM_MODEL"]), "DAPER_ON_OUTAGE": "rules"}
    home = tmp_path_factory.mktemp("real")
    shops.DEADLINE = WITHIN  # pyright: ignore[reportConstantRedefinition] - a small model on a small machine takes long
    async with shops.open_shop(temporal_env, home, environ=DEFAULTS | environ | named) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        first = {action.id: Verdict.APPROVE for action in plan.actions if not action.instead_of}
        await shop.service.decide(repair_id, shops.answer(plan).model_copy(update={"verdicts": first}))
        result = await shop.end(repair_id)
        if where := os.environ.get("REAL_MODEL_OUT"):
            Path(where).mkdir(parents=True, exist_ok=True)
            Path(where, "report.md").write_text(to_markdown(repair_report(result)), encoding="utf-8")
            shutil.copytree(home / "transcripts", Path(where, "transcripts"), dirs_exist_ok=True)
        yield result


async def test_the_cycle_completes(result: RepairResult) -> None:
    assert (result.phase, result.reason) == (Phase.REPORT_COMPLETED, "")
    assert set(result.thinkers) == set(Role)
    assert RULES not in result.thinkers.values()
    assert result.usage.total.calls > 0


async def test_the_guard_holds_and_nothing_of_the_rules_is_lost(result: RepairResult) -> None:
    main = [action for action in result.plans[0].actions if not action.instead_of]
    by_rules = {action.bound.record_id: action.bound.tool for action in main if action.proposed_by == RULES}
    assert by_rules == RULES_ACTIONS
    assert {finding.record_id for finding in result.findings if finding.found_by == RULES} == set(RULES_ACTIONS)
    ran = {each.record_id: each.tool for each in result.outcomes if each.status.took_effect}
    assert ran.items() <= RULES_ACTIONS.items()


async def test_the_report_names_what_was_refused_and_what_was_doubted(result: RepairResult) -> None:
    report = to_markdown(repair_report(result))
    for item in result.plans[0].blocked:
        assert markdown(item.reason)[:60] in report
    assert ("Blocked proposals" in report) == bool(result.plans[0].blocked)
    assert "What language models took" in report
