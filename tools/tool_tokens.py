"""Puts into docs/mcp.md what the tools cost a language model: characters, and tokens of one model's alphabet.

`make tool-tokens` runs it with the tokenizer, which nothing else needs. Counted is what a client hands to a model's
API for each tool, as JSON without blanks: its name, description and input schema. Other models cut texts into other
pieces; characters say which tool is the big one for all of them.
"""

import importlib
import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from mcp.server.mcpserver.tools import Tool

from daper.core.access import Access
from daper.core.models import IdentityProof, Person
from daper.entrypoints.mcp.door import Caller, Door
from daper.entrypoints.mcp.server import INSTRUCTIONS, tools_of
from daper.settings import ChatApproval, load_settings

PAGE = Path(__file__).parents[1] / "docs" / "mcp.md"
ENCODING = "o200k_base"  # of OpenAI's models since GPT-4o
HEAD = "| tool | characters | tokens |\n|---|---|---|\n"
ALL, HINTS = "all tools", "the instructions of the server"


def handed_over(tool: Tool) -> str:
    """What a client hands to a model's API for a tool."""
    document = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def texts() -> dict[str, str]:
    """What is counted, by what it is, in the order of the page."""
    settings = load_settings(environ={"HOME": "/nowhere"})
    nobody = Caller(person=Person(name="nobody", how=IdentityProof.CLAIMED), access=frozenset(Access))
    door = Door(settings=settings, load=lambda: settings, who=lambda _: nobody)
    return {f"`{tool.name}`": handed_over(tool) for tool in tools_of(door, approval=ChatApproval.ELICIT)} | {
        HINTS: INSTRUCTIONS
    }


def in_page() -> dict[str, tuple[int, int]]:
    """Characters and tokens as they stand in the page."""
    rows = re.findall(r"^\| ([^|]+) \| ([\d,]+) \| ([\d,]+) \|$", _table(PAGE.read_text("utf-8")), re.MULTILINE)
    return {what: (_number(characters), _number(tokens)) for what, characters, tokens in rows}


def table(count: Callable[[str], int]) -> str:
    """The table, with a row for all tools."""
    counted = {what: (len(text), count(text)) for what, text in texts().items()}
    tools = [numbers for what, numbers in counted.items() if what != HINTS]
    counted[ALL] = (sum(characters for characters, _ in tools), sum(tokens for _, tokens in tools))
    return HEAD + "".join(_rows(counted.items()))


def _rows(counted: Iterable[tuple[str, tuple[int, int]]]) -> Iterable[str]:
    for what, (characters, tokens) in counted:
        yield f"| {what} | {characters:,} | {tokens:,} |\n"


def _table(page: str) -> str:
    begin = page.index(HEAD)
    return page[begin : page.index("\n\n", begin) + 1]


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def main() -> int:
    """Count, and write the page anew."""
    encoding = importlib.import_module("bpe_openai").get_encoding(ENCODING)
    page = PAGE.read_text("utf-8")
    PAGE.write_text(page.replace(_table(page), table(lambda text: len(encoding.encode(text)))), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
