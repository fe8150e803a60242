"""The troubled shop as the tests know it: what is expected of each order, and what no screen may ever show."""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from typing import Any

from markdown_it import MarkdownIt
from pydantic import BaseModel, ConfigDict, JsonValue

from daper.domains.orders import shipped

TROUBLE = "trouble"
NOTES: tuple[str, ...] = ("notes", "status_notes", "description", "delivery")
TEXTS: tuple[str, ...] = (*NOTES, "customer_name", "item_name", "payment_method", "street", "town")
# Whatever draws, moves, hides or turns around: nothing of it belongs on a screen, save a line's end.
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
FILLERS = frozenset("\u034f\u115f\u1160\u3164\uffa0")
# What rich tells a terminal: the colours of our own lines, and the moves of a line that is drawn anew.
_RICH = re.compile(r"\x1b\[(?:\?25[lh]|2K|1A|(?:0|1|2|32|33|35|36|90|91|38;[25];[0-9;]+)m)")
_ORDER = re.compile(r"^    \{\n.*?^    \}", re.MULTILINE | re.DOTALL)
_ORDER_ID = re.compile(r'"order_id": "([^"]+)"')


class _Tags(HTMLParser):
    """What a browser would make of a page: its tags with their attributes, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep it."""
        self.text += data


class _Expected(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Action(_Expected):
    """One action that is to be proposed, and what is to become of it."""

    tool: str
    arguments: dict[str, JsonValue]
    confidence: float
    outcome: str
    verified: dict[str, str] = {}
    to: str | None = None


class ExpectedOrder(_Expected):
    """One order; without a status it stays as it is."""

    who: str
    finds: list[str]
    actions: list[Action] = []
    for_person: list[tuple[str, str]] = []
    status: str | None = None
    why: str


class Stock(_Expected):
    """One shelf that changes."""

    before: int
    after: int


class Expectations(_Expected):
    """All of it."""

    as_of: datetime
    approver: str
    orders: dict[str, ExpectedOrder]
    stock: dict[str, Stock]
    counts: dict[str, int]

    @property
    def untouched(self) -> set[str]:
        """The orders that stay as they are."""
        return {order_id for order_id, order in self.orders.items() if order.status is None}

    @property
    def planned(self) -> list[tuple[str, Action]]:
        """Every action with its order, in the order of the plan."""
        return [(order_id, action) for order_id, order in self.orders.items() for action in order.actions]


def expectations() -> Expectations:
    """What is written beside the data."""
    path = files("daper.domains.orders") / "data" / TROUBLE / "expectations.toml"
    return Expectations.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


def order_texts(document: str) -> dict[str, str]:
    """Each order of a file in the store's layout, as it is written there, by its id."""
    found: dict[str, str] = {}
    for match in _ORDER.finditer(document):
        named = _ORDER_ID.search(match[0])
        assert named is not None
        found[named[1]] = match[0]
    return found


def shipped_orders() -> dict[str, str]:
    """Each shipped order as it is written, by its id."""
    return order_texts(shipped.texts(TROUBLE)["orders.json"])


# Any: JSON of whatever shape the shop holds.
def reworded(value: Any, *, names: Mapping[str, str]) -> Any:
    """The same JSON with other words in every field that is named."""
    if isinstance(value, dict):
        held: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
        return {
            key: names[key] if key in names and isinstance(each, str) else reworded(each, names=names)
            for key, each in held.items()
        }
    if isinstance(value, list):
        members: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
        return [reworded(each, names=names) for each in members]
    return value


def hidden_in(text: str) -> set[str]:
    """The characters of a text that nobody would see, or that would do something."""
    return {char for char in text if unicodedata.category(char) in HIDDEN or char in FILLERS}


def check_pipe(shown: str) -> None:
    """Nothing but text and the ends of lines."""
    assert hidden_in(shown) <= {"\n"}, hidden_in(shown)


def check_terminal(shown: str) -> None:
    """Only what rich itself tells a terminal; all else is text."""
    rest = _RICH.sub("", shown)
    # A line that is drawn anew begins with a carriage return; those of the records are shown as text.
    assert hidden_in(rest) <= {"\n", "\r"}, hidden_in(rest)
    assert "\rpaid in full" not in rest


def check_lines(shown: str) -> None:
    """No line that begins as one of ours was begun by a record."""
    lines = [line for part in _RICH.sub("", shown).split("\n") for line in part.split("\r")]
    for forged in ("Current repair status: REPORT-COMPLETED", "Decided by ", "Workflow completed with result: "):
        assert sum(line.startswith(forged) for line in lines) <= 1, forged
    assert not [
        line for line in lines if line.lower().startswith(("<", "#", "```", "|", "=", "repair-harry", "</orders"))
    ]


def check_markdown(text: str) -> None:
    """Rendered, record text is neither link, image, HTML, heading nor code block."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
    inline = [child for token in tokens for child in token.children or ()]
    kinds = {token.type for token in (*tokens, *inline)}
    assert not kinds & {"html_block", "html_inline", "image", "s_open"}, kinds
    assert not [token for token in inline if token.type == "link_open" and "evil" in str(token.attrs)]
    headings = [after.content for token, after in pairwise(tokens) if token.type == "heading_open"]
    assert not [heading for heading in headings if "approved" in heading.lower()], headings
    assert hidden_in(text) <= {"\n"}, hidden_in(text)


def check_html(page: str) -> None:
    """No tag, attribute or address of the page comes from a record; there its text is only text."""
    parser = _Tags()
    parser.feed(page)
    assert not {tag for tag, _ in parser.tags} & {"script", "img", "iframe", "form", "system", "orders"}
    for tag, attributes in parser.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        assert "evil" not in str(attributes)
        assert "javascript:" not in str(attributes)
    assert "<script>alert('Rita')" in parser.text
    assert hidden_in(page) <= {"\n"}, hidden_in(page)
