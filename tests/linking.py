"""Readers that make more of a text than it says: two of Markdown, and what looks for links in any text."""

import re
from html.parser import HTMLParser
from typing import Any, Final, cast

import cmarkgfm  # pyright: ignore[reportMissingTypeStubs]  # it has none
from cmarkgfm.cmark import Options  # pyright: ignore[reportMissingTypeStubs]  # likewise
from linkify_it import LinkifyIt  # pyright: ignore[reportMissingTypeStubs]  # likewise
from markdown_it import MarkdownIt

LINKY: Final = (
    *("http://evil.example/x", "www.evil.example", "a@b.example", "xmpp:a@b.example/x", "evil.com", "evil.co.uk/p?q=1"),
    *("127.0.0.1:8080", "1.2.3.4", "localhost:80", "mailto:a@b.com", "tel:+4912345678", "javascript:alert(1)"),
    *("@hermione", "#123", "owl/post#1", "GH-12", "3f2a9bcd", ":smile:", ":+1:", "&copy;", "&#64;", "a&#64;b.com"),
    *("[^1]", "[^1]: note", "| a | b |", "//evil.com", "ftp://x.y", "http://évil.example", "evil。com", "a\uff20b.com"),
    *("(http://evil.example/x)", "<http://evil.example>", "<a@b.example>", "[x](http://evil.example)"),
    *("[click me](http://evil.example 'a b')", "![i](//e.com/p.png)", '"www.evil.com"', "http://evil.example|b"),
    *(
        "http\\://evil.com",
        "a\\@b.com",
        "`http://a.b`",
        "x``y`http://evil.com",
        "see:http://evil.com",
        "evil.com. Next",
    ),
    *("# heading", "- item", "1. one", "1) one", "+ x", "===", "---", "- - -", "> quote", "    code", "$x$", "==hi=="),
    *("**b** _i_ ~~s~~", "https://evil.com?a=`b`c.com", "README.md", "\\\\evil.com\\share", "a.b@c.com,d@e.com"),
)
_WORDS_OF_CHATS: Final = re.compile(r"(?<!\w)@\w|(?<!\w)#\d|\w#\d|(?<!\w)GH-\d|:[\w+-]+:(?!\d)|\$[a-z]+\$|==\w")
_LINKER: Final = LinkifyIt(options={"fuzzy_link": True, "fuzzy_email": True, "fuzzy_ip": True})
MARKDOWN: Final = MarkdownIt("gfm-like", {"html": True, "linkify": True})


class Page(HTMLParser):
    """What a page has of links and pictures, and its texts, each piece between two tags on its own."""

    def __init__(self, page: str, *, code_too: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.texts: list[str] = []
        self._code_too, self._code = code_too, 0
        self._shown = True
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._shown = tag not in {"title", "style"}
        self._code += tag in {"code", "pre"}

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag in {"code", "pre"}
        self._shown = True

    def handle_data(self, data: str) -> None:
        if self._shown and (self._code_too or not self._code):
            self.texts.append(data)

    @property
    def leading(self) -> list[str]:
        """The tags that lead somewhere."""
        return [tag for tag in self.tags if tag in {"a", "img", "script", "iframe"}]


def links_in(text: str) -> list[str]:
    """The links that a mail program makes of a text that is no markup."""
    # Any: neither library says what it gives back.
    found = cast("list[Any]", cast(Any, _LINKER).match(text) or [])
    return [str(each.text) for each in found]


def live_words(text: str) -> list[str]:
    """Those, and the words with a meaning of their own to others."""
    return links_in(text) + [found[0] for found in _WORDS_OF_CHATS.finditer(text)]


def live_in_markdown(text: str) -> list[str]:
    """What is live in it, for a reader as GitHub is one, and for one that makes links of words."""
    as_github = cast(Any, cmarkgfm).github_flavored_markdown_to_html  # Any: likewise
    pages: tuple[str, str] = (as_github(text, Options.CMARK_OPT_UNSAFE), MARKDOWN.render(text))
    found = [Page(page, code_too=False) for page in pages]
    return [
        each for page in found for each in (*page.leading, *(live for text in page.texts for live in live_words(text)))
    ]


def live_in_html(page: str) -> list[str]:
    """What is live in it, for a mail program, which does not mind what is code."""
    found = Page(page, code_too=True)
    return found.leading + [each for text in found.texts for each in links_in(text)]
