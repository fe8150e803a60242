"""The printed report: every word on it, nothing obeyed, nothing beside the page, the same bytes each time."""

import io
import re
import sys
import unicodedata
from dataclasses import dataclass

import pytest
from pypdf import PdfReader
from sized_repairs import HOSTILE, LONG_WORD, SCRIPTS, ended_repair, order_id, waiting_repair

from daper.adapters.reports.plan_report import plan_report
from daper.adapters.reports.repair_report import repair_report
from daper.core.errors import SettingError
from daper.documents.blocks import Document
from daper.documents.fonts import Coverage
from daper.documents.pdf import to_pdf

ORDERS = 31  # so that every script, and every name that means harm, has an action
# pypdf takes such letters apart, or turns them round, when it reads a page; each is there all the same.
REORDERED = {"Arabic", "Hebrew", "Devanagari", "Thai", "Emoji", "combining"}


def the_plan(orders: int) -> Document:
    view = waiting_repair(orders)
    assert view.plan is not None
    return plan_report(view, [view.plan])


@dataclass(frozen=True)
class Printed:
    """A PDF, and what its pages say."""

    data: bytes
    pdf: PdfReader
    pages: list[str]

    @property
    def words(self) -> str:
        """All of it, without blanks and line ends."""
        return "".join("".join(self.pages).split())


def printed(document: Document) -> Printed:
    data = to_pdf(document)
    pdf = PdfReader(io.BytesIO(data))
    return Printed(data, pdf, [page.extract_text() for page in pdf.pages])


@pytest.fixture(scope="module")
def report() -> Printed:
    return printed(repair_report(ended_repair(ORDERS)))


@pytest.fixture(scope="module")
def plan() -> Printed:
    return printed(the_plan(ORDERS))


def test_each_page_says_which_of_how_many_it_is_and_of_which_repair(report: Printed, plan: Printed) -> None:
    for pages in (report.pages, plan.pages):
        assert len(pages) > 2
        for number, text in enumerate(pages, start=1):
            assert f"{number} of {len(pages)}" in text
            assert "repair-Minerva-8329a845-39fc-4d75-a766-a8c05a415c56" in text


def test_a_table_over_several_pages_has_its_headings_on_each(report: Printed) -> None:
    pages = report.pages
    first = next(number for number, text in enumerate(pages) if "\nActions" in text)
    after = next(number for number, text in enumerate(pages) if "\nVerification" in text)

    assert after - first > 1
    for text in pages[first + 1 : after]:
        assert "what was to be done" in text


def test_s5_the_page_holds_every_name_in_every_script(report: Printed, plan: Printed) -> None:
    for text in (report.words, plan.words):
        for script, name in SCRIPTS.items():
            letters = "".join(name.split())
            if script not in REORDERED:
                assert letters in text, script
            assert set(unicodedata.normalize("NFC", letters)) <= set(unicodedata.normalize("NFC", text)), script


def test_s5_the_page_holds_what_was_found_decided_done_and_left(report: Printed) -> None:
    text = report.words

    for number in range(1, ORDERS + 1):
        assert order_id(number) in text
    for told in (
        "asked customer of ORD-001-HJP to see to the payment; the customer acknowledged the message",
        "Decided by Minerva McGonagall (os-user) on 2026-03-01 09:40:12 UTC through cli",
        "The badges are for S.P.E.W.; go ahead.",
        "rejected by Minerva (claimed) on 2026-02-27; kept back until 2026-03-29",
        "argument 'quantity' must be a whole number from 113 to 553; got 1000000",
        "lines, tax and total do not add up; no tool repairs that",
        "somebody was asked and has not answered; that is not repaired yet",
    ):
        assert "".join(told.split()) in text, told


def test_d4_the_plan_holds_its_whole_digest_each_limit_what_follows_and_how_to_decide(plan: Printed) -> None:
    view = waiting_repair(ORDERS)
    assert view.plan is not None
    text = plan.words

    assert f"plan{view.plan.digest}" in text
    assert "decideuntil2026-03-0121:00:12UTC" in text
    assert f"daperrepairapprove{view.repair_id}\\--plan{view.plan.digest}" in text
    assert "(maybe113to553)" in text
    assert "(maybetextofatmost500characters)" in text
    assert "itishandedtoaperson(itcannotbeundone)" in text
    assert "before→after" in text


def test_d13_markup_stays_text_whatever_it_is_markup_of(report: Printed, plan: Printed) -> None:
    for text in (report.words, plan.words):
        for hostile in HOSTILE[:3]:
            assert "".join(hostile.split()) in text
        assert "|pipe||`tick`&lt;i&gt;\\//comment/*" in text
        assert "root:" not in text


def test_d13_nothing_is_hidden_and_no_letter_is_an_empty_box(report: Printed, plan: Printed) -> None:
    for text in (report.words, plan.words):
        for shown in ("<U+001B>", "<U+0007>", "<U+202E>", "<U+0000>", "<U+20BB7>田", "<116moremarks>"):
            assert shown in text
        assert not re.search("[\x00-\x08\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e]", text)


def test_d13_an_id_that_means_harm_hides_nothing_on_any_page() -> None:
    view = waiting_repair(2).model_copy(update={"repair_id": "x\x1b[31m\u202e𠮷"})
    assert view.plan is not None

    told = printed(plan_report(view, [view.plan]))

    assert "daperrepairapprove'x<U+001B>[31m<U+202E><U+20BB7>'\\--plan" in told.words
    assert all("x<U+001B>[31m<U+202E><U+20BB7>" in "".join(page.split()) for page in told.pages)


def test_a_word_of_200_letters_is_broken_where_its_column_ends(report: Printed, plan: Printed) -> None:
    for told in (report, plan):
        lines = [line for page in told.pages for line in page.splitlines()]

        assert LONG_WORD in told.words
        assert max(line.count("Wing") for line in lines) <= 5


def test_the_same_repair_gives_the_same_bytes() -> None:
    assert to_pdf(repair_report(ended_repair(6))) == to_pdf(repair_report(ended_repair(6)))


def test_the_page_says_what_it_is_to_those_who_cannot_see_it(report: Printed) -> None:
    root, about = report.pdf.root_object, report.pdf.metadata

    assert about is not None
    assert about.title == "Repair report repair-Minerva-8329a845-39fc-4d75-a766-a8c05a415c56"
    assert str(about.creation_date) == "2026-03-01 09:42:19+00:00"
    assert root["/Lang"] == "en"
    assert "/StructTreeRoot" in root
    assert b"pdfuaid:part" in report.data


def test_a_report_that_cannot_be_made_accessible_is_made_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A font that claims more than it has leads to a box that the standard does not allow."""

    def as_it_is(_: Coverage, text: str) -> str:
        return text

    monkeypatch.setattr(Coverage, "shown", as_it_is)

    assert order_id(18) in printed(repair_report(ended_repair(18))).words


def test_a_row_stays_on_one_page() -> None:
    told = ("word " * 50, "word " * 50, "word " * 50, "word " * 50)

    pages = pages_with_outstanding(told, orders=12)

    for number in range(1, 13):
        [begins] = [place for place, text in enumerate(pages) if f"{number:03} begins" in text]
        [ends] = [place for place, text in enumerate(pages) if f"{number:03} ends" in text]
        assert begins == ends
    assert "012 ends" not in pages[1]


def test_a_row_that_fits_on_no_page_is_parted_and_not_lost() -> None:
    pages = pages_with_outstanding(("word " * 59,) * 10, orders=1)

    begins, ends = (next(n for n, text in enumerate(pages) if mark in text) for mark in ("001 begins", "001 ends"))
    assert begins < ends


def pages_with_outstanding(told: tuple[str, ...], *, orders: int) -> list[str]:
    result = ended_repair(orders, hostile=False)
    assert result.report is not None
    records = tuple(
        record.model_copy(update={"outstanding": (f"{number:03} begins", *told, f"{number:03} ends")})
        for number, record in enumerate(result.report.records, start=1)
    )
    changed = result.model_copy(update={"report": result.report.model_copy(update={"records": records})})
    return printed(repair_report(changed)).pages


@pytest.mark.parametrize("missing", ["typst", "fontTools.ttLib"])
def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.delitem(sys.modules, "daper.documents.fonts")
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(SettingError, match=r"pip install 'daper\[pdf\]'"):
        to_pdf(repair_report(ended_repair(1)))
