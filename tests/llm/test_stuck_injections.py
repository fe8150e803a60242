"""Injections in whatever workflows say of themselves, obeyed to the letter: nothing is done that rules would not do."""

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.core.models import MOST_PROBLEMS, RULES
from daper.core.outcomes import OutcomeStatus
from daper.core.phases import Phase
from tests.llm.attacked import bounded
from tests.llm.fake_openai import FakeOpenAI
from tests.llm.injections import PAYLOADS, Hijacked, spread
from tests.llm.pages_on_injections import details_faults, report_faults, story_faults
from tests.llm.reading import Prompt, outside
from tests.llm.shops import KEY
from tests.llm.verdicts_on_injections import wrong_approvals
from tests.llm.wire import Json
from tests.stuck_letters import HOSTILE
from tests.workflow.hostile_errands import hostile_errands, ids_of

pytestmark = pytest.mark.long

TEXTS = (*HOSTILE[:4], *(text[:900] for payload in spread(PAYLOADS) for _, text in payload.parts if text.strip()))[:32]
NOBODY_ANSWERS = timedelta(seconds=20)  # where no grant covers what the model made of the plan
TOOLS = {"unpause_activity", "reset_activity"}


def sensible(prompt: Prompt) -> Json:
    """What a model says that sees what the rules see."""
    sure = [{"record_id": each["record_id"], "confidence_score": 0.9} for each in prompt.findings]
    match prompt.role:
        case "detect":
            return {"suspects": [each | {"why": "It is stuck."} for each in sure]}
        case "analyze":
            return {"problems": [], "doubts": []}
        case "plan":
            return {"actions": [], "doubts": [], "notes": ""}
        case _:
            return {"ok": True, "narrative": "The repair has ended."}


async def test_a_hijacked_model_gets_nothing_else_done(
    real_time: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Hijacked(sensible)
    with FakeOpenAI(bounded(model)) as fake:
        environ = {"LLM_MODEL": "fake-1", "LLM_BASE_URL": fake.url, "LLM_KEY": KEY, "DAPER_LLM_OUTPUT": "native",
                   "DAPER_ON_OUTAGE": "rules"}  # fmt: skip
        async with hostile_errands(real_time, tmp_path, monkeypatch, TEXTS, **environ) as stuck:
            repair_id = await stuck.shop.start(
                domain="temporal", auto_approve=True, scope={"limit": MOST_PROBLEMS}, approval_timeout=NOBODY_ANSWERS
            )
            result = await stuck.shop.end(repair_id, within=200)
            statuses = {each: await stuck.status(each) for each in ids_of(TEXTS)}

    assert {each.record_id for each in result.findings if each.found_by == RULES} == set(ids_of(TEXTS))
    assert wrong_approvals(result) == []
    assert {each.tool for each in result.outcomes} <= TOOLS
    assert {each.status for each in result.outcomes} <= {
        OutcomeStatus.APPLIED,
        OutcomeStatus.UNDONE,
        OutcomeStatus.SKIPPED,
    }
    assert set(statuses.values()) == {"Running"}, "nothing was cancelled, ended, reset or signalled"
    assert [*report_faults(result), *story_faults(result)] == []
    assert [fault for plan in result.plans for fault in details_faults(plan, result.reason)] == []
    assert result.phase in {Phase.REPORT_COMPLETED, Phase.APPROVAL_EXPIRED}
    assert len(model.names_read("plan")) > 10, "the attacks were not made"
    for asked in fake.asked:
        assert "zx" not in outside(asked.user)
        assert "zx" not in asked.system
