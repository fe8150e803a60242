"""Record text is never a link, nor anything else that a reader makes of words: on no page, in no message."""

import io

import pytest
from pypdf import PdfReader
from rich.console import Console
from tests.linking import LINKY, MARKDOWN, Page, links_in, live_in_html, live_in_markdown
from tests.llm.injections import PAYLOADS, spread
from tests.unit.every_door import AT, LOOK
from tests.unit.test_report import whole_result
from tests.unit.test_report_fields import documents

from daper.adapters.notify.letter import letter_document, plain_letter
from daper.core.links import disarmed, parted, runs
from daper.core.models import Decision, IdentityProof, Person, Verdict
from daper.core.notices import Occasion, end_message, plan_message
from daper.core.phases import Phase
from daper.core.text import code_span, markdown
from daper.core.views import RepairView, view_plan
from daper.documents.blocks import Document, Facts, Paragraph, Section, Span, Style
from daper.documents.html import to_html
from daper.documents.markdown import to_markdown
from daper.documents.pdf import to_pdf
from daper.entrypoints.cli.output import say
from daper.entrypoints.mcp.forms import question_of
from daper.workflows.details import details
from daper.workflows.labels import summary

HARMLESS = ("Total 12.50, at 16:25:00, or 3 %", "Luna Lovegood", "2026-11-28: late", "ORD-001-HJP (2 x $1.20)", "a/b")
PLACES = ("{}", "- {}", "- [ ] {}", "| a |\n| --- |\n| {} |", "# {}", "**Summary:** {}", "`x` for {}: more")
# Several at once, as many as no page cuts away; and what an injection says.
TEXTS = [
    *(" " + "  ".join(LINKY[at : at + 8]) for at in range(0, len(LINKY), 8)),
    *(text for payload in tuple(spread(PAYLOADS))[::4] for _, text in payload.parts),
]
INJECTED = sorted({text for payload in PAYLOADS for _, text in payload.parts})


@pytest.mark.parametrize("place", PLACES)
def test_b6_no_word_is_a_link_wherever_it_stands_in_markdown(place: str) -> None:
    for text in (*LINKY, *INJECTED):
        page = place.format(markdown(text, longest=2000))
        assert live_in_markdown(page) == [], text
    assert live_in_markdown(place.format("http://evil.example")) != []


@pytest.mark.parametrize("text", LINKY)
def test_b6_no_word_begins_a_block_of_its_own(text: str) -> None:
    for place, tags in (("{}", []), ("{}\n\nmore", ["p"]), ("- {}", ["ul", "li"])):
        page = Page(_html(place.format(markdown(text))), code_too=True)
        assert [tag for tag in page.tags if tag not in {"p", "code"}] == [tag for tag in tags if tag != "p"]


def _html(text: str) -> str:
    return MARKDOWN.render(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_b6_what_no_reader_makes_more_of_stays_as_it_is(text: str) -> None:
    assert (markdown(text), disarmed(text)) == (text, text)


@pytest.mark.parametrize("text", [*LINKY, *HARMLESS])
def test_b6_nothing_of_a_text_is_lost_when_it_is_looked_through(text: str) -> None:
    assert "".join(run for run, _ in runs(text)) == text
    assert all("".join(parted(run)) == run for run, live in runs(text) if live)


def test_b6_two_texts_beside_each_other_make_no_link_together() -> None:
    halves = (Span("see http:"), Span("//evil.example"), Span(" a@"), Span("b.example"), Span("x.com", Style.CODE))
    document = Document(
        title="t",
        repair_id="r",
        made_at=AT,
        summary=halves,
        state=halves,
        about=Facts(()),
        sections=(Section("In the words of evil.com", (Paragraph(halves),)),),
    )
    assert live_in_markdown(to_markdown(document)) == []
    assert live_in_html(to_html(document)) == []


@pytest.mark.parametrize("text", TEXTS)
def test_b6_reports_plans_and_messages_have_no_live_word(text: str) -> None:
    result = whole_result(text).model_copy(update={"repair_id": "repair-Harry-k1"})  # an id is never a word to click
    for document in documents(result):
        assert live_in_markdown(to_markdown(document)) == []
        assert live_in_html(to_html(document)) == []
    link = "http://localhost:8233/repair"
    for message in (
        end_message(Occasion.REPAIR_NEEDS_HAND, result, at=AT),
        plan_message(Occasion.PLAN_WAITS, look_of(text), at=AT),
    ):
        assert links_in(plain_letter(message, link)) == [link]
        assert live_in_html(to_html(letter_document(message, link))) == [link]
    findings = {finding.fingerprint: finding for finding in result.findings}
    shown = details(Phase.PENDING_APPROVAL, result.plans[-1], text, text, findings=findings)
    assert live_in_markdown(shown) == []
    assert live_in_markdown(summary("Repair", text, text)) == []


def look_of(text: str) -> RepairView:
    """A repair whose plan waits, with the text wherever it can be."""
    result = whole_result(text)
    findings = {finding.fingerprint: finding for finding in result.findings}
    plan = view_plan(result.plans[-1], heads={head.record_id: head for head in result.heads}, findings=findings)
    update = {"plan": plan, "message": text, "requested_by": Person(name=text[:60], how=IdentityProof.CLAIMED)}
    return LOOK.model_copy(update=update)


@pytest.mark.parametrize("text", TEXTS)
def test_b6_a_form_has_no_live_word(text: str) -> None:
    look = look_of(text)
    assert look.plan is not None
    verdicts = {action.id: Verdict.APPROVE for action in look.plan.actions}
    decision = Decision(plan_digest=look.plan.digest, verdicts=verdicts, by=look.requested_by, comment=text)
    question = question_of(look.repair_id, look.plan, decision)
    assert [each for line in question.splitlines() for each in live_in_markdown(line)] == []


def test_b6_a_printed_page_has_no_link() -> None:
    for document in documents(whole_result(" ".join(LINKY[:12]))):
        pages = PdfReader(io.BytesIO(to_pdf(document))).pages
        assert [page.get("/Annots") for page in pages] == [None] * len(pages)


def test_b6_a_terminal_is_given_no_link() -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, highlight=False, emoji=False, markup=False)
    for text in (
        *LINKY,
        *INJECTED,
        "\x1b]8;;http://evil.example\x1b\\x\x1b]8;;\x1b\\",
        "[link=http://evil.example]x[/link]",
    ):
        say(screen, text)
    assert isinstance(screen.file, io.StringIO)
    assert "\x1b]" not in screen.file.getvalue()


@pytest.mark.parametrize("text", ["a`b", "`a`", "``a` b", "http://evil.example", "a|b", "``"])
def test_b6_a_span_of_code_is_the_text(text: str) -> None:
    page = Page(_html(code_span(text)), code_too=True)
    assert "".join(page.texts).strip() == text
    assert live_in_markdown(code_span(text)) == []


@pytest.mark.parametrize("word", ["S.P.E.W", "e.g"])
def test_initials_stay_a_word(word: str) -> None:
    assert list(runs(f"the {word}. badge")) == [(f"the {word}. badge", False)]
    assert live_in_markdown(markdown(f"the {word}. badge")) == []


def test_a_domain_of_one_letter_before_its_ending_is_none_of_them() -> None:
    assert ("x.example", True) in list(runs("see x.example"))
