"""The report as a mail: one file that runs nothing, fetches nothing, and that no record text breaks out of."""

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sized_repairs import HOSTILE, LONG_WORD, SCRIPTS, ended_repair, order_id, waiting_repair

from daper.adapters.reports.plan_report import plan_report
from daper.adapters.reports.repair_report import repair_report
from daper.documents.html import to_html

GMAIL_CUTS_AT = 102_400
VOID = {"meta", "br", "wbr", "col"}
OURS = {
    *("html", "head", "meta", "title", "style", "body", "div", "h1", "h2", "p", "b", "br", "wbr", "code", "bdi"),
    *("table", "colgroup", "col", "thead", "tbody", "tr", "th", "td"),
}
HARMLESS = {
    *("lang", "charset", "name", "content", "style", "width", "cellpadding", "cellspacing", "border", "frame"),
    *("rules", "role", "scope", "align", "valign", "bgcolor", "dir"),
}


class Strict(HTMLParser):
    """Reads a page of ours: every tag and attribute is one that we use, and every tag is closed in its place."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in OURS
        for name, value in attrs:
            assert name in HARMLESS
            assert "url(" not in (value or "")
            assert "://" not in (value or "")
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data}")


def read(page: str) -> Strict:
    strict = Strict()
    strict.feed(page)
    strict.close()
    assert strict.open == []
    return strict


def report(orders: int, *, hostile: bool = True) -> str:
    return to_html(repair_report(ended_repair(orders, hostile=hostile)))


def plan(orders: int, *, hostile: bool = True) -> str:
    view = waiting_repair(orders, hostile=hostile)
    assert view.plan is not None
    return to_html(plan_report(view, [view.plan]))


@pytest.mark.parametrize("page", [report(31), plan(31)], ids=["report", "plan"])
def test_s5_it_holds_every_name_and_d13_every_hostile_one_as_text(page: str) -> None:
    text = "".join(read(page).texts)

    for name in SCRIPTS.values():
        assert name in text
    for hostile in HOSTILE[:3]:
        assert hostile in text
    for shown in ("red <U+001B>[31mred", "<U+202E>gnp.exe<U+2066>", "<116 more marks>algo | pipe || `tick` &lt;i&gt;"):
        assert shown in text
    assert LONG_WORD in text
    assert order_id(1) in text


def test_it_is_one_file_that_says_what_it_is() -> None:
    page = report(6)

    assert page.startswith('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n')
    assert "<title>Repair report repair-Minerva-8329a845-39fc-4d75-a766-a8c05a415c56</title>" in page
    assert '<meta name="color-scheme" content="light dark">' in page


@pytest.mark.parametrize("hostile", [False, True], ids=["tame", "hostile"])
def test_sixty_orders_are_less_than_a_mail_reader_cuts_off(hostile: bool) -> None:
    assert len(report(60, hostile=hostile).encode()) < GMAIL_CUTS_AT - 2_400
    assert len(plan(60, hostile=hostile).encode()) < GMAIL_CUTS_AT - 2_400


def test_what_is_left_for_a_person_comes_right_after_the_summary() -> None:
    page = report(31)
    titles = [text for text in read(page).texts if f">{text}</h2>" in page]

    assert titles[:4] == ["Left for a person", "In numbers", "Records", "What happened to each problem"]


def test_each_bar_says_its_name_and_number_and_the_longest_is_whole() -> None:
    page = report(13, hostile=False)

    assert page.count('<td width="100%" bgcolor=') == 1
    for bar in ("repaired, and verified", "left for a person", "left alone, because it is known"):
        assert f'<td width="45%">{bar}</td><td width="10%" align="right"><b>' in page


def test_a_copied_command_stays_one_command() -> None:
    view = waiting_repair(6)
    assert view.plan is not None

    text = "".join(read(plan(6)).texts)

    assert f"daper repair approve {view.repair_id} \\\xa0\xa0--plan {view.plan.digest}" in text


def test_d13_an_id_that_means_harm_hides_nothing_in_the_commands() -> None:
    view = waiting_repair(2).model_copy(update={"repair_id": "x\x1b[31m\u202e<b>"})
    assert view.plan is not None

    page = to_html(plan_report(view, [view.plan]))

    assert "daper repair approve 'x<U+001B>[31m<U+202E><b>' \\" in "".join(read(page).texts)
    assert not {"\x1b", "\u202e"} & set(page)


def test_text_from_right_to_left_is_kept_apart_from_what_is_beside_it() -> None:
    page = report(31)

    assert f"<bdi>{SCRIPTS['Arabic']}</bdi>" in page
    assert f'<code dir="auto">{SCRIPTS["Arabic"]}</code>' in page
    assert f"<bdi>{SCRIPTS['Greek']}</bdi>" not in page


TAME = [tag for tag in read(report(6, hostile=False)).tags if tag != "wbr"]
MARKUP = st.lists(st.sampled_from([*"<>&\"'/=-! a;#", "<script>", "</td>", "<!--", "]]>", "&lt;"]), max_size=30)


@settings(max_examples=50, deadline=None)
@given(MARKUP.map("".join))
def test_d13_no_text_at_all_adds_a_tag(hostile: str) -> None:
    result = ended_repair(6, hostile=False)
    assert result.report is not None
    told = result.report.model_copy(update={"summary": f"x{hostile}", "left_for_person": (f"x{hostile}",)})

    page = to_html(repair_report(result.model_copy(update={"report": told, "user": f"x{hostile}"})))

    assert [tag for tag in read(page).tags if tag != "wbr"] == TAME
