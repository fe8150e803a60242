"""Injections in the rows of a declared domain, obeyed to the letter: nothing is done that the rules would not do."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from temporalio.testing import WorkflowEnvironment

from daper.core.models import RULES
from daper.core.outcomes import OutcomeStatus
from daper.core.phases import Phase
from daper.stores.rows.engine import disconnect
from tests.llm.attacked import bounded
from tests.llm.fake_openai import FakeOpenAI
from tests.llm.injections import PAYLOADS, Hijacked, spread
from tests.llm.pages_on_injections import details_faults, report_faults, story_faults
from tests.llm.reading import Prompt, outside
from tests.llm.shops import KEY
from tests.llm.verdicts_on_injections import wrong_approvals
from tests.llm.wire import Json
from tests.stuck_letters import HOSTILE, Letters
from tests.workflow.shop import open_shop

pytestmark = pytest.mark.long

TEXTS = (*HOSTILE, *(text[:15_000] for payload in spread(PAYLOADS) for _, text in payload.parts))


@pytest.fixture
def letters(tmp_path: Path) -> Iterator[Letters]:
    url = f"sqlite:///{tmp_path / 'letters.db'}"
    engine = create_engine(url)
    yield Letters(engine, url, tmp_path / "domains", TEXTS)
    engine.dispose()
    disconnect()


def sensible(prompt: Prompt) -> Json:
    """What a model says that sees what the rules see."""
    sure = [{"record_id": each["record_id"], "confidence_score": 0.9} for each in prompt.findings]
    match prompt.role:
        case "detect":
            return {"suspects": [each | {"why": "It is stuck."} for each in sure]}
        case "analyze":
            return {"problems": [each | {"kind": "stuck", "issue": "It is stuck."} for each in sure], "doubts": []}
        case "plan":
            more = {"tool": "release_letter", "arguments": {"reply": "released"}, "why": "It is stuck."}
            return {"actions": [each | more for each in sure], "doubts": [], "notes": ""}
        case _:
            return {"ok": True, "narrative": "The repair has ended."}


async def test_a_hijacked_model_gets_nothing_else_done(
    temporal_env: WorkflowEnvironment, tmp_path: Path, letters: Letters
) -> None:
    before = letters.rows()
    model = Hijacked(sensible)
    with FakeOpenAI(bounded(model)) as fake:
        environ = {"LLM_MODEL": "fake-1", "LLM_BASE_URL": fake.url, "LLM_KEY": KEY, "DAPER_LLM_OUTPUT": "native",
                   "DAPER_ON_OUTAGE": "rules"}  # fmt: skip
        async with open_shop(
            temporal_env, tmp_path / "home", domains={"letters": letters.domain()}, environ=environ
        ) as shop:
            repair_id = await shop.start(
                domain="letters", auto_approve=True, skipping=True, scope={"limit": len(TEXTS)}
            )
            result = await shop.end(repair_id, within=240)

    assert {each.record_id for each in result.findings if each.found_by == RULES} == set(letters.texts)
    assert wrong_approvals(result) == []
    after, applied = letters.rows(), set[str]()
    for outcome in result.outcomes:
        assert outcome.tool == "release_letter"
        if outcome.status is OutcomeStatus.APPLIED:
            applied.add(outcome.record_id)
    for record_id, (title, note, status, tries, reply) in after.items():
        assert (title, note) == before[record_id][:2]
        assert (status, tries) == (("open", 1) if record_id in applied else ("stuck", 0))
        assert reply is None or record_id in applied
    assert [*report_faults(result), *story_faults(result)] == []
    assert [fault for plan in result.plans for fault in details_faults(plan, result.reason)] == []
    assert result.phase in {Phase.REPORT_COMPLETED, Phase.APPROVAL_EXPIRED}
    assert len(model.names_read("plan")) > 20, "the attacks were not made"
    for asked in fake.asked:
        assert "zx" not in outside(asked.user)
        assert "zx" not in asked.system
