"""Whatever text stands in workflows, their failures and pauses: on every screen it is text, and does nothing."""

import io
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from pypdf import PdfReader
from rich.console import Console
from temporalio.testing import WorkflowEnvironment

from daper.adapters.notify import letter
from daper.adapters.reports.plan_report import plan_report
from daper.adapters.reports.repair_report import repair_report
from daper.clock import utc_now
from daper.core.models import MOST_PROBLEMS
from daper.core.notices import Occasion, plan_message
from daper.core.outcomes import OutcomeStatus
from daper.core.views import RepairView
from daper.documents.html import to_html
from daper.documents.pdf import to_pdf
from daper.entrypoints.cli.output import say
from daper.entrypoints.cli.repair_view import look_lines
from tests.llm.pages_on_injections import details_faults, html_faults, report_faults, story_faults
from tests.stuck_letters import HOSTILE
from tests.workflow.chat import chat_with, yes
from tests.workflow.hostile_errands import hostile_errands, ids_of

HIDDEN = {"Cc", "Cf", "Zl", "Zp"}


def hidden(text: str) -> set[str]:
    """What stands in a text of many lines and is not seen."""
    return {char for char in text if char != "\n" and unicodedata.category(char) in HIDDEN}


# Any: a document of whatever shape.
def texts_in(document: Any) -> Iterator[str]:
    if isinstance(document, str):
        yield document
    if isinstance(document, Mapping):
        document = [part for item in cast(Mapping[str, Any], document).items() for part in item]
    if isinstance(document, list | tuple):
        for each in cast(Sequence[Any], document):
            yield from texts_in(each)


def on_terminal(look: RepairView) -> str:
    shown = io.StringIO()
    screen = Console(file=shown, width=100, force_terminal=True, color_system=None, highlight=False, markup=False)
    for line in look_lines(look):
        say(screen, line)
    return shown.getvalue()


async def test_hostile_texts_of_workflows_are_text_at_every_door(
    real_time: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hostile_errands(real_time, tmp_path, monkeypatch) as stuck:
        shop = stuck.shop
        repair_id = await shop.start(domain="temporal", scope={"limit": MOST_PROBLEMS})
        plan = await shop.plan(repair_id)
        look = await shop.service.look(repair_id)
        assert isinstance(look, RepairView)
        async with chat_with(shop, answers=yes) as chat:
            told = await chat.call("get_repair", repair_id=repair_id)
            approved = [action.id for action in plan.actions]
            await chat.call("approve_repair", repair_id=repair_id, plan_digest=plan.digest, actions=approved)
        result = await shop.end(repair_id)

    assert {each.record_id for each in result.findings} == set(ids_of(HOSTILE))
    assert {each.record_id for each in result.outcomes} >= set(ids_of(HOSTILE)[1::2]), "the paused ones have a tool"
    # What is let go on fails as before: the first is paused again, and the others are left. Each other failure is a
    # sort of its own, and nothing is to be undone of what was tried again.
    statuses = {each.tool: {one.status for one in result.outcomes if one.tool == each.tool} for each in result.outcomes}
    assert statuses == {
        "unpause_activity": {OutcomeStatus.UNDONE, OutcomeStatus.SKIPPED},
        "reset_activity": {OutcomeStatus.APPLIED},
    }
    message = plan_message(Occasion.PLAN_WAITS, look, at=utc_now())
    assert [*report_faults(result), *story_faults(result)] == []
    assert [fault for each in result.plans for fault in details_faults(each, result.reason)] == []
    assert list(html_faults(to_html(letter.letter_document(message, None)))) == []
    for shown in (on_terminal(look), letter.plain_letter(message, None), *chat.asked, *texts_in(told)):
        assert not hidden(shown), shown
    for document in (repair_report(result), plan_report(look, [plan])):
        pages = PdfReader(io.BytesIO(to_pdf(document))).pages
        assert not any(hidden(page.extract_text()) for page in pages)
        assert not any("/Annots" in page for page in pages), "a text became a link"
