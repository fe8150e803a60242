"""Every text of a result, one at a time, set to what means harm: each page says it as text, and all else as before."""

import copy
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import islice
from typing import Any

import pytest
from pydantic import JsonValue, ValidationError
from tests.unit.test_report import HOSTILE, blocks_of, whole_result

from daper.adapters.reports.plan_report import plan_report
from daper.adapters.reports.repair_report import repair_report
from daper.core.outcomes import RepairResult
from daper.core.views import whole_plans
from daper.documents.blocks import Document
from daper.documents.html import to_html
from daper.documents.markdown import to_markdown
from daper.documents.pdf import to_pdf

TYPST = '\n= big\n#panic("ran") #read("/etc/passwd") $x$ `raw` *bold* @ref <label> \\ // gone'
# Short, so that no page cuts any of it away.
HARM = "- |`\n\n# \"'><img src=x onerror=alert(1)><!-- [c](http://e.example) ```\x1b[31m\u202e\n> *b* \\"
# Any: parsed JSON, of whatever a result holds.
WHOLE: dict[str, Any] = json.loads(whole_result("x").model_dump_json())
HIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u2069\ufeff]")
PLACES = 200  # about as many texts as the whole result has


class Seen(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.comments: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def places(value: JsonValue, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where the texts are. An action's text is what its digest is made of, and not free."""
    match value:
        case str() if at[-1] != "text":
            yield at
        case list():
            for place, inner in enumerate(value):
                yield from places(inner, (*at, place))
        case dict():
            for name, inner in value.items():
                yield from places(inner, (*at, name))
        case _:
            return


def results(text: str) -> Iterator[RepairResult]:
    for at in places(WHOLE):
        changed = copy.deepcopy(WHOLE)
        inner: Any = changed  # Any: likewise
        for key in at[:-1]:
            inner = inner[key]
        inner[at[-1]] = text
        try:
            yield RepairResult.model_validate(changed)
        except ValidationError:  # a time, a number, or one of a closed set: it never gets that far
            continue


def documents(result: RepairResult) -> tuple[Document, Document]:
    return repair_report(result), plan_report(result, whole_plans(result))


TAME = Seen("".join(map(to_html, documents(whole_result("x")))))


@pytest.mark.parametrize("every", [15, pytest.param(1, marks=pytest.mark.long)])
def test_d13_no_text_of_a_result_is_markup_on_any_page(every: int) -> None:
    looked = 0
    for result in islice(results(HARM), 0, None, every):
        for document in documents(result):
            looked += 1
            page = to_html(document)
            seen = Seen(page)
            assert seen.tags <= TAME.tags | {"bdi", "wbr"}
            assert seen.attributes <= TAME.attributes | {"dir"}
            assert not seen.comments
            assert not HIDDEN.search(page)
            blocks_of(to_markdown(document))

    assert looked > PLACES // every


@pytest.mark.parametrize("text", [HOSTILE, TYPST])
def test_d13_no_text_of_a_result_does_anything_in_a_pdf(text: str) -> None:
    made = to_pdf(repair_report(whole_result(text)))

    assert not re.search(rb"/(JavaScript|JS|URI|Launch|EmbeddedFile)\b", made)
